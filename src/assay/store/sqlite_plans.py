"""What each write does in SQLite: the steps that every store takes, and quicker ones for the write of an attest.

Most writes are attests that start a session, and many of one commit rest on the same secret and profile. So their guard
is a step by itself, which the writer takes once for all of them. And their values stand in the order of the columns:
to name each of them costs as much as a look-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from assay import store
from assay.model import Attempt, Session
from assay.store import plans, rows
from assay.store.statements import STATEMENTS, positional
from assay.store.steps import Otherwise, Plan


class Quick(NamedTuple):
    """One statement, its values in order, and what it means when it changes no row (:class:`assay.store.steps.Step`).

    ``holds``: it changes nothing, but looks for a row; without one the write is stale.
    """

    sql: str
    values: Sequence[Any]
    otherwise: Otherwise | Literal["holds"] = "go on"


SqlitePlan = Plan | list[Quick]

_GUARD = positional(STATEMENTS["guard_holds"], "environment_id", "secret_id", "profile_id", "profile_revision")
_MARK = positional(STATEMENTS["mark_token"], *rows.REPLAY_MARK.columns)
_SESSION = positional(STATEMENTS["start_guarded_session"], *rows.SESSION.columns)
_ATTEMPT = positional(STATEMENTS["record_attempt_of_session"], *rows.ATTEMPT.columns)
_EVENT = positional(STATEMENTS["record_event"], *rows.EVENT.columns)

KEEPS_GUARDS = frozenset({_MARK, _SESSION, _ATTEMPT, _EVENT})
"""What changes nothing that ``guard_holds`` asks for; a guard that held before it holds after it."""


def plan(write: store.Write) -> SqlitePlan:
    """All steps of a write. Raises TypeError for one that nobody planned."""
    if type(write) is store.StartSession and _is_quick(write.guard, write.session, write.attempt):
        return _start(write, write.guard, write.session, write.attempt)
    return plans.plan(write)


def _is_quick(guard: store.Guard, session: Session, attempt: Attempt | None) -> bool:
    """Whether the guard asks only for what no session write changes, and says that the attempt's environment exists."""
    return (
        guard.session_number is None
        and guard.profile_revisions is None
        and (attempt is None or attempt.environment_id == session.environment_id)
    )


def _start(write: store.StartSession, guard: store.Guard, session: Session, attempt: Attempt | None) -> list[Quick]:
    planned: list[Quick] = []
    if write.replay is not None:
        planned.append(Quick(_MARK, rows.REPLAY_MARK.values(write.replay), "replayed"))
    # The session's own environment is the one the guard is checked in: a guard of another tenant never holds.
    rests_on = (session.environment_id, guard.secret_id, guard.profile_id, guard.profile_revision)
    planned.append(Quick(_GUARD, rests_on, "holds"))
    planned.append(Quick(_SESSION, rows.SESSION.values(session), "stale"))
    if attempt is not None:
        planned.append(Quick(_ATTEMPT, rows.ATTEMPT.values(attempt)))
    for event in write.events:
        planned.append(Quick(_EVENT, rows.EVENT.values(event)))  # noqa: PERF401 - there is one, and it is hot
    return planned
