"""Pages about sessions: finding, looking at and ending them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from assay.stories import attest, members
from assay.stories.attest import AttestRequest
from assay.stories.context import Call
from assay.stories.granted import Granted
from assay.stories.member_changes import MemberUpdate
from tests.dashboard.browsing import Visitor, signed_in, text_of
from tests.store.test_store_recent_sessions import COPIED, MANY
from tests.world import PROFILE_ID, Tenant, World


@pytest.fixture
async def editor(world: World) -> AsyncIterator[Visitor]:
    visitor = await signed_in(world, "editor")
    yield visitor
    await visitor.client.aclose()


async def came(world: World, name: str, *, tenant: Tenant | None = None, minutes: int = 60) -> Granted:
    """Somebody who signed in with a token."""
    chosen = tenant or world.b2b
    token = world.token(sub=f"idp|{name}", email=f"{name}@acme.example")
    is_b2b = chosen is world.b2b
    request = AttestRequest(
        profile_id=PROFILE_ID,
        token=token,
        organization_id=world.acme.organization_id if is_b2b else None,
        session_duration_minutes=minutes,
    )
    return await attest.attest(world.context, Call(caller=chosen.caller, request_id="request-id-test-1"), request)


def session_id(granted: Granted) -> str:
    assert granted.details is not None
    return granted.details.session_id


def person_id(granted: Granted) -> str:
    person: Any = granted.person
    found: str = getattr(person, "member_id", "") or person.user_id
    return found


async def is_live(world: World, granted: Granted) -> bool:
    """Whether the API still opens the session."""
    async with world.client(world.b2b) as client:
        answer = await client.post("/v1/b2b/sessions/authenticate", json={"session_token": granted.session_token})
    return answer.status_code == 200


def went_on(answer: httpx.Response) -> str:
    assert answer.status_code == 303, text_of(answer)
    return unquote(answer.headers["location"])


async def listed(visitor: Visitor, *granted: Granted, **arguments: str) -> list[bool]:
    """Which of these sessions the list shows."""
    page = await visitor.get(f"{visitor.place}/sessions", **arguments)
    assert page.status_code == 200
    return [session_id(each) in page.text for each in granted]


# ---------------------------------------------------------------- finding


async def test_the_newest_session_is_listed_first(world: World, editor: Visitor) -> None:
    first = await came(world, "ada")
    world.clock.turn(1)
    second = await came(world, "bea")
    page = await editor.get(f"{editor.place}/sessions")
    assert page.text.index(session_id(second)) < page.text.index(session_id(first))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"person": "ada@acme.example"}, [True, False]),
        ({"person": "idp|nobody"}, [False, False]),
        ({"person": "nobody@acme.example"}, [False, False]),
        ({"organization": "acme"}, [True, True]),
        ({"organization": "unknown"}, [False, False]),
        ({"profile": PROFILE_ID}, [True, True]),
        ({"profile": "another"}, [False, False]),
        ({"state": "live"}, [True, True]),
        ({"state": "ended"}, [False, False]),
        ({"session": "nonsense"}, [False, False]),
        ({"cursor": "9" * 19}, [True, True]),
        ({"cursor": "1"}, [False, False]),
    ],
    ids=str,
)
async def test_sessions_are_found_by_what_is_known_of_them(
    world: World, editor: Visitor, arguments: dict[str, str], expected: list[bool]
) -> None:
    ada, bea = await came(world, "ada"), await came(world, "bea")
    if arguments.get("organization") == "acme":
        arguments = {"organization": world.acme.slug}
    assert await listed(editor, ada, bea, **arguments) == expected


async def test_sessions_are_found_by_our_own_ids_and_by_external_ones(world: World, editor: Visitor) -> None:
    ada, bea = await came(world, "ada"), await came(world, "bea")
    call = Call(caller=world.b2b.caller, request_id="request-id-test-1")
    organization_id = world.acme.organization_id
    named = MemberUpdate(organization_id=organization_id, member_id=person_id(bea), external_id="staff|bea")
    await members.update(world.context, call, named)
    assert await listed(editor, ada, bea, person="staff|bea") == [False, True]
    assert await listed(editor, ada, bea, person="staff|bea", organization=organization_id) == [False, True]
    assert await listed(editor, ada, bea, person=person_id(ada)) == [True, False]
    assert await listed(editor, ada, bea, session=session_id(bea)) == [False, True]


async def test_users_of_a_consumer_project_are_found_too(world: World, editor: Visitor) -> None:
    linus = await came(world, "linus", tenant=world.consumer)
    for person in ("linus@acme.example", person_id(linus)):
        page = await editor.get(f"{editor.consumer_place}/sessions", person=person)
        assert session_id(linus) in page.text, person


async def test_an_expired_session_is_one_that_ended(world: World, editor: Visitor) -> None:
    ada = await came(world, "ada", minutes=5)
    world.clock.turn(5 * 60)
    assert await listed(editor, ada, state="ended") == [True]
    assert await listed(editor, ada, state="live") == [False]
    assert "Expired" in text_of(await editor.get(f"{editor.place}/sessions/{session_id(ada)}"))


def crowd(folder: Path, number: int) -> None:
    """A hundred thousand more sessions like the one with this number."""
    with closing(sqlite3.connect(next(folder.glob("*.db")))) as connection, connection:
        connection.execute(COPIED, {"many": MANY, "number": number})


async def test_a_list_among_a_hundred_thousand_sessions_begins_in_100_milliseconds(
    world: World, editor: Visitor, tmp_path: Path
) -> None:
    ada = await came(world, "ada")
    assert ada.details is not None
    crowd(tmp_path, ada.details.session.number)
    path = f"{editor.place}/sessions"
    await editor.get(path)  # templates are read once
    taken = []
    for arguments in ({}, {"state": "live"}, {"person": person_id(ada)}):
        began = time.perf_counter()
        page = await editor.get(path, **arguments)
        taken.append(time.perf_counter() - began)
        assert "50 sessions on this page" in text_of(page)
    # The machine may be busy with something else once; a list that reads the whole table is slow each time.
    assert sorted(taken)[1] < 0.1, taken


# ---------------------------------------------------------------- looking at one


async def test_a_session_is_shown_with_what_it_rests_on(world: World, editor: Visitor) -> None:
    ada = await came(world, "ada")
    assert ada.details is not None
    shown = text_of(await editor.get(f"{editor.place}/sessions/{session_id(ada)}"))
    for part in ("ada@acme.example", "Live", "stytch_member", ada.details.session.factors[0].token_id, world.acme.name):
        assert part in shown
    assert ada.session_token not in shown


async def test_a_session_that_is_not_there_is_not_found(world: World, editor: Visitor) -> None:
    ada = await came(world, "ada")
    wrong = session_id(ada)[:-1] + ("0" if session_id(ada)[-1] != "0" else "1")
    assert (await editor.get(f"{editor.place}/sessions/{wrong}")).status_code == 404
    assert (await editor.get(f"{editor.consumer_place}/sessions/{session_id(ada)}")).status_code == 400


# ---------------------------------------------------------------- ending


async def test_one_session_is_revoked_after_a_confirmation(world: World, editor: Visitor) -> None:
    ada, other = await came(world, "ada"), await came(world, "ada")
    path = f"{editor.place}/sessions/{session_id(ada)}"
    assert "Revoke this session?" in text_of(await editor.get(f"{path}/revoke"))
    assert await is_live(world, ada)
    assert went_on(await editor.post(f"{path}/revoke")) == f"/dashboard/{path}"
    assert [await is_live(world, each) for each in (ada, other)] == [False, True]
    assert "Revoked" in text_of(await editor.get(path))
    events = await world.context.store.events(world.b2b.project_id, 1)
    assert (events[0].action, events[0].actor) == ("session.revoked", "editor@example.com")


@pytest.mark.parametrize(
    ("scope", "expected"),
    [("member", [False, False, True]), ("organization", [False] * 3), ("profile", [False] * 3)],
)
async def test_all_sessions_of_something_are_revoked_after_a_confirmation(
    world: World, editor: Visitor, scope: str, expected: list[bool]
) -> None:
    granted = [await came(world, name) for name in ("ada", "ada", "bea")]
    targets = {
        "member": person_id(granted[0]),
        "organization": world.acme.organization_id,
        "profile": PROFILE_ID,
    }
    path = f"{editor.place}/sessions-revoke?{scope}={targets[scope]}"
    asked = await editor.get(path)
    assert f"{expected.count(False)} live sessions" in text_of(asked)
    assert f'action="/dashboard/{path}"' in asked.text
    assert went_on(await editor.post(path)) == f"/dashboard/{editor.place}/{scope}s/{targets[scope]}"
    assert [await is_live(world, each) for each in granted] == expected


async def test_all_sessions_of_a_user_are_revoked(world: World, editor: Visitor) -> None:
    linus = await came(world, "linus", tenant=world.consumer)
    path = f"{editor.consumer_place}/sessions-revoke?user={person_id(linus)}"
    assert "1 live session " in text_of(await editor.get(path))
    went_on(await editor.post(path))
    assert "Revoked" in text_of(await editor.get(f"{editor.consumer_place}/sessions/{session_id(linus)}"))


@pytest.mark.parametrize("query", ["", "?member=a&organization=b"], ids=["nobody", "two"])
async def test_whose_sessions_are_meant_has_to_be_said(editor: Visitor, query: str) -> None:
    path = f"{editor.place}/sessions-revoke{query}"
    assert (await editor.get(path)).status_code == 400
    assert (await editor.post(path)).status_code == 400


async def test_a_viewer_revokes_nothing(world: World) -> None:
    viewer = await signed_in(world, "viewer")
    ada = await came(world, "ada")
    path = f"{viewer.place}/sessions/{session_id(ada)}"
    shown = await viewer.get(path)
    assert shown.status_code == 200
    assert "/revoke" not in shown.text
    for there in (f"{path}/revoke", f"{viewer.place}/sessions-revoke?profile={PROFILE_ID}"):
        assert (await viewer.get(there)).status_code == 403
        assert (await viewer.post(there)).status_code == 403
    assert await is_live(world, ada)
    await viewer.client.aclose()
