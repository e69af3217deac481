"""Files of people, row by row."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from assay import errors
from assay.stories.people_files import CHUNK_BYTES, Format, PeopleFile, Row, format_of

Open = Callable[..., PeopleFile]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """A file of people with this content."""
    streams = ExitStack()

    def open_it(content: str | bytes, kind: Format, columns: dict[str, str] | None = None) -> PeopleFile:
        path = tmp_path / "people"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return PeopleFile(streams.enter_context(path.open("rb")), kind, columns)

    with streams:
        yield open_it


CSV = 'email,name,note\r\na@x.test,Ada,\r\n\r\n"b@x.test","Bob\nthe second","say ""hi"""\r\nc@x.test\r\n'
JSON_LINES = '{"email": "a@x.test"}\n\n  {"email": "b@x.test", "name": "Bob"}\n'
ARRAY = '[\n  {\n    "email": "a@x.test"\n  },\n  {"email": "b@x.test"}\n]\n'


@pytest.mark.parametrize(
    ("content", "kind", "rows"),
    [
        pytest.param(
            CSV,
            "csv",
            [
                Row(2, {"email": "a@x.test", "name": "Ada"}),
                Row(4, {"email": "b@x.test", "name": "Bob\nthe second", "note": 'say "hi"'}),
                Row(6, {"email": "c@x.test"}),
            ],
            id="CSV with quotes, blank lines and a line break in a cell",
        ),
        pytest.param("\ufeffemail;name\na@x.test;Ada\n", "csv", [Row(2, {"email": "a@x.test", "name": "Ada"})],
                     id="CSV of a spreadsheet: semicolons, a byte order mark"),
        pytest.param('emails,x\n"[{""email"": ""a@x.test""}]",[?\n', "csv",
                     [Row(2, {"emails": [{"email": "a@x.test"}], "x": "[?"})], id="CSV with JSON in its cells"),
        pytest.param("name.first_name,name.last_name\nAda,Lovelace\n", "csv",
                     [Row(2, {"name": {"first_name": "Ada", "last_name": "Lovelace"}})], id="CSV with parts"),
        pytest.param("a,b\n1,2,3\n", "csv", [Row(2, {}, "this row has 3 cells, and the header has 2")],
                     id="CSV with a cell too many"),
        pytest.param(JSON_LINES, "jsonl", [Row(1, {"email": "a@x.test"}), Row(3, {"email": "b@x.test", "name": "Bob"})],
                     id="JSON lines with a blank one"),
        pytest.param('{"a": 1, "a": 2}\n[]\n{"a"\n', "jsonl",
                     [Row(1, {}, "this row cannot be read: it repeats a member of an object"),
                      Row(2, {}, "a row must be a JSON object"),
                      Row(3, {}, "this row cannot be read: it is not JSON (at character 5)")],
                     id="JSON lines that are not rows"),
        pytest.param(ARRAY, "json", [Row(2, {"email": "a@x.test"}), Row(5, {"email": "b@x.test"})], id="JSON array"),
        pytest.param(" [ ] ", "json", [], id="empty JSON array"),
        pytest.param("email\n", "csv", [], id="a header alone"),
        pytest.param("", "jsonl", [], id="nothing"),
    ],
)  # fmt: skip
def test_each_row_is_read_with_the_line_it_begins_in(opened: Open, content: str, kind: Format, rows: list[Row]) -> None:
    file = opened(content, kind)
    assert list(file.rows()) == rows
    assert file.position == file.size
    first = file.digest
    assert list(file.rows()) == rows, "a second reading reads the same"
    assert file.digest == first


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        pytest.param("a,a\n1,2\n", "csv", "two columns give a", id="a column twice"),
        pytest.param("", "csv", "names of its columns", id="no header"),
        pytest.param('a\n"x\n', "csv", "Line 2", id="a quote that never ends"),
        pytest.param(b"a\n\xff\n", "csv", "Line 2 is not UTF-8", id="CSV that is not UTF-8"),
        pytest.param(b"{}\n" + b"x" * 1_100_000, "jsonl", "longer than 1 MiB", id="a line of a megabyte"),
        pytest.param('[{"a": 1}', "json", "ends in the middle", id="an array that does not end"),
        pytest.param('[{"a": 1} {"a": 2}]', "json", "a comma", id="no comma"),
        pytest.param('[{"a": 1},\n2]', "json", "Line 2: the list must hold", id="an array of numbers"),
        pytest.param('[\n{"a": }\n]', "json", "Line 2", id="an object that is not JSON"),
        pytest.param('[{"a": ' + "[" * 100_000, "json", "cannot be read", id="an object without a bottom"),
        pytest.param(b'[{"a": "\xff"}]', "json", "not UTF-8", id="JSON that is not UTF-8"),
        pytest.param('{"a": 1}', "json", "[ is expected", id="an object alone"),
    ],
)
def test_a_file_that_cannot_be_read_on_says_where(opened: Open, content: str | bytes, kind: Format, says: str) -> None:
    with pytest.raises(errors.PeopleFileUnreadable, match=says.replace("[", r"\[")):
        list(opened(content, kind).rows())


def test_an_object_may_lie_across_what_is_read_at_once(opened: Open) -> None:
    people = [{"email": f"p{number}@x.test", "note": "é" * 3_000} for number in range(CHUNK_BYTES // 2_000)]
    text = json.dumps(people, ensure_ascii=False, indent=1)
    assert [row.given for row in opened(text, "json").rows()] == people


@pytest.mark.parametrize(
    ("given", "columns", "becomes"),
    [
        pytest.param({"mail": "a@x.test"}, {"mail": "email"}, {"email": "a@x.test"}, id="another name"),
        pytest.param(
            {"user_id": "u-1", "trusted_metadata": {"plan": "pro"}},
            {"user_id": "trusted_metadata.old_id"},
            {"trusted_metadata": {"old_id": "u-1", "plan": "pro"}},
            id="a part of an object that is there",
        ),
        pytest.param({"mail": "a", "email": "b"}, {"mail": "email"}, None, id="two for one field"),
    ],
)
def test_members_can_have_other_names(
    opened: Open, given: dict[str, Any], columns: dict[str, str], becomes: dict[str, Any] | None
) -> None:
    row = next(opened(json.dumps(given), "jsonl", columns).rows())
    assert row == (Row(1, becomes) if becomes is not None else Row(1, {}, "two members give email"))


def test_a_mapped_column_that_is_not_there_is_a_fault(opened: Open) -> None:
    with pytest.raises(errors.PeopleFileUnreadable, match="no column 'mail'"):
        list(opened("email\na@x.test\n", "csv", {"mail": "email"}).rows())


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        pytest.param("a.csv", b"{", "csv", id="extension"),
        pytest.param("a.NDJSON", b"", "jsonl", id="extension in capitals"),
        pytest.param("a.json", b"\n [", "json", id="an array"),
        pytest.param("a.json", b'\xef\xbb\xbf{"a"', "jsonl", id="objects"),
        pytest.param("people", b"email,name", "csv", id="anything else"),
    ],
)
def test_the_format_is_found(name: str, content: bytes, kind: Format) -> None:
    stream: BinaryIO = io.BytesIO(content)
    assert format_of(name, stream) == kind
    assert stream.tell() == 0
