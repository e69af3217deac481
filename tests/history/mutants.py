"""Services that are wrong in one way each. The rules must notice every one of them.

A mutant stands in the place of the store that the stories use, and passes on what it does not spoil. Only the one of
``disks.py``, which forgets what was not synced, needs more than that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest

from assay import errors, store
from assay.model import Session, SessionView, SubjectKind
from assay.rules import session_ids
from assay.rules.session_ids import Minted
from assay.store import Store, Write
from assay.stories import opening


class Mutant:
    """A store that does everything right. ``clock`` gives the service's seconds."""

    def __init__(self, inner: Store, clock: Callable[[], float]) -> None:
        self.inner = inner
        self.clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def write(self, write: Write) -> None:
        await self.inner.write(write)

    async def session(self, environment_id: str, number: int) -> SessionView | None:
        return await self.inner.session(environment_id, number)


class RevokeCached(Mutant):
    """Looks at a session once a second at most, and believes until then what it saw."""

    def __init__(self, inner: Store, clock: Callable[[], float]) -> None:
        super().__init__(inner, clock)
        self._cached: dict[int, tuple[float, SessionView | None]] = {}

    async def session(self, environment_id: str, number: int) -> SessionView | None:
        seen_at, view = self._cached.get(number, (0.0, None))
        if self.clock() >= seen_at + 1:
            view = await super().session(environment_id, number)
            self._cached[number] = (self.clock(), view)
        return view

    async def write(self, write: Write) -> None:
        """A mere access is believed as well: it asks nobody."""
        if not (isinstance(write, store.UpdateSession) and _is_access(write)):
            await super().write(write)


class StaleRead(Mutant):
    """Every third read of a session shows it as it was some reads ago, as a replica would that lags behind."""

    def __init__(self, inner: Store, clock: Callable[[], float]) -> None:
        super().__init__(inner, clock)
        self._before: dict[int, list[SessionView | None]] = {}
        self._count = 0

    async def session(self, environment_id: str, number: int) -> SessionView | None:
        seen = self._before.setdefault(number, [])
        seen.append(await super().session(environment_id, number))
        self._count += 1
        return seen[0] if self._count % 3 == 0 else seen[-1]

    async def write(self, write: Write) -> None:
        if not (isinstance(write, store.UpdateSession) and _is_access(write)):
            await super().write(write)


class FlickeringRevoke(Mutant):
    """Two caches of the revoked ones, asked in turn, of which the second forgets every revoke."""

    def __init__(self, inner: Store, clock: Callable[[], float]) -> None:
        super().__init__(inner, clock)
        self._count = 0

    async def session(self, environment_id: str, number: int) -> SessionView | None:
        view = await super().session(environment_id, number)
        self._count += 1
        if view is None or self._count % 2:
            return view
        return msgspec.structs.replace(view, session=msgspec.structs.replace(view.session, revoked_at=None))

    async def write(self, write: Write) -> None:
        if not (isinstance(write, store.UpdateSession) and _is_access(write)):
            await super().write(write)


class LostUpdate(Mutant):
    """Merges claims into what was read, whatever has been written since."""

    async def write(self, write: Write) -> None:
        if isinstance(write, store.UpdateSession):
            write = msgspec.structs.replace(write, revision=None)
        await super().write(write)


class ExpiryForgotten(Mutant):
    """Answers that a session was prolonged, and does not write it."""

    async def write(self, write: Write) -> None:
        if isinstance(write, store.UpdateSession):
            write = msgspec.structs.replace(write, expires_at=None)
        await super().write(write)


class ReplayTaken(Mutant):
    """Forgets which tokens were used."""

    async def write(self, write: Write) -> None:
        if getattr(write, "replay", None) is not None:
            write = msgspec.structs.replace(write, replay=None)
        await super().write(write)


class SessionBeforeMark(Mutant):
    """Commits the session by itself, and the mark of its token after it: a refused attest leaves its session behind."""

    async def write(self, write: Write) -> None:
        if not isinstance(write, store.StartSession) or write.replay is None or write.attempt is None:
            await super().write(write)
            return
        await super().write(msgspec.structs.replace(write, replay=None))
        await super().write(store.RecordAttempt(attempt=write.attempt, replay=write.replay))


class NumberTaken(Mutant):
    """Takes a session number that is taken for its own, and there are few of them (:func:`few_numbers`)."""

    async def write(self, write: Write) -> None:
        try:
            await super().write(write)
        except store.Conflict as conflict:
            if conflict.key != "session_number":
                raise


class LateWrite(Mutant):
    """Says that the store is away, and revokes the session some reads later, when nobody reckons with it any more."""

    READS = 60

    def __init__(self, inner: Store, clock: Callable[[], float]) -> None:
        super().__init__(inner, clock)
        self._late: list[tuple[int, Write]] = []
        self._reads = 0
        self._revokes = 0

    async def session(self, environment_id: str, number: int) -> SessionView | None:
        self._reads += 1
        due = [write for at, write in self._late if at <= self._reads]
        self._late = [(at, write) for at, write in self._late if at > self._reads]
        for write in due:
            await super().write(write)
        return await super().session(environment_id, number)

    async def write(self, write: Write) -> None:
        if isinstance(write, store.RevokeSession):
            self._revokes += 1
            if self._revokes % 2:
                self._late.append((self._reads + self.READS, write))
                raise errors.StoreUnavailable(detail="a mutant")
        await super().write(write)


class AnsweredFirst(Mutant):
    """Tells that a session was started, and writes it when there is time."""

    def __init__(self, inner: Store, clock: Callable[[], float]) -> None:
        super().__init__(inner, clock)
        self._writes: set[asyncio.Task[None]] = set()

    async def write(self, write: Write) -> None:
        if not isinstance(write, store.StartSession) or write.replay is not None:
            await super().write(write)
            return
        self._writes = {task for task in self._writes if not task.done()}
        self._writes.add(asyncio.create_task(self._later(write)))

    async def _later(self, write: Write) -> None:
        await asyncio.wait({asyncio.create_task(self.inner.ping()) for _ in range(3)})
        if len(self._writes) % 4 == 0:  # and sometimes there is none
            return
        await self.inner.write(write)


class ExpiryBySweeper(Mutant):
    """Takes a session for live until somebody has swept it away (:func:`never_expired`)."""

    async def write(self, write: Write) -> None:
        if not (isinstance(write, store.UpdateSession) and _is_access(write)):
            await super().write(write)


class Nowhere(Mutant):
    """Lists a session of which nobody knows where it comes from."""

    async def sessions_of(
        self, environment_id: str, subject_kind: SubjectKind, subject_id: str, now: int
    ) -> list[Session]:
        found: list[Session] = await self.inner.sessions_of(environment_id, subject_kind, subject_id, now)
        stray = [msgspec.structs.replace(each, number=each.number ^ 1, custom_claims={}) for each in found[:1]]
        return [*found, *stray]


class Case(NamedTuple):
    """A mutant, the rule that must catch it, and what else has to be spoiled for it."""

    mutant: type[Mutant]
    rule: str
    spoil: Callable[[pytest.MonkeyPatch], None] = lambda _: None


def few_numbers(patch: pytest.MonkeyPatch) -> None:
    """Let sessions be minted from a source of chance that knows sixteen values."""
    mint = session_ids.mint

    def minted(now: float, random_bytes: Callable[[int], bytes]) -> Minted:
        kind = random_bytes(1)[0] % 16
        return mint(now // 3600 * 3600, lambda count: bytes([kind] * count))

    patch.setattr(session_ids, "mint", minted)


def never_expired(patch: pytest.MonkeyPatch) -> None:
    """Let nobody judge expiry on reading."""
    is_live = opening.is_live
    patch.setattr(opening, "is_live", lambda view, _now: is_live(view, 0))


CASES: dict[str, Case] = {
    "an answer before the commit": Case(AnsweredFirst, "S1"),
    "a revoke that is cached for a second": Case(RevokeCached, "S2"),
    "a read of an old snapshot": Case(StaleRead, "S3"),
    "a revoke that one of two caches forgets": Case(FlickeringRevoke, "S3"),
    "claims merged into what was read earlier": Case(LostUpdate, "S4"),
    "a prolongation that is not written": Case(ExpiryForgotten, "S4"),
    "a token that works once taken again": Case(ReplayTaken, "S5"),
    "session tokens that collide": Case(NumberTaken, "S6", few_numbers),
    "a revoke that lands long after it failed": Case(LateWrite, "S7"),
    "a session committed before the mark of its token": Case(SessionBeforeMark, "S8"),
    "a session without an attest": Case(Nowhere, "S8"),
    "an expiry judged by a sweeper": Case(ExpiryBySweeper, "S9", never_expired),
}
"""What is wrong, by its name."""


def _is_access(write: store.UpdateSession) -> bool:
    """Whether nothing but the time of the last access changes."""
    return not any((write.expires_at, write.factors, write.custom_claims, write.token_hash))
