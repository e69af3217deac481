"""Certificates for key servers on loopback, good and bad."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import tempfile
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = dt.timedelta(days=1)


class Chain(NamedTuple):
    """A server's certificate and key as PEM, and the authority that a client would have to trust."""

    certificate_pem: str
    key_pem: str
    authority_pem: str

    def context(self) -> ssl.SSLContext:
        """What a server speaks TLS with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "chain.pem")
            path.write_text(self.certificate_pem + self.key_pem, "ascii")
            context.load_cert_chain(path)
        return context


def issued(name: str = "127.0.0.1", days: int = 1) -> Chain:
    """Signed by an authority of its own, valid until so many days from now."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Test authority", authority_key, authority_key.public_key(), "Test authority", 2)
    made = _certificate(name, authority_key, key.public_key(), "Test authority", days)
    return Chain(_pem(made), _key_pem(key), _pem(authority))


def self_signed() -> Chain:
    """Signed by itself, for the right name and today."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = _certificate("127.0.0.1", key, key.public_key(), "127.0.0.1", 1)
    return Chain(_pem(made), _key_pem(key), _pem(made))


def _certificate(
    name: str, signer: ec.EllipticCurvePrivateKey, public: ec.EllipticCurvePublicKey, issuer: str, days: int
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    authority = name == "Test authority"
    usage = x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 10 * _DAY)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name)]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
