"""Configuration as code on a real store: applied twice, changed, pruned, interrupted, exported."""

from __future__ import annotations

import re
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.model import Environment
from assay.stories import environments, profiles, rbac_policies, redirect_urls
from assay.stories.context import Context
from assay.stories.declared import applying
from assay.stories.declared.showing import entry
from assay.stories.profiles import ProfileUpdate
from tests.calls import OPERATOR
from tests.issuer import make_key
from tests.stories import declaring

SECRET = "a shared secret that is long enough for HS256 and HS384"
ENVIRON = {"SHOP": SECRET}
PEM = make_key("P-256").pem()
ACME = """
[projects.acme]
name = "Acme"
vertical = "b2b"

[projects.acme.environments.test]
type = "test"
name = "Test"
settings = { user_lock_threshold = 5 }

[projects.acme.environments.live]
type = "live"
name = "Live"
"""
PROFILES = """
[projects.acme.environments.test.profiles.shop]
name = "Shop"
issuer = "https://shop.example"
audience = "acme"
algorithms = ["HS256"]
key_sources = [{ kind = "hmac", secret_env = "SHOP" }]
attribute_mapping = { email = "email" }

[projects.acme.environments.test.profiles.legacy]
name = "Legacy"
issuer = "https://legacy.example"
audience = "acme"
pem_files = ["legacy.pem"]
attribute_mapping = { email = "email" }

[projects.acme.environments.test.profiles.live]
name = "Live"
key_sources = [{ kind = "project", project_slug = "acme", environment_slug = "live" }]
attribute_mapping = { external_member_id = "sub" }
"""
ENTRIES = """
[projects.acme.environments.test.resources.documents]
actions = ["read", "write"]

[projects.acme.environments.test.roles.editor]
permissions = { documents = ["write"] }

[projects.acme.environments.test.roles.stytch_member]
permissions = { documents = ["read"] }

[projects.acme.environments.test.scopes."read:documents"]
permissions = { documents = ["read"] }

[projects.acme.environments.test.redirect_urls."https://a.example/cb"]
types = ["LOGIN", "SIGNUP"]
default_for = ["LOGIN"]

[projects.acme.environments.test.redirect_urls."https://b.example/cb"]
types = ["LOGIN"]

[projects.acme.environments.test.jwt_templates.session]
template_content = '{"plan": "pro"}'
"""
ALL = ACME + PROFILES + ENTRIES
FILES = {"legacy.pem": PEM.encode()}


def acme(text: str = ALL, environ: dict[str, str] | None = None) -> Any:
    return declaring.wanted(text, FILES, ENVIRON if environ is None else environ)


@pytest.fixture
async def ctx(tmp_path: Path) -> AsyncIterator[Context]:
    async with declaring.opened(tmp_path) as opened:
        yield opened


@pytest.fixture
async def applied(ctx: Context) -> Context:
    """The world after ALL was applied."""
    assert (await declaring.apply(ctx, acme())).fault is None
    return ctx


async def the_test_environment(ctx: Context) -> Environment:
    return await environments.resolve(ctx, "acme", "test")


async def entries(ctx: Context, text: str = ALL, **options: Any) -> list[str]:
    """The changes of a plan, a line each."""
    plan = (await declaring.prepare(ctx, acme(text), **options)).plan
    return [f"{change.action} {entry(change)}" for change in plan.changes]


# ---------------------------------------------------------------- applying


async def test_a_second_run_changes_nothing_and_writes_no_event(applied: Context) -> None:
    before = await declaring.snapshot(applied)
    assert await entries(applied) == []
    assert (await declaring.apply(applied, acme())).done == ()
    assert await declaring.snapshot(applied) == before


async def test_a_rehearsal_leaves_nothing_behind(ctx: Context) -> None:
    before = await declaring.snapshot(ctx)
    assert len(await entries(ctx)) == 13
    assert await declaring.snapshot(ctx) == before


async def test_what_was_applied_is_there(applied: Context) -> None:
    environment = await the_test_environment(applied)
    live = await environments.resolve(applied, "acme", "live")
    assert (environment.name, environment.kind, environment.settings.user_lock_threshold) == ("Test", "test", 5)
    found = {each.profile_id: each for each in await applied.store.profiles(environment.environment_id)}
    assert found.keys() == {"shop", "legacy", "live"}
    assert [each.public_key for each in found["legacy"].pem_files] == [PEM]
    assert (found["legacy"].public_key_type, found["legacy"].key_sources) == ("PEM", ())
    assert (found["live"].issuer, found["live"].audience) == (
        f"stytch.com/{live.environment_id}",
        live.environment_id,
    )
    _, configuration = await applied.store.configuration(environment.environment_id)
    assert configuration.policy is not None
    assert configuration.policy.role_ids() == {"editor", "stytch_member"}
    defaults = {
        each.url: [use.type for use in each.valid_types if use.is_default] for each in configuration.redirect_urls
    }
    assert defaults == {"https://a.example/cb": ["LOGIN"], "https://b.example/cb": []}
    assert [each.template_type for each in configuration.jwt_templates] == ["SESSION"]


async def test_every_change_is_an_event_of_whoever_applied_it(applied: Context) -> None:
    actions = {each.action for each in await applied.store.events(None, 100)}
    assert {"project.created", "environment.created", "profile.created", "rbac_policy.updated"} <= actions
    assert {each.actor for each in await applied.store.events(None, 100)} == {OPERATOR.name}


CHANGES = [
    pytest.param('name = "Acme"', 'name = "New"', ["change project acme"], id="a project's name"),
    pytest.param('name = "Test"', 'name = "New"', ["change environment acme/test"], id="an environment's name"),
    pytest.param("threshold = 5", "threshold = 6", ["change environment acme/test"], id="a setting"),
    pytest.param("user_lock_threshold = 5", "", ["change environment acme/test"], id="a setting back to its default"),
    pytest.param('name = "Legacy"', 'name = "New"', ["change profile acme/test/legacy"], id="a profile's name"),
    pytest.param(
        'pem_files = ["legacy.pem"]', 'jwks_url = "https://l.example/"', ["change profile acme/test/legacy"], id="keys"
    ),
    pytest.param(
        '["HS256"]', '["HS256", "HS384"]', ["change profile acme/test/shop"], id="algorithms, with the secret"
    ),
    pytest.param('["write"]', '["read"]', ["change role acme/test/editor"], id="a role"),
    pytest.param('"read", "write"]', '"read", "write", "x"]', ["change resource acme/test/documents"], id="a resource"),
    pytest.param('default_for = ["LOGIN"]', "", ["change redirect URL acme/test/https://a.example/cb"], id="a default"),
    pytest.param('"pro"', '"free"', ["change JWT template acme/test/session"], id="a JWT template"),
]


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES)
async def test_what_differs_is_changed_and_nothing_else(
    applied: Context, old: str, new: str, expected: list[str]
) -> None:
    assert old in ALL
    text = ALL.replace(old, new, 1)
    assert await entries(applied, text) == expected
    assert (await declaring.apply(applied, acme(text))).fault is None
    assert await entries(applied, text) == []
    # What the file does not name is left alone.
    assert await entries(applied, ACME.replace(old, new, 1)) == []


async def test_a_default_that_moves_is_said_of_the_url_that_loses_it(applied: Context) -> None:
    moved = ALL.replace('default_for = ["LOGIN"]', "").replace(
        'types = ["LOGIN"]', 'types = ["LOGIN"]\ndefault_for = ["LOGIN"]'
    )
    only_b = re.sub(r"\[\S+a\.example/cb\"\]\ntypes.*\n", "", moved)
    plan = (await declaring.prepare(applied, acme(only_b))).plan
    assert [change.notes for change in plan.changes] == [("https://a.example/cb is the default no longer",)]
    assert (await declaring.apply(applied, acme(moved))).fault is None
    assert await entries(applied, moved) == []


# ---------------------------------------------------------------- shared secrets


async def test_another_secret_is_a_change_and_is_never_shown(applied: Context) -> None:
    other = "another shared secret that is as long as that"
    prepared = await declaring.prepare(applied, acme(environ={"SHOP": other}))
    assert [entry(change) for change in prepared.plan.changes] == ["profile acme/test/shop"]
    assert not any(text in repr(prepared) for text in (other, SECRET))
    assert (await declaring.apply(applied, acme(environ={"SHOP": other}))).fault is None
    assert (await declaring.prepare(applied, acme(environ={"SHOP": other}))).plan.steps == ()
    assert len((await declaring.prepare(applied, acme())).plan.steps) == 1


async def test_without_its_variable_a_stored_secret_stays(applied: Context) -> None:
    plan = (await declaring.prepare(applied, acme(environ={}))).plan
    assert plan.steps == ()
    assert "SHOP is missing or empty, so the stored secret stays" in plan.notes[0]


async def test_a_profile_cannot_be_made_without_its_secret(ctx: Context) -> None:
    before = await declaring.snapshot(ctx)
    with pytest.raises(errors.ConfigurationRefused, match="SHOP is missing or empty"):
        await declaring.apply(ctx, acme(environ={}))
    assert await declaring.snapshot(ctx) == before


# ---------------------------------------------------------------- refusals come before the first write

REFUSED = [
    pytest.param('vertical = "b2b"', 'vertical = "consumer"', "the vertical never changes", id="vertical"),
    pytest.param('type = "live"\n', 'type = "test"\n', "the type never changes", id="type"),
    pytest.param('name = "Acme"', 'name = ""', "project acme: ", id="a project's name"),
    pytest.param("threshold = 5", "threshold = -1", "user_lock_threshold is a number from 0", id="a setting"),
    pytest.param('["HS256"]', '["HS1"]', "profile acme/test/shop: algorithms must be", id="algorithms"),
    pytest.param('["HS256"]', '["HS512"]', "profile acme/test/shop: the secret", id="a secret that is too short"),
    pytest.param('email = "email" }', 'email = "/~email" }', "a JSON pointer", id="a mapping"),
    pytest.param(
        '"acme", environment_slug = "live"', '"acme", environment_slug = "x"', "no environment x", id="source"
    ),
    pytest.param('name = "Legacy"', 'name = "L"\npublic_key_type = "JWK"', "public_key_type is PEM", id="key type"),
    pytest.param('documents = ["write"]', 'documents = ["w"]', "there is no action 'w'", id="an action"),
    pytest.param("https://b.example/cb", "cb", "redirect URL acme/test/cb: ", id="a redirect URL"),
    pytest.param('\'{"plan": "pro"}\'', "'{'", "JWT template acme/test/session: ", id="a JWT template"),
    pytest.param("profiles.legacy]", 'profiles."a.b"]', "profile_id has 1 to 128", id="a profile id"),
]


@pytest.mark.parametrize(("old", "new", "words"), REFUSED)
async def test_what_cannot_be_done_is_refused_before_anything_is_changed(
    applied: Context, old: str, new: str, words: str
) -> None:
    before = await declaring.snapshot(applied)
    assert old in ALL
    text = ALL.replace(old, new, 1).replace('name = "Live"', 'name = "Would change"')
    with pytest.raises(errors.ConfigurationRefused, match=re.escape(words)):
        await declaring.apply(applied, acme(text))
    assert await declaring.snapshot(applied) == before


async def test_all_refusals_are_told_at_once(ctx: Context) -> None:
    text = ALL.replace('["HS256"]', '["HS1"]').replace("https://b.example/cb", "cb")
    with pytest.raises(errors.ConfigurationRefused) as caught:
        await declaring.apply(ctx, acme(text))
    assert len(caught.value.message.splitlines()) == 2


async def test_what_is_below_a_refused_entry_is_not_told_too(ctx: Context) -> None:
    with pytest.raises(errors.ConfigurationRefused) as caught:
        await declaring.apply(ctx, acme(ALL.replace('name = "Acme"', 'name = ""')))
    assert len(caught.value.message.splitlines()) == 1


async def test_a_test_environment_needs_a_live_one(ctx: Context) -> None:
    text = ACME.partition("[projects.acme.environments.live]")[0]
    with pytest.raises(errors.ConfigurationRefused, match="no LIVE environment"):
        await declaring.apply(ctx, acme(text))


async def test_problems_are_refused_unless_they_are_meant(ctx: Context) -> None:
    text = ALL.replace('pem_files = ["legacy.pem"]', 'jwks_url = "http://legacy.example/"')
    with pytest.raises(errors.ConfigurationRefused, match=r"profile acme/test/legacy: .*\n--allow-problems"):
        await declaring.apply(ctx, acme(text))
    prepared = await declaring.prepare(ctx, acme(text), allow_problems=True)
    assert "profile acme/test/legacy: " in prepared.problems[0]
    assert (await declaring.apply(ctx, acme(text), allow_problems=True)).fault is None
    # A profile that stays as it is stands in nobody's way.
    assert await entries(ctx, text.replace('name = "Shop"', 'name = "New"')) == ["change profile acme/test/shop"]


# ---------------------------------------------------------------- what the file does not name


async def test_without_prune_everything_stays(applied: Context) -> None:
    assert await entries(applied, ACME) == []


async def test_prune_deletes_what_the_environments_of_the_file_have_beyond_it(applied: Context) -> None:
    text = ALL.partition("[projects.acme.environments.test.profiles.legacy]")[0]
    assert sorted(await entries(applied, text, prune=True)) == [
        "change role acme/test/stytch_member",
        "delete JWT template acme/test/session",
        "delete profile acme/test/legacy",
        "delete profile acme/test/live",
        "delete redirect URL acme/test/https://a.example/cb",
        "delete redirect URL acme/test/https://b.example/cb",
        "delete resource acme/test/documents",
        "delete role acme/test/editor",
        "delete scope acme/test/read:documents",
    ]
    assert (await declaring.apply(applied, acme(text), prune=True)).fault is None
    assert await entries(applied, text, prune=True) == []
    environment = await the_test_environment(applied)
    assert [each.profile_id for each in await applied.store.profiles(environment.environment_id)] == ["shop"]
    assert environment.settings.user_lock_threshold == 5


async def test_environments_and_projects_stay_until_that_is_asked_for(applied: Context) -> None:
    other = '[projects.other]\nname = "Other"\nvertical = "consumer"\n'
    plan = (await declaring.prepare(applied, acme(other), prune=True)).plan
    assert [entry(change) for change in plan.changes] == ["project other"]
    assert "project acme is not in the file and stays (with the environment live: 0 users" in plan.notes[0]
    assert await entries(applied, other, prune=True, delete_projects=True) == [
        "create project other",
        "delete project acme",
    ]
    assert (await declaring.apply(applied, acme(other), prune=True, delete_projects=True)).fault is None
    assert [each.slug for each in await applied.store.projects()] == ["other"]


async def test_a_test_environment_is_deleted_and_a_live_one_never(applied: Context) -> None:
    project = '[projects.acme]\nname = "Acme"\nvertical = "b2b"\n'
    plan = (await declaring.prepare(applied, acme(project), prune=True, delete_projects=True)).plan
    assert [change.notes for change in plan.changes] == [("with 0 users, 0 organizations, 0 members, 0 live sessions",)]
    assert "live environment goes only with its project" in plan.notes[0]
    assert (await declaring.apply(applied, acme(project), prune=True, delete_projects=True)).fault is None
    [found] = await applied.store.projects()
    assert [each.slug for each in await applied.store.environments(found.project_id)] == ["live"]


# ---------------------------------------------------------------- somebody else changes it too


async def rename_profile(ctx: Context) -> None:
    environment = await the_test_environment(ctx)
    change = ProfileUpdate(name="Mine")
    await profiles.update_profile(ctx, environment.environment_id, "legacy", change, by=OPERATOR, allow_problems=False)


async def rename_environment(ctx: Context) -> None:
    request = environments.EnvironmentUpdate(project_slug="acme", environment_slug="test", name="Mine")
    await environments.update(ctx, OPERATOR, request)


async def reset_policy(ctx: Context) -> None:
    request = rbac_policies.PolicySet(project_slug="acme", environment_slug="test")
    await rbac_policies.set_policy(ctx, OPERATOR, request)


async def delete_redirect_url(ctx: Context) -> None:
    request = redirect_urls.RedirectUrlDelete(project_slug="acme", environment_slug="test", url="https://a.example/cb")
    await redirect_urls.delete_redirect_url(ctx, OPERATOR, request)


MEANWHILE = [
    pytest.param(rename_profile, 'name = "Legacy"', 'name = "New"', id="a profile"),
    pytest.param(rename_environment, "threshold = 5", "threshold = 6", id="an environment"),
    pytest.param(reset_policy, 'documents = ["write"]', 'documents = ["read"]', id="a policy"),
    pytest.param(delete_redirect_url, 'default_for = ["LOGIN"]', "", id="a redirect URL"),
]


@pytest.mark.parametrize(("other", "old", "new"), MEANWHILE)
async def test_an_entry_that_changed_after_the_plan_is_not_changed_by_it(
    applied: Context, other: Any, old: str, new: str
) -> None:
    text = ALL.replace(old, new, 1)
    plan = (await declaring.prepare(applied, acme(text))).plan
    await other(applied)
    before = await declaring.snapshot(applied)
    stopped = await applying.apply(applied, OPERATOR, plan)
    assert isinstance(stopped.fault, errors.ConfigurationChangedMeanwhile)
    assert (stopped.done, stopped.left) == ((), plan.steps)
    assert await declaring.snapshot(applied) == before
    assert (await declaring.apply(applied, acme(text))).fault is None
    assert await entries(applied, text) == []


async def test_a_stop_in_the_middle_says_what_was_done_and_the_next_run_does_the_rest(applied: Context) -> None:
    text = ALL.replace('name = "Acme"', 'name = "New"').replace('name = "Legacy"', 'name = "New"')
    text = text.replace('name = "Live"\nkey', 'name = "New"\nkey')
    plan = (await declaring.prepare(applied, acme(text))).plan
    await rename_profile(applied)
    stopped = await applying.apply(applied, OPERATOR, plan)
    done = [entry(change) for step in stopped.done for change in step.changes]
    left = [entry(change) for step in stopped.left for change in step.changes]
    assert done == ["project acme"]
    assert left == ["profile acme/test/legacy", "profile acme/test/live"]
    assert (await declaring.apply(applied, acme(text))).fault is None
    assert await entries(applied, text) == []


# ---------------------------------------------------------------- exporting


@pytest.mark.parametrize("beside", [False, True], ids=["in one file", "with files beside it"])
async def test_an_export_applied_to_the_same_store_changes_nothing(applied: Context, *, beside: bool) -> None:
    made = await declaring.export(applied, beside=beside)
    assert SECRET not in made.text
    assert (await declaring.prepare(applied, declaring.wanted(made.text, made.files), prune=True)).plan.steps == ()


async def test_an_export_shows_where_a_secret_must_come_from(applied: Context) -> None:
    made = await declaring.export(applied)
    assert '{ kind = "hmac", secret_env = "ASSAY_SECRET_ACME_TEST_SHOP" }' in made.text


async def test_keys_stand_in_files_of_their_own_when_there_is_a_place_for_them(applied: Context) -> None:
    made = await declaring.export(applied, beside=True)
    assert made.files == {"keys/acme-test-legacy-1.pem": PEM.encode()}
    assert 'pem_files = ["keys/acme-test-legacy-1.pem"]' in made.text


async def test_ids_of_this_database_stay_out_of_an_export(applied: Context) -> None:
    made = await declaring.export(applied)
    for slug in ("test", "live"):
        assert (await environments.resolve(applied, "acme", slug)).environment_id not in made.text


JUDGING = """enabled = false
max_age_seconds = 60
max_lifetime_seconds = 3600
require_exp = false
additional_audiences = ["b"]
single_audience = true
audience_claim = "azp"
issuer_check = "none"
typ = ["JWT"]
conditions = ['claims.tid == "t"']
replay = "token_id"
trust_email = false
organizations = ["acme"]
session_ends_with_token = true
rotate_session_token = true
kept_claims = ["tid"]
"""


async def test_what_a_file_says_of_judging_is_done_and_undone_when_it_says_it_no_more(applied: Context) -> None:
    environment_id = (await the_test_environment(applied)).environment_id
    usual = await profiles.require_profile(applied, environment_id, "shop")
    [change] = (await declaring.prepare(applied, acme(_judging()))).plan.changes
    assert {field.name for field in change.fields} == {line.split(" = ")[0] for line in JUDGING.splitlines()}
    assert (await declaring.apply(applied, acme(_judging()))).fault is None
    said = await profiles.require_profile(applied, environment_id, "shop")
    assert (said.max_age_seconds, said.typ, said.enabled) == (60, ("JWT",), False)
    exported = tomllib.loads((await declaring.export(applied)).text)["projects"]["acme"]["environments"]["test"]
    assert tomllib.loads(JUDGING).items() <= exported["profiles"]["shop"].items()
    assert (await declaring.apply(applied, acme())).fault is None
    back = await profiles.require_profile(applied, environment_id, "shop")
    sealed = back.key_sources  # anew whenever the secret is at hand
    assert back == msgspec.structs.replace(
        usual, revision=back.revision, updated_at=back.updated_at, key_sources=sealed
    )


def _judging() -> str:
    return ALL.replace('issuer = "https://shop.example"\n', f'issuer = "https://shop.example"\n{JUDGING}')


async def test_a_text_with_any_line_break_survives_in_a_list(applied: Context) -> None:
    texts = ["claims.a == 'x'\n|| claims.b", "claims.c\r\n", "claims.d // \x85 \u2028 \x0c"]
    environment_id = (await the_test_environment(applied)).environment_id
    change = ProfileUpdate(conditions=tuple(texts))
    await profiles.update_profile(applied, environment_id, "legacy", change, by=OPERATOR, allow_problems=True)
    made = await declaring.export(applied)
    again = declaring.wanted(made.text, made.files, ENVIRON)
    assert (await declaring.prepare(applied, again, allow_problems=True)).plan.steps == ()
