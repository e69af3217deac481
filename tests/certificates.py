"""Certificates as issuers publish them, and files that a server of ours serves https with."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from tests.hostile.certificates import Chain, issued
from tests.issuer import IssuerKey


class ServerFiles(NamedTuple):
    """What `assay serve` takes, and the authority that its clients must trust (``REQUESTS_CA_BUNDLE``)."""

    certificate: Path
    key: Path
    authority: Path

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `assay serve`."""
        return "--tls-cert", str(self.certificate), "--tls-key", str(self.key)

    def write(self, chain: Chain) -> None:
        self.certificate.write_text(chain.certificate_pem, "ascii")
        self.key.write_text(chain.key_pem, "ascii")
        self.authority.write_text(chain.authority_pem, "ascii")


def server_files(folder: Path) -> ServerFiles:
    """A certificate for 127.0.0.1 and its key, in files of this folder."""
    files = ServerFiles(folder / "tls.crt", folder / "tls.key", folder / "authority.pem")
    files.write(issued())
    return files


def certificate(key: IssuerKey) -> str:
    """A certificate of the key, by itself, that has run out long ago."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer.example")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    private_key: Any = key.private_key
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=1))
        .sign(private_key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()
