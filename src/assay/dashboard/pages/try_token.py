"""Try a token: what attest would answer to it, and why. Nothing is written, and the token is not kept.

The token comes in the body of a post and nowhere else. It is never shown again: not in the form that the answer has,
not in an address, not in a log.
"""

from __future__ import annotations

from typing import Any

from assay import errors
from assay.dashboard import call_code, proposals
from assay.dashboard.page import Answer, Page
from assay.dashboard.pages import attempts, profile_editing
from assay.dashboard.table import Row, get, post
from assay.model import Attempt
from assay.stories import attempt_series, explain, guessing, profiles
from assay.stories.attest import AttestRequest
from assay.stories.explain import Explanation

MOST_LISTED = 200
"""So many profiles fit into a list to choose from; of more the id is typed."""

_HERE = "{project_slug}/{environment_slug}/try"


async def ask(page: Page) -> Answer:
    """The form; ``profile_id`` or a past ``attempt`` say what is chosen in it."""
    number = page.query.text("attempt")
    attempt = (await attempts.require(page, number)).attempt if number else None
    chosen = {"profile_id": page.query.text("profile_id"), "organization_id": page.query.text("organization_id")}
    if attempt is not None:
        chosen = {"profile_id": attempt.profile_id, "organization_id": attempt.organization_id or ""}
    return await _form(page, chosen, attempt=attempt)


async def judge(page: Page) -> Answer:
    """Every step of the judgement, and what would come of it."""
    page.section = "try"
    chosen = {name: page.form.text(name) for name in ("profile_id", "organization_id", "session_duration_minutes")}
    token = page.form.text("token")
    faults = _faults(page, token)
    if faults:
        return await _form(page, chosen, faults=faults, status=400)
    request = AttestRequest(
        profile_id=chosen["profile_id"],
        token=token,
        organization_id=chosen["organization_id"] or None,
        session_duration_minutes=page.form.number("session_duration_minutes"),
    )
    found = await explain.operators_explain(page.ctx, page.by, page.environment_id, request)
    return await _form(
        page,
        chosen,
        found=found,
        mapping=await _mapping(page, found),
        failed=next((each.step for each in found.steps if each.outcome == "failed"), None),
        calls=call_code.calls(_base_url(page), page.environment, request),
        proposed=await _proposed_fields(page, token) if page.may("editor") else [],
    )


async def propose(page: Page) -> Answer:
    """The form of a new profile, filled from the token as far as it tells."""
    page.section = "try"
    token = page.form.text("token")
    try:
        proposal = await guessing.propose(token, page.environment.vertical, page.ctx.clock())
    except errors.InvalidTrustedAuthToken as fault:
        faults = {"token": f"This is no token that could be looked at: {fault.detail or fault.message}."}
        return await _form(page, {}, faults=faults, status=400)
    page.section = "profiles"
    return profile_editing.filled(page, proposals.request(proposal), proposals.notes(proposal))


# ---------------------------------------------------------------- the form


async def _form(
    page: Page,
    chosen: dict[str, str],
    *,
    attempt: Attempt | None = None,
    faults: dict[str, str] | None = None,
    found: Explanation | None = None,
    status: int = 200,
    **more: Any,  # noqa: ANN401 - what the template is given
) -> Answer:
    names = await attempt_series.profile_names(page.ctx, page.environment_id)
    values = {"mapping": {}, "failed": None, "calls": (), "proposed": []} | more
    listed = len(names) <= MOST_LISTED and chosen.get("profile_id", "") in {"", *names}
    return page.render(
        "try/form.html",
        status,
        chosen=chosen,
        names=names,
        is_listed=listed,
        attempt=attempt,
        faults=faults or {},
        found=found,
        **values,
    )


def _faults(page: Page, token: str) -> dict[str, str]:
    faults = {}
    if not token:
        faults["token"] = "Paste a token."  # noqa: S105 - a sentence
    if not page.form.text("profile_id"):
        faults["profile_id"] = "Choose the profile that shall judge the token."
    if page.form.text("session_duration_minutes") and page.form.number("session_duration_minutes") is None:
        faults["session_duration_minutes"] = "Minutes are a whole number."
    return faults


async def _mapping(page: Page, found: Explanation) -> dict[str, Any]:
    """Attribute → where the profile reads it; empty where there is no such profile."""
    try:
        report = await profiles.show_profile(page.ctx, page.environment_id, found.profile_id)
    except errors.TrustedTokenProfileNotFound:
        return {}
    return report.profile.attribute_mapping


def _base_url(page: Page) -> str:
    return (page.ctx.settings.public_url or page.origin).rstrip("/")


async def _proposed_fields(page: Page, token: str) -> list[tuple[str, str]]:
    """The form of a new profile for tokens like this one, without the token; empty where there can be none."""
    try:
        return proposals.fields(await guessing.propose(token, page.environment.vertical, page.ctx.clock()))
    except errors.InvalidTrustedAuthToken:
        return []


PAGES: tuple[Row, ...] = (
    get(_HERE, ask, "try"),
    # Judging writes nothing; who may look at attempts may look at this.
    post(_HERE, judge, role="viewer"),
    post(f"{_HERE}/profile", propose),
)
