"""https: which certificate callers are shown, how it is changed while the server runs, and what is refused."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from assay.tls import Tls, TlsFault, TlsFiles
from tests.certificates import ServerFiles, server_files
from tests.hostile.certificates import issued
from tests.process import Assay, Server

WAIT_SECONDS = 20


@pytest.fixture
def files(tmp_path: Path) -> ServerFiles:
    return server_files(tmp_path)


@pytest.fixture
def assay(tmp_path: Path) -> Assay:
    return Assay(tmp_path)


@pytest.fixture
def server(assay: Assay, files: ServerFiles) -> Iterator[Server]:
    with assay.serving(*files.options) as running:
        yield running


def trusting(files: ServerFiles, **limits: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.authority)
    for name, version in limits.items():
        setattr(context, name, version)
    return context


def connect(server: Server, context: ssl.SSLContext, name: str | None = None) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_SECONDS)
    return context.wrap_socket(plain, server_hostname=name or "127.0.0.1")


def is_alive(connection: ssl.SSLSocket) -> bool:
    connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: assay\r\n\r\n")
    return connection.recv(4096).startswith(b"HTTP/1.1 200")


def serial(certificate: bytes | None) -> int:
    assert certificate is not None
    return x509.load_der_x509_certificate(certificate).serial_number


def in_file(files: ServerFiles) -> int:
    return x509.load_pem_x509_certificate(files.certificate.read_bytes()).serial_number


def test_it_says_that_it_answers_over_https_and_does(server: Server, files: ServerFiles) -> None:
    assert server.line_with(f"Assay answers on {server.url} ")
    assert json.loads(server.line_with('"event":"listening"'))["url"] == server.url
    assert server.url.startswith("https://")
    answer = requests.get(f"{server.url}/healthz", verify=str(files.authority), timeout=WAIT_SECONDS)
    assert answer.status_code == 200


def test_who_does_not_trust_the_authority_gets_no_answer(server: Server) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{server.url}/healthz", timeout=WAIT_SECONDS)


def test_plain_http_gets_no_answer(server: Server, files: ServerFiles) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_SECONDS) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: assay\r\n\r\n")
        assert b"HTTP" not in connection.recv(4096)
    with connect(server, trusting(files)) as connection:
        assert is_alive(connection)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_tls_of_today_is_spoken(server: Server, files: ServerFiles, version: ssl.TLSVersion) -> None:
    context = trusting(files, minimum_version=version, maximum_version=version)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connect(server, context) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"
        assert is_alive(connection)


def test_old_tls_is_refused(server: Server, files: ServerFiles) -> None:
    lenient = Tls(TlsFiles(files.certificate, files.key)).context
    with pytest.warns(DeprecationWarning, match="TLSv1"):  # noqa: PT031 - both lines warn
        lenient.minimum_version = ssl.TLSVersion.TLSv1
        old = trusting(files, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
    for context in (lenient, old):
        context.set_ciphers("ALL:@SECLEVEL=0")
    assert shaken_hands(lenient, old) == "TLSv1.1"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(server, old)


def shaken_hands(of_server: ssl.SSLContext, of_client: ssl.SSLContext) -> str | None:
    """The version that the two speak, tried out in memory."""
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = of_client.wrap_bio(one, other, server_hostname="127.0.0.1")
    server = of_server.wrap_bio(other, one, server_side=True)
    for side in (client, server, client, server):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return server.version()


# ---------------------------------------------------------------- another certificate


def test_a_hangup_shows_new_connections_the_new_certificate_and_leaves_live_ones_alone(
    server: Server, files: ServerFiles
) -> None:
    old, before = in_file(files), trusting(files)
    with connect(server, before) as living:
        assert serial(living.getpeercert(binary_form=True)) == old
        files.write(issued())
        hang_up(server, "certificate", 2)
        assert is_alive(living)
        with connect(server, trusting(files)) as connection:
            assert serial(connection.getpeercert(binary_form=True)) == in_file(files) != old
            assert is_alive(connection)
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(server, before)


def test_a_client_that_names_the_server_is_shown_the_new_certificate_too(server: Server, files: ServerFiles) -> None:
    files.write(issued("assay.example"))
    hang_up(server, "certificate", 2)
    with connect(server, trusting(files), "assay.example") as connection:
        assert serial(connection.getpeercert(binary_form=True)) == in_file(files)


def test_a_bad_new_pair_is_logged_and_the_old_one_keeps_serving(server: Server, files: ServerFiles) -> None:
    old, before = in_file(files), trusting(files)
    files.certificate.write_text(issued().certificate_pem, "ascii")
    line = hang_up(server, "certificate_kept")
    assert line["level"] == "error"
    assert "does not fit" in str(line["reason"])
    with connect(server, before) as connection:
        assert serial(connection.getpeercert(binary_form=True)) == old
        assert is_alive(connection)


def test_a_hangup_without_tls_is_logged_and_changes_nothing(assay: Assay) -> None:
    with assay.serving() as server:
        hang_up(server, "nothing_to_reload")
        assert requests.get(f"{server.url}/healthz", timeout=WAIT_SECONDS).status_code == 200


def test_an_idle_client_does_not_keep_the_server_from_stopping(assay: Assay, files: ServerFiles) -> None:
    server = assay.start(*files.options)
    with connect(server, trusting(files)) as connection:
        assert is_alive(connection)
        assert server.stop() == 0


def test_a_client_that_never_greets_does_not_keep_the_server_from_stopping(assay: Assay, files: ServerFiles) -> None:
    server = assay.start(*files.options)
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_SECONDS):
        with connect(server, trusting(files)) as connection:
            assert is_alive(connection)
        assert server.stop() == 0


def hang_up(server: Server, event: str, number: int = 1) -> dict[str, object]:
    """Send SIGHUP, and wait for the n-th line of this event."""
    server.process.send_signal(signal.SIGHUP)
    line: dict[str, object] = json.loads(server.line_with(f'"event":"{event}"', number))
    return line


# ---------------------------------------------------------------- what cannot be served


def folder_as_key(files: ServerFiles) -> None:
    files.key.unlink()
    files.key.mkdir()


def encrypted(files: ServerFiles) -> None:
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    how = serialization.BestAvailableEncryption(b"passphrase")
    form = serialization.PrivateFormat.PKCS8
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, how))


FAULTS: dict[str, tuple[Callable[[ServerFiles], object], str]] = {
    "no certificate file": (
        lambda files: files.certificate.unlink(),
        "the certificate in .*tls.crt cannot be read: No",
    ),
    "no key file": (lambda files: files.key.unlink(), "the private key in .*tls.key cannot be read: No such file"),
    "a folder": (folder_as_key, "tls.key cannot be read: Is a directory"),
    "exchanged": (
        lambda files: files.certificate.write_bytes(files.key.read_bytes()),
        "tls.crt holds no certificate in PEM form",
    ),
    "no key": (
        lambda files: files.key.write_bytes(files.certificate.read_bytes()),
        "tls.key holds no private key in PEM form",
    ),
    "another's key": (
        lambda files: files.key.write_text(issued().key_pem),
        "does not fit the certificate in .*tls.crt",
    ),
    "an encrypted key": (encrypted, "is encrypted.*openssl pkey -in .*tls.key -out FILE"),
    "a damaged certificate": (
        lambda files: files.certificate.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        "the pair of .* cannot be served",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_served_is_refused_with_a_reason(files: ServerFiles, fault: str) -> None:
    spoil, reason = FAULTS[fault]
    spoil(files)
    with pytest.raises(TlsFault, match=reason) as caught:
        Tls(TlsFiles(files.certificate, files.key))
    assert "PRIVATE KEY" not in str(caught.value)


def test_both_may_be_in_one_file(files: ServerFiles) -> None:
    files.certificate.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
    assert Tls(TlsFiles(files.certificate, files.certificate)).not_after is not None


@pytest.mark.parametrize(("given", "missing"), [("--tls-cert", "--tls-key"), ("--tls-key", "--tls-cert")])
def test_one_option_needs_the_other(assay: Assay, files: ServerFiles, given: str, missing: str) -> None:
    refused = assay.command("serve", "--port", "0", given, str(files.certificate))
    assert refused.returncode == 2
    assert f"it needs {missing} too" in refused.stderr


def test_a_server_does_not_start_with_what_cannot_be_served(assay: Assay, files: ServerFiles) -> None:
    encrypted(files)
    refused = assay.command("serve", "--port", "0", "--metrics", "none", *files.options)
    assert refused.returncode == 1
    assert "is encrypted" in refused.stderr
    assert "Traceback" not in refused.stderr
