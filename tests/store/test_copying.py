"""Copies of a store: into each kind of database, whole, once, and closed until they are what the source is."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from assay import config
from assay.keys import sealing
from assay.keys.sealing import RootKey, WrongRootKey, signing_key_purpose
from assay.store import RecordEvents, copying, postgres_schema, sqlite_files
from assay.store.copying_sides import open_target
from assay.store.copying_tables import LEFT_OUT, TABLES, UNFINISHED, Changes, UnfinishedCopy, columns_in_order
from assay.store.opening import StoreFault, open_store
from tests import copies, postgres, records
from tests.copies import HERE, SECRET, THERE, compared, copied, filled
from tests.store import contents
from tests.store.conftest import ADDRESSES

ALL_ROWS = 7 * len(TABLES)


@pytest.fixture
def source(tmp_path: Path) -> str:
    return filled(str(tmp_path / "source.db"))


@pytest.fixture(params=ADDRESSES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Nothing yet, in each kind of database."""
    folder = tmp_path / "target"
    folder.mkdir()
    made = ADDRESSES[request.param](folder)
    yield made
    postgres.drop(made)


@pytest.fixture
def database() -> Iterator[str]:
    """An empty database of PostgreSQL."""
    made = postgres.migrated()
    yield made
    postgres.drop(made)


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that seven rows are three pages."""
    monkeypatch.setattr(copying, "TABLES", tuple(msgspec.structs.replace(table, page=3) for table in TABLES))


def look(address: str) -> str:
    return address.removeprefix("sqlite:///")


def everything(address: str) -> dict[str, set[tuple[object, ...]]]:
    """All rows with their columns in one order, without what each store seals for itself."""
    path, found = look(address), {}
    for table, columns in contents.tables(path).items():
        if table not in LEFT_OUT:
            listed = ", ".join(sorted(set(columns) - {"sealed_private_key"}))
            found[table] = set(contents.rows(path, f"select {listed} from {table}"))
    return found


def check_value(address: str) -> bytes:
    [(value,)] = contents.rows(look(address), "select value from meta where name = 'root_key_check'")
    return bytes(value)


def is_closed(address: str) -> bool:
    return check_value(address).startswith(UNFINISHED)


# ---------------------------------------------------------------- the list of tables


def test_every_table_of_every_store_is_copied_or_left_out(target: str, source: str) -> None:
    asyncio.run(_migrated(target))
    known = {table.name for table in TABLES} | LEFT_OUT - contents.OF_SQLITE
    assert set(contents.tables(look(target))) == set(contents.tables(look(source))) == known


async def _migrated(address: str) -> None:
    await (await open_store(address)).close()


def test_no_table_refers_to_a_later_one_and_those_that_stand_alone_to_none(database: str) -> None:
    order = [table.name for table in TABLES]
    refers = contents.rows(
        database,
        "select conrelid::regclass::text, confrelid::regclass::text from pg_constraint where contype = 'f'",
    )
    assert refers
    assert [pair for pair in refers if order.index(pair[0]) <= order.index(pair[1])] == []
    alone = {table.name for table in TABLES if table.stands_alone}
    assert [pair for pair in refers if alone & set(pair)] == []


def test_whatever_is_unique_beside_the_key_is_parked_unless_it_never_changes(source: str) -> None:
    path, fixed = look(source), {("secrets", "secret_hash")}
    missing = [
        (table.name, column)
        for table in TABLES
        for index in contents.rows(path, f"select name from pragma_index_list('{table.name}') where \"unique\"")
        for column in _columns_of(path, *index)
        if column not in {*table.key, *table.parked, "environment_id", "project_id", "organization_id"}
    ]
    assert set(missing) == fixed


def _columns_of(path: str, index: str) -> list[str]:
    return [name for (name,) in contents.rows(path, f"select name from pragma_index_info('{index}')")]


# ---------------------------------------------------------------- whole


async def test_a_copy_holds_every_row_and_can_be_used(source: str, target: str) -> None:
    done = await copied(source, target)
    assert (done.is_finished, done.inserted, done.updated, done.deleted) == (True, ALL_ROWS, 0, 0)
    assert everything(target) == everything(source)
    assert not is_closed(target)


async def test_there_and_back_again_nothing_has_changed(source: str, database: str, tmp_path: Path) -> None:
    there = await copied(source, database, new=THERE)
    back = await copied(database, f"sqlite:///{tmp_path / 'back.db'}", old=THERE, new=HERE)
    assert [each.target for each in back.tables] == [each.target for each in there.tables]
    assert everything(f"sqlite:///{tmp_path / 'back.db'}") == everything(source)
    same = await compared(source, f"sqlite:///{tmp_path / 'back.db'}")
    assert all(each.is_equal for each in same.values())


async def test_the_source_is_read_and_nothing_else(source: str, target: str) -> None:
    before, value = everything(source), check_value(source)
    await copied(source, target, new=THERE)
    assert (everything(source), check_value(source)) == (before, value)


async def test_what_was_sealed_opens_with_the_root_key_of_the_target_alone(source: str, target: str) -> None:
    await copied(source, target, new=THERE)
    opened = sealing.secret_of(THERE, check_value(target))
    assert opened is not None
    assert opened.text() == SECRET.text()
    assert sealing.secret_of(HERE, check_value(target)) is None
    keys = contents.rows(look(target), "select environment_id, kid, sealed_private_key from signing_keys")
    assert len(keys) == 7
    for environment_id, kid, sealed in keys:
        purpose = signing_key_purpose(environment_id, kid)
        assert THERE.open(sealed, purpose) == b"private key"
        with pytest.raises(WrongRootKey):
            HERE.open(sealed, purpose)


async def test_new_records_are_numbered_after_those_that_came(source: str, target: str) -> None:
    await copied(source, target)
    store = await open_store(target)
    try:
        await store.write(RecordEvents(events=(records.event(None),)))
    finally:
        await store.close()
    numbers = [number for (number,) in contents.rows(look(target), "select number from events order by number")]
    assert len(numbers) == 8
    assert numbers[-1] > numbers[-2] == 7 << 40


async def test_what_postgresql_cannot_hold_becomes_what_it_writes_itself(source: str, database: str) -> None:
    contents.change(look(source), "update attempts set reason = 'a' || char(0) || 'b' where number = 7 << 40")
    await copied(source, database)
    assert contents.rows(database, "select reason from attempts order by number desc limit 1") == [("a\uffffb",)]


async def test_sessions_and_attempts_come_into_the_tables_of_their_months(source: str, database: str) -> None:
    month = f"created_at = {copies.NOW - 40 * 86_400}"
    contents.change(look(source), f"update attempts set {month}")
    await copied(source, database)
    assert contents.rows(database, "select count(*) from attempts_rest") == [(0,)]


# ---------------------------------------------------------------- interrupted


class Cut(Exception):
    """Something that ends a run in the middle."""


def cut_after(times: int) -> Callable[[str, int, float], None]:
    left = iter(range(times))

    def tell(_phase: str, _rows: int, _part: float) -> None:
        if next(left, None) is None:
            raise Cut

    return tell


@pytest.mark.parametrize("pages", [0, 20, 60, 90])
async def test_an_interrupted_copy_stays_closed_and_goes_on(source: str, target: str, pages: int) -> None:
    with pytest.raises(Cut):
        await copied(source, target, cut_after(pages))
    before = sum(len(rows) for rows in everything(target).values())
    store = await open_store(target)
    settings = config.read({"ASSAY_DATABASE": target, "ASSAY_ROOT_KEY": HERE.text()})
    with pytest.raises(UnfinishedCopy):
        await sealing.open_root_key(settings, store)
    await store.close()
    done = await copied(source, target)
    assert (done.is_finished, done.inserted, done.updated, done.deleted) == (True, ALL_ROWS - before, 0, 0)
    assert everything(target) == everything(source)


_KILLED = """
import asyncio, os, signal, sys
from tests.copies import copied
left = iter(range(15))
def tell(phase, rows, part):
    if next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(copied(sys.argv[1], sys.argv[2], tell))
"""


def test_a_copy_that_was_killed_goes_on(source: str, target: str) -> None:
    command = [sys.executable, "-c", _KILLED, source, target]
    path = os.pathsep.join(sys.path)
    killed = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": path}, cwd=Path(__file__).parents[2])
    assert killed.returncode == -signal.SIGKILL
    assert is_closed(target)
    before = sum(len(rows) for rows in everything(target).values())
    assert 0 < before < ALL_ROWS
    done = asyncio.run(copied(source, target))
    assert (done.is_finished, done.inserted) == (True, ALL_ROWS - before)
    assert everything(target) == everything(source)


async def test_a_run_that_another_one_has_followed_writes_nothing_more(target: str) -> None:
    first, second = await open_target(target), await open_target(target)
    table = next(table for table in TABLES if table.name == "sign_in_tries")
    columns = columns_in_order(table, await first.columns(table.name))
    changes = Changes(inserted=[(b"name", 1, 1, 1)])
    try:
        await first.claim(None, UNFINISHED + b"1")
        await second.claim(UNFINISHED + b"1", UNFINISHED + b"2")
        with pytest.raises(StoreFault, match="another copy"):
            await first.change(UNFINISHED + b"1", table, columns, changes)
        with pytest.raises(StoreFault, match="another copy"):
            await first.finish(UNFINISHED + b"1", b"")
    finally:
        await first.close()
        await second.close()
    assert contents.rows(look(target), "select * from sign_in_tries") == []
    assert check_value(target) == UNFINISHED + b"2"


# ---------------------------------------------------------------- while the source is in use


@pytest.fixture(params=["from sqlite to postgres", "from postgres to sqlite"])
async def ends(request: pytest.FixtureRequest, source: str, database: str, tmp_path: Path) -> tuple[str, str]:
    """A source and an empty target, of different kinds."""
    if request.param == "from sqlite to postgres":
        return source, database
    await copied(source, database)
    return database, f"sqlite:///{tmp_path / 'back.db'}"


def exchanged(table: str, column: str, key: str, one: str, two: str) -> tuple[str, ...]:
    """Two rows of a source exchange what is unique."""
    set_to = f"update {table} set {column} = '%s' where {key} = '%s'"
    keys, values = (f"{key}-{one}", f"{key}-{two}"), (f"{column}-{one}", f"{column}-{two}")
    return (
        set_to % ("aside", keys[0]),
        set_to % (values[0], keys[1]),
        set_to % (values[1], keys[0]),
    )


CHANGED = {
    **{
        f"{table}.{column} exchanged": exchanged(table, column, key, "2", "6")
        for table, column, key in (
            ("projects", "slug", "project_id"),
            ("environments", "slug", "environment_id"),
            ("organizations", "slug", "organization_id"),
            ("organizations", "external_id", "organization_id"),
            ("members", "external_id", "member_id"),
            ("users", "email", "user_id"),
            ("users", "phone_number", "user_id"),
            ("users", "external_id", "user_id"),
        )
    },
    "signing keys rotated": (
        "update signing_keys set state = 'retired' where kid = 'kid-1'",
        "update signing_keys set state = 'active' where kid = 'kid-2'",
        "update signing_keys set state = 'next' where kid = 'kid-7'",
    ),
    "redirect URLs in another order": (
        f"update redirect_urls set url = 'aside' where position = {1 << 40}",
        f"update redirect_urls set url = 'url-1' where position = {2 << 40}",
        f"update redirect_urls set url = 'url-2' where position = {1 << 40}",
    ),
    "a slug that the next one took": (
        "delete from organizations where organization_id = 'organization_id-2'",
        "update organizations set slug = 'slug-2' where organization_id = 'organization_id-5'",
    ),
    "a person deleted": (
        "delete from operator_passwords where user_id = 'user_id-3'",
        "delete from operator_links where user_id = 'user_id-3'",
        "delete from users where user_id = 'user_id-3'",
    ),
    "the first rows forgotten": (
        f"delete from sessions where number < {3 << 40}",
        f"delete from events where number < {6 << 40}",
        f"delete from sign_in_tries where last_at < {4 << 40}",
    ),
    "rows before the first": (
        f"update sessions set number = number - {5 << 40} - 1 where number > {5 << 40}",
        f"update events set number = number - {2 << 40} - 1 where number > {2 << 40}",
    ),
    "sessions ended and forgotten": (
        f"update sessions set revoked_at = 5 where number = {2 << 40}",
        f"delete from sessions where number > {4 << 40}",
        "delete from attempts",
    ),
}


@pytest.mark.parametrize("changes", [pytest.param(each, id=name) for name, each in CHANGED.items()])
async def test_what_changed_since_is_copied_when_the_servers_have_stopped(
    ends: tuple[str, str], changes: tuple[str, ...]
) -> None:
    source, target = ends
    store = await open_store(source)
    await store.ping()
    first = await copied(source, target)
    assert (first.is_finished, first.inserted) == (False, ALL_ROWS)
    for change in changes:
        contents.change(look(source), change)
    await store.close()
    assert is_closed(target)
    last = await copied(source, target)
    assert last.is_finished
    assert 0 < last.inserted + last.updated + last.deleted < ALL_ROWS / 4
    assert everything(target) == everything(source)


# ---------------------------------------------------------------- refused


TAMPERED = {
    "sqlite": "create trigger tampered after insert on sessions begin update sessions set expires_at = 1; end",
    "postgresql": "create function tampered() returns trigger language plpgsql as"
    " $$ begin new.expires_at = 1; return new; end $$;"
    "create trigger tampered before insert on sessions for each row execute function tampered()",
}


async def test_a_target_that_is_not_what_was_copied_is_found_and_stays_closed(source: str, tmp_path: Path) -> None:
    for target in (f"sqlite:///{tmp_path / 'target.db'}", await asyncio.to_thread(postgres.server().database)):
        if target.startswith("postgresql"):
            await postgres_schema.migrate(target)
        else:
            sqlite_files.prepare(look(target))
        contents.change(look(target), TAMPERED[target.partition(":")[0]])
        with pytest.raises(StoreFault, match=r"sessions \(7 rows there, 7 here\)"):
            await copied(source, target)
        assert is_closed(target)


@pytest.mark.parametrize(
    "change",
    [
        "update sessions set revoked_at = null where number = (select min(number) from sessions)",
        "delete from events where number = (select max(number) from events)",
        "update members set roles = '[]'",
        "delete from replay_marks",
        "update signing_keys set sealed_private_key = (select min(secret_hash) from secrets)",
    ],
    ids=["a session revived", "an event gone", "members changed", "marks forgotten", "a key that opens no more"],
)
async def test_whatever_was_changed_in_a_copy_is_found_by_comparing(source: str, target: str, change: str) -> None:
    await copied(source, target)
    assert all(each.is_equal for each in (await compared(source, target)).values())
    contents.change(look(target), change)
    found = await compared(source, target)
    assert [name for name, each in found.items() if not each.is_equal] == [
        change.split()[2 if "delete" in change else 1]
    ]


async def test_a_finished_copy_is_never_written_to_again(source: str, target: str) -> None:
    await copied(source, target)
    with pytest.raises(StoreFault, match="finished copy"):
        await copied(source, target)


async def test_a_store_with_anything_in_it_is_no_target(source: str, target: str) -> None:
    store = await open_store(target)
    await store.write(records.new_project())
    await store.close()
    before = everything(target)
    with pytest.raises(StoreFault, match="in use"):
        await copied(source, target)
    assert everything(target) == before


async def test_a_copy_of_another_store_is_not_gone_on_with(source: str, target: str, tmp_path: Path) -> None:
    with pytest.raises(Cut):
        await copied(source, target, cut_after(20))
    other = filled(str(tmp_path / "other.db"))
    another = RootKey.generate().sealed_under(HERE).hex()
    contents.change(look(other), f"update meta set value = x'{another}' where name = 'root_key_check'")
    with pytest.raises(StoreFault, match="of another store"):
        await copied(other, target)


async def test_stores_of_different_schemas_are_not_copied(source: str, database: str) -> None:
    newer = "insert into schema_migrations (number, name, applied_at, compatible_from) values (999, 'later', 1, 1)"
    contents.change(database, newer)
    try:
        with pytest.raises(StoreFault, match="has 999; migrate"):
            await copied(source, database)
    finally:
        contents.change(database, "delete from schema_migrations where number = 999")
