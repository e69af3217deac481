"""Which texts tell of a person, and which only look like it."""

from __future__ import annotations

import json

import msgspec
import pytest

from assay.rules.jws import shown
from assay.store import traces

ADDRESS = "ada.l@acme.example"


def tells(text: str, *names: str) -> bool:
    return traces.in_text(json.dumps(names or (ADDRESS,)), text)


TELLING: dict[str, tuple[str, str]] = {
    "the name alone": (ADDRESS, ADDRESS),
    "in a sentence": (ADDRESS, f"the claim is {ADDRESS}."),
    "another case of an address": (ADDRESS, "ADA.L@Acme.Example is known"),
    "an address given in capitals": ("ADA@ACME.EXAMPLE", "ada@acme.example"),
    "in brackets": (ADDRESS, f"Ada <{ADDRESS}>, and others"),
    "as a link": (ADDRESS, f"mailto:{ADDRESS}"),
    "with a port after it": (ADDRESS, f"{ADDRESS}:"),
    "quoted": ("42", "sub must be '42', but"),
    "a short id at the end": ("42", "sub is 42"),
    "after a new line that is written as an escape": (ADDRESS, rf"\n{ADDRESS}\t"),
    "with a quotation mark": ('o"neil', shown("o\"neil's")[:7] + "'"),
    "with both quotation marks": ("o\"ne'il", shown("o\"ne'il")),
    "with a backslash, as Python shows it": ("a\\b", f"sub is {shown(chr(97) + chr(92) + 'b')}"),
    "as JSON writes it": ('o"né', 'sub is "o\\"n\\u00e9"'),
    "with letters beyond ASCII": ("søren@straße.example", "SØREN@straße.example"),
    "wildcards that are meant as they are": ("100%_sure", "is 100%_sure?"),
    "cut off": ("x" * 255, f"sub is {shown('x' * 255)}"),
    "cut off in a list": (ADDRESS, "'…', 'ada.l@acme.ex…"),
}


@pytest.mark.parametrize("case", TELLING)
def test_a_text_that_tells_of_the_person_is_found(case: str) -> None:
    name, text = TELLING[case]
    assert tells(text, name)
    assert tells(text, "somebody@else.example", name)
    assert not tells(text, "somebody@else.example")


OTHERS: dict[str, tuple[str, str]] = {
    "a longer address before": ("da@acme.example", "ada@acme.example"),
    "a dot before": ("l@acme.example", ADDRESS),
    "a tag before": ("l@acme.example", "ada+l@acme.example"),
    "a longer domain": ("ada@acme.example", "ada@acme.example.org"),
    "a longer domain with a dash": ("ada@acme", "ada@acme-inc"),
    "a longer number": ("42", "1042 and 420"),
    "part of a subject": ("42", "auth0|42 and 42|auth0"),
    "part of a path": ("ci", "repo:acme/ci and ci/cd"),
    "part of one of our ids": ("0af3", "member-test-0af3-0af3"),
    "another case of an id": ("aB", "ab AB"),
    "wildcards that would match": ("1_3%", "123456"),
    "cut off before it can be told": ("ada@acme.example", "is 'ada@…"),
    "cut off after another beginning": ("ada@acme.example", "is 'nada@acme…"),
    "nothing": ("ada@acme.example", ""),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_text_that_tells_of_somebody_else_is_not_found(case: str) -> None:
    name, text = OTHERS[case]
    assert not tells(text, name)


def test_no_traces_are_found_nowhere() -> None:
    assert not traces.in_text("[]", "anything")
    assert not traces.in_text('[""]', "anything")
    assert not traces.in_json("[]", '{"a":"\\n"}')


IN_JSON: dict[str, tuple[object, bool]] = {
    "a value": ({"email": ADDRESS}, True),
    "the name of a member": ({ADDRESS: 1}, True),
    "deep inside": ({"changes": [{"to": [None, True, ADDRESS]}]}, True),
    "in a sentence": ({"notes": [f"{ADDRESS} is known"]}, True),
    "after an escape": ({"note": f'said\n{ADDRESS} and "more"'}, True),
    "somebody else": ({"email": f"x{ADDRESS}", "note": 'a "quote"'}, False),
    "nobody": ({}, False),
}


@pytest.mark.parametrize("case", IN_JSON)
def test_each_string_of_a_json_text_is_looked_at(case: str) -> None:
    value, expected = IN_JSON[case]
    assert traces.in_json(json.dumps([ADDRESS]), msgspec.json.encode(value).decode()) is expected


def test_a_number_is_no_name() -> None:
    """An external id such as 60 would otherwise take every event with a duration of an hour along."""
    assert not traces.in_json('["60"]', '{"minutes":60,"of":"a \\"quoted\\" one"}')
    assert traces.in_json('["60"]', '{"of":"60"}')


def test_a_name_with_a_quotation_mark_is_found_escaped() -> None:
    name = 'o"neil\\é@acme.example'
    assert traces.in_json(json.dumps([name]), msgspec.json.encode({"email": name}).decode())
    assert not traces.in_json(json.dumps([name]), msgspec.json.encode({"email": f"p{name}"}).decode())
