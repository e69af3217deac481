"""Trusted auth token profiles: whom the environment trusts."""

from __future__ import annotations

from assay.dashboard import bars, profile_form
from assay.dashboard.page import Answer, Page
from assay.dashboard.pages import profile_editing
from assay.dashboard.table import Row, get, post
from assay.model import Profile
from assay.stories import key_health, notices, profile_health, profiles
from assay.stories.key_health import ProfileKeys

_HERE = "{project_slug}/{environment_slug}/profiles"
_MOST_NOTICES = 10


async def list_profiles(page: Page) -> Answer:
    """Some profiles of the environment, each with its health at a glance."""
    found = await profile_health.page(
        page.ctx, page.environment_id, words=page.query.text("words"), cursor=page.query.text("cursor")
    )
    shown = [(each, bars.of(each.tally.granted, each.tally.refused)) for each in found.glances]
    return page.render("profiles/list.html", shown=shown, cursor=found.cursor)


async def show(page: Page) -> Answer:
    """One profile, what is wrong with it, and how its keys are doing."""
    keys = await key_health.profile_keys(page.ctx, page.environment_id, page.parameters["profile_id"], fetch=False)
    return await _shown(page, keys)


async def fetch(page: Page) -> Answer:
    """Fetch the keys now, past cache and cool-down, and show what came back."""
    keys = await key_health.profile_keys(page.ctx, page.environment_id, page.parameters["profile_id"], fetch=True)
    page.section = "profiles"
    return await _shown(page, keys, fetched=True)


async def _shown(page: Page, keys: ProfileKeys, *, fetched: bool = False) -> Answer:
    report = await profiles.show_profile(page.ctx, page.environment_id, keys.profile_id)
    tallied = await profile_health.tally(page.ctx, page.environment_id, (keys.profile_id,))
    tally = tallied[keys.profile_id]
    drift = await notices.profile_notices(page.ctx, page.environment_id, keys.profile_id)
    return page.render(
        "profiles/show.html",
        profile=report.profile,
        problems=report.problems,
        keys=keys,
        state=profile_health.state(keys.key_sets),
        documents=await profile_health.documents(page.ctx, page.environment_id, keys.profile_id),
        mapping=profile_form.of_profile(report.profile).rows,
        fetched=fetched,
        tally=tally,
        chart=bars.of(tally.granted, tally.refused),
        drift=drift.notices[:_MOST_NOTICES],
    )


async def ask_delete(page: Page) -> Answer:
    """What deleting would mean, and the form that does it."""
    report = await profiles.show_profile(page.ctx, page.environment_id, page.parameters["profile_id"])
    return await _delete_form(page, report.profile)


async def delete(page: Page) -> Answer:
    """Delete the profile, if its name was typed."""
    report = await profiles.show_profile(page.ctx, page.environment_id, page.parameters["profile_id"])
    if page.form.text("name") != report.profile.name.strip():
        return await _delete_form(page, report.profile, fault="This is not the name of the profile.", status=400)
    await profiles.delete_profile(page.ctx, page.environment_id, report.profile.profile_id, by=page.by)
    return page.redirect(page.within("profiles"), f"Deleted the profile “{report.profile.name}”.")


async def _delete_form(page: Page, profile: Profile, *, fault: str = "", status: int = 200) -> Answer:
    alive = await profiles.live_sessions(page.ctx, page.environment_id, profile.profile_id)
    return page.render("profiles/delete.html", status, profile=profile, alive=alive, fault=fault)


PAGES: tuple[Row, ...] = (
    get(_HERE, list_profiles, "profiles"),
    *profile_editing.PAGES,
    get(f"{_HERE}/{{profile_id}}", show, "profiles"),
    post(f"{_HERE}/{{profile_id}}/keys", fetch),
    get(f"{_HERE}/{{profile_id}}/delete", ask_delete, "profiles", role="editor"),
    post(f"{_HERE}/{{profile_id}}/delete", delete),
)
