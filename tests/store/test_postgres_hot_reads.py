"""Look-ups of one tick together: what they share, what they must not share, and one that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.model import Session
from assay.store import Configuration, CreateMember, RevokeSession, Store
from assay.store.opening import open_store
from assay.store.postgres_hot_reads import Gathered
from tests import records
from tests.records import NOW
from tests.store.conftest import ON_POSTGRES, Tenant


class Server:
    """Answers statements when it is told to; a key's rows are what it holds for it at that time."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}
        self.asked: list[list[str]] = []
        self.fault: Exception | None = None
        self._may_answer = asyncio.Semaphore(0)

    def answer(self, times: int = 1) -> None:
        for _ in range(times):
            self._may_answer.release()

    async def run(self, _statement: object, arguments: list[str]) -> list[tuple[int, str]]:
        keys = [name for (name,) in msgspec.json.decode(arguments[0], type=list[tuple[str]])]
        self.asked.append(keys)
        found = [(place, self.rows[key]) for place, key in enumerate(keys, start=1) if key in self.rows]
        await self._may_answer.acquire()
        if self.fault is not None:
            raise self.fault
        if "bad" in keys:
            raise ValueError("bad")
        return found


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def reads(server: Server) -> Gathered[list[str]]:
    def answer(found: list[tuple[Any, ...]]) -> list[str]:
        if found == [("unreadable",)]:
            raise msgspec.ValidationError("unreadable")
        return [row[0] for row in found]

    reads: Any = server
    return Gathered(reads, "configurations", {"environment_id": str}, answer)


async def _ask(reads: Gathered[list[str]], *keys: str) -> list[asyncio.Task[list[str]]]:
    """Ask for these in one tick, and wait until they are asked of the server if it is free."""
    asked = [asyncio.create_task(reads.ask(key)) for key in keys]
    for _ in range(5):
        await asyncio.sleep(0)
    return asked


async def _told(asked: list[asyncio.Task[list[str]]]) -> list[object]:
    async with asyncio.timeout(5):
        return await asyncio.gather(*asked, return_exceptions=True)


# ---------------------------------------------------------------- ticks


async def test_those_of_a_tick_share_a_statement_and_those_of_one_key_its_answer(
    server: Server, reads: Gathered[list[str]]
) -> None:
    server.rows = {"a": "A", "b": "B"}
    asked = await _ask(reads, "a", "none", "b", "a")
    server.answer()
    told = await _told(asked)
    assert told == [["A"], [], ["B"], ["A"]]
    assert told[0] is told[3]
    assert server.asked == [["a", "none", "b"]]


async def test_who_asks_while_a_statement_is_on_its_way_sees_what_was_committed_before(
    server: Server, reads: Gathered[list[str]]
) -> None:
    """Its key is the same, and the answer to the statement before may be older than what it must see."""
    server.rows = {"a": "live"}
    early = await _ask(reads, "a")
    server.rows = {"a": "revoked"}
    late = await _ask(reads, "a", "b")
    assert server.asked == [["a"]]
    server.answer(2)
    assert await _told(early + late) == [["live"], ["revoked"], []]
    assert server.asked == [["a"], ["a", "b"]]


async def test_who_asks_in_the_moment_when_nobody_else_does_any_more_is_answered(
    server: Server, reads: Gathered[list[str]]
) -> None:
    server.answer(3)

    async def again_and_again() -> list[str]:
        for _ in range(2):
            await reads.ask("a")
        return await reads.ask("a")

    assert await _told([asyncio.create_task(again_and_again())]) == [[]]


# ---------------------------------------------------------------- failures


async def test_a_key_that_fails_fails_alone(server: Server, reads: Gathered[list[str]]) -> None:
    server.rows = {"a": "A", "b": "B"}
    asked = await _ask(reads, "a", "bad", "b")
    server.answer(4)
    a, bad, b = await _told(asked)
    assert (a, b) == (["A"], ["B"])
    assert isinstance(bad, ValueError)


async def test_a_row_that_cannot_be_read_fails_those_who_asked_for_it(
    server: Server, reads: Gathered[list[str]]
) -> None:
    server.rows = {"a": "A", "b": "unreadable"}
    asked = await _ask(reads, "a", "b")
    server.answer()
    a, b = await _told(asked)
    assert a == ["A"]
    assert isinstance(b, msgspec.ValidationError)


async def test_a_database_that_is_away_refuses_all_and_then_answers_again(
    server: Server, reads: Gathered[list[str]]
) -> None:
    server.fault = errors.StoreUnavailable(detail="away")
    asked = await _ask(reads, "a", "b")
    server.answer()
    assert all(isinstance(one, errors.StoreUnavailable) for one in await _told(asked))
    server.fault = None
    server.answer()
    assert await _told(await _ask(reads, "a")) == [[]]


async def test_one_who_is_cancelled_disturbs_nobody(server: Server, reads: Gathered[list[str]]) -> None:
    server.rows = {"a": "A"}
    asked = await _ask(reads, "a", "a", "b")
    asked[0].cancel()
    asked[2].cancel()
    server.answer()
    cancelled, told, _ = await _told(asked)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert told == ["A"]


# ---------------------------------------------------------------- in a database


@pytest.fixture(params=["", "?pgbouncer=1"], ids=["prepared", "behind a pooler"])
async def opened(request: pytest.FixtureRequest, address: str, store: Store) -> AsyncIterator[Store]:
    del store
    opened = await open_store(address + request.param)
    yield opened
    await opened.close()


@ON_POSTGRES
async def test_each_gets_what_it_asked_for(opened: Store, tenant: Tenant, neighbour: Tenant, session: Session) -> None:
    key, theirs = tenant.organization.organization_id, neighbour.organization.organization_id
    ada, bob = tenant.member, tenant.user
    asked = [
        opened.caller(tenant.id, neighbour.secret.secret_hash),
        opened.caller(neighbour.id, neighbour.secret.secret_hash),
        opened.secret_is_live(tenant.id, tenant.secret.secret_id),
        opened.secret_is_live(neighbour.id, tenant.secret.secret_id),
        opened.profile(tenant.id, "none"),
        opened.profile(neighbour.id, neighbour.profile.profile_id),
        opened.organization(tenant.id, theirs, by_slug=True),
        opened.organization(tenant.id, "umbrella", by_slug=False),
        opened.organization(tenant.id, "umbrella", by_slug=True),
        opened.organization(neighbour.id, "umbrella", by_slug=True),
        opened.organization(tenant.id, "customer-7", by_slug=False),
        opened.member_candidates(tenant.id, key, ada.external_id, ada.email),
        opened.member_candidates(tenant.id, key, None, ada.email),
        opened.member_candidates(tenant.id, theirs, ada.external_id, ada.email),
        opened.user_candidates(tenant.id, bob.external_id, "nobody@home.example"),
        opened.user_candidates(tenant.id, bob.external_id, bob.email),
        opened.session(neighbour.id, session.number),
        opened.session(tenant.id, session.number),
        opened.configuration("project-test-0"),
        opened.configuration(tenant.id),
    ]
    told: list[Any] = list(await asyncio.gather(*asked))
    assert told[0] is None
    assert told[1].secret == neighbour.secret
    assert told[2:6] == [True, False, None, neighbour.profile]
    assert told[6:8] == [None, None]
    assert told[8:11] == [tenant.organization, neighbour.organization, tenant.organization]
    assert told[11:14] == [(ada, ada), (None, ada), (None, None)]
    assert told[14:16] == [(bob, None), (bob, bob)]
    assert told[16] is None
    assert (told[17].session, told[17].member, told[17].organization) == (session, ada, tenant.organization)
    assert told[18:] == [(0, Configuration()), (1, Configuration())]


@ON_POSTGRES
async def test_a_key_that_no_column_can_hold_fails_alone(opened: Store, tenant: Tenant, session: Session) -> None:
    good, big, odd, nul = await asyncio.gather(
        opened.session(tenant.id, session.number),
        opened.session(tenant.id, 1 << 63),
        opened.organization(tenant.id, "half a pair \ud800", by_slug=True),
        opened.organization(tenant.id, "a\x00b", by_slug=True),
        return_exceptions=True,
    )
    assert not isinstance(good, BaseException)
    assert good is not None
    assert isinstance(big, ValueError)
    assert isinstance(odd, ValueError)
    assert nul is None


@ON_POSTGRES
async def test_a_revocation_is_seen_by_whoever_asks_after_it(opened: Store, tenant: Tenant, session: Session) -> None:
    early = [asyncio.create_task(opened.session(tenant.id, session.number)) for _ in range(20)]
    await opened.write(RevokeSession(environment_id=tenant.id, number=session.number, revoked_at=NOW))
    late = await asyncio.gather(*(opened.session(tenant.id, session.number) for _ in range(20)))
    assert {view.session.revoked_at for view in late if view is not None} == {NOW}
    await asyncio.gather(*early)


@ON_POSTGRES
async def test_members_who_differ_are_both_found(opened: Store, tenant: Tenant) -> None:
    other = records.member(tenant.organization, email="eve@acme.example")
    await opened.write(CreateMember(member=other))
    key = (tenant.id, tenant.organization.organization_id)
    assert await opened.member_candidates(*key, tenant.member.external_id, other.email) == (tenant.member, other)
