"""The statements as PostgreSQL takes them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import assay.store
from assay.store import plans, steps
from assay.store.filters import FILTERS, Target
from assay.store.postgres_locks import names
from assay.store.postgres_statements import BY_SHARED_TEXT, STATEMENTS_BY_NAME, TEXTS, numbered
from assay.store.search import query_of
from assay.store.statements import STATEMENTS, load
from tests.store.conftest import ON_POSTGRES

FOLDER = Path(assay.store.__file__).parent
SECOND_FORMS = load(FOLDER / "sql", FOLDER / "sql_postgres").keys() - STATEMENTS.keys()

FILES = "".join(file.read_text() for folder in ("sql", "sql_postgres") for file in FOLDER.glob(f"{folder}/*.sql"))

VERB = re.compile(r"(select|insert|update|delete|with)\s")
# What is a part of other statements, and none by itself; ``i`` is what a batch of writes or look-ups is read from.
PARTS = {
    name
    for name, text in TEXTS.items()
    if f"{{{name}}}" in FILES or not VERB.match(text) or re.search(r"\b(from|join) i\b", text)
}


@pytest.fixture
async def connection(address: str) -> AsyncIterator[asyncpg.Connection]:
    made = await asyncpg.connect(address)
    yield made
    await made.close()


@ON_POSTGRES
async def test_every_statement_is_one_for_postgresql(connection: asyncpg.Connection) -> None:
    """Each is parsed and typed by the server; searches are put together first."""
    for name, statement in STATEMENTS_BY_NAME.items():
        if name not in PARTS and "{conditions}" not in TEXTS[name]:
            await connection.prepare(statement.text)


@ON_POSTGRES
@pytest.mark.parametrize("target", FILTERS)
async def test_every_filter_is_one_for_postgresql(connection: asyncpg.Connection, target: Target) -> None:
    for name in FILTERS[target]:
        search = assay.store.Search(environment_id="e", filters=(assay.store.Filter(name, "value"),))
        scope = {"organization_ids": "[]", "with_deleted": 0}
        wanted = query_of(TEXTS, target, search, "", scope)
        for text in (wanted.page, wanted.total):
            await connection.prepare(numbered(text).text)


def test_a_shared_text_stands_for_one_statement() -> None:
    """Plans hold the text, so two names with one text must have one second form."""
    assert all(
        BY_SHARED_TEXT[STATEMENTS[name]] == STATEMENTS_BY_NAME[name] for name in TEXTS.keys() & STATEMENTS.keys()
    )


def test_every_statement_of_postgresql_alone_is_used() -> None:
    sources = FILES + "".join(file.read_text() for file in FOLDER.glob("*.py"))
    unused = {one for one in SECOND_FORMS if f'"{one}"' not in sources and f"{{{one}}}" not in sources}
    assert unused == set()


PLACES = {
    "a place twice": (":name and :name", "$1::text and $1::text", ("name",)),
    "the type of a column": (":created_at", "$1::bigint", ("created_at",)),
    "a type that is said": (":name::bytea = :name", "$1::bytea = $1::bytea", ("name",)),
    "a cast of a column": ("a::text = :kid", "a::text = $1::text", ("kid",)),
    "a value of a search": ("lower(x) like :value_10", "lower(x) like $1::text", ("value_10",)),
}


@pytest.mark.parametrize(("text", "expected", "order"), PLACES.values(), ids=PLACES)
def test_places_are_numbered_and_typed(text: str, expected: str, order: tuple[str, ...]) -> None:
    assert numbered(text) == (expected, order)


def test_every_write_says_what_it_rests_on_or_needs_nothing() -> None:
    """A new kind of write must be thought of: it is either here or has names of its own."""
    decided_by_their_rows = {
        "ConfigureEnvironment",
        "CountSignIn",
        "CreateEnvironment",
        "CreateOperatorLink",
        "CreateOrganization",
        "CreateProject",
        "CreatePublicToken",
        "CreateSecret",
        "CreateUser",
        "CreateWorkspaceKey",
        "DeleteProject",  # the store names its environments
        "Forget",
        "ForgetSessions",
        "ForgetSignIns",
        "KeepKeys",
        "LeaseKeys",
        "NoteAccesses",
        "Observe",
        "RecordEvents",
        "RenameProject",
        "ReplaceOrganization",
        "ReplaceUser",
        "RevokeSession",
        "RevokeSessionsOf",
        "RevokeSessionsWhere",
        "RevokeWorkspaceKey",
        "SetRootKeyCheck",
        "TouchSecret",
        "TouchWorkspaceKey",
    }
    assert plans  # which makes all plans known
    planned = {kind for kind in steps.steps.registry if kind.__module__.endswith("writes")} - {assay.store.Write}
    assert {kind.__name__ for kind in planned if kind not in names.registry} == decided_by_their_rows


# ---------------------------------------------------------------- plans

HOT = [
    "caller",
    "secret_is_live",
    "environment",
    "signing_keys",
    "signing_key_environment",
    "profile",
    "pem_files",
    "organization_by_id",
    "organization_by_external_id",
    "organization_by_slug",
    "member_of_organization",
    "member_by_id",
    "member_by_external_id",
    "members_by_external_id",
    "member_by_email",
    "member_count",
    "release_member_emails",
    "user_by_id",
    "user_by_external_id",
    "sessions_of",
    "start_session",
    "update_session",
    "revoke_session",
    "revoke_sessions_of",
    "revoke_sessions_of_organization",
    "delete_sessions_of_user",
    "attempts",
    "attempt_counts",
    "attempt_series",
    "events",
    "events_after",
    "all_events_after",
    "record_attempt",
    "record_guarded_attempt",
    "mark_token",
    "forget_attempts",
    "forget_replay_marks",
    "anything_to_forget",
    "recent_sessions_floor",
    "recent_sessions_floor_of_subject",
    "recent_sessions_floor_of_organization",
    "profile_is_there",
]


_SOME = {"bigint": "5", "text": "'x'", "bytea": "'x'", "json": "'[]'", "text[]": "'{}'"}


def _types(text: str) -> list[str]:
    """The type of each place, in order."""
    found = dict(re.findall(r"\$(\d+)::([a-z]+(?:\[\])?)", text))
    return [found[number] for number in sorted(found, key=int)]


@ON_POSTGRES
@pytest.mark.parametrize("name", HOT)
async def test_no_hot_statement_reads_a_whole_table(connection: asyncpg.Connection, name: str) -> None:
    await connection.execute("set enable_seqscan = off; set plan_cache_mode = force_generic_plan")
    statement = STATEMENTS_BY_NAME[name]
    await connection.execute(f"prepare hot as {statement.text}")
    values = ", ".join(_SOME[kind] for kind in _types(statement.text))
    plan = await connection.fetch(f"explain execute hot{f'({values})' if values else ''}")
    steps = [row[0] for row in plan]
    assert [step for step in steps if "Seq Scan" in step] == []
    assert any("Index" in step for step in steps)
    if name in {"forget_attempts", "forget_replay_marks", "anything_to_forget", "recent_sessions_floor"}:
        assert [step for step in steps if "Sort" in step and "Key" not in step] == []


@ON_POSTGRES
async def test_attempts_are_counted_in_an_index_alone(connection: asyncpg.Connection) -> None:
    await connection.execute("set enable_seqscan = off; set enable_bitmapscan = off")
    await connection.execute("vacuum attempts")
    arguments: list[Any] = ["e", 0, '["idp"]']
    statement = STATEMENTS_BY_NAME["attempt_counts"]
    by_name = dict(zip(("environment_id", "since", "profile_ids"), arguments, strict=True))
    plan = await connection.fetch(f"explain {statement.text}", *statement.arguments(by_name))
    scans = [row[0] for row in plan if "Scan" in row[0] and "attempts" in row[0]]
    assert scans
    assert all("Index Only Scan" in scan for scan in scans)
