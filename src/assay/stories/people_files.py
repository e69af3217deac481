"""Files of people: CSV with a header, JSON lines, or one JSON array, read row by row.

Nothing here holds more than a row and what was read ahead, so a file may be of any length. The hosted service's own
export of users is such a CSV (with JSON in its cells) or such an array.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, Literal, NamedTuple

from assay import errors, jsontext

Format = Literal["csv", "jsonl", "json"]

MOST_ROW_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024
_PEEKED_BYTES = 4096

_EXTENSIONS: dict[str, Format] = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_DELIMITERS = ",;\t"
_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class Row(NamedTuple):
    """One person as the file tells it: the line it begins in, and its members or what is wrong with it."""

    line: int
    given: dict[str, Any]
    fault: str = ""


def format_of(name: str, stream: BinaryIO) -> Format:
    """By the extension, else by the first character that is not blank: ``[``, ``{`` or another one."""
    by_name = _EXTENSIONS.get(os.path.splitext(name)[1].lower())  # noqa: PTH122 - a name, not a file
    if by_name is not None:
        return by_name
    first = stream.read(_PEEKED_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    stream.seek(0)
    return {b"[": "json", b"{": "jsonl"}.get(first, "csv")  # type: ignore[return-value] # the three literals


class PeopleFile:
    """An open file of people, which can be read several times.

    ``columns`` are other names of fields: column → field, where ``trusted_metadata.plan`` means a member of that
    object. ``position`` is how many bytes have been read, ``digest`` the SHA-256 of what the last reading read.
    """

    def __init__(self, stream: BinaryIO, kind: Format, columns: Mapping[str, str] | None = None) -> None:
        self.format = kind
        self.size = os.fstat(stream.fileno()).st_size
        self.position = 0
        self._stream = stream
        self._columns = dict(columns or {})
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes read, in hexadecimal."""
        return self._hash.hexdigest()

    def stamp(self) -> tuple[int, int]:
        """What changes when somebody writes to the file."""
        status = os.fstat(self._stream.fileno())
        return status.st_size, status.st_mtime_ns

    def rows(self) -> Iterator[Row]:
        """All rows from the first on. Raises PeopleFileUnreadable where the file cannot be read any further."""
        self._stream.seek(0)
        self.position = 0
        self._hash = hashlib.sha256()
        readers: dict[Format, Callable[[], Iterator[Row]]] = {
            "csv": self._csv_rows,
            "jsonl": self._json_lines,
            "json": self._json_array,
        }
        return readers[self.format]()

    # -- CSV (RFC 4180)

    def _csv_rows(self) -> Iterator[Row]:
        lines = self._text_lines()
        header = next(lines, "")
        reader = csv.reader(_after(header, lines), delimiter=_delimiter(header), strict=True)
        try:
            names = self._header(next(reader, []))
            line = reader.line_num + 1
            for cells in reader:
                if any(cells):
                    yield _csv_row(line, names, cells)
                line = reader.line_num + 1
        except csv.Error as fault:
            raise errors.PeopleFileUnreadable(f"Line {reader.line_num}: {fault}.") from None

    def _header(self, cells: list[str]) -> list[str]:
        columns = [cell.strip() for cell in cells]
        missing = [column for column in self._columns if column not in columns]
        if missing:
            raise errors.PeopleFileUnreadable(f"The file has no column {missing[0]!r}, which --map names.")
        names = [self._columns.get(column, column) for column in columns]
        twice = next((name for name in names if name and names.count(name) > 1), None)
        if twice is not None:
            raise errors.PeopleFileUnreadable(f"Line 1: two columns give {twice}; leave one out of the file or --map.")
        if not any(names):
            raise errors.PeopleFileUnreadable("Line 1: a CSV file begins with the names of its columns.")
        return names

    # -- JSON (RFC 8259)

    def _json_lines(self) -> Iterator[Row]:
        for line, raw in self._raw_lines():
            if raw.strip():
                yield self._json_row(line, raw)

    def _json_array(self) -> Iterator[Row]:
        window = _Window(self._chunks())
        window.expect("[")
        character = window.peek()
        while character != "]":
            line, text = window.element()
            yield self._json_row(line, text.encode())
            character = window.peek()
            if character == ",":
                window.expect(",")
            elif character != "]":
                raise errors.PeopleFileUnreadable(f"Line {window.line}: a comma or the end of the list is missing.")

    def _json_row(self, line: int, raw: bytes) -> Row:
        try:
            value = jsontext.loads(raw)
        except jsontext.JsonFault as fault:
            return Row(line, {}, f"this row cannot be read: {fault}")
        if not isinstance(value, dict):
            return Row(line, {}, "a row must be a JSON object")
        given: dict[str, Any] = {}
        for name, member in value.items():
            field = str(self._columns.get(name, name))
            if not put(given, field, member):
                return Row(line, {}, f"two members give {field}")
        return Row(line, given)

    # -- bytes

    def _raw_lines(self) -> Iterator[tuple[int, bytes]]:
        line = 0
        while raw := self._stream.readline(MOST_ROW_BYTES + 1):
            line += 1
            if len(raw) > MOST_ROW_BYTES:
                raise errors.PeopleFileUnreadable(f"Line {line} is longer than 1 MiB; is this a file of people?")
            self._count(raw)
            yield line, raw.removeprefix(codecs.BOM_UTF8) if line == 1 else raw

    def _text_lines(self) -> Iterator[str]:
        for line, raw in self._raw_lines():
            try:
                yield raw.decode()
            except UnicodeDecodeError:
                raise errors.PeopleFileUnreadable(f"Line {line} is not UTF-8; save the file as UTF-8.") from None

    def _chunks(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        try:
            while raw := self._stream.read(CHUNK_BYTES):
                self._count(raw)
                yield decoder.decode(raw)
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise errors.PeopleFileUnreadable("The file is not UTF-8; save it as UTF-8.") from None

    def _count(self, raw: bytes) -> None:
        self._hash.update(raw)
        self.position += len(raw)


class _Window:
    """The part of a text that is being looked at, and the line it is in."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self.line = 1
        self._chunks = chunks
        self._text = ""
        self._at = 0

    def peek(self) -> str:
        """The next character that is not blank. Raises PeopleFileUnreadable at the end of the text."""
        while True:
            blank = _BLANK.match(self._text, self._at)
            end = blank.end() if blank else self._at
            self._pass(end)
            if end < len(self._text):
                return self._text[end]
            if not self._more():
                raise errors.PeopleFileUnreadable(f"Line {self.line}: the file ends in the middle of its list.")

    def expect(self, character: str) -> None:
        """Go past this character. Raises PeopleFileUnreadable when it is not the next one."""
        if self.peek() != character:
            raise errors.PeopleFileUnreadable(f"Line {self.line}: {character} is expected here.")
        self._pass(self._at + 1)

    def element(self) -> tuple[int, str]:
        """The object that comes next, and the line it begins in. Raises PeopleFileUnreadable."""
        if self.peek() != "{":
            raise errors.PeopleFileUnreadable(f"Line {self.line}: the list must hold JSON objects.")
        line = self.line
        while True:
            try:
                _, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):
                # Only the rest of the file can tell whether the object is broken or goes on.
                if len(self._text) - self._at > MOST_ROW_BYTES or not self._more():
                    raise errors.PeopleFileUnreadable(f"Line {line}: the object here cannot be read.") from None
                continue
            text = self._text[self._at : end]
            self._pass(end)
            return line, text

    def _pass(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _more(self) -> bool:
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        self._text = self._text[self._at :] + chunk
        self._at = 0
        return True


def put(given: dict[str, Any], path: str, value: object) -> bool:
    """Set a member, which a dot in ``path`` puts inside of another; False when it is there already."""
    *outer, last = path.split(".")
    for name in outer:
        given = given.setdefault(name, {})
        if not isinstance(given, dict):
            return False
    there = given.setdefault(last, value)
    if there is not value and isinstance(there, dict) and isinstance(value, dict):
        return all(put(there, name, member) for name, member in value.items())
    return there is value


def _csv_row(line: int, names: list[str], cells: list[str]) -> Row:
    if len(cells) > len(names):
        return Row(line, {}, f"this row has {len(cells)} cells, and the header has {len(names)}")
    given: dict[str, Any] = {}
    for name, cell in zip(names, cells, strict=False):
        if name and cell.strip() and not put(given, name, _cell(cell.strip())):
            return Row(line, {}, f"two columns give {name}")
    return Row(line, given)


def _cell(text: str) -> object:
    """Text, or what an object or list written as JSON says."""
    if text[0] not in "[{":
        return text
    try:
        return jsontext.loads(text.encode("utf-8", "surrogatepass"))
    except jsontext.JsonFault:
        return text


def _delimiter(header: str) -> str:
    """The one that the header has most of: spreadsheets write a semicolon where the comma is the decimal point."""
    return max(_DELIMITERS, key=header.count)


def _after(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest
