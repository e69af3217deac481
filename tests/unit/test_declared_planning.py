"""Plans: from what there is and what a file wants to the changes between, without a store."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from assay.key_sources import HmacSource, JwksSource, PemSource, ProjectSource
from assay.model import EnvironmentSettings, JwtTemplate, Profile, Project, RedirectUrl, RedirectUrlType
from assay.rules.permissions import Permission, Policy, Resource, Role, Scope
from assay.store import Configuration
from assay.stories.declared import planning
from assay.stories.declared.current import Current, CurrentEnvironment, CurrentProject, Holdings
from assay.stories.declared.planning import Options
from assay.stories.declared.planning_profiles import Known
from assay.stories.declared.showing import digest, entry
from assay.stories.declared.steps import Change, Plan, SetPolicy
from assay.stories.declared.wanted import (
    ProjectReference,
    SharedSecret,
    Wanted,
    WantedEnvironment,
    WantedProfile,
    WantedProject,
)
from tests import records

RECORDS = records.new_project("acme")
LIVE, TEST = RECORDS.environments
SECRET = b"s" * 32
JWKS = JwksSource(url="https://oidc.vercel.example/.well-known/jwks")
PEM = "-----BEGIN PUBLIC KEY-----\nA\n"


def login(login_url: RedirectUrl | None = None, *, default: bool = False) -> RedirectUrl:
    url = login_url.url if login_url else "https://a.example/"
    return RedirectUrl(url=url, valid_types=(RedirectUrlType(type="LOGIN", is_default=default),))


READ = (Permission("documents", ("read",)),)
DOCUMENTS = Resource("documents", "", ("read",))
EDITOR = Role("editor", "", READ)
SCOPE = Scope("read", "", READ)
POLICY = Policy((EDITOR,), (DOCUMENTS,), (SCOPE,))
TEMPLATE = JwtTemplate(template_type="SESSION", template_content="{}", custom_audience="")


def there(*profiles: Profile, project: Project = RECORDS.project, **configuration: Any) -> Current:
    test = CurrentEnvironment(TEST, Configuration(**configuration), profiles)
    return Current((CurrentProject(project, (CurrentEnvironment(LIVE, Configuration(), ()), test)),))


def wants(**fields: Any) -> Wanted:
    test = WantedEnvironment(**{"slug": "test", "kind": "test", "name": "Test", **fields})
    live = WantedEnvironment(slug="live", kind="live", name="Live")
    return Wanted((WantedProject(slug="acme", name="Acme", vertical="b2b", environments=(test, live)),))


def profile(**fields: Any) -> WantedProfile:
    stored = records.profile(TEST.environment_id)
    same = {name: getattr(stored, name) for name in WantedProfile.__struct_fields__ if hasattr(stored, name)}
    del same["public_key_type"]
    return WantedProfile(**same | {"sources": (JWKS,)} | fields)


KNOWN = Known(public_url="", same_secret=lambda _profile, secret: secret == SECRET)
HELD = {each.environment_id: Holdings(1, 2, 3, 4) for each in (LIVE, TEST)}


def plan(wanted: Wanted, current: Current, **options: bool) -> Plan:
    return planning.plan(wanted, current, Options(**options), KNOWN, HELD)


def told(found: Plan) -> list[str]:
    return [_line(change) for change in found.changes]


def _line(change: Change) -> str:
    fields = ", ".join(f"{field.name} {field.old} -> {field.new}" for field in change.fields)
    return f"{change.action} {entry(change)}: {fields}" if fields else f"{change.action} {entry(change)}"


HMAC = records.profile(TEST.environment_id, key_sources=(HmacSource(sealed_secret=b"x"),), jwks_url=None)
OLD = records.profile(TEST.environment_id)

PLANS = [
    pytest.param(wants(), there(), [], id="nothing differs"),
    pytest.param(
        Wanted((WantedProject(slug="new", name="N", vertical="b2b"),)),
        there(),
        ["create project new: name None -> N, vertical None -> b2b"],
        id="a new project beside one that stays",
    ),
    pytest.param(wants(name="T"), there(), ["change environment acme/test: name Test -> T"], id="another name"),
    pytest.param(
        wants(settings=EnvironmentSettings(user_lock_ttl=7)),
        there(),
        ["change environment acme/test: settings.user_lock_ttl 3600 -> 7"],
        id="another setting",
    ),
    pytest.param(
        wants(slug="b", settings=EnvironmentSettings(user_lock_ttl=7)),
        there(),
        ["create environment acme/b: type None -> test, name None -> Test, settings.user_lock_ttl None -> 7"],
        id="a new environment",
    ),
    pytest.param(wants(profiles=(profile(),)), there(OLD), [], id="the same profile"),
    pytest.param(
        wants(profiles=(profile(leeway_seconds=5, attribute_mapping={"email": 1}),)),
        there(records.profile(TEST.environment_id, attribute_mapping={"email": True})),
        [
            (
                "change profile acme/test/vercel_jwt: attribute_mapping {'email': True} -> {'email': 1},"
                " leeway_seconds 30 -> 5"
            )
        ],
        id="fields of a profile, in which true is not 1",
    ),
    pytest.param(
        wants(profiles=(profile(sources=(PemSource(public_keys=(PEM,)),)),)),
        there(OLD),
        [f"change profile acme/test/vercel_jwt: key_sources ['jwks url={JWKS.url}'] -> ['pem {digest(PEM)}']"],
        id="keys of another kind",
    ),
    pytest.param(
        wants(profiles=(profile(sources=(SharedSecret("S", SECRET),)),)), there(HMAC), [], id="the same secret"
    ),
    pytest.param(wants(profiles=(profile(sources=(SharedSecret("S", None),)),)), there(HMAC), [], id="no secret"),
    pytest.param(
        wants(profiles=(profile(sources=(SharedSecret("S", b"other"),)),)),
        there(HMAC),
        ["change profile acme/test/vercel_jwt: key_sources ['hmac'] -> ['hmac, its secret from S']"],
        id="another secret",
    ),
    pytest.param(
        wants(profiles=(profile(sources=(ProjectReference("acme", "live"),), issuer=None, audience=None),)),
        there(
            records.profile(
                TEST.environment_id,
                jwks_url=None,
                key_sources=(ProjectSource(project_id=LIVE.environment_id),),
                issuer=f"stytch.com/{LIVE.environment_id}",
                audience=LIVE.environment_id,
            )
        ),
        [],
        id="an environment by its slugs",
    ),
    pytest.param(
        wants(), there(OLD, policy=POLICY, redirect_urls=(login(),), jwt_templates=(TEMPLATE,)), [], id="stays"
    ),
    pytest.param(
        wants(roles=(EDITOR,), resources=(DOCUMENTS,), scopes=(SCOPE,)), there(policy=POLICY), [], id="the same policy"
    ),
    pytest.param(
        wants(roles=(Role("editor", "", (*READ, *READ)),)), there(policy=POLICY), [], id="a permission said twice"
    ),
    pytest.param(
        wants(roles=(Role("stytch_member", "", (Permission("stytch.self", ("*",)),)),)),
        there(),
        [],
        id="the usual permissions of a default role",
    ),
    pytest.param(
        wants(roles=(Role("stytch_member", "", READ),), resources=(DOCUMENTS,)),
        there(),
        [
            "create resource acme/test/documents: actions None -> ['read']",
            (
                "change role acme/test/stytch_member: permissions {'stytch.self': ['*']}"
                " -> {'stytch.self': ['*'], 'documents': ['read']}"
            ),
        ],
        id="a default role keeps what is not named",
    ),
    pytest.param(
        wants(redirect_urls=(login(default=True),)),
        there(redirect_urls=(login(),)),
        ["change redirect URL acme/test/https://a.example/: types ['LOGIN'] -> ['LOGIN (default)']"],
        id="a redirect URL becomes the default",
    ),
    pytest.param(
        wants(jwt_templates=(msgspec.structs.replace(TEMPLATE, custom_audience="api"),)),
        there(jwt_templates=(TEMPLATE,)),
        ["change JWT template acme/test/session: custom_audience  -> api"],
        id="a template's audience",
    ),
]


@pytest.mark.parametrize(("wanted", "current", "expected"), PLANS)
def test_a_plan_has_exactly_what_differs(wanted: Wanted, current: Current, expected: list[str]) -> None:
    found = plan(wanted, current)
    assert told(found) == expected
    assert found.refusals == ()


def test_pruning_deletes_what_is_not_named_and_nothing_else() -> None:
    full = there(OLD, policy=POLICY, redirect_urls=(login(),), jwt_templates=(TEMPLATE,))
    keeping = wants(resources=(DOCUMENTS,), jwt_templates=(TEMPLATE,))
    assert told(plan(keeping, full, prune=True)) == [
        "delete role acme/test/editor: permissions {'documents': ['read']} -> None",
        "delete scope acme/test/read: permissions {'documents': ['read']} -> None",
        "delete redirect URL acme/test/https://a.example/",
        "delete profile acme/test/vercel_jwt: name Vercel -> None, issuer https://oidc.vercel.example -> None",
    ]


def test_one_step_sets_the_policy_and_keeps_what_the_file_does_not_name() -> None:
    [step] = plan(wants(roles=(Role("viewer", "", READ),)), there(policy=POLICY)).steps
    assert isinstance(step, SetPolicy)
    assert [role.role_id for role in step.parts.custom_roles] == ["editor", "viewer"]
    assert (step.parts.custom_resources, step.parts.custom_scopes) == ((DOCUMENTS,), (SCOPE,))
    assert step.parts.default_roles() == {}


def test_live_environments_are_made_first_and_profiles_after_all_environments() -> None:
    found = plan(wants(profiles=(profile(),)), Current())
    assert [entry(change) for change in found.changes] == [
        "project acme",
        "environment acme/live",
        "environment acme/test",
        "profile acme/test/vercel_jwt",
    ]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        pytest.param(wants(kind="live"), "projects.acme.environments.test: it is a test environment", id="type"),
        pytest.param(
            Wanted((WantedProject(slug="acme", name="Acme", vertical="consumer"),)),
            "it is a b2b project",
            id="vertical",
        ),
        pytest.param(wants(profiles=(profile(public_key_type="PEM"),)), "its public_key_type is JWK", id="key type"),
        pytest.param(
            wants(profiles=(profile(sources=(SharedSecret("S", None),)),)), "its secret is not there; S is", id="secret"
        ),
    ],
)
def test_what_never_changes_is_refused(wanted: Wanted, words: str) -> None:
    [refusal] = plan(wanted, there(OLD)).refusals
    assert words in refusal


def test_what_would_go_with_a_project_is_counted() -> None:
    held = "1 users, 2 organizations, 3 members, 4 live sessions"
    kept = plan(Wanted(), there(), prune=True)
    assert kept.steps == ()
    assert f"(with the environment live: {held}; with the environment test: {held})" in kept.notes[0]
    [change] = plan(Wanted(), there(), prune=True, delete_projects=True).changes
    assert (change.action, entry(change)) == ("delete", "project acme")
    assert change.notes == (f"with the environment live: {held}", f"with the environment test: {held}")


def test_without_prune_a_project_stays_and_nothing_is_said() -> None:
    assert plan(Wanted(), there(), delete_projects=True) == Plan()
