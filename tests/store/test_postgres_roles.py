"""Servers have a user of the database with exactly the rights they need; another one owns the tables."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from assay.model import Session
from assay.store import (
    DeleteOrganization,
    Due,
    ErasePerson,
    Forget,
    Maintained,
    RecordAttempt,
    RevokeSession,
    Store,
    postgres_roles,
    postgres_schema,
)
from assay.store.opening import MayNotMaintain, StoreFault, open_store
from assay.store.postgres_statements import STATEMENTS_BY_NAME, Statement
from tests import postgres, records
from tests.store import contents
from tests.store.conftest import Tenant

NOW = records.NOW
DUE = Due(now=NOW, ended_before=NOW - 1, attempts_before=NOW - 1)


def as_user(url: str, user: str) -> str:
    return url.replace("postgres@", f"{user}@")


@pytest.fixture
def owned() -> Iterator[str]:
    """The address, for a superuser, of a database that Assay's own owner has migrated."""
    url = postgres.server().database()
    for _ in range(2):  # it may be run again
        contents.change(url, postgres_roles.SCRIPT)
    owner = as_user(url, postgres_roles.OWNER)
    postgres.run(lambda: postgres_schema.migrate(owner, grant_to=postgres_roles.SERVER))
    yield url
    name = url.rpartition("/")[2]
    postgres.run(lambda: postgres.execute(postgres.server().url("postgres"), f"drop database {name} with (force)"))


@pytest.fixture
def address(owned: str) -> str:
    return as_user(owned, postgres_roles.SERVER)


@pytest.fixture
async def server(address: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(address)
    yield connection
    await connection.close()


async def test_a_server_can_do_all_that_servers_do(
    store: Store, second: Store, tenant: Tenant, session: Session
) -> None:
    assert (await store.caller(tenant.id, tenant.secret.secret_hash)) is not None
    assert (await second.session(tenant.id, session.number)) is not None
    await store.write(RevokeSession(environment_id=tenant.id, number=session.number, revoked_at=NOW))
    await store.write(RecordAttempt(attempt=records.attempt(tenant.id, created_at=NOW - 9)))
    await store.write(Forget(attempts_before=NOW, now=NOW, limit=9))
    erasing = ErasePerson(
        environment_id=tenant.id, subject_kind="member", subject_id=tenant.member.member_id, traces=()
    )
    await store.write(erasing)
    await store.write(DeleteOrganization(environment_id=tenant.id, organization_id=tenant.organization.organization_id))
    assert await second.session(tenant.id, session.number) is None


def whole_statements() -> dict[str, Statement]:
    """Those that stand for themselves; the others are parts of them, or are completed before they are run."""
    begin, open_end = re.compile("with|select|insert|update|delete"), re.compile(r"\bfrom [ij]\b|\{")
    return {
        name: one for name, one in STATEMENTS_BY_NAME.items() if begin.match(one.text) and not open_end.search(one.text)
    }


async def is_allowed(connection: asyncpg.Connection, statement: Statement) -> bool:
    try:
        # Rights are looked at when a statement is about to be run, and this is as far as it gets.
        await connection.fetch(f"explain {statement.text}", *[None] * len(statement.names))
    except asyncpg.InsufficientPrivilegeError:
        return False
    return True


async def test_every_statement_is_allowed_and_no_right_is_to_spare(server: asyncpg.Connection, owned: str) -> None:
    statements = whole_statements()
    assert len(statements) > 150
    assert [name for name, one in statements.items() if not await is_allowed(server, one)] == []
    spare = []
    owner = await asyncpg.connect(owned)
    for table, rights in postgres_roles.GRANTS.items():
        about = [one for one in statements.values() if re.search(rf"\b{table}\b", one.text)]
        for right in rights.split(", "):
            await owner.execute(f"revoke {right} on {table} from {postgres_roles.SERVER}")
            if all([await is_allowed(server, one) for one in about]):
                spare.append((table, right))
            await owner.execute(f"grant {right} on {table} to {postgres_roles.SERVER}")
    await owner.close()
    assert [each for each in spare if each != ("schema_migrations", "select")] == []  # the start of a server reads it


def test_every_table_has_its_rights(owned: str) -> None:
    assert set(postgres_roles.GRANTS) == set(contents.tables(owned))


@pytest.mark.parametrize(
    "forbidden",
    [
        "drop table users",
        "truncate events",
        "alter table sessions add column x text",
        "update events set actor = 'nobody'",
        "update attempts set outcome = 'granted'",
        "update schema_migrations set compatible_from = 1",
        "insert into schema_migrations values (99, 'x', 0, 99)",
        "delete from meta",
        "create table mine (x text)",
        "create function mine() returns text language sql return 'x'",
        "create trigger t before insert on sessions for each row execute function suppress_redundant_updates_trigger()",
        "select * from sessions_rest",
        "set role assay_owner",
        "create role another",
    ],
)
async def test_a_server_can_do_nothing_else(server: asyncpg.Connection, forbidden: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await server.execute(forbidden)


async def test_each_migration_grants_again_and_takes_what_is_too_much(owned: str, server: asyncpg.Connection) -> None:
    contents.change(owned, f"grant all on users to {postgres_roles.SERVER}; revoke all on meta from assay_server")
    await postgres_schema.migrate(as_user(owned, postgres_roles.OWNER), grant_to=postgres_roles.SERVER)
    assert await server.fetch("select * from meta") == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await server.execute("truncate users")


@pytest.mark.parametrize("role", ["nobody_there", "public", 'assay_server"; drop table users; --', "ASSAY_SERVER", ""])
async def test_rights_go_only_to_a_user_that_is_there(owned: str, role: str) -> None:
    with pytest.raises(StoreFault, match="--grant-to must name a user"):
        await postgres_schema.migrate(owned, grant_to=role)


async def test_a_server_cannot_migrate_or_maintain_and_is_told_who_can(store: Store, address: str) -> None:
    with pytest.raises(StoreFault, match="migrate as the owner"):
        await postgres_schema.migrate(address, now=NOW + 400 * 86_400)
    with pytest.raises(MayNotMaintain, match="assay maintain as that user"):
        await store.maintain(DUE)


async def test_a_server_that_may_be_the_owner_maintains_what_stays_the_owners(
    store: Store, owned: str, address: str
) -> None:
    contents.change(owned, f"grant {postgres_roles.OWNER} to {postgres_roles.SERVER}")
    try:
        done = await store.maintain(DUE)
    finally:
        contents.change(owned, f"revoke {postgres_roles.OWNER} from {postgres_roles.SERVER}")
    assert len(done.made) > 1
    query = "select distinct pg_get_userbyid(relowner)::text from pg_class where relname = any($1)"
    assert contents.rows(address, query, list(done.made)) == [(postgres_roles.OWNER,)]


async def test_the_owner_maintains(owned: str) -> None:
    store = await open_store(as_user(owned, postgres_roles.OWNER))
    runs = await asyncio.gather(*(store.maintain(DUE) for _ in range(3)))
    await store.close()
    assert any(each != Maintained() for each in runs)
