"""What is particular to SQLite: files, migrations, durability, shared commits, and the paths that statements take."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest

import assay.store
from assay import errors
from assay.model import Session
from assay.store import Conflict, CreateSecret, RecordAttempt, Stale, Write, sqlite_files, steps
from assay.store.filters import FILTERS
from assay.store.opening import SchemaTooNew, StoreFault, open_store
from assay.store.sqlite import SqliteStore, open_sqlite
from assay.store.sqlite_checkpoints import Checkpoints
from assay.store.sqlite_lock import WriteLock
from assay.store.sqlite_writer import MAX_BATCH, Writer
from assay.store.statements import STATEMENTS
from tests import records
from tests.store.conftest import Tenant, settle


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "assay.db")


class Watched:
    """A store whose writing connection can be looked at and tampered with."""

    def __init__(self, path: str, busy_seconds: float = 5.0) -> None:
        sqlite_files.prepare(path)
        self.path = path
        self.busy_seconds = busy_seconds
        self.statements: list[str] = []
        self.connections: list[sqlite3.Connection] = []
        self.failing: set[str] = set()
        self.read_only = False
        writer = Writer(self._connect, WriteLock(path, busy_seconds), Checkpoints(lambda: sqlite_files.connect(path)))
        self.store = SqliteStore(lambda: sqlite_files.connect_reader(path), writer)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite_files.connect_writer(self.path, self.busy_seconds)
        connection.execute(f"pragma query_only = {self.read_only:d}")
        connection.set_trace_callback(self.statements.append)
        self.connections.append(connection)
        return cast("sqlite3.Connection", Breakable(connection, self.failing))

    def commits(self) -> int:
        return self.statements.count("commit")


class Breakable:
    """A connection that fails at each of the named statements once."""

    def __init__(self, connection: sqlite3.Connection, failing: set[str]) -> None:
        self._connection = connection
        self._failing = failing

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        if sql in self._failing:
            self._failing.remove(sql)
            raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(sql, *cast("list[Any]", parameters))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.fixture
async def watched(path: str) -> AsyncIterator[Watched]:
    opened = Watched(path)
    yield opened
    await opened.store.close()


@pytest.fixture
async def tenant(watched: Watched) -> Tenant:
    return await settle(watched.store, "acme")


def attempts(tenant: Tenant, count: int) -> list[Write]:
    return [RecordAttempt(attempt=records.attempt(tenant.id, reason=str(number))) for number in range(count)]


async def outcomes(store: SqliteStore, writes: list[Write]) -> list[BaseException | None]:
    return await asyncio.gather(*(store.write(write) for write in writes), return_exceptions=True)


# ---------------------------------------------------------------- commits


async def test_the_writes_of_one_tick_share_one_commit(watched: Watched, tenant: Tenant) -> None:
    before = watched.commits()
    await outcomes(watched.store, attempts(tenant, 100))
    assert watched.commits() == before + 1
    assert len(await watched.store.attempts(tenant.id, 1000)) == 100


async def test_a_commit_carries_no_more_than_its_share(watched: Watched, tenant: Tenant) -> None:
    before = watched.commits()
    assert await outcomes(watched.store, attempts(tenant, MAX_BATCH + 1)) == [None] * (MAX_BATCH + 1)
    assert watched.commits() == before + 2


async def test_nobody_is_answered_before_the_commit(watched: Watched, tenant: Tenant) -> None:
    """The commit fails after every statement went well: each write must hear of it, and none may stay."""
    watched.failing.add("commit")
    failed = await outcomes(watched.store, attempts(tenant, 5))
    assert [type(outcome) for outcome in failed] == [errors.StoreUnavailable] * 5
    assert len({id(outcome) for outcome in failed}) == 5
    assert await watched.store.attempts(tenant.id, 10) == []
    assert await outcomes(watched.store, attempts(tenant, 5)) == [None] * 5
    assert len(await watched.store.attempts(tenant.id, 10)) == 5


async def test_a_fault_of_the_disk_in_one_write_is_one_of_the_whole_batch(watched: Watched, tenant: Tenant) -> None:
    watched.failing.add(STATEMENTS["record_attempt"])
    failed = await outcomes(watched.store, attempts(tenant, 3))
    assert [type(outcome) for outcome in failed] == [errors.StoreUnavailable] * 3
    assert await outcomes(watched.store, attempts(tenant, 3)) == [None] * 3
    assert len(await watched.store.attempts(tenant.id, 10)) == 3


async def test_what_a_write_did_before_it_failed_is_undone_and_the_others_stand(
    watched: Watched, tenant: Tenant
) -> None:
    """The mark comes before the session, which may not be written: the batch runs twice, and the mark is gone."""
    mark = records.replay_mark(tenant.secret)
    taken = records.session(tenant.member)
    await watched.store.write(records.start(taken, tenant.secret))
    late = records.start(taken, tenant.secret, replay=mark, events=(records.event(tenant.id, action="late"),))
    before = watched.commits()
    found = await outcomes(watched.store, [*attempts(tenant, 2), late, *attempts(tenant, 2)])
    assert [type(outcome) for outcome in found] == [type(None)] * 2 + [Conflict] + [type(None)] * 2
    assert watched.commits() == before + 1
    assert watched.statements.count("savepoint one") == 5
    assert await watched.store.replay_mark(tenant.id, mark.profile_id, mark.mark) is None
    assert len(await watched.store.attempts(tenant.id, 10)) == 4
    assert "late" not in {event.action for event in await watched.store.events(tenant.id, 10)}


async def test_a_write_that_fails_at_its_first_statement_costs_the_others_nothing(
    watched: Watched, tenant: Tenant
) -> None:
    taken = records.session(tenant.member)
    await watched.store.write(records.start(taken, tenant.secret))
    again = records.start(taken, tenant.secret)
    revoked = records.start(
        records.session(tenant.member), tenant.secret, guard=records.guard(records.secret(tenant.id))
    )
    found = await outcomes(watched.store, [*attempts(tenant, 2), again, revoked, *attempts(tenant, 2)])
    assert [type(outcome) for outcome in found] == [type(None)] * 2 + [Conflict, Stale] + [type(None)] * 2
    assert watched.statements.count("savepoint one") == 0
    assert len(await watched.store.attempts(tenant.id, 10)) == 4


async def test_a_file_that_could_not_be_written_is_written_again_when_it_can(watched: Watched, tenant: Tenant) -> None:
    """SQLite opens such a file for reading alone, and that connection would never write again."""
    watched.read_only = True
    watched.failing.add("commit")
    for reason in ("disk I/O error", "readonly"):
        (failed,) = await outcomes(watched.store, attempts(tenant, 1))
        assert isinstance(failed, errors.StoreUnavailable)
        assert reason in failed.detail
    watched.read_only = False
    assert await outcomes(watched.store, attempts(tenant, 1)) == [None]
    assert len(await watched.store.attempts(tenant.id, 10)) == 1


async def test_a_connection_that_cannot_even_roll_back_is_replaced(watched: Watched, tenant: Tenant) -> None:
    watched.failing.update({"commit", "rollback"})
    (failed,) = await outcomes(watched.store, attempts(tenant, 1))
    assert isinstance(failed, errors.StoreUnavailable)
    assert await outcomes(watched.store, attempts(tenant, 1)) == [None]
    assert len(watched.connections) == 2
    assert len(await watched.store.attempts(tenant.id, 10)) == 1


async def test_a_full_disk_refuses_the_whole_batch_and_passes(watched: Watched, tenant: Tenant) -> None:
    (connection,) = watched.connections
    (pages,) = connection.execute("pragma page_count").fetchone()
    connection.execute(f"pragma max_page_count = {pages}")
    big = RecordAttempt(attempt=records.attempt(tenant.id, reason="x" * 100_000))
    failed = await outcomes(watched.store, [*attempts(tenant, 1), big, *attempts(tenant, 1)])
    assert [type(outcome) for outcome in failed] == [errors.StoreUnavailable] * 3
    assert "full" in cast("errors.StoreUnavailable", failed[0]).detail
    assert await watched.store.attempts(tenant.id, 10) == []
    assert await outcomes(watched.store, [big]) == [None]


async def test_a_lock_held_for_too_long_is_unavailable_until_it_is_gone(path: str) -> None:
    watched = Watched(path, busy_seconds=0)
    tenant = await settle(watched.store, "acme")
    other = sqlite_files.connect(path)
    other.execute("begin immediate")
    try:
        failed = await outcomes(watched.store, attempts(tenant, 2))
        assert [type(outcome) for outcome in failed] == [errors.StoreUnavailable] * 2
        assert await watched.store.profile(tenant.id, "vercel_jwt") == tenant.profile  # readers never wait
    finally:
        other.execute("rollback")
        other.close()
    assert await outcomes(watched.store, attempts(tenant, 2)) == [None] * 2
    await watched.store.close()


async def test_a_value_that_cannot_be_stored_fails_alone(watched: Watched, tenant: Tenant) -> None:
    half = RecordAttempt(attempt=records.attempt(tenant.id, reason="\ud800"))
    huge = RecordAttempt(attempt=records.attempt(tenant.id, created_at=2**64))
    twin = CreateSecret(secret=tenant.secret)
    wrong = RecordAttempt(attempt=records.attempt(tenant.id, created_at="soon"))
    found = await outcomes(watched.store, [*attempts(tenant, 1), half, huge, twin, wrong, *attempts(tenant, 1)])
    assert [type(outcome) for outcome in found] == [
        type(None),
        UnicodeEncodeError,
        OverflowError,
        sqlite3.IntegrityError,
        sqlite3.IntegrityError,
        type(None),
    ]
    assert len(await watched.store.attempts(tenant.id, 10)) == 2


async def test_a_write_that_nobody_planned_is_refused_where_it_is_handed_over(watched: Watched) -> None:
    with pytest.raises(TypeError, match="no plan"):
        await watched.store.write(Write())


def test_every_write_has_a_plan() -> None:
    registered = set(steps.steps.registry)
    assert set(Write.__subclasses__()) <= registered


# ---------------------------------------------------------------- reads


async def test_a_read_of_several_statements_sees_one_commit(path: str) -> None:
    """Somebody deletes everything between its statements; the answer is the one of before."""
    watched = Watched(path)
    store, reader = watched.store, watched.store._reader
    tenant = await settle(store, "acme")
    session = records.session(tenant.member)
    await store.write(records.start(session, tenant.secret))
    other = sqlite_files.connect(path)

    def interfere(statement: str) -> None:
        if "join members" in statement:
            other.execute("delete from organizations")

    reader.set_trace_callback(interfere)
    view = await store.session(tenant.id, session.number)
    reader.set_trace_callback(None)
    assert view is not None
    assert (view.member, view.organization) == (tenant.member, tenant.organization)
    await asyncio.sleep(0)
    assert await store.organization(tenant.id, "umbrella", by_slug=True) is None
    other.close()
    await store.close()


async def test_a_fault_while_reading_is_unavailable_and_passes(watched: Watched, tenant: Tenant) -> None:
    other = sqlite_files.connect(watched.path)
    other.execute("alter table members rename to elsewhere")
    with pytest.raises(errors.StoreUnavailable) as refused:
        await watched.store.member_candidates(tenant.id, tenant.organization.organization_id, "sub|ada", None)
    assert "reading" in refused.value.detail
    other.execute("alter table elsewhere rename to members")
    other.close()
    found = await watched.store.member_candidates(tenant.id, tenant.organization.organization_id, "sub|ada", None)
    assert found == (tenant.member, None)


def test_the_reading_connection_cannot_write(path: str) -> None:
    sqlite_files.prepare(path)
    reader = sqlite_files.connect_reader(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("delete from projects")
    reader.close()


async def test_the_reads_of_one_turn_see_one_commit_and_those_of_the_next_the_next_one(
    watched: Watched, tenant: Tenant
) -> None:
    other = sqlite_files.connect(watched.path)
    organization = tenant.organization
    assert await watched.store.member(tenant.id, organization.organization_id, "sub|ada") == tenant.member
    other.execute("delete from members")
    other.execute("delete from organizations")
    assert await watched.store.member(tenant.id, organization.organization_id, "sub|ada") == tenant.member
    assert await watched.store.organization(tenant.id, "umbrella", by_slug=True) == organization
    await asyncio.sleep(0)
    assert await watched.store.member(tenant.id, organization.organization_id, "sub|ada") is None
    assert await watched.store.organization(tenant.id, "umbrella", by_slug=True) is None
    other.close()


async def test_nothing_kept_is_handed_out_when_its_version_cannot_be_read(watched: Watched, tenant: Tenant) -> None:
    assert await watched.store.profile(tenant.id, "vercel_jwt") == tenant.profile
    await asyncio.sleep(0)
    other = sqlite_files.connect(watched.path)
    other.execute("alter table configuration_version rename to elsewhere")
    for _ in range(2):
        with pytest.raises(errors.StoreUnavailable):
            await watched.store.profile(tenant.id, "vercel_jwt")
    other.execute("alter table elsewhere rename to configuration_version")
    other.close()
    assert await watched.store.profile(tenant.id, "vercel_jwt") == tenant.profile


KEPT = (
    "caller",
    "secret_is_live",
    "environment",
    "environment_revision",
    "rbac_policy",
    "jwt_templates",
    "redirect_urls",
    "signing_keys",
    "signing_key_environment",
    "profile",
    "pem_files",
    "organization_by_id",
    "organization_by_external_id",
    "organization_by_slug",
)


@pytest.mark.parametrize("name", KEPT)
def test_every_change_of_what_is_kept_moves_the_version_of_the_configuration(path: str, name: str) -> None:
    sqlite_files.prepare(path)
    connection = sqlite_files.connect(path)
    looked_into: set[str | None] = set()

    def note(action: int, table: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_READ:
            looked_into.add(table)
        return sqlite3.SQLITE_OK

    connection.set_authorizer(note)
    connection.execute(STATEMENTS[name], dict.fromkeys(re.findall(r":(\w+)", STATEMENTS[name]))).fetchall()
    connection.set_authorizer(None)
    triggers = {row[0] for row in connection.execute("select name from sqlite_master where type = 'trigger'")}
    connection.close()
    assert looked_into
    for table in looked_into:
        assert {f"{table}_{change}_counted" for change in ("insert", "update", "delete")} <= triggers


def test_what_is_kept_is_read_by_the_statements_above() -> None:
    source = Path(assay.store.sqlite.__file__).read_text()
    kept = {found[1] for found in re.finditer(r"self\._configured\(self\.(_\w+)", source)}
    methods = re.finditer(r"    def (_\w+)\(.*?(?=\n    (?:async )?def |\Z)", source, re.DOTALL)
    bodies = {found[1]: found[0] for found in methods}
    bodies["_profile"] += bodies["_with_pem_files"]
    names = {name for body in map(bodies.__getitem__, kept) for name in re.findall(r'"(\w+)"', body)}
    assert names & STATEMENTS.keys() == set(KEPT)


# ---------------------------------------------------------------- durability


async def test_what_is_promised_about_commits_is_switched_on(watched: Watched, tenant: Tenant) -> None:
    (connection,) = watched.connections
    pragmas = {name: connection.execute(f"pragma {name}").fetchone()[0] for name in PRAGMAS}
    assert pragmas == PRAGMAS
    del tenant


PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000, "secure_delete": 1}


def test_every_table_is_strict(path: str) -> None:
    sqlite_files.prepare(path)
    connection = sqlite_files.connect(path)
    tables = connection.execute("select name, strict from pragma_table_list where schema = 'main'").fetchall()
    connection.close()
    loose = {name for name, strict in tables if not strict and not name.startswith("sqlite_")}
    assert len(tables) > 10
    assert loose == set()


# ---------------------------------------------------------------- files and migrations


async def test_an_empty_file_is_migrated_and_opened_again_as_it_is(path: str) -> None:
    store = await open_store(f"sqlite:///{path}")
    newest = sqlite_files.migrations()[-1].number
    assert await store.schema() == newest
    await store.write(records.new_project("acme"))
    await store.close()
    again = await open_store(f"sqlite:///{path}")
    assert [project.slug for project in await again.projects()] == ["acme"]
    await again.close()


def test_migrations_are_numbered_without_gaps() -> None:
    assert [one.number for one in sqlite_files.migrations()] == list(range(1, len(sqlite_files.migrations()) + 1))


def test_many_openers_of_a_new_file_migrate_it_once(path: str) -> None:
    together = threading.Barrier(6)
    faults: list[BaseException] = []

    def opener() -> None:
        try:
            together.wait()
            sqlite_files.prepare(path)
        except BaseException as fault:  # noqa: BLE001 - a thread's failure would be lost
            faults.append(fault)

    threads = [threading.Thread(target=opener) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    connection = sqlite_files.connect(path)
    applied = connection.execute("select number, name from schema_migrations").fetchall()
    connection.close()
    assert applied == [(one.number, one.name) for one in sqlite_files.migrations()]


def test_a_migration_that_fails_leaves_the_schema_as_it_was(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite_files.prepare(path)
    known = sqlite_files.migrations()
    broken = sqlite_files.Migration(known[-1].number + 1, "broken", "create table one (a);\nselect nonsense;\n")
    monkeypatch.setattr(sqlite_files, "migrations", lambda: (*known, broken))
    with pytest.raises(StoreFault, match="nonsense"):
        sqlite_files.prepare(path)
    connection = sqlite_files.connect(path)
    assert sqlite_files.schema_of_store(connection, path) == known[-1].number
    assert connection.execute("select 1 from sqlite_master where name = 'one'").fetchall() == []
    connection.close()


async def test_a_newer_schema_is_refused_with_advice(path: str) -> None:
    sqlite_files.prepare(path)
    connection = sqlite_files.connect(path)
    connection.execute("insert into schema_migrations (number, name, applied_at) values (9999, 'later', 0)")
    connection.close()
    with pytest.raises(SchemaTooNew, match=r"9999.*use the version"):
        await open_store(f"sqlite:///{path}")


def _a_text_file(path: Path) -> None:
    path.write_text("This is not a database, and longer than its header would be." * 20)


def _another_programs_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("create table songs (title)")
    connection.close()


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (_a_text_file, "not a database"),
    "another program's": (_another_programs_database, "another program"),
    "a directory": (Path.mkdir, "is a directory"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_no_store_is_refused_by_name_and_left_alone(path: str, case: str) -> None:
    make, reason = FILES[case]
    make(Path(path))
    before = Path(path).read_bytes() if Path(path).is_file() else None
    with pytest.raises(StoreFault, match=rf"assay\.db.*{reason}"):
        sqlite_files.prepare(path)
    assert before == (Path(path).read_bytes() if Path(path).is_file() else None)


@pytest.mark.parametrize("url", ["", "assay.db", "sqlite:///", "mysql://localhost/assay"])
async def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(StoreFault, match="sqlite:///PATH"):
        await open_store(url)


async def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreFault, match="directory does not exist"):
        await open_store(f"sqlite:///{tmp_path}/missing/assay.db")


async def test_a_new_file_belongs_to_its_owner_alone(path: str) -> None:
    store = await open_sqlite(path)
    await store.write(records.new_project("acme"))
    files = sorted(Path(path).parent.glob("assay.db*"))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in files}
    await store.close()
    assert modes == {f"assay.db{suffix}": 0o600 for suffix in ("", "-lock", "-shm", "-wal")}


# ---------------------------------------------------------------- statements

HOT = [
    "caller",
    "secret_is_live",
    "environment",
    "signing_keys",
    "profile",
    "pem_files",
    "organization_by_id",
    "organization_by_external_id",
    "organization_by_slug",
    "member_of_organization",
    "member_by_id",
    "member_stamp_by_external_id",
    "members_by_external_id",
    "member_stamp_by_email",
    "member_count",
    "release_member_emails",
    "user_by_id",
    "user_stamp_by_external_id",
    "user_stamp_by_email",
    "session_stamp",
    "session_view",
    "sessions_of",
    "start_session",
    "guard_holds",
    "start_guarded_session",
    "update_session",
    "note_access",
    "forget_sessions",
    "revoke_session",
    "revoke_sessions_of",
    "delete_sessions_of_user",
    "delete_sessions_of_organization",
    "delete_organization",
    "attempts",
    "events",
    "events_after",
    "all_events_after",
    "record_attempt",
    "touch_secret",
    "touch_workspace_key",
    "workspace_key",
    "project_by_slug",
    "environment_by_slug",
    "configure_environment",
    "environment_revision",
    "rbac_policy",
    "jwt_templates",
    "redirect_urls",
    "delete_public_token",
    "revoke_sessions_of_organization",
]


@pytest.mark.parametrize("name", HOT)
def test_no_hot_statement_reads_a_whole_table(path: str, name: str) -> None:
    sqlite_files.prepare(path)
    connection = sqlite_files.connect(path)
    sql = STATEMENTS[name]
    nothing = dict.fromkeys(re.findall(r":(\w+)", sql))
    steps = [row[3] for row in connection.execute(f"explain query plan {sql}", nothing)]
    connection.close()
    assert any(step.startswith("SEARCH") for step in steps)
    scans = [step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]  # a list of one row
    assert set(scans) <= {"SCAN CONSTANT ROW"}
    assert "TEMP B-TREE" not in str(steps) or name == "signing_keys"


def test_every_statement_is_used() -> None:
    folder = Path(assay.store.__file__).parent
    sources = "".join(file.read_text() for file in (*folder.glob("*.py"), *folder.glob("sql/*.sql")))
    filters = {f"{target}.{name}" for target, names in FILTERS.items() for name in names}
    searches = {f"{verb}_{target}" for target in (*FILTERS, "all_members") for verb in ("search", "count")}
    unused = {
        name
        for name in STATEMENTS.keys() - filters - searches
        if f'"{name}"' not in sources and f"{{{name}}}" not in sources
    }
    assert unused == set()
    assert filters | searches <= STATEMENTS.keys()


async def test_a_session_number_of_63_bits_is_kept(watched: Watched, tenant: Tenant) -> None:
    session: Session = records.session(tenant.member, number=2**63 - 1, id_tail=2**58 - 1)
    await watched.store.write(records.start(session, tenant.secret))
    view = await watched.store.session(tenant.id, 2**63 - 1)
    assert view is not None
    assert view.session == session


async def test_a_view_is_the_very_same_until_something_of_it_changes(watched: Watched, tenant: Tenant) -> None:
    session = records.session(tenant.member)
    await watched.store.write(records.start(session, tenant.secret))
    first = await watched.store.session(tenant.id, session.number)
    await asyncio.sleep(0)
    assert await watched.store.session(tenant.id, session.number) is first
    await watched.store.write(records.revoke(session))
    assert await watched.store.session(tenant.id, session.number) is not first


@pytest.mark.parametrize("table", ["members", "users", "sessions"])
def test_no_statement_changes_a_record_behind_its_stamp(table: str) -> None:
    """What is kept of these rows holds as long as the columns of the stamp are the same."""
    stamp = {"last_accessed_at", "expires_at", "revoked_at"} if table == "sessions" else set()
    for name, sql in STATEMENTS.items():
        changes = re.search(rf"update {table} set\s(.*?)\swhere", sql, re.DOTALL)
        if changes is None or "revision = revision" in changes[1]:
            continue
        assert set(re.findall(r"(?:^|, *)\s*(\w+) =", changes[1])) <= stamp, name
