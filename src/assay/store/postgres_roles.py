"""Two users of a PostgreSQL database: one that owns the tables, and one for servers, with no right that they can spare.

The owner runs ``assay migrate`` and ``assay maintain``. Whoever gets hold of a server's password can read and change
records, as the server can, but cannot drop or alter a table, add a trigger or a function that others would run, empty
a table at once, or make believe that the schema is another one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from assay.store.opening import StoreFault
from assay.store.postgres_connections import Connection

OWNER, SERVER = "assay_owner", "assay_server"
SEQUENCE = "records_number"

_ALL = "select, insert, update, delete"
_NEVER_CHANGED = "select, insert, delete"
_NEVER_DELETED = "select, insert, update"

GRANTS: Mapping[str, str] = {
    "attempts": _NEVER_CHANGED,
    "deleted_profiles": _ALL,
    "environments": _ALL,
    "events": _NEVER_CHANGED,
    "jwt_templates": _NEVER_CHANGED,
    "kept_keys": _ALL,
    "member_emails": _NEVER_CHANGED,
    "members": _ALL,
    "meta": _NEVER_DELETED,
    "observations": _NEVER_DELETED,
    "operator_links": _NEVER_CHANGED,
    "operator_passwords": _NEVER_DELETED,
    "organizations": _ALL,
    "pem_files": _NEVER_CHANGED,
    "profiles": _ALL,
    "projects": _ALL,
    "public_tokens": _NEVER_CHANGED,
    "rbac_policies": _ALL,
    "redirect_urls": _NEVER_CHANGED,
    "replay_marks": _ALL,
    "schema_migrations": "select",
    "secrets": _ALL,
    "sessions": _ALL,
    "sign_in_tries": _ALL,
    "signing_keys": _ALL,
    "users": _ALL,
    "workspace_keys": _NEVER_DELETED,
}
"""What servers may do to each table; months of sessions and attempts need no rights of their own."""

SCRIPT = f"""\
-- The users of Assay's database. Run it once in that database, as one who may make roles; it changes nothing that is as
-- it should be. Then give both a way to sign in, such as \\password {OWNER} in psql, and as the owner run
--     assay migrate --grant-to {SERVER}
do $$
declare
    here text := current_schema();
begin
    if not exists (select from pg_roles where rolname = '{OWNER}') then
        create role {OWNER} login;
    end if;
    if not exists (select from pg_roles where rolname = '{SERVER}') then
        create role {SERVER} login;
    end if;
    execute format('revoke create on schema %I from public', here);
    execute format('grant usage, create on schema %I to {OWNER}', here);
    execute format('grant usage on schema %I to {SERVER}', here);
end
$$;

-- To let servers maintain the months of sessions and attempts by themselves, which makes their user as good as the
-- owner. Without it, run `assay maintain` each day as the owner.
-- grant {OWNER} to {SERVER};
"""  # noqa: S608 - put together out of constants

_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")


async def grant(connection: Connection, role: str) -> None:
    """Give a role the rights of servers, and take all others to these tables from it.

    In the transaction of a migration, so that new tables are open to servers when they see them. Raises StoreFault.
    """
    there = "select 1 from pg_roles where rolname = $1"
    if not _ROLE.fullmatch(role) or not await connection.fetch(there, role):
        raise StoreFault(
            "--grant-to must name a user of the database that is there, in small letters, digits and _;"
            " assay migrate --roles-sql prints how to make one"
        )
    for table, rights in GRANTS.items():
        await connection.execute(f'revoke all on table {table} from "{role}"')
        await connection.execute(f'grant {rights} on table {table} to "{role}"')
    await connection.execute(f'grant select, usage on sequence {SEQUENCE} to "{role}"')
