"""The look-ups that every login needs: those of one tick of the event loop together, in one statement per kind.

A statement begins after the last of those that it answers has asked, so each sees whatever was committed before it
asked. Who asks while a statement is on its way waits for the next one, even for the same key (decisions D29).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from assay.model import Caller, Member, Organization, Profile, SessionView, User
from assay.rules.permissions import Policy
from assay.store import Configuration, rows
from assay.store.postgres_documents import keys, of_keys
from assay.store.postgres_reading import Pooled
from assay.store.postgres_statements import Statement
from assay.store.rows import R, Rows

T = TypeVar("T")

Row = tuple[Any, ...]

AT_ONCE = 1
"""So many statements of one kind are on their way at a time: the fewer, the more look-ups each of them answers."""

MOST = 512
"""So many keys does a statement ask for at most."""


class Gathered(Generic[T]):
    """Look-ups of one kind. ``name`` is the statement, ``columns`` what a key consists of, each with its type.

    ``answer`` makes the answer of a key out of the rows that were found for it, without their places.
    """

    def __init__(self, reads: Pooled, name: str, columns: dict[str, object], answer: Callable[[list[Row]], T]) -> None:
        self._reads = reads
        self._statement = Statement(of_keys(name, columns), ())
        self._answer = answer
        self._waiting: dict[Row, list[asyncio.Future[T]]] = {}
        self._busy = 0
        self._running: set[asyncio.Task[None]] = set()
        self._is_awake = False

    async def ask(self, *key: Any) -> T:  # noqa: ANN401 - the columns have types of their own
        """The answer for this key, which those who ask in the same tick share. Raises errors.StoreUnavailable.

        Raises ValueError for a key that PostgreSQL cannot hold.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.append(answer)
            return await answer
        self._waiting[key] = [answer]
        if not self._is_awake and self._busy < AT_ONCE:
            self._is_awake = True
            loop.call_soon(self._start)
        return await answer

    def _start(self) -> None:
        self._is_awake = False
        self._busy += 1
        task = asyncio.get_running_loop().create_task(self._run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self) -> None:
        # Counted down before anything else can run: a key that came after the last look would wait for ever.
        try:
            while self._waiting:
                asked = list(self._waiting)[:MOST]
                await self._settle({key: self._waiting.pop(key) for key in asked})
        finally:
            self._busy -= 1

    async def _settle(self, asked: dict[Row, list[asyncio.Future[T]]]) -> None:
        try:
            found = await self._found(list(asked))
        except Exception as fault:  # noqa: BLE001 - somebody waits for every key, whatever a statement does
            if isinstance(fault, ValueError) and len(asked) > 1:  # it is about one of them
                for key, waiting in asked.items():
                    await self._settle({key: waiting})
                return
            for waiting in asked.values():
                _refuse(waiting, fault)
            return
        for waiting, of_key in zip(asked.values(), found, strict=True):
            self._tell(waiting, of_key)

    def _tell(self, waiting: list[asyncio.Future[T]], found: list[Row]) -> None:
        try:
            answer = self._answer(found)
        except Exception as fault:  # noqa: BLE001 - a row that cannot be read concerns only those who asked for it
            _refuse(waiting, fault)
            return
        for each in waiting:
            if not each.done():  # whoever waited has been cancelled
                each.set_result(answer)

    async def _found(self, wanted: list[Row]) -> list[list[Row]]:
        """The rows of each key."""
        found: list[list[Row]] = [[] for _ in wanted]
        for row in await self._reads.run(self._statement, [keys(wanted)]):
            found[row[0] - 1].append(row[1:])
        return found


class HotReads:
    """All kinds of them, on these connections."""

    def __init__(self, reads: Pooled) -> None:
        environment: dict[str, object] = {"environment_id": str}
        person = {**environment, "external_id": str, "email": str}
        self.callers = Gathered(reads, "callers", {**environment, "secret_hash": bytes}, _caller)
        self.live_secrets = Gathered(reads, "live_secrets", {**environment, "secret_id": str}, bool)
        self.profiles = Gathered(reads, "profiles_of_keys", {**environment, "profile_id": str}, _profile)
        reference = {**environment, "reference": str, "is_own": int, "by_slug": int}
        self.organizations = Gathered(reads, "organizations_of_references", reference, _organization)
        member = {**environment, "organization_id": str, "external_id": str, "email": str}
        self.members = Gathered(reads, "member_candidates", member, _members)
        self.users = Gathered(reads, "user_candidates", person, _users)
        self.sessions = Gathered(reads, "session_views", {**environment, "number": int}, _session)
        self.configurations = Gathered(reads, "configurations", environment, _configuration)


def _refuse(waiting: list[asyncio.Future[T]], fault: Exception) -> None:
    for each in waiting:
        if not each.done():
            each.set_exception(fault)


# ---------------------------------------------------------------- what was found, as records


def _caller(found: list[Row]) -> Caller | None:
    if not found:
        return None
    row, split = found[0], len(rows.ENVIRONMENT.columns)
    return Caller(
        environment=rows.ENVIRONMENT.record(row[:split]), secret=rows.SECRET.record(row[split:-1]), signing_kid=row[-1]
    )


def _profile(found: list[Row]) -> Profile | None:
    if not found:
        return None
    pem_files = found[0][-1]
    profile = rows.PROFILE.record(found[0][:-1])
    return msgspec.structs.replace(profile, pem_files=_several(pem_files, rows.PEM_FILE)) if pem_files else profile


def _organization(found: list[Row]) -> Organization | None:
    return rows.ORGANIZATION.record(found[0]) if found else None


def _members(found: list[Row]) -> tuple[Member | None, Member | None]:
    return _candidates(found, rows.MEMBER)


def _users(found: list[Row]) -> tuple[User | None, User | None]:
    return _candidates(found, rows.USER)


def _candidates(found: list[Row], shape: Rows[R]) -> tuple[R | None, R | None]:
    """(by external id, by address); mostly they are one."""
    by_external_id = by_email = None
    for row in found:
        has_external_id, holds_address = row[:2]
        record = shape.record(row[2:])
        by_external_id = record if has_external_id else by_external_id
        by_email = record if holds_address else by_email
    return by_external_id, by_email


_VIEWED: tuple[Rows[Any], ...] = (rows.SESSION, rows.MEMBER, rows.ORGANIZATION, rows.USER)


def _session(found: list[Row]) -> SessionView | None:
    """The parts stand side by side, a missing one as nulls."""
    if not found:
        return None
    parts: list[Any] = []
    at = 0
    for shape in _VIEWED:
        part = found[0][at : at + len(shape.columns)]
        at += len(shape.columns)
        parts.append(None if part[0] is None else shape.record(part))
    session, member, organization, user = parts
    return SessionView(session=session, member=member, organization=organization, user=user)


def _configuration(found: list[Row]) -> tuple[int, Configuration]:
    if not found:
        return 0, Configuration()
    revision, policy, jwt_templates, redirect_urls = found[0]
    return revision, Configuration(
        policy=None if policy is None else msgspec.json.decode(policy, type=Policy),
        jwt_templates=_several(jwt_templates, rows.JWT_TEMPLATE),
        redirect_urls=_several(redirect_urls, rows.REDIRECT_URL),
    )


def _several(text: str | None, shape: Rows[R]) -> tuple[R, ...]:
    """Records that stand in one column, as JSON; null stands for none."""
    return () if text is None else tuple(shape.record(tuple(row)) for row in msgspec.json.decode(text))
