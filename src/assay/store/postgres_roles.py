"""Two users of a PostgreSQL database: one that owns the tables, and one for servers, with no right that they can spare.

The owner runs ``assay migrate`` and ``assay maintain``. Whoever gets hold of a server's password can read and change
records, as the server can, but cannot drop or alter a table, add a trigger or a function that others would run, empty
a table at once, or make believe that the schema is another one.
"""

from __future__ import annotations

from collections.abc import Mapping

OWNER, SERVER = "assay_owner", "assay_server"

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

_SCRIPT = """\
-- The users of Assay's database. Run it in that database as one who may make roles and grant rights, before the first
-- `assay migrate` and again after each; it changes nothing that is as it should be. Then give both a way to sign in,
-- such as \\password {owner} in psql.
do $$
declare
    granted record;
    here text := current_schema();
begin
    if not exists (select from pg_roles where rolname = '{owner}') then
        create role {owner} login;
    end if;
    if not exists (select from pg_roles where rolname = '{server}') then
        create role {server} login;
    end if;
    execute format('revoke create on schema %I from public', here);
    execute format('grant usage, create on schema %I to {owner}', here);
    execute format('grant usage on schema %I to {server}', here);

    -- Tables that a later migration makes are in use before this is run again.
    execute format('alter default privileges for role {owner} in schema %I grant {all} on tables to {server}', here);
    execute format('alter default privileges for role {owner} in schema %I grant select, usage on sequences to {server}',
        here);

    for granted in
        select name, rights from (values
{rows}
        ) g (name, rights)
        where to_regclass(name) is not null
    loop
        execute format('revoke all on table %I from {server}', granted.name);
        execute format('grant %s on table %I to {server}', granted.rights, granted.name);
    end loop;
    if to_regclass('records_number') is not null then
        grant select, usage on sequence records_number to {server};
    end if;
end
$$;

-- To let servers maintain the months of sessions and attempts by themselves, which makes their user as good as the
-- owner. Without it, run `assay maintain` each day as the owner.
-- grant {owner} to {server};
"""


def script() -> str:
    """SQL that makes both users and grants their rights."""
    rows = ",\n".join(f"            ('{table}', '{rights}')" for table, rights in GRANTS.items())
    return _SCRIPT.format(owner=OWNER, server=SERVER, all=_ALL, rows=rows)
