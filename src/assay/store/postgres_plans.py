"""What each write does in PostgreSQL: the steps that every store takes, with places numbered and values in them."""

from __future__ import annotations

from typing import Any, NamedTuple

import asyncpg

from assay import store
from assay.model import ReplayMark
from assay.store import plans
from assay.store.postgres_connections import Connection
from assay.store.postgres_statements import BY_SHARED_TEXT, STATEMENTS_BY_NAME
from assay.store.steps import Otherwise, fields


class Step(NamedTuple):
    """One statement with its values, and what it means when it changes no row (:class:`assay.store.steps.Step`)."""

    text: str
    arguments: list[Any]
    otherwise: Otherwise


Plan = list[Step]


def plan(write: store.Write) -> Plan:
    """All steps of a write. Raises TypeError for one that nobody planned."""
    planned = [
        Step((statement := BY_SHARED_TEXT[one.sql]).text, statement.arguments(one.parameters), one.otherwise)
        for one in plans.plan(write)
    ]
    mark: ReplayMark | None = getattr(write, "replay", None)
    return planned if mark is None else [named("profile_is_there", mark, "stale"), *planned]


def named(name: str, mark: ReplayMark, otherwise: Otherwise) -> Step:
    """The step of this name about the profile of a mark."""
    statement = STATEMENTS_BY_NAME[name]
    return Step(statement.text, statement.arguments(fields(mark, "environment_id", "profile_id")), otherwise)


async def carry_out(connection: Connection, write: store.Write) -> None:
    """Do one write. Raises Conflict and Stale, TypeError for a write nobody planned, and what the driver raises."""
    await run(connection, plan(write))


async def run(connection: Connection, planned: Plan) -> None:
    """Take the steps. Raises Conflict and Stale, and what the driver raises."""
    position = 0
    while position < len(planned):
        step = planned[position]
        together = _alike(planned, position)
        if len(together) > 1:
            await connection.executemany(step.text, together)
        elif not _goes_on(step, await connection.execute(step.text, *step.arguments)):
            return
        position += len(together)


def _alike(planned: Plan, position: int) -> list[list[Any]]:
    """The values of this step and of those after it that differ in nothing else: they need only one answer."""
    first = planned[position]
    together = [first.arguments]
    if first.otherwise == "go on":
        for step in planned[position + 1 :]:
            if step.text != first.text:
                break
            together.append(step.arguments)
    return together


def _goes_on(step: Step, status: str) -> bool:
    """Whether the steps after this one are to be taken; ``status`` is the server's, such as UPDATE 1."""
    if step.otherwise == "go on" or not status.endswith(" 0"):
        return True
    if step.otherwise == "replayed":
        raise store.Conflict("replay_mark")
    if step.otherwise == "stale":
        raise store.Stale
    return False


_CONFLICTS: dict[str, store.UniqueKey] = {
    "projects_slug": "project_slug",
    "environments_slug": "environment_slug",
    "environments_one_live": "live_environment",
    "profiles_pkey": "profile_id",
    "organizations_slug": "organization_slug",
    "organizations_external_id": "organization_external_id",
    "member_emails_pkey": "member_email",
    "members_external_id": "member_external_id",
    "users_email": "user_email",
    "users_phone_number": "user_phone_number",
    "users_external_id": "user_external_id",
    "signing_keys_one_active": "signing_key",
    "signing_keys_one_next": "signing_key",
    "signing_keys_pkey": "signing_key",
}


def verdict(fault: Exception) -> Exception:
    """Name the promise that PostgreSQL found broken; any other fault goes to the caller without what it quotes."""
    if isinstance(fault, asyncpg.ForeignKeyViolationError):
        return store.Stale()
    if isinstance(fault, asyncpg.UniqueViolationError):
        return _conflict(fault)
    if isinstance(fault, asyncpg.PostgresError):
        return ValueError(f"PostgreSQL cannot hold this write: {type(fault).__name__}")
    return fault


def _conflict(fault: asyncpg.UniqueViolationError) -> Exception:
    constraint = fault.constraint_name or ""
    # Months of sessions are tables of their own, with keys of their own.
    if constraint.startswith("sessions_") and constraint.endswith("_pkey"):
        return store.Conflict("session_number")
    key = _CONFLICTS.get(constraint)
    return ValueError(f"{constraint} holds this value already") if key is None else store.Conflict(key)
