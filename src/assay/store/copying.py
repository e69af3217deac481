"""Copying a store into another one, row by row, whatever databases they are in (``assay copy``).

Both sides are read in the order of keys and compared; what differs in the target is changed. So one way does for all:
a first copy, one that goes on after an interruption, and one that catches up with what has changed since. The source
is read as it is at one moment. At the end every row of the target is read again and counted and digested.

A copy can be used by nobody until it is finished, and it is finished only when nobody else had the source open: a
server that goes on with the source would have its later revocations forgotten here. A finished copy is never
written to again, for it may have a life of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from secrets import token_bytes
from typing import Literal, NamedTuple, Protocol

import msgspec

from assay.rules import session_ids
from assay.store.copying_sides import Side, Source, Target
from assay.store.copying_tables import TABLES, UNFINISHED, Changes, Row, Table, columns_in_order
from assay.store.opening import StoreFault

NONCE_BYTES = 16

_SEALED = "sealed_private_key"

SideName = Literal["source", "target"]
Phase = Literal["cleared", "copied", "checked"]
Tell = Callable[[Phase, int, float], None]
"""Told what was done with how many rows, which are this part (0 to 1) of all."""


class Seals(Protocol):
    """What a copy needs of the root keys of both sides; ``check_value`` is the target's."""

    source_id: bytes
    check_value: bytes

    def fingerprint(self, side: SideName, environment_id: str, kid: str, sealed: bytes) -> bytes:
        """The same for the same private key, however it is sealed. Empty for what does not open in the target."""

    def resealed(self, environment_id: str, kid: str, sealed: bytes) -> bytes:
        """A private key of the source, sealed for the target."""


class Tally(msgspec.Struct, frozen=True):
    """All rows of a table: how many, and SHA-256 over them in the order of keys, in hexadecimal."""

    rows: int
    sha256: str


class TableCopied(msgspec.Struct, frozen=True):
    """One table on both sides."""

    table: str
    source: Tally
    target: Tally

    @property
    def is_equal(self) -> bool:
        """Whether the target holds what the source holds."""
        return self.source == self.target


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has done. It is finished if the target can be used now."""

    is_finished: bool
    inserted: int
    updated: int
    deleted: int
    tables: tuple[TableCopied, ...]


class _Ends(NamedTuple):
    source: Source
    target: Target
    seals: Seals


async def copy(source: Source, target: Target, seals: Seals, tell: Tell, *, now: int) -> Copied:
    """Make the target hold what the source holds, and finish it if nobody else has the source open.

    ``now`` is in seconds. Raises opening.StoreFault: the two have other schemas, the target holds anything that no
    copy of this source has left there, or does not hold at the end what was copied.
    """
    ends = _Ends(source, target, seals)
    await _refuse_other_schema(source, target)
    mark = await _claimed(ends)
    await target.make_room(await _oldest(source, now), now)
    run = _Run(ends, mark, tell, await _total(source))
    for table in reversed(TABLES):
        await run.clear(table)
    sources = [await run.fill(table) for table in TABLES]
    tables = [
        TableCopied(table.name, tally, await run.check(table)) for table, tally in zip(TABLES, sources, strict=True)
    ]
    if wrong := [each for each in tables if not each.is_equal]:
        raise StoreFault(f"the copy is not what the source is: {_listed(wrong)}; {target.shown} stays closed")
    if source.is_alone:
        await target.finish(mark, seals.check_value)
    return Copied(
        is_finished=source.is_alone,
        inserted=run.inserted,
        updated=run.updated,
        deleted=run.deleted,
        tables=tuple(tables),
    )


async def compare(source: Source, target: Target, seals: Seals, tell: Tell) -> tuple[TableCopied, ...]:
    """Count and digest every table on both sides, and change nothing. Raises opening.StoreFault."""
    await _refuse_other_schema(source, target)
    run = _Run(_Ends(source, target, seals), b"", tell, 2 * await _total(source))
    return tuple([TableCopied(table.name, await run.check(table, source), await run.check(table)) for table in TABLES])


class _Run:
    """One run, and what it has done so far."""

    def __init__(self, ends: _Ends, mark: bytes, tell: Tell, total: int) -> None:
        self._ends = ends
        self._mark = mark
        self._tell = tell
        self._total = total
        self._done: dict[Phase, int] = {"cleared": 0, "copied": 0, "checked": 0}
        self.inserted = self.updated = self.deleted = 0

    async def clear(self, table: Table) -> None:
        """Delete what the source no longer has, children before what they refer to; free unique values of the rest."""
        if table.stands_alone or await self._ends.target.is_empty(table):
            return
        shape = await _shape(self._ends, table)
        async for old, new in _pieces(self._ends, shape):
            found, _ = shape.differences(old, new)
            parked = [shape.key_of(row) for row in found.updated] if table.parked else []
            await self._change(shape, Changes(deleted=found.deleted, parked=parked))
            self._progress("cleared", len(old))

    async def fill(self, table: Table) -> Tally:
        """Insert and update what differs; answers what the source holds."""
        shape, counted = await _shape(self._ends, table), _Counted()
        async for old, new in _pieces(self._ends, shape):
            found, comparable = shape.differences(old, new)
            counted.add(comparable)
            await self._change(shape, found)
            self.inserted += len(found.inserted)
            self.updated += len(found.updated)
            self._progress("copied", len(old))
        return counted.tally()

    async def check(self, table: Table, source: Source | None = None) -> Tally:
        """Read the target, or the source, from end to end; answers what it holds."""
        side: Side = source or self._ends.target
        shape, counted, after = await _shape(self._ends, table), _Counted(), None
        while True:
            rows = await side.page(table, shape.columns, after)
            counted.add(shape.source_rows(rows) if source else shape.target_rows(rows))
            self._progress("checked", len(rows))
            if len(rows) < table.page:
                return counted.tally()
            after = shape.key_of(rows[-1])

    async def _change(self, shape: _Shape, changes: Changes) -> None:
        if changes:
            await self._ends.target.change(self._mark, shape.table, shape.columns, changes)
            self.deleted += len(changes.deleted)

    def _progress(self, phase: Phase, rows: int) -> None:
        self._done[phase] += rows
        done = self._done[phase]
        self._tell(phase, done, min(1.0, done / self._total) if self._total else 1.0)


class _Counted:
    """Rows counted and digested as they come. Where a row ends is part of its encoding, where a page ends is not."""

    def __init__(self) -> None:
        self._rows = 0
        self._digest = hashlib.sha256()
        self._encode = msgspec.msgpack.Encoder().encode

    def add(self, rows: list[Row]) -> None:
        self._rows += len(rows)
        self._digest.update(b"".join(map(self._encode, rows)))

    def tally(self) -> Tally:
        return Tally(self._rows, self._digest.hexdigest())


class _Shape(NamedTuple):
    """How rows of one table are compared: as the target can hold them, and private keys by their fingerprint."""

    table: Table
    columns: tuple[str, ...]
    ends: _Ends

    def key_of(self, row: Row) -> Row:
        return row[: len(self.table.key)]

    def source_rows(self, rows: list[Row]) -> list[Row]:
        return self._comparable("source", self.ends.target.storable(rows))

    def target_rows(self, rows: list[Row]) -> list[Row]:
        return self._comparable("target", rows)

    def differences(self, source: list[Row], target: list[Row]) -> tuple[Changes, list[Row]]:
        """What makes these rows of the target those of the source, and the latter as they are compared."""
        comparable = self.source_rows(source)
        there = {self.key_of(row): row for row in self.target_rows(target)}
        updated: list[Row] = []
        inserted: list[Row] = []
        for row in comparable:
            found = there.pop(self.key_of(row), None)
            if found is None:
                inserted.append(row)
            elif found != row:
                updated.append(row)
        raw = {self.key_of(row): row for row in source} if _SEALED in self.columns else {}
        changes = Changes(list(there), (), self._sealed(updated, raw), self._sealed(inserted, raw))
        return changes, comparable

    def _comparable(self, side: SideName, rows: list[Row]) -> list[Row]:
        if _SEALED not in self.columns:
            return rows
        seals, at = self.ends.seals, self.columns.index(_SEALED)
        return [(*row[:at], seals.fingerprint(side, row[0], row[1], row[at]), *row[at + 1 :]) for row in rows]

    def _sealed(self, rows: list[Row], raw: dict[Row, Row]) -> list[Row]:
        """The rows as they are written: private keys sealed for the target."""
        if not raw:
            return rows
        seals, at = self.ends.seals, self.columns.index(_SEALED)
        return [(*row[:at], seals.resealed(row[0], row[1], raw[self.key_of(row)][at]), *row[at + 1 :]) for row in rows]


async def _shape(ends: _Ends, table: Table) -> _Shape:
    source, target = await ends.source.columns(table.name), await ends.target.columns(table.name)
    if source != target:
        raise StoreFault(f"the table {table.name} has other columns in {ends.target.shown} than in {ends.source.shown}")
    return _Shape(table, columns_in_order(table, source), ends)


async def _pieces(ends: _Ends, shape: _Shape) -> AsyncIterator[tuple[list[Row], list[Row]]]:
    """The rows of both sides between the same keys, piece by piece; never more than a page of each in memory."""
    after: Row | None = None
    while True:
        pages = [await side.page(shape.table, shape.columns, after) for side in (ends.source, ends.target)]
        # After the last row of a full page there may be more, of which the other side has perhaps shown some already.
        bounds = [shape.key_of(page[-1]) for page in pages if len(page) == shape.table.page]
        after = min(bounds, default=None)
        old, new = (_up_to(after, page, shape) for page in pages)
        yield old, new
        if after is None:
            return


def _up_to(last: Row | None, page: list[Row], shape: _Shape) -> list[Row]:
    if last is None or not page or shape.key_of(page[-1]) <= last:
        return page
    return [row for row in page if shape.key_of(row) <= last]


async def _refuse_other_schema(source: Source, target: Target) -> None:
    here, there = await source.schema(), await target.schema()
    if here != there:
        raise StoreFault(
            f"{source.shown} has schema {here} and {target.shown} has {there}; migrate the older one first"
        )


async def refuse_used(target: Target) -> bytes | None:
    """Refuse a target that is neither empty nor an unfinished copy; answers its check value. Raises StoreFault."""
    found = await target.root_key_check()
    is_begun = found is not None and found.startswith(UNFINISHED)
    if not is_begun and (found is not None or not all([await target.is_empty(table) for table in TABLES])):
        raise StoreFault(
            f"{target.shown} is in use or a finished copy: a copy goes into an empty database, or into one that an"
            " unfinished copy of the same source has left"
        )
    return found


async def _claimed(ends: _Ends) -> bytes:
    """Make the target ours; answers the mark of this run, without which it writes nothing more."""
    own, found = UNFINISHED + ends.seals.source_id, await refuse_used(ends.target)
    if found is not None and not found.startswith(own):
        raise StoreFault(f"{ends.target.shown} holds an unfinished copy of another store; name an empty one")
    mark = own + token_bytes(NONCE_BYTES)
    await ends.target.claim(found, mark)
    return mark


async def _oldest(source: Source, now: int) -> int:
    """Since when there are sessions and attempts, in seconds."""
    number, attempt = await source.least("sessions", "number"), await source.least("attempts", "created_at")
    session = None if number is None else session_ids.time_of(number)
    return min([now, *(each for each in (session, attempt) if each is not None)])


async def _total(source: Source) -> int:
    return sum([await source.count(table) for table in TABLES])


def _listed(wrong: list[TableCopied]) -> str:
    return ", ".join(f"{each.table} ({each.source.rows} rows there, {each.target.rows} here)" for each in wrong)
