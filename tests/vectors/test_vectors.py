"""The examples of the standards verify under their keys, and nothing near them does.

The files beside this one name their source. Their payloads are mostly no JWT claims, so they are judged by
``jws.parse`` and ``algorithms.verify``, the two steps between the text of a token and the word of its issuer.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from assay.keys import sources
from assay.rules import algorithms, jws
from assay.rules.algorithms import HMAC_ALGORITHMS, AnyKey, SharedSecret


class Vector(NamedTuple):
    """A public (or shared) key as a JWK, and a token that it verifies."""

    alg: str
    jwk: dict[str, Any]
    token: str

    @property
    def key(self) -> AnyKey:
        if self.jwk["kty"] == "oct":
            secret = base64.urlsafe_b64decode(self.jwk["k"] + "==")
            return SharedSecret(kid=None, algorithms=frozenset(HMAC_ALGORITHMS), secret=secret)
        return sources.from_jwk(self.jwk)


def _read() -> dict[str, Vector]:
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.json")):
        document = json.loads(path.read_text("utf-8"))
        assert document["source"]
        for each in document["vectors"]:
            found[f"{path.stem} {each['name']}"] = Vector(each["alg"], each["key"], each["token"])
    return found


VECTORS = _read()
_named = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)


@_named
def test_the_example_verifies_under_its_key_and_its_algorithm(vector: Vector) -> None:
    parsed = jws.parse(vector.token)
    assert parsed.header["alg"] == vector.alg
    assert algorithms.verify(vector.alg, vector.key, parsed.signature, parsed.signed)


@_named
def test_no_other_algorithm_takes_the_example(vector: Vector) -> None:
    parsed = jws.parse(vector.token)
    for other in {*algorithms.DEFAULT_ALGORITHMS, *algorithms.OPT_IN_ALGORITHMS} - {vector.alg, "Ed25519"}:
        assert not algorithms.verify(other, vector.key, parsed.signature, parsed.signed)


@_named
def test_a_changed_bit_anywhere_ends_it(vector: Vector) -> None:
    parsed, key = jws.parse(vector.token), vector.key
    for position in {0, 1, len(parsed.signature) // 2, len(parsed.signature) - 1}:
        changed = bytearray(parsed.signature)
        changed[position] ^= 1
        assert not algorithms.verify(vector.alg, key, bytes(changed), parsed.signed)
    for position in {0, len(parsed.signed) // 2, len(parsed.signed) - 1}:
        signed = bytearray(parsed.signed)
        signed[position] ^= 1
        assert not algorithms.verify(vector.alg, key, parsed.signature, bytes(signed))


@_named
def test_a_signature_of_another_length_is_none(vector: Vector) -> None:
    parsed, key = jws.parse(vector.token), vector.key
    made = parsed.signature
    for other in (made[:-1], made[1:], made + b"\0", b"\0" + made, b"", made + made):
        assert not algorithms.verify(vector.alg, key, other, parsed.signed)


def test_the_examples_are_those_of_the_standards() -> None:
    assert {name.split()[0] for name in VECTORS} == {"rfc7515", "rfc7520", "rfc8037", "rfc9964"}
    assert len(VECTORS) == 12
