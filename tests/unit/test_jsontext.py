"""JSON from outside is read so that every reader would read it alike."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import jsontext
from assay.jsontext import MAX_DEPTH, MAX_NUMBER_CHARACTERS, JsonFault

REFUSED = {
    "repeated member": (b'{"a":1,"a":1}', "repeats a member"),
    "repeated member, escaped": (b'{"alg":1,"\\u0061lg":2}', "repeats a member"),
    "repeated member, deep inside": (b'[{"x":{"a":1,"b":2,"a":3}}]', "repeats a member"),
    "NaN": (b'{"exp":NaN}', "not finite"),
    "Infinity": (b"[Infinity]", "not finite"),
    "minus Infinity": (b"[-Infinity]", "not finite"),
    "float overflow": (b"[1e400]", "out of range"),
    "float of many digits": (b"[0." + b"1" * 70 + b"]", "out of range"),
    "integer of many digits": (b"[" + b"9" * 65 + b"]", "out of range"),
    "integer beyond Python's own limit": (b"[" + b"9" * 5000 + b"]", "out of range"),
    "NUL, escaped": (b'{"sub":"a\\u0000b"}', "NUL"),
    "NUL, raw": (b'{"sub":"a\x00b"}', "not JSON"),
    "NUL in a member name": (b'{"a\\u0000":1}', "NUL"),
    "lone high surrogate": (b'["\\ud800"]', "surrogate"),
    "lone low surrogate": (b'["\\udc00"]', "surrogate"),
    "lone surrogate deep inside": (b'[{"a":["\\uD800x"]}]', "surrogate"),
    "lone surrogate in a member name": (b'{"\\udfff":1}', "surrogate"),
    "raw surrogate (CESU-8)": (b'["\xed\xa0\x80"]', "UTF-8"),
    "overlong encoding": (b'["\xc0\xaf"]', "UTF-8"),
    "invalid byte": (b'["\xff"]', "UTF-8"),
    "byte order mark": (b'\xef\xbb\xbf{"a":1}', "not JSON"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), "UTF-8"),
    "UTF-16 without mark": ('{"a":1}'.encode("utf-16-le"), "not JSON"),
    "UTF-32 without mark": ('{"a":1}'.encode("utf-32-be"), "not JSON"),
    "trailing text": (b"{} {}", "not JSON"),
    "trailing comma": (b"[1,]", "not JSON"),
    "comment": (b"{}//", "not JSON"),
    "raw line break in a string": (b'["a\nb"]', "not JSON"),
    "no-break space between tokens": ('{"a":\u00a01}'.encode(), "not JSON"),
    "leading zero": (b"[01]", "not JSON"),
    "single quotes": (b"{'a':1}", "not JSON"),
    "empty": (b"", "not JSON"),
    "lists too deep": (b"[" * 33 + b"]" * 33, "nested more than 32"),
    "objects too deep": (b'{"a":' * 33 + b"1" + b"}" * 33, "nested more than 32"),
    "a hundred thousand lists": (b"[" * 100_000, "nested more than 32"),
    "too deep after a string with an escaped quote": (b'["\\"",' + b"[" * 32 + b"]" * 33, "nested more than 32"),
    "too deep after a string that ends in a backslash": (b'["\\\\",' + b"[" * 32 + b"]" * 33, "nested more than 32"),
}

ACCEPTED = {
    "deepest lists": b"[" * 32 + b"]" * 32,
    "many brackets, none of them deep": b"[" + b",".join([b"[{}]"] * 100) + b"]",
    "many brackets in a string": b'["' + b"[" * 100 + b'"]',
    "many brackets in a string after an escaped quote": b'["\\"' + b"{" * 100 + b'"]',
    "surrogate pair": b'["\\ud83d\\ude00"]',
    "escaped backslash before a u": b'["\\\\ud800"]',
    "longest integer": b"[" + b"9" * 64 + b"]",
    "smallest float": b"[1e-400]",
    "negative and exponent": b"[-1, -0.5, 1E5, 2.5e-3]",
    "words": b'{"a":true,"b":false,"c":null}',
    "equal names in different objects": b'[{"a":1},{"a":2}]',
    "other scripts": '{"名":"Ада"}'.encode(),
    "plain value": b'"text"',
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_ambiguous_text_is_refused_with_its_reason(text: bytes, reason: str) -> None:
    with pytest.raises(JsonFault, match=reason):
        jsontext.loads(text)


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_plain_json_is_read_as_the_standard_decoder_reads_it(text: bytes) -> None:
    assert jsontext.loads(text) == json.loads(text)


def test_a_fault_never_quotes_the_text() -> None:
    with pytest.raises(JsonFault) as raised:
        jsontext.loads(b'{"token": "very-secret"')
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_depth_that_hides_behind_strings_is_found_in_linear_time() -> None:
    """A megabyte of escaped quotes took hours with a search that starts again at each of them."""
    hostile = b'["' + b'\\"' * 250_000 + b"[" * 500_000
    start = time.perf_counter()
    with pytest.raises(JsonFault):
        jsontext.loads(hostile)
    with pytest.raises(JsonFault):
        jsontext.loads(hostile + b"\\")
    assert time.perf_counter() - start < 2


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**60), 10**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    # Cs are half surrogates; NUL is refused on purpose.
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda children: (
        st.lists(children)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), children)
    ),
    max_leaves=20,
)


@given(JSON_VALUES, st.booleans())
def test_every_ordinary_value_survives(value: object, ascii_only: bool) -> None:
    assert jsontext.loads(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=60) | st.text(alphabet='[]{}",:\\u0d8e1', max_size=60).map(str.encode))
def test_whatever_comes_is_read_or_refused_with_the_one_error(text: bytes) -> None:
    try:
        value = jsontext.loads(text)
    except JsonFault:
        return
    assert value == json.loads(text)


def test_size_counts_bytes_of_compact_utf8() -> None:
    assert jsontext.size({"ä": [1, "€"]}) == len('{"ä":[1,"€"]}'.encode())


def test_limits_are_those_written_in_the_messages() -> None:
    assert (MAX_DEPTH, MAX_NUMBER_CHARACTERS) == (32, 64)
