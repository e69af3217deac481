"""The floor: the CPU of one raw verify of the partner's RS256 signature and one raw signature of a session JWT.

Nothing can do an attest for less. The write and HTTP are not in it. It is probed for a second right before and right
after each load, on the server's core, because a shared machine is not equally fast from one minute to the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from bench.processes import SERVER_CORE, on_core

PROBE_SECONDS = 1.0
SIGNED_BYTES = b"x" * 700
"""About as much as the header and claims of a session JWT."""
BATCH = 20

_RSA = rsa.generate_private_key(65537, 2048)
_EC = ec.generate_private_key(ec.SECP256R1())
_ED25519 = ed25519.Ed25519PrivateKey.generate()
_SIGNATURE = _RSA.sign(SIGNED_BYTES, padding.PKCS1v15(), hashes.SHA256())
_PUBLIC = _RSA.public_key()


def verify() -> None:
    """One RS256 verify."""
    _PUBLIC.verify(_SIGNATURE, SIGNED_BYTES, padding.PKCS1v15(), hashes.SHA256())


SIGN: dict[str, Callable[[], object]] = {
    "RS256": lambda: _RSA.sign(SIGNED_BYTES, padding.PKCS1v15(), hashes.SHA256()),
    "ES256": lambda: _EC.sign(SIGNED_BYTES, ec.ECDSA(hashes.SHA256())),
    "EdDSA": lambda: _ED25519.sign(SIGNED_BYTES),
}


def probe(algorithm: str, seconds: float = PROBE_SECONDS) -> float:
    """Microseconds of CPU of a verify and a signature with ``algorithm``, on the server's core."""
    sign, done = SIGN[algorithm], 0
    with on_core(SERVER_CORE):
        end = time.monotonic() + seconds
        start = time.thread_time_ns()
        while time.monotonic() < end:
            for _ in range(BATCH):
                verify()
                sign()
            done += BATCH
        return (time.thread_time_ns() - start) / 1000 / done
