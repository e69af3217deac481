"""Attempts as pages: listed, found, followed, opened, exported; and what the overview makes of them."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest

from assay.dashboard.pages.attempts import COLUMNS, MOST_LOOKS
from assay.store import RecordAttempt
from assay.stories import profiles
from assay.stories.attempt_pages import PAGE
from tests import records
from tests.calls import OPERATOR
from tests.dashboard.browsing import Visitor, signed_in, text_of
from tests.world import NOW, PROFILE_ID, World

_LINK = re.compile(r'/attempts/(\d+)"')
_SECONDS_AGO = 7_200


async def record(world: World, **members: Any) -> None:
    """An attempt of the B2B project, now unless told."""
    given = {"created_at": int(world.clock.now), "profile_id": PROFILE_ID} | members
    await world.context.store.write(RecordAttempt(attempt=records.attempt(world.b2b.project_id, **given)))


async def numbers(visitor: Visitor, **arguments: Any) -> list[int]:
    """The attempts of a page of the list, from top to bottom."""
    page = await visitor.get(f"{visitor.place}/attempts", **arguments)
    assert page.status_code == 200, page.text
    return [int(number) for number in _LINK.findall(page.text)]


async def test_an_attest_appears_in_the_list_with_its_reason(world: World) -> None:
    visitor = await signed_in(world, "viewer")
    async with world.client(world.b2b) as client:
        await client.post("/v1/b2b/sessions/attest", json=world.attest_body())
        await client.post("/v1/b2b/sessions/attest", json=world.attest_body(token=world.token(aud="another")))
    said = text_of(await visitor.get(f"{visitor.place}/attempts"))
    assert "granted" in said
    assert "aud must contain" in said
    assert "jwt_invalid_audience" in said


FILTERS: dict[str, dict[str, Any]] = {
    "profile": {"profile_id": "partner"},
    "outcome": {"outcome": "granted"},
    "reason code": {"code": "odd_code"},
    "request id": {"request_id": "request-id-test-odd"},
}


@pytest.mark.parametrize("given", FILTERS.values(), ids=FILTERS)
async def test_a_filter_leaves_what_matches(world: World, given: dict[str, Any]) -> None:
    await record(world, outcome="refused", code="usual")
    await record(world, **({"outcome": "refused", "code": "usual"} | given))
    visitor = await signed_in(world, "viewer")
    assert await numbers(visitor) == [2, 1]
    assert await numbers(visitor, **given) == [2]


async def test_a_time_is_taken_as_the_browser_writes_it_and_as_rfc_3339(world: World) -> None:
    await record(world, created_at=NOW - _SECONDS_AGO)
    await record(world)
    visitor = await signed_in(world, "viewer")
    assert await numbers(visitor, since="2026-05-28T19:26") == [2]
    assert await numbers(visitor, until="2026-05-28T19:26:40Z") == [1]


@pytest.mark.parametrize("given", [{"since": "yesterday"}, {"outcome": "maybe"}], ids=["time", "outcome"])
async def test_a_filter_that_means_nothing_is_said_so(world: World, given: dict[str, str]) -> None:
    visitor = await signed_in(world, "viewer")
    page = await visitor.get(f"{visitor.place}/attempts", **given)
    assert page.status_code == 400
    assert 'class="fault"' in page.text
    assert (await visitor.get(f"{visitor.place}/attempts.csv", **given)).status_code == 400


async def test_pages_lead_to_older_and_newer_ones_and_none_is_left_out(world: World) -> None:
    for _ in range(2 * PAGE + 3):
        await record(world)
    visitor = await signed_in(world, "viewer")
    first = await numbers(visitor)
    second = await numbers(visitor, before=first[-1])
    third = await numbers(visitor, before=second[-1])
    assert first + second + third == list(range(2 * PAGE + 3, 0, -1))
    assert await numbers(visitor, after=third[0]) == second
    assert await numbers(visitor, after=first[1]) == first


async def test_the_newest_page_looks_for_news_until_it_is_paused_or_left_alone(world: World) -> None:
    for _ in range(PAGE + 1):
        await record(world)
    visitor = await signed_in(world, "viewer")

    async def is_live(**arguments: Any) -> bool:
        return "hx-trigger" in (await visitor.get(f"{visitor.place}/attempts", **arguments)).text

    assert await is_live()
    assert await is_live(looks=MOST_LOOKS - 1)
    assert not await is_live(looks=MOST_LOOKS)
    assert not await is_live(paused="yes")
    assert not await is_live(before=PAGE)


async def test_each_look_for_news_counts(world: World) -> None:
    visitor = await signed_in(world, "viewer")
    page = await visitor.get(f"{visitor.place}/attempts", looks=7)
    assert "looks=8" in page.text


async def test_an_attempt_tells_all_that_is_known_of_it_and_what_to_do(world: World) -> None:
    async with world.client(world.b2b) as client:
        answer = await client.post("/v1/b2b/sessions/attest", json=world.attest_body(token=world.token(aud="another")))
    visitor = await signed_in(world, "viewer")
    page = await visitor.get(f"{visitor.place}/attempts/1")
    said = text_of(page)
    for told in (answer.json()["request_id"], "the step “audience”", "What to do:", world.issuer.url, "RS256"):
        assert told in said
    assert f"{visitor.place}/try?attempt=1" in page.text


@pytest.mark.parametrize("number", ["2", "0", "-1", "one", "9" * 30])
async def test_an_attempt_that_is_not_there_is_not_found(world: World, number: str) -> None:
    await record(world)
    visitor = await signed_in(world, "viewer")
    assert (await visitor.get(f"{visitor.place}/attempts/{number}")).status_code == 404


async def test_the_attempts_of_another_environment_stay_there(world: World) -> None:
    await record(world, reason="only-here")
    visitor = await signed_in(world, "viewer")
    for path in ("attempts", "attempts.csv", "overview"):
        page = await visitor.get(f"{visitor.consumer_place}/{path}")
        assert page.status_code == 200
        assert "only-here" not in page.text
    assert (await visitor.get(f"{visitor.consumer_place}/attempts/1")).status_code == 404


async def exported(visitor: Visitor, **arguments: Any) -> list[dict[str, str]]:
    answer = await visitor.get(f"{visitor.place}/attempts.csv", **arguments)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment;")
    return list(csv.DictReader(io.StringIO(answer.text)))


async def test_the_export_holds_every_attempt_that_the_filters_let_through(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.stories.attempt_pages._AT_ONCE", 2)
    for number in range(5):
        await record(world, request_id=f"request-id-test-{number}", outcome="refused")
    await record(world, outcome="granted")
    rows = await exported(await signed_in(world, "viewer"), outcome="refused")
    assert [row["request_id"] for row in rows] == [f"request-id-test-{number}" for number in (4, 3, 2, 1, 0)]
    assert tuple(rows[0]) == COLUMNS


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"], ids=repr)
async def test_no_cell_of_the_export_is_a_formula(world: World, text: str) -> None:
    await record(world, subject=text, reason="a=b", token_id='quote " and, comma')
    [row] = await exported(await signed_in(world, "viewer"))
    assert row["subject"] == f"'{text}"
    assert row["reason"] == "a=b"
    assert row["token_id"] == 'quote " and, comma'


async def test_texts_of_tokens_are_shown_as_text(world: World) -> None:
    hostile = "<script>alert(1)</script>"
    told = dict.fromkeys(("reason", "issuer", "subject", "kid", "token_id", "profile_id"), hostile)
    await record(world, **told, details={hostile: hostile}, kept_claims={hostile: [hostile]}, milliseconds=3)
    visitor = await signed_in(world, "viewer")
    for path in ("attempts", "attempts/1", "try?attempt=1", "overview"):
        page = await visitor.client.get(f"/dashboard/{visitor.place}/{path}")
        assert page.status_code == 200
        assert hostile not in page.text


async def test_the_overview_counts_and_draws_the_last_hour_and_the_last_day(world: World) -> None:
    await record(world, outcome="granted", milliseconds=4)
    await record(world, outcome="refused", milliseconds=40)
    await record(world, outcome="granted", milliseconds=400, created_at=NOW - _SECONDS_AGO)
    visitor = await signed_in(world, "viewer")
    hour = text_of(await visitor.get(f"{visitor.place}/overview"))
    day = text_of(await visitor.get(f"{visitor.place}/overview", period="day"))
    assert "Attests 2 Granted 1 Refused 1" in hour
    assert "Attests 3 Granted 2 Refused 1" in day
    assert "half within 4 ms, 95 % within 40 ms" in hour
    assert "half within 40 ms, 95 % within 400 ms" in day


async def test_a_chart_has_a_title_a_description_and_a_table(world: World) -> None:
    await record(world, milliseconds=4)
    visitor = await signed_in(world, "viewer")
    page = (await visitor.get(f"{visitor.place}/overview")).text
    for name in ("outcomes", "profiles", "durations"):
        assert f'<title id="{name}-title">' in page
        assert f'<desc id="{name}-text">' in page
    assert page.count("As a table") == 3
    assert "20:26" in page


async def test_an_overview_without_profiles_says_how_to_begin(world: World) -> None:
    await profiles.delete_profile(world.context, world.b2b.project_id, PROFILE_ID, by=OPERATOR)
    visitor = await signed_in(world, "viewer")
    assert "Begin with a profile" in text_of(await visitor.get(f"{visitor.place}/overview"))
