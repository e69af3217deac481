"""What a key must be before it may judge a token. Checked once per key, when it is read, never per token.

The primitives take far more than is safe: any size and exponent of RSA, points that no signer has, secrets of one
byte. A key that passes here is sound as far as its public half can show. It cannot show who else holds the private
half, nor whether it was made with good randomness, save for the one generator that leaves a mark (ROCA).

Every refusal is an UnusableKey, whose message is the rest of a sentence about the key; profiles show these as their
``problems`` (decisions D7).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from assay.rules.algorithms import MIN_RSA_BITS, SharedSecret, algorithms_of, hmac_algorithms_of

MAX_RSA_BITS = 8192
MIN_RSA_EXPONENT = 3
MAX_RSA_EXPONENT_BITS = 32
"""Longer numbers only serve to make verifying slow (security A70); keys in use have 3, 17 or 65537."""

MIN_SECRET_BYTES = 32
MAX_SECRET_BYTES = 1_024


class UnusableKey(Exception):
    """The key must not be used; the message says why, as the rest of a sentence that starts with "it"."""


def admit(public_key: PublicKeyTypes) -> None:
    """Refuse a public key that must not judge tokens. Raises UnusableKey.

    Points of EC keys are checked by ``cryptography`` whenever such a key is made: on the curve, and not at infinity.
    """
    if not algorithms_of(public_key):
        raise UnusableKey("it is of a kind that verifies no algorithm supported here")
    if isinstance(public_key, rsa.RSAPublicKey):
        numbers = public_key.public_numbers()
        check_rsa(numbers.n, numbers.e)
    elif isinstance(public_key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        raw = public_key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        _check_point(_ED25519 if isinstance(public_key, ed25519.Ed25519PublicKey) else _ED448, raw)


def shared_secret(secret: bytes, kid: str | None = None) -> SharedSecret:
    """A secret for the MACs that it is long enough for: at least 32, 48, 64 bytes (RFC 7518 §3.2).

    Raises UnusableKey for shorter ones, those of more than 1,024 bytes, and texts of public keys: whoever pastes one
    here makes a signing key out of what everybody knows (security A06, A07).
    """
    if not MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES:
        raise UnusableKey(f"it must have {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes, but it has {len(secret)}")
    if b"-----BEGIN" in secret or (b"{" in secret and b'"kty"' in secret):
        raise UnusableKey("it is the text of a key, not a secret")
    return SharedSecret(kid, hmac_algorithms_of(secret), secret)


# ---------------------------------------------------------------- RSA


def check_rsa(n: int, e: int) -> None:
    """Check sizes before anything dear is computed, then the numbers (RFC 7518 §3.3, security R30, A69-A71).

    An exponent of 3 is taken: old devices have it, and what it endangers are padding checks that skip bytes, which
    the primitive here does not (A66). Raises UnusableKey.
    """
    bits = n.bit_length()
    if bits < MIN_RSA_BITS:
        raise UnusableKey(f"its RSA modulus has {bits} bits, fewer than {MIN_RSA_BITS}")
    if bits > MAX_RSA_BITS:
        raise UnusableKey(f"its RSA modulus has {bits} bits, more than {MAX_RSA_BITS}")
    if e < MIN_RSA_EXPONENT or e % 2 == 0 or e.bit_length() > MAX_RSA_EXPONENT_BITS:
        raise UnusableKey(f"its RSA exponent is not odd, below {MIN_RSA_EXPONENT} or over {MAX_RSA_EXPONENT_BITS} bits")
    if math.gcd(n, _SMALL_PRIMES_PRODUCT) != 1 or math.isqrt(n) ** 2 == n:
        raise UnusableKey("its RSA modulus is easily factored, so it is not one of a valid key")
    if has_roca_fingerprint(n):
        raise UnusableKey("its RSA modulus was made by a weak generator (ROCA, CVE-2017-15361); it must be replaced")


def has_roca_fingerprint(n: int) -> bool:
    """Whether the modulus carries the mark of Infineon's RSALib.

    That library makes primes ``k·M + (65537^a mod M)``, M being a product of small primes, so that the modulus leaves
    a power of 65537 as its remainder by each of them (Nemec, Sys, Svenda, Klinec, Matyas: "The Return of
    Coppersmith's Attack", ACM CCS 2017, §3). As in the authors' detector, the primes 3 to 167 are tried: they divide
    M for every size of key, and all of them fit an innocent modulus once in 2^27.
    """
    return all(n % prime in powers for prime, powers in _ROCA_REMAINDERS.items())


def _primes(limit: int) -> Iterator[int]:
    found: list[int] = []
    for number in range(2, limit):
        if all(number % prime for prime in found):
            found.append(number)
            yield number


def _powers(base: int, prime: int) -> frozenset[int]:
    """All remainders of the powers of ``base`` by ``prime``."""
    return frozenset(pow(base, exponent, prime) for exponent in range(prime - 1))


_SMALL_PRIMES_PRODUCT = math.prod(_primes(1_000))
_ROCA_REMAINDERS: Mapping[int, frozenset[int]] = MappingProxyType(
    {prime: _powers(65537, prime) for prime in _primes(168) if prime > 2}  # noqa: PLR2004 - 2 tells nothing
)


# ---------------------------------------------------------------- Edwards curves


class _Edwards(NamedTuple):
    """A curve a·x² + y² = 1 + d·x²·y² over the field of p elements; points of small order double to (0, 1) soon."""

    p: int
    a: int
    d: int
    doublings: int


# RFC 8032 §5.1 and §5.2: their groups have 8 and 4 times as many points as the prime order.
_P25519, _P448 = 2**255 - 19, 2**448 - 2**224 - 1
_ED25519 = _Edwards(p=_P25519, a=-1, d=-121665 * pow(121666, -1, _P25519) % _P25519, doublings=3)
_ED448 = _Edwards(p=_P448, a=1, d=-39081, doublings=2)


def _check_point(curve: _Edwards, raw: bytes) -> None:
    """Refuse what no honest signer has as a public key (security R32, A65).

    For a point of small order one signature fits many messages, and a second spelling of a point makes two keys of
    one. The last bit of an encoding is the sign of x; only the square of x is needed here.
    """
    sign_bit = 8 * len(raw) - 1
    y = int.from_bytes(raw, "little") & ~(1 << sign_bit)
    if y >= curve.p:
        raise UnusableKey("its point is not spelled in the one valid way")
    for _ in range(curve.doublings):
        square = _x_squared(curve, y)
        # Doubling by the addition law of RFC 8032 §5.1.4, for y alone.
        y = (y * y - curve.a * square) * pow(1 - curve.d * square * y * y, -1, curve.p) % curve.p
    if y == 1:
        raise UnusableKey("its point is of small order: signatures by it could be made by anybody")


def _x_squared(curve: _Edwards, y: int) -> int:
    square = (y * y - 1) * pow(curve.d * y * y - curve.a, -1, curve.p) % curve.p
    if square and pow(square, (curve.p - 1) // 2, curve.p) != 1:
        raise UnusableKey("its point is not on the curve")
    return square
