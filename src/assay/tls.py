"""TLS for callers: the certificate that new connections are shown, which is read again when the operator says so."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import structlog
from cryptography import x509

from assay.config import ConfigFault

log = structlog.get_logger()


class TlsFault(ConfigFault):
    """The certificate and its key cannot be served. The message says why, and quotes nothing of the files."""


class TlsFiles(NamedTuple):
    """Where a certificate, followed by those of its authorities, and its private key are: PEM files, maybe the same."""

    certificate: Path
    key: Path


class _Shown(NamedTuple):
    """What a connection is shown, and when that certificate runs out (None: nobody can tell)."""

    context: ssl.SSLContext
    not_after: dt.datetime | None


class Tls:
    """The certificate of one listener. ``context`` is for the listener, for as long as it lives."""

    def __init__(self, files: TlsFiles) -> None:
        """Read the files. Raises TlsFault."""
        self.files = files
        self.on_reload: Callable[[], None] | None = None
        """Called after each reload, for whoever serves the same files."""
        self._shown = _read(files)
        self.context = self._shown.context
        self.context.sni_callback = self._show
        self._tell()

    @property
    def not_after(self) -> dt.datetime | None:
        """When the certificate that new connections are shown runs out."""
        return self._shown.not_after

    def reload(self) -> None:
        """Show new connections what is in the files now; a pair that cannot be served changes nothing but the log."""
        try:
            self._shown = _read(self.files)
        except TlsFault as fault:
            log.error("certificate_kept", reason=str(fault), not_after=self._shown.not_after)  # noqa: TRY400 - no place in the code explains it
        else:
            self._tell()
        if self.on_reload is not None:
            self.on_reload()

    def _show(self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called for each connection, whether it names a server or not.

        A pair is read into a context of its own, so that none is ever half of the old one and half of the new.
        """
        connection.context = self._shown.context

    def _tell(self) -> None:
        log.info("certificate", file=str(self.files.certificate), not_after=self._shown.not_after)


def _read(files: TlsFiles) -> _Shown:
    certificates, key = _bytes(files.certificate, "certificate"), _bytes(files.key, "private key")
    if b"CERTIFICATE-----" not in certificates:
        raise TlsFault(f"{files.certificate} holds no certificate in PEM form")
    if b"PRIVATE KEY-----" not in key:
        raise TlsFault(f"{files.key} holds no private key in PEM form")
    return _Shown(_context(files), _not_after(certificates))


def _bytes(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise TlsFault(f"the {what} in {path} cannot be read: {fault.strerror}") from None


def _context(files: TlsFiles) -> ssl.SSLContext:
    """A context that serves the pair to clients of TLS 1.2 and 1.3 and to no others (RFC 8996)."""

    def refuse() -> str:
        # Without this OpenSSL would ask for the passphrase on the terminal, and a server would wait there for ever.
        raise TlsFault(
            f"the private key in {files.key} is encrypted, and Assay asks for no passphrase;"
            f" write it out decrypted, for Assay's user alone: openssl pkey -in {files.key} -out FILE"
        )

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(files.certificate, files.key, password=refuse)
    except ssl.SSLError as fault:
        if fault.reason == "KEY_VALUES_MISMATCH":
            raise TlsFault(
                f"the private key in {files.key} does not fit the certificate in {files.certificate}"
            ) from None
        why = fault.reason or "it is damaged"
        raise TlsFault(f"the pair of {files.certificate} and {files.key} cannot be served: {why}") from None
    return context


def _not_after(certificates: bytes) -> dt.datetime | None:
    """When the first of them runs out. OpenSSL serves a few odd ones that the stricter reader here refuses."""
    try:
        return x509.load_pem_x509_certificate(certificates).not_valid_after_utc
    except ValueError:
        return None
