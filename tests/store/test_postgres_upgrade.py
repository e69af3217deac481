"""An upgrade rolls over the hosts: while some have the next release, those of this one read and write on.

The next release is one with a migration as migrations have to be: it adds what has defaults, and says that this release
knows enough.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import asyncpg
import pytest

from assay.store import CreateUser, RevokeSession, Store, postgres_schema
from assay.store.opening import SchemaTooNew, SchemaTooOld, open_store
from assay.store.postgres_schema import Migration
from assay.store.postgres_statements import STATEMENTS_BY_NAME
from tests import postgres, records
from tests.store import contents
from tests.store.conftest import Tenant

KNOWN = postgres_schema.migrations()
NEWEST = KNOWN[-1].number
ADDED = """
alter table sessions add column device text;
alter table users add column locale text not null default 'en';
create index users_locale on users (environment_id, locale);
create table devices (device_id text primary key, environment_id text not null references environments);
"""
NEXT = Migration(NEWEST + 1, "devices", NEWEST, ADDED)
BREAKING = Migration(NEWEST + 2, "no_tails", NEWEST + 1, "alter table sessions drop column id_tail")


@pytest.fixture
def address() -> Iterator[str]:
    """A database that this release has migrated."""
    url = postgres.server().database()
    postgres.run(lambda: postgres_schema.migrate(url))
    yield url
    name = url.rpartition("/")[2]
    postgres.run(lambda: postgres.execute(postgres.server().url("postgres"), f"drop database {name} with (force)"))


@pytest.fixture
def upgrade(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``assay migrate`` of the next release."""
    with monkeypatch.context() as release:
        release.setattr(postgres_schema, "migrations", lambda: (*KNOWN, NEXT))
        assert postgres.run(lambda: postgres_schema.migrate(address)).applied == ("devices",)


async def test_a_server_of_this_release_goes_on_through_a_migration_of_the_next(
    store: Store, tenant: Tenant, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, done = [], asyncio.Event()

    async def log_in() -> None:
        while not done.is_set():
            started.append(records.session(tenant.member))
            await store.write(records.start(started[-1], tenant.secret))
            assert await store.session(tenant.id, started[-1].number) is not None

    logging_in = [asyncio.create_task(log_in()) for _ in range(4)]
    with monkeypatch.context() as release:
        release.setattr(postgres_schema, "migrations", lambda: (*KNOWN, NEXT))
        await postgres_schema.migrate(address)
        newer = await open_store(address)
    before = len(started)
    first = started[0]
    await newer.write(RevokeSession(environment_id=tenant.id, number=first.number, revoked_at=records.NOW))
    assert (view := await store.session(tenant.id, first.number)) is not None
    assert view.session.revoked_at == records.NOW
    while len(started) < before + 20:
        await asyncio.wait(logging_in, timeout=0.01)
    done.set()
    await asyncio.gather(*logging_in)
    assert (await newer.session(tenant.id, started[-1].number)) is not None
    await newer.close()
    assert contents.rows(address, "select count(*) from sessions")[0][0] == len(started)


@pytest.mark.usefixtures("upgrade")
async def test_every_statement_of_this_release_runs_on_the_next_schema(address: str) -> None:
    begin, open_end = re.compile("with|select|insert|update|delete"), re.compile(r"\bfrom [ij]\b|\{")
    whole = [one for one in STATEMENTS_BY_NAME.values() if begin.match(one.text) and not open_end.search(one.text)]
    assert len(whole) > 150
    connection = await asyncpg.connect(address)
    for statement in whole:
        await connection.fetch(f"explain {statement.text}", *[None] * len(statement.names))
    await connection.close()


@pytest.mark.usefixtures("upgrade")
async def test_a_host_that_still_has_this_release_can_be_started_anew(store: Store, tenant: Tenant) -> None:
    await store.write(CreateUser(user=records.user(tenant.id, email="new@home.example")))
    assert await store.schema() == NEXT.number


async def test_the_next_release_starts_after_the_migration_alone(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_schema, "migrations", lambda: (*KNOWN, NEXT))
    with pytest.raises(SchemaTooOld, match="run: assay migrate"):
        await open_store(address)


@pytest.mark.usefixtures("upgrade")
async def test_a_schema_that_this_release_cannot_use_ends_it(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The release after next takes away what this one needs, and says so: nobody runs both at once."""
    with monkeypatch.context() as release:
        release.setattr(postgres_schema, "migrations", lambda: (*KNOWN, NEXT, BREAKING))
        await postgres_schema.migrate(address)
    with pytest.raises(SchemaTooNew, match=f"knows {NEXT.number}"):
        await open_store(address)
