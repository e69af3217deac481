"""Certificates as issuers publish them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from tests.issuer import IssuerKey


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
