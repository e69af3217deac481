"""Explain and attest never disagree: in every test that attests in this process, explain is asked first.

It is handed a store that cannot be written to, so that it also shows that nothing is written. Attests that run at the
same time as others, or that had to decide again, are left alone: what they found was changed by somebody meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
import pytest

from assay import errors
from assay.store import Store, Write
from assay.stories import attest as attesting
from assay.stories.attest import Asked
from assay.stories.explain import Explanation, explain
from assay.stories.granted import Granted

# Nothing that a judgement could foresee: the store was away, or the caller's secret was revoked meanwhile.
UNFORESEEN = (errors.StoreUnavailable, errors.UnauthorizedCredentials)

Attest = Callable[[Asked], Awaitable[Granted]]


class ReadOnly:
    """A store without its writes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, write: Write) -> None:
        raise AssertionError(f"explain wrote a {type(write).__name__}")


class ExplainedFirst:
    """Stands in the place of attest, and compares. ``compared`` counts; while it is ``off`` it does nothing."""

    def __init__(self, attest: Attest) -> None:
        self._attest = attest
        self._begun = 0
        self._running = 0
        self._tries = 0
        self.compared = 0
        self.off = False

    async def __call__(self, asked: Asked) -> Granted:
        if self.off:
            return await self._attest(asked)
        self._begun += 1
        number, alone = self._begun, self._running == 0
        self._running += 1
        self._tries = 0
        try:
            foreseen = await foresee(asked)
            outcome = await self._outcome(asked)
        finally:
            self._running -= 1
        undisturbed = alone and number == self._begun and self._tries <= 1
        if undisturbed and foreseen is not None and not isinstance(outcome, UNFORESEEN):
            self.compared += 1
            compare(asked, foreseen, outcome)
        if isinstance(outcome, errors.Error):
            raise outcome
        return outcome

    def counting(self, once: Attest) -> Attest:
        """``once``, counted: more than one try says that the world changed in the middle."""

        async def counted(asked: Asked) -> Granted:
            self._tries += 1
            return await once(asked)

        return counted

    async def _outcome(self, asked: Asked) -> Granted | errors.Error:
        try:
            return await self._attest(asked)
        except errors.Error as refusal:
            return refusal


async def foresee(asked: Asked) -> Explanation | None:
    """What explain says to the same request; None while the store is away."""
    ctx = msgspec.structs.replace(asked.ctx, store=cast("Store", ReadOnly(asked.ctx.store)))
    try:
        return await explain(ctx, asked.call, asked.request)
    except errors.StoreUnavailable:
        return None


CLOCK_SECONDS = 30


def compare(asked: Asked, foreseen: Explanation, outcome: Granted | errors.Error) -> None:
    """Fail unless verdict, code, reason and step agree, or the people and the session do."""
    failed = [each for each in foreseen.steps if each.outcome == "failed"]
    if isinstance(outcome, errors.Error):
        assert foreseen.refusal is not None, f"explain grants what attest refuses: {outcome.code} {outcome.detail}"
        assert type(foreseen.refusal) is type(outcome)
        assert (foreseen.refusal.message, foreseen.refusal.detail) == (outcome.message, outcome.detail)
        assert [(each.step, each.reason) for each in failed] == [
            (asked.trail.seen.step, outcome.detail or outcome.message)
        ]
        return
    assert foreseen.refusal is None, f"explain refuses what attest grants: {foreseen.steps}"
    assert not failed
    _compare_whom(foreseen, outcome)


def _compare_whom(foreseen: Explanation, granted: Granted) -> None:
    person, organization, session = foreseen.person, foreseen.organization, foreseen.session
    assert person is not None
    assert session is not None
    subject_id = granted.person.member_id if hasattr(granted.person, "member_id") else granted.person.user_id
    assert person.id in {None, subject_id}
    assert (organization is None) == (granted.organization is None)
    if organization is not None and granted.organization is not None:
        assert organization.id in {None, granted.organization.organization_id}
    if granted.details is None:
        assert session.expires_at is None
        return
    details = granted.details
    assert session.session_id in {None, details.session_id}
    assert session.roles == details.roles
    # The attest comes after the explanation; where the clock is the real one, a second may turn between them.
    assert session.expires_at is not None
    assert 0 <= details.session.expires_at - session.expires_at <= CLOCK_SECONDS
    assert session.custom_claims == details.session.custom_claims


def install(patch: pytest.MonkeyPatch) -> ExplainedFirst:
    """Put it in the place of attest until ``patch`` is undone."""
    explained = ExplainedFirst(attesting._attest)
    patch.setattr(attesting, "_attest", explained)
    patch.setattr(attesting, "_attest_once", explained.counting(attesting._attest_once))
    return explained
