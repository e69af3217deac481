"""The form of a profile: filled by hand, by a preset or from elsewhere, checked while typing, and saved."""

from __future__ import annotations

import re
from typing import Any

from assay import errors
from assay.dashboard import profile_faults, profile_form
from assay.dashboard.page import Answer, Page
from assay.dashboard.profile_form import MOST_ROWS, FormFaults, ProfileForm
from assay.dashboard.table import IN_ENVIRONMENT, Row, get, post
from assay.model import Profile
from assay.stories import presets, profiles
from assay.stories.profiles import ProfileCreate, ProfileReview

_HERE = f"{IN_ENVIRONMENT}profiles"
_NEW = "new-profile"
"""Not below ``profiles``: an operator may choose any word as the id of a profile (decisions D1), ``new`` too."""
_SETTING = "setting_"
_OK = 200
_NAMED_SETTING = re.compile(r"\bsetting (\w+)")


async def new(page: Page) -> Answer:
    """An empty form, or one that a link fills; with ``?preset=`` the settings of that preset stand above it."""
    form = profile_form.prefilled(page.query)
    return _render(page, form, preset=page.query.text("preset"))


async def save_new(page: Page) -> Answer:
    """Make the profile; or do what another button of the form says, and show it again."""
    form, what = profile_form.posted(page.form), page.form.text("do")
    if what == "preset":
        return _from_preset(page)
    if what != "save":
        return _render(page, _reshaped(form, what), added=what == "row")
    try:
        review = await profiles.review_new(page.ctx, page.environment_id, profile_form.create_request(form))
    except FormFaults as fault:
        return _render(page, form, 400, faults=fault.faults)
    if _is_refused(page, form, review):
        return _again(page, form, review)
    report = await profiles.create_profile(
        page.ctx, page.environment_id, profile_form.create_request(form), by=page.by, allow_problems=True
    )
    created = report.profile
    return page.redirect(page.within("profiles", created.profile_id), f"Created the profile “{created.name}”.")


async def edit(page: Page) -> Answer:
    """The form of a profile that is there, with its problems."""
    report = await profiles.show_profile(page.ctx, page.environment_id, page.parameters["profile_id"])
    return _render(page, profile_form.of_profile(report.profile), profile=report.profile, problems=report.problems)


async def save(page: Page) -> Answer:
    """Change the profile; or do what another button of the form says, and show it again."""
    form, what = profile_form.posted(page.form), page.form.text("do")
    profile = await profiles.require_profile(page.ctx, page.environment_id, page.parameters["profile_id"])
    if what != "save":
        return _render(page, _reshaped(form, what), profile=profile, added=what == "row")
    if form.revision != profile.revision:
        told = {"": "Somebody has changed this profile meanwhile. Open it again, so that their change is not lost."}
        return _render(page, form, 400, profile=profile, faults=told)
    try:
        change = profile_form.change_request(form, profile)
    except FormFaults as fault:
        return _render(page, form, 400, profile=profile, faults=fault.faults)
    review = await profiles.review_change(page.ctx, page.environment_id, profile.profile_id, change)
    if _is_refused(page, form, review):
        return _again(page, form, review, profile=profile)
    await profiles.update_profile(
        page.ctx, page.environment_id, profile.profile_id, change, by=page.by, allow_problems=True
    )
    return page.redirect(page.within("profiles", profile.profile_id), "Saved the profile.")


async def check_new(page: Page) -> Answer:
    """What would be said to this form if it were saved now; nothing is written."""
    form = profile_form.posted(page.form)
    try:
        review = await profiles.review_new(page.ctx, page.environment_id, profile_form.create_request(form))
    except FormFaults as fault:
        return _told(page, form, fault.faults, [])
    return _told(page, form, profile_faults.of_refusals(review.refusals, form), review.problems)


async def check_change(page: Page) -> Answer:
    """As :func:`check_new`, for a profile that is there."""
    form = profile_form.posted(page.form)
    profile = await profiles.require_profile(page.ctx, page.environment_id, page.parameters["profile_id"])
    try:
        change = profile_form.change_request(form, profile)
    except FormFaults as fault:
        return _told(page, form, fault.faults, [])
    review = await profiles.review_change(page.ctx, page.environment_id, profile.profile_id, change)
    return _told(page, form, profile_faults.of_refusals(review.refusals, form), review.problems)


def filled(page: Page, request: ProfileCreate, notes: tuple[str, ...] = ()) -> Answer:
    """The form of a new profile with all that is known of it, for pages that propose one. Nothing is stored."""
    return _render(page, profile_form.of_request(request), notes=notes)


# ---------------------------------------------------------------- presets


def _from_preset(page: Page) -> Answer:
    """The form as a preset fills it in, or the settings again with what is wrong about them."""
    preset = presets.show_preset(page.form.text("preset"))
    given = {name: page.form.text(f"{_SETTING}{name}") for name in preset.settings}
    settings = {name: text for name, text in given.items() if text}
    try:
        request = presets.profile_of(preset.name, settings, page.environment.vertical)
    except errors.InvalidPresetSettings as fault:
        named = _NAMED_SETTING.search(fault.message)
        name = named[1] if named and named[1] in given else ""
        # A secret is typed anew, so that it is in no page.
        shown = {each: "" if preset.settings[each].secret else text for each, text in given.items()}
        blank = profile_form.blank()
        return _render(page, blank, 400, preset=preset.name, settings=shown, setting_faults={name: fault.message})
    return filled(page, request, preset.notes)


def _preset_choices(page: Page) -> list[tuple[str, str]]:
    known = sorted(presets.list_presets(), key=lambda preset: preset.title.casefold())
    fitting = [(each.name, each.title) for each in known if page.environment.vertical in each.verticals]
    return [("", "None: I fill in everything"), *fitting]


# ---------------------------------------------------------------- the form as a page


def _is_refused(page: Page, form: ProfileForm, review: ProfileReview) -> bool:
    allowed = page.form.flag("allow_problems") or "enabled" not in form.flags
    return bool(review.refusals) or (bool(review.problems) and not allowed)


def _again(page: Page, form: ProfileForm, review: ProfileReview, profile: Profile | None = None) -> Answer:
    faults = profile_faults.of_refusals(review.refusals, form)
    return _render(page, form, 400, profile=profile, faults=faults, problems=review.problems)


def _told(page: Page, form: ProfileForm, faults: dict[str, str], problems: list[str]) -> Answer:
    shown = profile_faults.while_typing(profile_faults.of_problems(problems, form) | faults, form)
    return page.render("profiles/faults.html", faults=shown, problems=problems, fields=profile_faults.FIELDS)


def _reshaped(form: ProfileForm, what: str) -> ProfileForm:
    """The form with other fields for its keys; for every other button it stays as it is."""
    kind = what.removeprefix("keys-")
    if kind in profile_form.KEYS:
        form.keys = kind
    return form


def _render(page: Page, form: ProfileForm, status: int = _OK, **values: Any) -> Answer:  # noqa: ANN401 - what the template is given
    profile: Profile | None = values.get("profile")
    preset = values.pop("preset", "")
    known: dict[str, Any] = {
        "profile": None,
        "problems": [],
        "notes": (),
        "settings": {},
        "setting_faults": {},
        "added": False,
        "form": form,
        "attributes": profiles.attributes(page.environment.vertical),
        "preset_choices": _preset_choices(page),
        "preset": presets.show_preset(preset) if preset else None,
        "most_rows": MOST_ROWS,
        "algorithms": profiles.algorithms(),
        "check": page.within("profiles", profile.profile_id, "check") if profile else page.within(_NEW, "check"),
        "back": page.within("profiles", *((profile.profile_id,) if profile else ())),
        "action": page.within("profiles", profile.profile_id, "edit") if profile else page.within(_NEW),
    }
    known["refused"] = status != _OK and "setting_faults" not in values
    known["faults"] = profile_faults.of_problems(values.get("problems", ()), form) | values.pop("faults", {})
    return page.render("profiles/form.html", status, **(known | values))


PAGES: tuple[Row, ...] = (
    get(f"{IN_ENVIRONMENT}{_NEW}", new, "profiles", role="editor"),
    post(f"{IN_ENVIRONMENT}{_NEW}", save_new),
    post(f"{IN_ENVIRONMENT}{_NEW}/check", check_new),
    get(f"{_HERE}/{{profile_id}}/edit", edit, "profiles", role="editor"),
    post(f"{_HERE}/{{profile_id}}/edit", save),
    post(f"{_HERE}/{{profile_id}}/check", check_change),
)
"""The rows of this module, which ``profiles`` joins to its own."""
