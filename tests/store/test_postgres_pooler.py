"""Behind pgbouncer in transaction mode: nothing that a store does outlives its transaction on a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from assay.model import Session
from assay.store import (
    Conflict,
    Due,
    ErasePerson,
    EventSearch,
    RevokeSession,
    Search,
    Stale,
    Store,
    postgres_connections,
    postgres_schema,
)
from assay.store.opening import open_store
from assay.store.postgres_address import parse
from tests import cannot, pooler, postgres, records
from tests.store import contents
from tests.store.conftest import Tenant

NOW = records.NOW
FOUND = pooler.program()


@pytest.fixture(scope="module")
def pooler_port() -> Iterator[int]:
    if FOUND is None:
        cannot.run("NOTHING IS TRIED BEHIND PGBOUNCER: it is not installed; run tests/prepare.sh as root")
    with pooler.running(FOUND) as port:
        yield port


@pytest.fixture
def direct() -> Iterator[str]:
    """The address of the database itself."""
    url = postgres.migrated()
    yield url
    postgres.drop(url)


@pytest.fixture
def address(direct: str, pooler_port: int) -> str:
    return f"postgresql://postgres@127.0.0.1:{pooler_port}/{direct.rpartition('/')[2]}?pgbouncer=1&reads=8&writes=4"


async def test_writes_and_reads_of_many_connections_share_a_few(
    store: Store, second: Store, tenant: Tenant, direct: str
) -> None:
    started = [records.session(tenant.member) for _ in range(60)]
    await asyncio.gather(
        *((store, second)[number % 2].write(records.start(each, tenant.secret)) for number, each in enumerate(started))
    )
    found = await asyncio.gather(*(store.session(tenant.id, each.number) for each in started))
    assert [view.session for view in found if view is not None] == started
    await asyncio.gather(*(store.sessions_of(tenant.id, "member", tenant.member.member_id, NOW) for _ in range(20)))
    query = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    assert contents.rows(direct, query)[0][0] <= pooler.SERVER_CONNECTIONS


async def test_decisions_hold_between_stores(store: Store, second: Store, tenant: Tenant, session: Session) -> None:
    with pytest.raises(Conflict):
        await second.write(records.start(session, tenant.secret))
    ended = RevokeSession(environment_id=tenant.id, number=session.number, revoked_at=NOW)
    await second.write(ended)
    assert (view := await store.session(tenant.id, session.number)) is not None
    assert view.session.revoked_at == NOW


async def test_what_goes_over_whole_tables_works(store: Store, tenant: Tenant, session: Session) -> None:
    found, total = await store.search_members(Search(environment_id=tenant.id, limit=10), None)
    assert ([each.member_id for each in found], total) == ([tenant.member.member_id], 1)
    assert await store.search_events(tenant.id, EventSearch(limit=10)) is not None
    erasing = ErasePerson(
        environment_id=tenant.id, subject_kind="member", subject_id=tenant.member.member_id, traces=()
    )
    await store.write(erasing)
    assert await store.session(tenant.id, session.number) is None
    with pytest.raises(Stale):
        await store.write(erasing)


async def test_a_database_is_migrated_and_maintained_through_it(address: str, direct: str) -> None:
    months = "select relname::text from pg_class where relkind = 'r' and relname ~ '_2\\d{3}_\\d\\d$'"
    for (name,) in contents.rows(direct, months):
        contents.change(direct, f"drop table {name}")
    done = await asyncio.gather(*(postgres_schema.migrate(address, NOW) for _ in range(4)))
    assert sum(len(each.months) for each in done) == 4
    store = await open_store(address)
    made = (await store.maintain(Due(now=NOW, ended_before=0, attempts_before=0))).made
    await store.close()
    assert len(made) == 2


@pytest.mark.parametrize("limits", [postgres_connections.SHORT, postgres_connections.LONG], ids=["short", "long"])
async def test_each_transaction_has_its_limits_and_leaves_none_behind(
    address: str, limits: postgres_connections.Limits
) -> None:
    connector = postgres_connections.Connector(parse(address), limits)
    connection = await connector()
    try:
        await connection.execute(f"begin{connector.preface}")
        for name, value in limits.settings().items():
            told = (await connection.fetch(f"select setting from pg_settings where name = '{name}'"))[0][0]
            assert told == value
        await connection.execute("rollback")
        assert (await connection.fetch("select current_setting('lock_timeout')"))[0][0] == "0"
    finally:
        await connection.close(timeout=5)
