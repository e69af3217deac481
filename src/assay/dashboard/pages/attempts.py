"""Attempts: what became of every attest, found again, and followed as they happen."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from typing import cast, get_args

from assay import errors
from assay.dashboard import templating
from assay.dashboard.page import Answer, Page
from assay.dashboard.table import Row, get
from assay.model import NumberedAttempt, Outcome
from assay.stories import attempt_pages, attempt_search, attempt_series
from assay.stories.attempt_pages import AttemptFilter

MOST_LOOKS = 120
"""A list left alone looks for news this often, then waits for a click: else it would keep its session alive."""

COLUMNS = (
    "number",
    "time",
    "request_id",
    "profile_id",
    "outcome",
    "code",
    "reason",
    "step",
    "issuer",
    "subject",
    "token_id",
    "kid",
    "algorithm",
    "verified",
    "organization_id",
    "subject_id",
    "session_id",
    "milliseconds",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LOCAL_TIME = len("2026-05-28T20:26")

_HERE = "{project_slug}/{environment_slug}/attempts"


async def list_attempts(page: Page) -> Answer:
    """A page of attempts, newest first, and the filters."""
    faults, wanted = _filter(page)
    before, after = page.query.number("before"), page.query.number("after")
    window = await attempt_pages.window(page.ctx, page.environment_id, wanted, before=before, after=after)
    if after is not None and not window.has_newer:
        before = after = None
        window = await attempt_pages.window(page.ctx, page.environment_id, wanted)
    looks = page.query.number("looks") or 0
    is_newest = before is None and after is None
    return page.render(
        "attempts/list.html",
        status=400 if faults else 200,
        window=window,
        names=await attempt_series.profile_names(page.ctx, page.environment_id),
        faults=faults,
        is_newest=is_newest,
        is_live=is_newest and looks < MOST_LOOKS and not page.query.flag("paused"),
        looks=looks,
        given={name: value for name, value in page.query.given().items() if name in _FILTERS},
    )


async def show(page: Page) -> Answer:
    """One attempt with all that is known of it."""
    attempt = await require(page, page.parameters["attempt_number"])
    names = await attempt_series.profile_names(page.ctx, page.environment_id)
    return page.render(
        "attempts/show.html",
        number=attempt.number,
        attempt=attempt.attempt,
        remedy=attempt_pages.remedy(attempt.attempt),
        profile_name=names.get(attempt.attempt.profile_id),
    )


async def export(page: Page) -> Answer:
    """All attempts that the filters let through, as CSV."""
    faults, wanted = _filter(page)
    if faults:
        raise errors.BadRequest(" ".join(faults.values()))
    stamp = datetime.fromtimestamp(page.now, UTC).strftime("%Y-%m-%d")
    name = f"attempts-{page.environment.slug}-{stamp}.csv"
    found = attempt_pages.everything(page.ctx, page.environment_id, wanted)
    return page.download(name, "text/csv; charset=utf-8", _csv(found))


async def require(page: Page, number: str) -> NumberedAttempt:
    """The attempt of this number. Raises RouteNotFound."""
    is_number = number.isascii() and number.isdigit() and len(number) < 16  # noqa: PLR2004 - no number is longer
    found = await attempt_pages.one(page.ctx, page.environment_id, int(number)) if is_number else None
    if found is None:
        raise errors.RouteNotFound("There is no such attempt, or it is no longer kept.")
    return found


# ---------------------------------------------------------------- filters

_FILTERS = ("profile_id", "outcome", "code", "request_id", "since", "until")


def _filter(page: Page) -> tuple[dict[str, str], AttemptFilter]:
    """What is wrong with the filters, by field, and those that are right."""
    faults: dict[str, str] = {}
    outcome = page.query.text("outcome")
    if outcome and outcome not in get_args(Outcome):
        faults["outcome"] = "An outcome is granted or refused."
    wanted = AttemptFilter(
        profile_id=page.query.text("profile_id") or None,
        outcome=cast("Outcome", outcome) if outcome and not faults else None,
        code=page.query.text("code") or None,
        request_id=page.query.text("request_id") or None,
        since=_moment(page, "since", faults),
        until=_moment(page, "until", faults),
    )
    return faults, wanted


def _moment(page: Page, name: str, faults: dict[str, str]) -> int | None:
    """A time as the browser's field has it (UTC, to the minute), or RFC 3339."""
    text = page.query.text(name)
    if not text:
        return None
    if len(text) == _LOCAL_TIME:
        text += ":00Z"
    try:
        return attempt_search.moment(name, text)
    except errors.BadRequest:
        faults[name] = "This is no time. Write it like 2026-05-28T20:26."
        return None


# ---------------------------------------------------------------- CSV


async def _csv(batches: AsyncIterator[list[NumberedAttempt]]) -> AsyncIterator[bytes]:
    yield _lines([COLUMNS])
    async for batch in batches:
        yield _lines([_cells(each) for each in batch])


def _lines(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8", "replace")


def _cells(numbered: NumberedAttempt) -> tuple[object, ...]:
    attempt = numbered.attempt
    special = {
        "number": numbered.number,
        "time": templating.stamp(attempt.created_at),
        "step": attempt.details.get("step", ""),
        "verified": "yes" if attempt.verified else "no",
    }
    return tuple(special[name] if name in special else getattr(attempt, name) for name in COLUMNS)


def _harmless(cell: object) -> str:
    """Text that a spreadsheet would take for a formula gets an apostrophe: what tokens say is anybody's word."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text


PAGES: tuple[Row, ...] = (
    get(_HERE, list_attempts, "attempts"),
    get(f"{_HERE}.csv", export),
    get(f"{_HERE}/{{attempt_number}}", show, "attempts"),
)
