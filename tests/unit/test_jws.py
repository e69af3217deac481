"""The compact form: one way to read a token, and a reason for each refusal."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import errors
from assay.rules import jws
from tests.issuer import encode

HEADER = {"alg": "RS256", "kid": "one", "typ": "JWT"}
ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


def compact(header: dict[str, Any] | bytes = HEADER, payload: bytes = b"{}", signature: bytes = b"sig") -> str:
    return f"{encode(header)}.{encode(payload)}.{encode(signature)}"


def refusal(token: str) -> str:
    with pytest.raises(errors.InvalidTrustedAuthToken) as raised:
        jws.parse(token)
    assert raised.value.message == errors.InvalidTrustedAuthToken.default_message
    return raised.value.detail


def test_a_token_comes_apart_into_its_parts() -> None:
    parsed = jws.parse(compact(payload=b'{"sub":"a"}', signature=b"\x00\xff"))
    assert (parsed.header, parsed.payload, parsed.signature) == (HEADER, b'{"sub":"a"}', b"\x00\xff")
    assert parsed.signed == (encode(HEADER) + "." + encode(b'{"sub":"a"}')).encode()


GOOD = compact()
HEAD, BODY, TAIL = GOOD.split(".")

SHAPES = {
    "empty": ("", "1 segments"),
    "one segment": (HEAD, "1 segments"),
    "two segments": (f"{HEAD}.{BODY}", "2 segments"),
    "four segments": (f"{GOOD}.{TAIL}", "4 segments"),
    "encrypted": (f"{HEAD}.a.b.c.d", "five segments"),
    "only dots": ("." * 16_000, "16001 segments"),
    "no header": (f".{BODY}.{TAIL}", "header segment is empty"),
    "no payload": (f"{HEAD}..{TAIL}", "payload segment is empty"),
    "no signature": (f"{HEAD}.{BODY}.", "signature segment is empty"),
    "flattened JSON": ('{"protected":"a","payload":"b","signature":"c"}', "JSON serialisation"),
    "general JSON with two dots": (' {"payload":"a.b.c","signatures":[]}', "JSON serialisation"),
    "trailing line break": (GOOD + "\n", "outside the base64url alphabet"),
    "leading space": (" " + GOOD, "outside the base64url alphabet"),
    "byte order mark": ("\ufeff" + GOOD, "outside the base64url alphabet"),
    "NUL": (GOOD.replace(".", "\x00.", 1), "outside the base64url alphabet"),
    "full-width letter": (f"{HEAD}.{BODY}.\uff21{TAIL[1:]}", "outside the base64url alphabet"),
    "digits of another script": (f"{HEAD}.{BODY}.\u0661\u0661\u0661\u0661", "outside the base64url alphabet"),
    "full-width dot": (GOOD.replace(".", "\uff0e", 1), "2 segments"),
    "too long": ("a" * 16_385, "more than 16384 characters"),
    "a million dots": ("." * 1_000_000, "more than 16384 characters"),
}


@pytest.mark.parametrize(("token", "reason"), SHAPES.values(), ids=SHAPES.keys())
def test_other_shapes_are_refused(token: str, reason: str) -> None:
    assert reason in refusal(token)


@pytest.mark.parametrize("segment", [0, 1, 2], ids=["header", "payload", "signature"])
@pytest.mark.parametrize("addition", ["=", "==", "+", "/", " ", "\n", "\t", "!", "\x00"])
def test_foreign_characters_in_any_segment_are_refused(segment: int, addition: str) -> None:
    segments = GOOD.split(".")
    segments[segment] += addition
    assert "outside the base64url alphabet" in refusal(".".join(segments))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_bytes_have_one_spelling_in_each_segment(size: int) -> None:
    """Of all 64 last characters only those without stray bits are taken (RFC 4648 §3.5, A32)."""
    canonical = encode(bytes(range(size)))
    taken = []
    for last in ALPHABET:
        try:
            taken.append(jws.parse(f"{HEAD}.{BODY}.{canonical[:-1]}{last}").signature)
        except errors.InvalidTrustedAuthToken as fault:
            assert fault.detail == "the signature segment is not canonical base64url"  # noqa: PT017 - both ways are fine
    assert len(taken) == len(set(taken)) == {1: 4, 2: 16, 0: 64}[size % 3]


PADDINGS = {
    "all segments": (0, 1, 2),
    "header": (0,),
    "payload": (1,),
    "signature": (2,),
}


def pad(segment: str) -> str:
    return segment + "=" * (-len(segment) % 4)


def padded_token(which: tuple[int, ...]) -> str:
    """Each segment has bytes that ask for padding."""
    segments = compact({"alg": "ES256", "kid": "ones"}, b'{"a": 1}', b"sig1").split(".")
    assert all(len(segment) % 4 for segment in segments)
    return ".".join(pad(text) if place in which else text for place, text in enumerate(segments))


@pytest.mark.parametrize("which", PADDINGS.values(), ids=PADDINGS.keys())
def test_right_padding_is_tolerated_only_where_it_is_asked_for(which: tuple[int, ...]) -> None:
    token = padded_token(which)
    parsed = jws.parse(token, padded=True)
    assert (parsed.header["alg"], parsed.payload, parsed.signature) == ("ES256", b'{"a": 1}', b"sig1")
    assert parsed.signed == token.rpartition(".")[0].encode()
    assert "padding included" in refusal(token)


def test_a_tolerant_reader_takes_tokens_without_padding_too() -> None:
    assert jws.parse(GOOD, padded=True) == jws.parse(GOOD)


@pytest.mark.parametrize("place", [0, 1, 2], ids=["header", "payload", "signature"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text + "=", id="one too many"),
        pytest.param(lambda text: text + "====", id="a group of padding"),
        pytest.param(lambda text: "=" + text, id="in front"),
        pytest.param(lambda text: text[:4] + "=" + text[4:], id="inside"),
        pytest.param(lambda text: text.rstrip("=")[:-1] + "==", id="stray bits or wrong count"),
        pytest.param(lambda text: text.rstrip("=") + "%3D", id="percent encoding"),
        pytest.param(lambda text: text + "\n", id="line break"),
        pytest.param(lambda text: text + " ", id="space"),
        pytest.param(lambda _: "=", id="nothing but padding"),
        pytest.param(lambda _: "", id="nothing"),
        pytest.param(lambda text: text.replace("e", "+"), id="standard alphabet"),
    ],
)
def test_a_tolerant_reader_takes_no_other_padding(place: int, change: Callable[[str], str]) -> None:
    segments = padded_token((0, 1, 2)).split(".")
    changed = change(segments[place])
    if changed == segments[place]:
        return
    segments[place] = changed
    with pytest.raises(errors.InvalidTrustedAuthToken):
        jws.parse(".".join(segments), padded=True)


def test_more_padding_than_three_segments_can_have_is_a_matter_of_shape() -> None:
    with pytest.raises(errors.InvalidTrustedAuthToken) as raised:
        jws.parse(GOOD + "=======", padded=True)
    assert "padding included" in raised.value.detail
    with pytest.raises(errors.InvalidTrustedAuthToken) as raised:
        jws.parse(GOOD + "======", padded=True)
    assert raised.value.detail == "a segment has wrong padding"


def test_padding_that_is_missing_one_sign_is_refused() -> None:
    segments = compact({"alg": "ES256", "kid": "ones"}, b'{"a": 1}', b"sig1").split(".")
    assert len(segments[2]) % 4 == 2
    with pytest.raises(errors.InvalidTrustedAuthToken) as raised:
        jws.parse(".".join(segments) + "=", padded=True)
    assert raised.value.detail == "a segment has wrong padding"


def test_stray_bits_before_right_padding_are_refused() -> None:
    with pytest.raises(errors.InvalidTrustedAuthToken) as raised:
        jws.parse(f"{HEAD}.{BODY}.AB==", padded=True)
    assert "not canonical" in raised.value.detail


@given(st.binary(max_size=80))
def test_every_segment_is_decoded_as_the_standard_library_decodes_it(raw: bytes) -> None:
    assert jws.parse(f"{HEAD}.{BODY}.{encode(raw + b'!')}").signature == raw + b"!"


@given(st.text(alphabet=ALPHABET + '=+/ \n\\"\u0661', min_size=1, max_size=12), st.booleans())
def test_a_signature_segment_is_refused_or_has_one_spelling(segment: str, padded: bool) -> None:
    try:
        taken = jws.parse(f"{HEAD}.{BODY}.{segment}", padded=padded).signature
    except errors.InvalidTrustedAuthToken:
        return
    assert encode(taken) == (segment.rstrip("=") if padded else segment)


def test_a_header_that_is_remembered_is_not_shared() -> None:
    first = jws.parse(GOOD)
    first.header["alg"] = "none"
    assert jws.parse(GOOD).header == HEADER


def test_a_refused_header_is_refused_again() -> None:
    assert refusal(compact({"alg": ""})) == refusal(compact({"alg": ""}))


@pytest.mark.parametrize("name", ["header", "payload", "signature"])
def test_a_group_of_one_character_is_refused(name: str) -> None:
    segments = {"header": HEAD, "payload": BODY, "signature": TAIL} | {name: "AAAAA"}
    assert refusal(".".join(segments.values())) == f"the {name} segment is not canonical base64url"


HEADERS = {
    "not JSON": (b"nonsense", "the header cannot be read: it is not JSON"),
    "a list": (b"[]", "it is not a JSON object"),
    "a string": (b'"alg"', "it is not a JSON object"),
    "repeated alg": (b'{"alg":"none","alg":"RS256"}', "repeats a member"),
    "repeated alg, escaped": (b'{"alg":"none","\\u0061lg":"RS256"}', "repeats a member"),
    "UTF-16": ('{"alg":"RS256"}'.encode("utf-16"), "not JSON"),
    "too deep": (b'{"alg":"RS256","x":' + b"[" * 40 + b"]" * 40 + b"}", "nested"),
    "no alg": ({}, "alg is not a string"),
    "ALG only": ({"ALG": "RS256"}, "alg is not a string"),
    "empty alg": ({"alg": ""}, "alg is not a string"),
    "null alg": ({"alg": None}, "alg is not a string"),
    "alg a list": ({"alg": ["RS256"]}, "alg is not a string"),
    "alg an object": ({"alg": {"RS256": 1}}, "alg is not a string"),
    "null kid": (HEADER | {"kid": None}, "kid is no string"),
    "kid a number": (HEADER | {"kid": 1}, "kid is no string"),
    "kid a list": (HEADER | {"kid": ["one"]}, "kid is no string"),
    "kid too long": (HEADER | {"kid": "k" * 1025}, "too long"),
    "kid with NUL": (HEADER | {"kid": "a\x00"}, "NUL"),
    "kid with half a surrogate": (b'{"alg":"RS256","kid":"\\ud800"}', "not JSON"),
    "typ a list": (HEADER | {"typ": ["JWT"]}, "typ is not a string"),
    "null typ": (HEADER | {"typ": None}, "typ is not a string"),
    "cty JWT": (HEADER | {"cty": "JWT"}, "another token"),
    "cty jwt, spelled otherwise": (HEADER | {"cty": "application/Jwt"}, "another token"),
    "cty a list": (HEADER | {"cty": ["JWT"]}, "cty is not a string"),
    "crit unknown": (HEADER | {"crit": ["exp"], "exp": 1}, "crit"),
    "crit absent name": (HEADER | {"crit": ["nothing"]}, "crit"),
    "crit empty": (HEADER | {"crit": []}, "crit"),
    "crit null": (HEADER | {"crit": None}, "crit"),
    "crit a string": (HEADER | {"crit": "alg"}, "crit"),
    "crit b64": (HEADER | {"crit": ["b64"], "b64": False}, "crit"),
    "b64 alone": (HEADER | {"b64": False}, "b64"),
    "b64 true": (HEADER | {"b64": True}, "b64"),
    "zip": (HEADER | {"zip": "DEF"}, "zip"),
    "enc": (HEADER | {"enc": "A128GCM"}, "enc"),
}


@pytest.mark.parametrize(("header", "reason"), HEADERS.values(), ids=HEADERS.keys())
def test_headers_that_could_mislead_are_refused(header: dict[str, Any] | bytes, reason: str) -> None:
    assert reason in refusal(compact(header))


IGNORED: dict[str, dict[str, Any]] = {
    "keys of its own": {"jwk": {"kty": "RSA"}, "jku": "https://x.example", "x5u": "https://x.example", "x5c": ["AA"]},
    "unknown members": {"nonce": "n", "x5t": "t", "signer": "arn:aws", "client": 5, "iss": None},
    "another content type": {"cty": "json"},
    "the longest kid": {"kid": "k" * 1024},
    "an empty kid": {"kid": ""},
    "another typ": {"typ": "anything"},
}


@pytest.mark.parametrize("extra", IGNORED.values(), ids=IGNORED.keys())
def test_headers_that_change_nothing_are_let_through(extra: dict[str, Any]) -> None:
    assert jws.parse(compact(HEADER | extra)).header == HEADER | extra


def test_a_token_of_the_full_size_is_read_and_not_one_character_more() -> None:
    prefix = f"{HEAD}.{BODY}."
    signature = "A" * (16_384 - len(prefix))
    assert len(jws.parse(prefix + signature).signature) == len(signature) * 3 // 4
    assert "more than 16384" in refusal(prefix + signature + "A")


def test_no_detail_and_no_representation_quotes_the_token() -> None:
    for token, _ in SHAPES.values():
        detail = refusal(token)
        assert not [part for part in (HEAD, GOOD) if part in detail]
        assert len(detail) < 120
    parsed = jws.parse(compact(payload=b'{"sub":"somebody"}'))
    assert "somebody" not in f"{parsed!r} {parsed}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\nb", r"'a\nb'"),
        ("a\x1b[31m", r"'a\x1b[31m'"),
        ("right-to-left \u202e", r"'right-to-left \u202e'"),
        (["x", 1], "['x', 1]"),
        (None, "None"),
        ("k" * 500, "'" + "k" * 198 + "…"),
        (["k" * 500], "['" + "k" * 197 + "…"),
        ([1] * 5000, "[" + "1, " * 19 + "1]"),
        ({"a": {"b": [1]}}, "{'a': {'b': [1]}}"),
        ([["k" * 500]], "[['" + "k" * 196 + "…"),
        ([{"a": [1] * 5000}], "[{'a': [" + "1, " * 19 + "1]}]"),
        (dict.fromkeys("abcdefghijklmnopqrstuvwxyz", 1), str(dict.fromkeys("abcdefghijklmnopqrst", 1))),
        (7.5, "7.5"),
    ],
)
def test_values_are_shown_escaped_and_short(value: object, expected: str) -> None:
    assert jws.shown(value) == expected
