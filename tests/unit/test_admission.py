"""Keys that must not judge tokens are recognised by their public half."""

from __future__ import annotations

import math

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.keys import admission
from assay.keys.admission import UnusableKey
from assay.rules.algorithms import FAMILIES
from tests.issuer import make_key

P25519, P448 = 2**255 - 19, 2**448 - 2**224 - 1
SMALL_PRIMES = [number for number in range(2, 1_000) if all(number % each for each in range(2, number))]
GOOD_N = make_key("RSA").private_key.public_key()
assert isinstance(GOOD_N, rsa.RSAPublicKey)
N = GOOD_N.public_numbers().n

# The mark of RSALib as others have published it: for each prime, the order of 65537's powers.
ROCA_ORDERS = {11: 2, 13: 6, 17: 8, 19: 9, 37: 3, 53: 26, 61: 20, 71: 35, 73: 24, 79: 13, 97: 6, 103: 51, 107: 53}
ROCA_ORDERS |= {109: 54, 127: 42, 151: 50, 157: 78}


def roca_prime(bits: int, k: int, a: int) -> int:
    """A number as RSALib makes primes for moduli of 2048 bits; whether it is prime does not show in the mark."""
    m = math.prod(prime for prime in SMALL_PRIMES if prime <= 701)
    return ((1 << bits - 1) // m + k) * m + pow(65537, a, m)


@pytest.mark.parametrize("family", FAMILIES)
def test_keys_as_they_should_be_are_admitted(family: str) -> None:
    for name in ("one", "two", "three"):
        admission.admit(make_key(family, name).private_key.public_key())


@pytest.mark.parametrize("key", [x25519.X25519PrivateKey.generate(), ec.generate_private_key(ec.BrainpoolP256R1())])
def test_kinds_of_key_that_verify_nothing_are_refused(
    key: x25519.X25519PrivateKey | ec.EllipticCurvePrivateKey,
) -> None:
    with pytest.raises(UnusableKey, match="verifies no algorithm"):
        admission.admit(key.public_key())


def prime_like(number: int) -> int:
    """The next number that no small prime divides."""
    while math.gcd(number, math.prod(SMALL_PRIMES)) != 1:
        number += 1
    return number


RSA_REFUSED = {
    "2047 bits": (N >> 1 | 1, 65537, "2047 bits, fewer than 2048"),
    "8193 bits": (1 << 8192 | 1, 65537, "8193 bits, more than 8192"),
    "no exponent": (N, 0, "exponent"),
    "exponent one": (N, 1, "exponent"),
    "exponent two": (N, 2, "exponent"),
    "even exponent": (N, 65536, "exponent"),
    "exponent of 33 bits": (N, 2**32 + 1, "exponent"),
    "even modulus": (N + 1, 65537, "easily factored"),
    "multiple of three": (N - N % 3 + (3 if (N - N % 3) % 2 == 0 else 0), 65537, "easily factored"),
    "multiple of 997": (N // 997 * 997 if N // 997 % 2 else (N // 997 - 1) * 997, 65537, "easily factored"),
    "square": (prime_like(math.isqrt(N)) ** 2, 65537, "easily factored"),
    "ROCA": (roca_prime(1024, 5, 12345) * roca_prime(1025, 77, 999), 65537, "ROCA"),
}


@pytest.mark.parametrize(("n", "e", "reason"), RSA_REFUSED.values(), ids=RSA_REFUSED.keys())
def test_rsa_numbers_that_must_not_be_trusted_are_refused(n: int, e: int, reason: str) -> None:
    with pytest.raises(UnusableKey, match=reason) as raised:
        admission.check_rsa(n, e)
    assert not str(raised.value).endswith(".")


@pytest.mark.parametrize("e", [3, 17, 65537, 2**32 - 1])
def test_odd_exponents_from_three_to_32_bits_are_taken(e: int) -> None:
    admission.check_rsa(N, e)


def test_a_short_rsa_key_is_refused_however_it_was_read() -> None:
    with pytest.raises(UnusableKey, match="1024 bits"):
        admission.admit(rsa.generate_private_key(65537, 1024).public_key())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**64), st.integers(0, 2**64), st.integers(0, 2**20), st.integers(0, 2**20))
def test_every_modulus_made_as_rsalib_makes_them_is_recognised(a: int, b: int, k: int, other: int) -> None:
    n = roca_prime(1024, k, a) * roca_prime(1024, other, b)
    assert admission.has_roca_fingerprint(n)
    assert all(pow(n, order, prime) == 1 for prime, order in ROCA_ORDERS.items())


@settings(max_examples=200)
@given(st.integers(0, 2**2048))
def test_no_number_without_the_published_mark_is_taken_for_roca(n: int) -> None:
    published = all(pow(n, order, prime) == 1 for prime, order in ROCA_ORDERS.items())
    assert published or not admission.has_roca_fingerprint(n)


@pytest.mark.parametrize("prime", ROCA_ORDERS)
def test_each_prime_of_the_mark_counts(prime: int) -> None:
    """A modulus with the mark, changed so that it fits all primes but one."""
    marked = roca_prime(1024, 1, 1) * roca_prime(1024, 2, 2)
    others = math.prod(each for each in SMALL_PRIMES if each <= 167 and each != prime)
    changed = next(n for i in range(1, prime) if pow(n := marked + i * others, ROCA_ORDERS[prime], prime) != 1)
    assert not admission.has_roca_fingerprint(changed)


# The eight points of small order and their other spellings (RFC 7748 §6 and its neighbours), as y.
ED25519_ORDER_8 = [
    int.from_bytes(bytes.fromhex(encoded), "little")
    for encoded in (
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
]
SMALL_25519 = {"0": 0, "1": 1, "-1": P25519 - 1, "order 8": ED25519_ORDER_8[0], "order 8, negative": ED25519_ORDER_8[1]}
SMALL_448 = {"0": 0, "1": 1, "-1": P448 - 1}


def ed25519_key(y: int, sign: int) -> ed25519.Ed25519PublicKey:
    return ed25519.Ed25519PublicKey.from_public_bytes((y | sign << 255).to_bytes(32, "little"))


def ed448_key(y: int, sign: int) -> ed448.Ed448PublicKey:
    return ed448.Ed448PublicKey.from_public_bytes((y | sign << 455).to_bytes(57, "little"))


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", SMALL_25519.values(), ids=SMALL_25519.keys())
def test_points_of_small_order_on_ed25519_are_refused(y: int, sign: int) -> None:
    with pytest.raises(UnusableKey, match="small order"):
        admission.admit(ed25519_key(y, sign))


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", SMALL_448.values(), ids=SMALL_448.keys())
def test_points_of_small_order_on_ed448_are_refused(y: int, sign: int) -> None:
    with pytest.raises(UnusableKey, match="small order"):
        admission.admit(ed448_key(y, sign))


@pytest.mark.parametrize("sign", [0, 1])
def test_points_spelled_in_a_second_way_are_refused(sign: int) -> None:
    for y in (P25519, P25519 + 1, P25519 + 5, 2**255 - 1):
        with pytest.raises(UnusableKey, match="one valid way"):
            admission.admit(ed25519_key(y, sign))
    for y in (P448, P448 + 1, 2**448, 2**455 - 1):
        with pytest.raises(UnusableKey, match="one valid way"):
            admission.admit(ed448_key(y, sign))


@pytest.mark.parametrize("sign", [0, 1])
def test_points_off_the_curve_are_refused(sign: int) -> None:
    for key in (ed25519_key(2, sign), ed448_key(2, sign)):
        with pytest.raises(UnusableKey, match="not on the curve"):
            admission.admit(key)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(32, {"HS256"}), (47, {"HS256"}), (48, {"HS256", "HS384"}), (64, {"HS256", "HS384", "HS512"}), (1024, None)],
)
def test_a_secret_is_for_the_macs_it_is_long_enough_for(size: int, expected: set[str] | None) -> None:
    secret = admission.shared_secret(b"s" * size, "name")
    assert (secret.kid, secret.secret) == ("name", b"s" * size)
    assert secret.algorithms == (expected or {"HS256", "HS384", "HS512"})


@pytest.mark.parametrize("secret", [b"{" * 32, b'"kty"' * 8], ids=["a brace", "a word of JWKs"])
def test_what_only_resembles_a_key_is_a_secret(secret: bytes) -> None:
    assert admission.shared_secret(secret).secret == secret


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        pytest.param(b"", "it has 0", id="empty"),
        pytest.param(b"s" * 31, "it has 31", id="short"),
        pytest.param(b"s" * 1025, "it has 1025", id="long"),
        pytest.param(make_key("P-256").pem().encode(), "text of a key", id="PEM"),
        pytest.param(b'{"kty": "OKP", "crv": "Ed25519", "x": "AA"}', "text of a key", id="JWK"),
    ],
)
def test_what_is_no_secret_is_refused(secret: bytes, reason: str) -> None:
    with pytest.raises(UnusableKey, match=reason) as raised:
        admission.shared_secret(secret)
    assert "ssss" not in str(raised.value)
