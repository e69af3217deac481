"""JSON from outside is read so that every reader would read it alike."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

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


PLAIN_REFUSED = {
    "repeated member": b'{"a":"x","b":"y","a":"x"}',
    "repeated member with other white space": b'{"a" : 1,\n"a"\t:1}',
    "repeated member, spelled with an escape": b'{"a/":1,"a\\/":1}',
    "repeated member beside colons in strings": b'{"a":"::","a":"::"}',
    "integer of 65 digits": b'{"a":' + b"9" * 65 + b"}",
    "float overflow": b'{"a":1e400}',
    "float of many digits": b'{"a":0.' + b"1" * 70 + b"}",
    "raw NUL": b'{"a":"\x00"}',
    "invalid byte": b'{"a":"\xff"}',
    "trailing text": b'{"a":1} {"a":2}',
    "member without a value": b'{"a":}',
}

PLAIN_ACCEPTED = {
    "empty": b"{}",
    "of a request": b'{"profile_id":"idp","token":"a.b.c","session_duration_minutes":60,"organization_id":null}',
    "white space": b' {\n"a" :\t"b"\r}\n',
    "words": b'{"a":true,"b":false}',
    "colons and brackets in strings": b'{"a:":"https://x:1/","b":"[{]}"}',
    "integer of 64 digits": b'{"a":' + b"9" * 64 + b"}",
    "floats": b'{"a":1.0,"b":-1e3,"c":-0}',
}


@pytest.mark.parametrize("text", PLAIN_REFUSED.values(), ids=PLAIN_REFUSED)
def test_a_plain_object_is_refused_as_strictly_as_any_other(text: bytes) -> None:
    with pytest.raises(JsonFault):
        jsontext.loads(text)


@pytest.mark.parametrize("text", PLAIN_ACCEPTED.values(), ids=PLAIN_ACCEPTED)
def test_a_plain_object_is_read_as_the_standard_decoder_reads_it(text: bytes) -> None:
    found = jsontext.loads(text)
    assert (found, list(map(type, found.values()))) == (json.loads(text), list(map(type, json.loads(text).values())))


PIECES = st.lists(
    st.sampled_from(['"a"', '"b"', '":"', ":", ",", " ", "1", "1.5", "null", "\\", "\\u0061", "[", "}", "é"])
)


@given(PIECES.map(lambda pieces: ("{" + "".join(pieces) + "}").encode()))
def test_the_short_way_for_plain_objects_never_says_what_the_long_way_does_not(text: bytes) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(jsontext, "_plain_object", lambda _text: None)
        long_way = outcome(jsontext.loads, text)
    assert outcome(jsontext.loads, text) == long_way


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


SMALL_REFUSED = {
    "repeated member, compensated by an escaped colon": (b'{"a":1,"a":"\\u003a"}', "repeats"),
    "repeated member, compensated in a name": (b'{"a":1,"a":{"\\u003A":1}}', "repeats"),
    "repeated member with space before the colon": (b'{"a" :1,"a" : 2}', "repeats"),
    "repeated member, one of them an escaped colon": (b'{":":1,"\\u003a":2}', "repeats"),
    "repeated members that hold objects": (b'{"a":{"b":1},"a":{"b":1}}', "repeats"),
    "repeated member after an escaped backslash": (b'{"x":"\\\\u003a","a":1,"a":2}', "repeats"),
    "list": (b"[]", "not a JSON object"),
    "string": (b'"a"', "not a JSON object"),
    "too many numbers": (b'{"a":[' + b"1," * 1023 + b"1]}", "more than 1024 separators"),
    "too many brackets": (b'{"a":[' + b"[]," * 255 + b"1]}", "256 brackets"),
    "integer of 65 digits": (b'{"a":' + b"9" * 65 + b"}", "out of range"),
    "integer of 65 digits below zero": (b'{"a":[{"b":-' + b"9" * 65 + b"}]}", "out of range"),
    "integer of 400 digits": (b'{"a":' + b"9" * 400 + b"}", "out of range"),
    "integer of 5000 digits": (b'{"a":' + b"9" * 5000 + b"}", "out of range"),
    "thirty-three deep": (b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", "nested"),
    "NUL after an escaped backslash": (b'{"a":"\\\\\\u0000"}', "NUL"),
}

SMALL_ACCEPTED = {
    "escaped colon": b'{"a":"\\u003a","b":"\\u003A"}',
    "escaped colon as a name": b'{"\\u003a":1}',
    "no escaped colon after an escaped backslash": b'{"a":"\\\\u003a"}',
    "no NUL after an escaped backslash": b'{"a":"\\\\u0000"}',
    "colons in strings": b'{"a":"https://x:1/","b:":":"}',
    "equal names in different objects": b'{"a":{"a":{"a":1}}}',
    "1024 separators": b'{"a":[' + b"1," * 1021 + b"1]}",
    "256 brackets": b'{"a":[' + b"[]," * 254 + b"1]}",
    "thirty-two deep": b'{"a":' + b"[" * 31 + b"]" * 31 + b"}",
    "integer of 64 digits": b'{"a":' + b"9" * 64 + b"}",
    "70 digits in a string": b'{"a":"' + b"9" * 70 + b'"}',
}


@pytest.mark.parametrize(("text", "reason"), SMALL_REFUSED.values(), ids=SMALL_REFUSED.keys())
def test_a_small_object_is_refused_with_its_reason(text: bytes, reason: str) -> None:
    with pytest.raises(JsonFault, match=reason):
        jsontext.loads_small(text)


@pytest.mark.parametrize("text", SMALL_ACCEPTED.values(), ids=SMALL_ACCEPTED.keys())
def test_a_small_object_is_read_as_the_standard_decoder_reads_it(text: bytes) -> None:
    assert jsontext.loads_small(text) == json.loads(text)


# A float of many digits is the same number to every reader, so the small reader takes it.
@pytest.mark.parametrize("name", [name for name in REFUSED if name != "float of many digits"])
def test_the_small_reader_refuses_what_the_other_refuses(name: str) -> None:
    with pytest.raises(JsonFault):
        jsontext.loads_small(b'{"x":' + REFUSED[name][0] + b"}")


@pytest.mark.parametrize("digits", [63, 64, 65, 66, 96, 97])
@pytest.mark.parametrize("before", range(40))
def test_long_digits_are_found_wherever_they_stand(digits: int, before: int) -> None:
    text = b'{"' + b"a" * before + b'":' + b"9" * digits + b"}"
    try:
        found = bool(jsontext.loads_small(text))
    except JsonFault:
        found = False
    assert found is (digits <= 64)


TEXTS = st.text(alphabet='[]{}",:\\u0d8e13a', max_size=40).map(str.encode)


@given(TEXTS | st.dictionaries(st.sampled_from("ab:"), JSON_VALUES).map(lambda value: json.dumps(value).encode()))
def test_both_readers_agree(text: bytes) -> None:
    assert outcome(jsontext.loads_small, text) == outcome(jsontext.loads, text)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "\\u0061", ":", "\\u003a", "\\u003A", "\\\\u003a", "b"]), TEXTS), max_size=5
    )
)
def test_both_readers_agree_on_repetitions(pairs: list[tuple[str, bytes]]) -> None:
    members = [f'"{name}":'.encode() + json.dumps(value.decode()).encode() for name, value in pairs]
    text = b"{" + b",".join(members) + b"}"
    assert outcome(jsontext.loads_small, text) == outcome(jsontext.loads, text)


def outcome(reader: Callable[[bytes], Any], text: bytes) -> Any:
    try:
        value = reader(text)
    except JsonFault:
        return "refused"
    return value if isinstance(value, dict) else "refused"


def test_size_counts_bytes_of_compact_utf8() -> None:
    assert jsontext.size({"ä": [1, "€"]}) == len('{"ä":[1,"€"]}'.encode())


def test_limits_are_those_written_in_the_messages() -> None:
    assert (MAX_DEPTH, MAX_NUMBER_CHARACTERS) == (32, 64)
