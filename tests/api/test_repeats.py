"""A request that says once more what was answered a moment ago gets the same answer, as long as that holds."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Self

import httpx
import msgspec
import pytest
from prometheus_client import generate_latest

from assay.api.application import Application
from assay.api.repeats import MOST, Repeats, is_short, key_of
from assay.observing.tracer import NoTracer
from assay.stories import members, projects, sessions
from assay.stories.context import Call
from assay.stories.granted import Look
from assay.stories.member_changes import MemberUpdate
from assay.stories.sessions import AuthenticateRequest, RevokeRequest
from tests.calls import OPERATOR
from tests.world import Tenant, World

B2B, CONSUMER = "/v1/b2b/sessions", "/v1/sessions"


class Again:
    """A session, and how often an authenticate of it was answered from what it had come to before."""

    def __init__(self, world: World, http: httpx.AsyncClient, path: str, login: dict[str, Any]) -> None:
        self.world = world
        self.http = http
        self.path = f"{path}/authenticate"
        self.token = str(login["session_token"])
        self.times = 0

    async def __call__(self, status: int = 200, headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        body = {"session_token": self.token} | more
        answer = await self.http.post(self.path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture(params=["b2b", "consumer"])
async def again(request: pytest.FixtureRequest, world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    is_b2b = request.param == "b2b"
    path, tenant = (B2B, world.b2b) if is_b2b else (CONSUMER, world.consumer)
    async with world.client(tenant) as http:
        body = world.attest_body() if is_b2b else world.consumer_attest_body()
        made = Again(world, http, path, (await http.post(f"{path}/attest", json=body)).json())
        count(made, monkeypatch)
        await made()
        yield made


@pytest.fixture
async def member(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    async with world.client(world.b2b) as http:
        made = Again(world, http, B2B, (await http.post(f"{B2B}/attest", json=world.attest_body())).json())
        count(made, monkeypatch)
        await made()
        yield made


def count(again: Again, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Repeats.written

    def counted(*arguments: Any) -> bytes:
        again.times += 1
        return written(*arguments)

    monkeypatch.setattr(Repeats, "written", counted)


def without_id(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "request_id"}


# ---------------------------------------------------------------- the same


async def test_it_gets_the_same_answer_under_an_id_of_its_own(again: Again) -> None:
    answers = [await again() for _ in range(4)]
    assert again.times == 4
    assert len({answer["request_id"] for answer in answers}) == 4
    assert all(without_id(answer) == without_id(answers[0]) for answer in answers)


async def test_the_answer_tells_of_the_access_of_now(again: Again) -> None:
    def accessed(answer: dict[str, Any]) -> str:
        return str((answer.get("member_session") or answer["session"])["last_accessed_at"])

    before = await again()
    again.world.clock.turn(7)
    after = await again()
    assert again.times == 2
    assert accessed(after) == accessed(before).replace(":40Z", ":47Z") != accessed(before)
    noted: list[Any] = []

    async def keep(write: Any) -> None:
        noted.append(write.accesses)

    await again.world.context.last_access.keep(keep)
    assert [set(accesses.values()) for accesses in noted] == [{int(again.world.clock.now)}]


async def test_it_is_logged_and_counted_like_any_other(again: Again) -> None:
    before = reused(again.world)
    answer = await again()
    first, second = again.world.log_lines()[-2:]
    assert again.times == 1
    assert second["request_id"] == answer["request_id"]
    assert second.keys() == first.keys()
    assert second["environment"] == first["environment"] != ""
    assert reused(again.world) == before + 1


class Spans(NoTracer):
    """A tracer that is on, and what its spans were told."""

    on = True

    def __init__(self) -> None:
        self.told: list[tuple[int, str]] = []

    def request(self, *_about: object) -> Any:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_fault: object) -> None:
        pass

    def answered(self, status: int, code: str, request_id: str, project_id: str) -> None:
        assert not code
        assert project_id.startswith("project-")
        self.told.append((status, request_id))


async def test_its_span_is_told_how_it_ended(again: Again) -> None:
    world, spans = again.world, Spans()
    world.app = Application(msgspec.structs.replace(world.context, tracer=spans))
    async with world.client() as http:
        assert again.http.auth is not None
        http.auth = again.http.auth
        answers = [(await http.post(again.path, json={"session_token": again.token})).json() for _ in range(3)]
    assert again.times == 2
    assert spans.told == [(200, answer["request_id"]) for answer in answers]


def reused(world: World) -> float:
    found = re.search(rb"\nassay_session_jwts_reused_total (.*)", generate_latest(world.context.meter.registry))
    assert found is not None
    return float(found[1])


# ---------------------------------------------------------------- not the same any more


async def revoke_session(again: Again) -> None:
    call = Call(caller=again.world.b2b.caller, request_id="")
    await sessions.revoke(again.world.context, call, RevokeRequest(session_token=again.token))


async def revoke_secret(again: Again) -> None:
    secret = again.world.b2b.caller.secret
    await projects.revoke_secret(again.world.context, secret.environment_id, secret.secret_id, by=OPERATOR)


async def end_session(again: Again) -> None:
    again.world.clock.turn(3601)


async def delete_member(again: Again) -> None:
    found = await again()
    call = Call(caller=again.world.b2b.caller, request_id="")
    request = members.MemberRef(
        organization_id=again.world.acme.organization_id, member_id=found["member"]["member_id"]
    )
    await members.delete(again.world.context, call, request)


REFUSED: dict[str, tuple[Callable[[Again], Awaitable[None]], int, str]] = {
    "a revoked session": (revoke_session, 404, "session_not_found"),
    "a revoked secret": (revoke_secret, 401, "unauthorized_credentials"),
    "a session that has ended": (end_session, 404, "session_not_found"),
    "a deleted member": (delete_member, 404, "session_not_found"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_it_is_refused_as_soon_as_it_would_be(member: Again, case: str) -> None:
    await member()
    change, status, code = REFUSED[case]
    await change(member)
    times = member.times
    assert (await member(status))["error_type"] == code
    assert member.times == times


async def test_a_changed_member_is_told(member: Again) -> None:
    found = await member()
    call = Call(caller=member.world.b2b.caller, request_id="")
    named = found["member"]
    request = MemberUpdate(organization_id=named["organization_id"], member_id=named["member_id"], name="Renamed")
    await members.update(member.world.context, call, request)
    assert (await member())["member"]["name"] == "Renamed"
    assert member.times == 1


async def test_after_thirty_seconds_another_jwt_is_signed(again: Again) -> None:
    before = await again()
    again.world.clock.turn(31)
    after = await again()
    assert after["session_jwt"] != before["session_jwt"]
    assert again.times == 1
    assert (await again())["session_jwt"] == after["session_jwt"]
    assert again.times == 2


# ---------------------------------------------------------------- another request


@pytest.mark.parametrize(
    "more",
    [{"session_duration_minutes": 60}, {"session_custom_claims": {"plan": "gold"}}, {"session_duration_minutes": None}],
    ids=["a length", "claims", "nothing, in other words"],
)
async def test_one_that_asks_for_more_is_judged_anew(again: Again, more: dict[str, Any]) -> None:
    for _ in range(3):
        await again(**more)
    asks = any(value is not None for value in more.values())
    assert again.times == (0 if asks else 2)


async def test_one_with_another_secret_of_the_environment_is_judged_anew(member: Again) -> None:
    world = member.world
    _, plain = await projects.create_secret(world.context, world.b2b.project_id, by=OPERATOR)
    await member()
    times = member.times
    other = Tenant(project_id=world.b2b.project_id, secret=plain, caller=world.b2b.caller)
    async with world.client(other) as http:
        answer = await http.post(member.path, json={"session_token": member.token})
    assert answer.status_code == 200
    assert member.times == times


async def test_one_in_the_name_of_a_member_is_judged_anew(member: Again) -> None:
    await member()
    refused = await member(400, headers={"X-Stytch-Member-Session": member.token})
    assert refused["error_type"] == "member_session_header_not_supported"
    assert member.times == 1


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({b"authorization": [b"Basic a", b"Basic a"]}, b"{}"),
        ({}, b"{}"),
        ({b"authorization": [b"Basic a"], b"x-stytch-member-session": [b"s"]}, b"{}"),
        ({b"authorization": [b"Basic a"], b"x-stytch-member-sessionjwt": [b"s"]}, b"{}"),
        ({b"authorization": [b"Basic a"]}, None),
    ],
    ids=["two credentials", "no credentials", "a member's session", "a member's JWT", "a body to wait for"],
)
def test_what_is_not_plain_has_no_key(headers: dict[bytes, list[bytes]], body: bytes | None) -> None:
    assert key_of(headers, body) is None


@pytest.mark.parametrize(("length", "short"), [(b"97", True), (b"999", True), (b"1000", False), (b"1048576", False)])
def test_a_long_body_is_not_looked_at_before_the_caller_is_known(length: bytes, short: bool) -> None:
    assert is_short({b"content-length": [length]}) == short
    assert not is_short({})


async def test_a_long_one_in_the_same_words_is_judged_anew(again: Again) -> None:
    for _ in range(3):
        await again(unknown="x" * 1_000)
    assert again.times == 0


def test_a_key_tells_requests_apart_and_holds_no_secret() -> None:
    keys = [
        key_of({b"authorization": [shown]}, body)
        for shown, body in [(b"Basic a", b"{}"), (b"Basic b", b"{}"), (b"Basic a", b"[]"), (b"Basic", b"a\n{}")]
    ]
    assert len(set(keys)) == 4
    assert all(key is not None and len(key) == 32 and b"Basic" not in key for key in keys)


# ---------------------------------------------------------------- what is kept


async def test_there_are_never_more_than_were_allowed(member: Again) -> None:
    look: Look = next(iter(member.world.context.looks.values()))
    kept = Repeats(lambda *_: pytest.fail("nothing is rendered"), most=3)
    call = Call(caller=look.caller, request_id="")
    request = AuthenticateRequest(session_token=look.granted.session_token)
    for number in range(8):
        kept.keep(member.world.context, b"%d" % number, call, request, look.granted)
        assert sum(kept.find(b"%d" % each) is not None for each in range(8)) <= 3
        assert kept.find(b"%d" % number) is not None
    assert MOST >= 1_000


async def test_what_another_caller_looked_at_is_not_kept(member: Again) -> None:
    look: Look = next(iter(member.world.context.looks.values()))
    kept = Repeats(lambda *_: pytest.fail("nothing is rendered"))
    call = Call(caller=msgspec.structs.replace(look.caller), request_id="")
    request = AuthenticateRequest(session_token=look.granted.session_token)
    kept.keep(member.world.context, b"key", call, request, look.granted)
    assert kept.find(b"key") is None


async def test_no_claim_of_a_caller_is_taken_for_the_id_or_the_time(member: Again) -> None:
    """Claims that hold what the answer's own fields hold come back as they were."""
    claims = {"request_id": "request-id-test-x", "last_accessed_at": "2026-01-01T00:00:00Z"}
    await member(session_custom_claims=claims)
    answers = [await member() for _ in range(3)]
    assert member.times >= 1
    assert all(answer["member_session"]["custom_claims"] == claims for answer in answers)
