"""Each algorithm verifies its own signatures by its own family's keys, and nothing else."""

from __future__ import annotations

import hmac

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from assay.rules import algorithms
from assay.rules.algorithms import (
    DEFAULT_ALGORITHMS,
    FAMILIES,
    HMAC_ALGORITHMS,
    OPT_IN_ALGORITHMS,
    SharedSecret,
    VerificationKey,
)
from tests.issuer import Issuer, IssuerKey, make_key, signature

MESSAGE = b"header.payload"
ISSUER = Issuer()
EVERYTHING = frozenset((*DEFAULT_ALGORITHMS, *OPT_IN_ALGORITHMS))
PUBLIC = EVERYTHING - frozenset(HMAC_ALGORITHMS)
TWO_NAMES = [{"EdDSA", "Ed25519"}, {"EdDSA", "Ed448"}]
SECRET = b"s" * 64

CASES = [(algorithm, family) for family, members in FAMILIES.items() for algorithm in sorted(members)]


def keyed(public_key: PublicKeyTypes) -> VerificationKey:
    """A key that claims to be for every algorithm, so that only the check itself can refuse."""
    return VerificationKey(kid=None, algorithms=EVERYTHING, public_key=public_key)


def signed_by(key: IssuerKey, algorithm: str) -> bytes:
    return signature(algorithm, key.private_key, MESSAGE)


@pytest.mark.parametrize(("algorithm", "family"), CASES)
def test_a_good_signature_verifies(algorithm: str, family: str) -> None:
    key = make_key(family)
    assert algorithms.verify(algorithm, key.verification_key(), signed_by(key, algorithm), MESSAGE) is True


@pytest.mark.parametrize(("algorithm", "family"), CASES)
def test_altered_text_altered_signatures_and_other_lengths_do_not_verify(algorithm: str, family: str) -> None:
    key = make_key(family)
    good = signed_by(key, algorithm)
    flipped = bytes([good[0] ^ 1]) + good[1:]
    wrong = [flipped, good[:-1], good + b"\0", b"\0" + good, b"", b"\0", bytes(len(good)), b"\xff" * len(good)]
    verdicts = [algorithms.verify(algorithm, key.verification_key(), each, MESSAGE) for each in wrong]
    assert verdicts == [False] * len(wrong)
    assert not algorithms.verify(algorithm, key.verification_key(), good, MESSAGE + b" ")


@pytest.mark.parametrize(("algorithm", "family"), CASES)
def test_another_key_of_the_family_does_not_verify(algorithm: str, family: str) -> None:
    other = make_key(family, "other")
    assert not algorithms.verify(algorithm, other.verification_key(), signed_by(make_key(family), algorithm), MESSAGE)


@pytest.mark.parametrize(("algorithm", "family"), CASES)
def test_a_signature_verifies_under_no_other_algorithm(algorithm: str, family: str) -> None:
    key = make_key(family)
    good = signed_by(key, algorithm)
    lax = keyed(key.private_key.public_key())
    taken = {other for other in EVERYTHING if algorithms.verify(other, lax, good, MESSAGE)}
    assert taken == {algorithm} or (taken == FAMILIES[family] and taken in TWO_NAMES)


@pytest.mark.parametrize(("algorithm", "family"), CASES)
def test_a_key_verifies_only_what_it_is_for(algorithm: str, family: str) -> None:
    key = make_key(family)
    elsewhere = VerificationKey(kid=None, algorithms=EVERYTHING - {algorithm}, public_key=key.private_key.public_key())
    assert not algorithms.verify(algorithm, elsewhere, signed_by(key, algorithm), MESSAGE)


@pytest.mark.parametrize("algorithm", DEFAULT_ALGORITHMS)
def test_keys_of_other_families_never_verify_and_never_raise(algorithm: str) -> None:
    good = signed_by(ISSUER.key_for(algorithm), algorithm)
    strangers: list[PublicKeyTypes] = [
        *(key.private_key.public_key() for key in ISSUER.keys if algorithm not in key.algorithms),
        x25519.X25519PrivateKey.generate().public_key(),
    ]
    assert [algorithms.verify(algorithm, keyed(key), good, MESSAGE) for key in strangers] == [False] * len(strangers)


@pytest.mark.parametrize(
    "name", ["none", "", "HS256", "rs256", "RS256 ", "ES256K", "Ed25519", "RSA-OAEP", "ml-dsa-44", "RS256,none"]
)
def test_unknown_names_verify_nothing(name: str) -> None:
    key = make_key("RSA")
    lax = VerificationKey(kid=None, algorithms=EVERYTHING | {name}, public_key=key.private_key.public_key())
    assert not algorithms.verify(name, lax, signed_by(key, "RS256"), MESSAGE)
    assert not algorithms.verify(name, lax, b"", MESSAGE)


def test_rsa_keys_below_2048_bits_verify_nothing() -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    made = signature("RS256", short, MESSAGE)
    assert not algorithms.verify("RS256", keyed(short.public_key()), made, MESSAGE)


@pytest.mark.parametrize(
    ("digest", "mask", "salt"),
    [
        pytest.param(hashes.SHA256(), hashes.SHA256(), 0, id="no salt"),
        pytest.param(hashes.SHA256(), hashes.SHA256(), 31, id="short salt"),
        pytest.param(hashes.SHA256(), hashes.SHA256(), 222, id="longest salt"),
        pytest.param(hashes.SHA256(), hashes.SHA1(), 32, id="other mask hash"),
        pytest.param(hashes.SHA384(), hashes.SHA384(), 32, id="other hash"),
    ],
)
def test_pss_takes_one_salt_length_and_one_hash(
    digest: hashes.HashAlgorithm, mask: hashes.HashAlgorithm, salt: int
) -> None:
    key = make_key("RSA")
    assert isinstance(key.private_key, rsa.RSAPrivateKey)
    made = key.private_key.sign(MESSAGE, padding.PSS(mgf=padding.MGF1(mask), salt_length=salt), digest)
    assert not algorithms.verify("PS256", key.verification_key(), made, MESSAGE)


@pytest.mark.parametrize(("algorithm", "family"), [case for case in CASES if case[0].startswith("ES")])
def test_ecdsa_takes_only_two_numbers_of_the_right_length_and_range(algorithm: str, family: str) -> None:
    key = make_key(family)
    assert isinstance(key.private_key, ec.EllipticCurvePrivateKey)
    curve = key.private_key.curve
    size = (curve.key_size + 7) // 8
    good = signed_by(key, algorithm)
    r, s = good[:size], good[size:]
    zero, order = bytes(size), curve.group_order.to_bytes(size, "big")
    der = key.private_key.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
    wrong = [zero + zero, zero + s, r + zero, order + s, r + order, b"\xff" * 2 * size, der]
    wrong += [b"\0" + r + b"\0" + s, r + b"\0" + s, r.lstrip(b"\0") + s + b"\0", b"\x30\x06\x02\x01\0\x02\x01\0"]
    verdicts = [algorithms.verify(algorithm, key.verification_key(), each, MESSAGE) for each in wrong]
    assert verdicts == [False] * len(wrong)


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.BrainpoolP256R1()], ids=lambda curve: curve.name)
def test_es256_takes_no_other_curve_of_the_same_size(curve: ec.EllipticCurve) -> None:
    private = ec.generate_private_key(curve)
    r, s = decode_dss_signature(private.sign(MESSAGE, ec.ECDSA(hashes.SHA256())))
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert not algorithms.verify("ES256", keyed(private.public_key()), raw, MESSAGE)


def test_every_algorithm_of_public_keys_belongs_to_a_family_and_the_reverse() -> None:
    assert frozenset().union(*FAMILIES.values()) == PUBLIC
    assert len(DEFAULT_ALGORITHMS) + len(OPT_IN_ALGORITHMS) == len(EVERYTHING)


@pytest.mark.parametrize("algorithm", HMAC_ALGORITHMS)
@pytest.mark.parametrize("size", [0, 1, 31, 32, 47, 48, 63, 64, 65])
def test_a_shared_secret_verifies_what_it_is_long_enough_for(algorithm: str, size: int) -> None:
    secret = SECRET[:1] * size
    made = hmac.digest(secret, MESSAGE, {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[algorithm])
    enough = size >= {"HS256": 32, "HS384": 48, "HS512": 64}[algorithm]
    assert (algorithm in algorithms.hmac_algorithms_of(secret)) is enough
    key = SharedSecret(None, EVERYTHING, secret)
    assert algorithms.verify(algorithm, key, made, MESSAGE) is enough


@pytest.mark.parametrize("algorithm", HMAC_ALGORITHMS)
def test_altered_macs_other_lengths_and_other_secrets_do_not_verify(algorithm: str) -> None:
    made = signature(algorithm, SECRET, MESSAGE)
    key = SharedSecret(None, frozenset({algorithm}), SECRET)
    assert algorithms.verify(algorithm, key, made, MESSAGE) is True
    wrong = [b"", made[:-1], made + b"\0", made[:16], bytes([made[0] ^ 1]) + made[1:], bytes(len(made))]
    assert [algorithms.verify(algorithm, key, each, MESSAGE) for each in wrong] == [False] * len(wrong)
    assert not algorithms.verify(algorithm, key, made, MESSAGE + b" ")
    assert not algorithms.verify(algorithm, SharedSecret(None, EVERYTHING, b"t" * 64), made, MESSAGE)
    assert not algorithms.verify(algorithm, SharedSecret(None, EVERYTHING - {algorithm}, SECRET), made, MESSAGE)


@pytest.mark.parametrize("algorithm", sorted(PUBLIC))
def test_a_shared_secret_verifies_no_signature(algorithm: str) -> None:
    key = SharedSecret(None, EVERYTHING, SECRET)
    for made in (b"", *(signature(name, SECRET, MESSAGE) for name in HMAC_ALGORITHMS)):
        assert not algorithms.verify(algorithm, key, made, MESSAGE)


@pytest.mark.parametrize("algorithm", HMAC_ALGORITHMS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_public_key_verifies_no_mac(algorithm: str, family: str) -> None:
    public_key = make_key(family).private_key.public_key()
    der = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for secret in (b"", der, make_key(family).pem().encode()):
        made = hmac.digest(secret, MESSAGE, f"sha{algorithm[2:]}")
        assert not algorithms.verify(algorithm, keyed(public_key), made, MESSAGE)


def test_a_shared_secret_does_not_show_itself() -> None:
    assert "ssss" not in f"{SharedSecret(None, EVERYTHING, SECRET)!r}"


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("RS256", {"RS256"}),
        ("EdDSA", {"EdDSA"}),
        ("Ed25519", {"Ed25519", "EdDSA"}),
        ("Ed448", {"Ed448", "EdDSA"}),
        ("ES256K", {"ES256K"}),
    ],
)
def test_a_key_with_an_algorithm_of_its_own_verifies_that_alone(algorithm: str, expected: set[str]) -> None:
    assert algorithms.named(algorithm) == expected


@pytest.mark.parametrize("family", FAMILIES)
def test_a_key_is_told_its_family(family: str) -> None:
    public_key = make_key(family).private_key.public_key()
    assert algorithms.family_of(public_key) == family
    assert algorithms.algorithms_of(public_key) == FAMILIES[family]


@pytest.mark.parametrize(
    "public_key",
    [
        pytest.param(ec.generate_private_key(ec.BrainpoolP256R1()).public_key(), id="brainpool"),
        pytest.param(x25519.X25519PrivateKey.generate().public_key(), id="X25519"),
        pytest.param(dsa.generate_private_key(1024).public_key(), id="DSA"),
    ],
)
def test_other_kinds_of_key_are_good_for_nothing(public_key: PublicKeyTypes) -> None:
    assert algorithms.family_of(public_key) is None
    assert algorithms.algorithms_of(public_key) == frozenset()
