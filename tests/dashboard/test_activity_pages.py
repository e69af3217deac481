"""The activity: what happened, newest first, found by what is known of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from assay.model import Event
from assay.store import RecordEvents
from assay.stories import profiles, projects
from tests.calls import OPERATOR
from tests.dashboard.browsing import Visitor, signed_in, text_of
from tests.world import World

FAST_SECONDS = 0.1


@pytest_asyncio.fixture
async def owner(world: World) -> AsyncIterator[Visitor]:
    async with await signed_in(world, "owner") as visitor:
        yield visitor


async def happen(world: World, *actions: str, target: str = "t", actor: str = "tests") -> None:
    """One event for each action in the B2B project's TEST environment, in this order."""
    told = tuple(
        Event(environment_id=world.b2b.project_id, action=action, target=target, actor=actor, created_at=1)
        for action in actions
    )
    await world.context.store.write(RecordEvents(events=told))


def actions(page: str, *looked_for: str) -> list[str]:
    """Those of the actions that a page tells of, in its order; the filter's suggestions end in a dot."""
    return sorted((each for each in looked_for if f">{each}<" in page), key=lambda each: page.index(f">{each}<"))


async def test_events_are_shown_newest_first(owner: Visitor, world: World) -> None:
    await happen(world, "thing.one", "thing.two", "thing.three")
    page = (await owner.get(f"{owner.place}/activity")).text
    assert actions(page, "thing.one", "thing.two", "thing.three") == ["thing.three", "thing.two", "thing.one"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param({"action": "thing."}, {"thing.a", "thing.b"}, id="by the beginning of the action"),
        pytest.param({"action": "thing.b"}, {"thing.b"}, id="by the action"),
        pytest.param({"action": "%"}, set(), id="a percent sign is no pattern"),
        pytest.param({"target": "x"}, {"other.c"}, id="by the target"),
        pytest.param({"actor": "ada@example.com"}, {"thing.b"}, id="by the actor"),
        pytest.param({"actor": "ada@example.com", "target": "x"}, set(), id="by both"),
    ],
)
async def test_events_are_found_by_what_is_known_of_them(
    query: dict[str, str], found: set[str], owner: Visitor, world: World
) -> None:
    await happen(world, "thing.a")
    await happen(world, "thing.b", actor="ada@example.com")
    await happen(world, "other.c", target="x")
    page = (await owner.get(f"{owner.place}/activity", **query)).text
    assert set(actions(page, "thing.a", "thing.b", "other.c")) == found


async def test_pages_go_on_where_the_last_one_ended(owner: Visitor, world: World) -> None:
    await happen(world, *(f"thing.n{number}" for number in range(60)), target="many")
    first = await owner.get(f"{owner.place}/activity", target="many")
    assert actions(first.text, "thing.n59", "thing.n10", "thing.n9") == ["thing.n59", "thing.n10"]
    following = first.text.split("cursor=")[1].split('"')[0]
    second = await owner.get(f"{owner.place}/activity", target="many", cursor=following)
    assert actions(second.text, "thing.n10", "thing.n9", "thing.n0") == ["thing.n9", "thing.n0"]
    assert "cursor=" not in second.text.split("Next page")[0].rsplit("<main", 1)[1].replace("To the first page", "")


async def test_an_environment_shows_nothing_of_its_neighbours(owner: Visitor, world: World) -> None:
    await happen(world, "thing.ours")
    assert "thing.ours" not in (await owner.get(f"{owner.consumer_place}/activity")).text
    assert "thing.ours" in (await owner.get("activity")).text


async def test_what_operators_do_is_shown_with_their_names(owner: Visitor) -> None:
    await owner.post(f"{owner.place}/keys/secrets")
    page = text_of(await owner.get(f"{owner.place}/activity", action="secret.created"))
    assert "secret.created" in page
    assert "owner@example.com just now" in page
    assert "operator.joined" in text_of(await owner.get("activity"))


@pytest.mark.parametrize("role", ["editor", "viewer"])
async def test_the_activity_of_everything_is_for_owners_alone(role: str, world: World) -> None:
    async with await signed_in(world, "editor" if role == "editor" else "viewer") as visitor:
        assert (await visitor.get("activity")).status_code == 403
        assert (await visitor.get(f"{visitor.place}/activity")).status_code == 200
        assert "All activity" not in text_of(await visitor.get("projects"))


async def test_an_event_leads_to_what_it_is_about(owner: Visitor, world: World) -> None:
    page = (await owner.get(f"{owner.place}/activity", action="profile.")).text
    assert f'href="/dashboard/{owner.place}/profiles/idp"' in page
    await profiles.delete_profile(world.context, world.b2b.project_id, "idp", by=OPERATOR)
    gone = (await owner.get(f"{owner.place}/activity", action="profile.deleted")).text
    assert f'href="/dashboard/{owner.place}/profiles/idp"' not in gone


async def test_script_in_an_event_is_shown_as_text(owner: Visitor, world: World) -> None:
    await happen(world, "thing.a", target="<script>x</script>", actor='"><img src=x>')
    page = (await owner.get(f"{owner.place}/activity")).text
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "<img src=x>" not in page


async def test_pages_come_quickly_among_many_events(owner: Visitor, world: World) -> None:
    told = tuple(
        Event(
            environment_id=world.b2b.project_id, action="session.started", target=f"s{number}", actor="a", created_at=1
        )
        for number in range(20_000)
    )
    await world.context.store.write(RecordEvents(events=told))
    await projects.create_secret(world.context, world.b2b.project_id, by=OPERATOR)
    for query in ({}, {"action": "secret."}, {"target": "nowhere"}):
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            assert (await owner.get(f"{owner.place}/activity", **query)).status_code == 200
            seconds.append(time.perf_counter() - started)
        assert min(seconds) < FAST_SECONDS, query
