"""What configures an environment: name and settings, policy, JWT templates, redirect URLs; one revision for all."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from assay.model import Environment, EnvironmentSettings, JwtTemplate, RedirectUrl, RedirectUrlType, SigningKey
from assay.rules.permissions import DEFAULT_POLICY, Permission, Policy, Resource, Role, Scope
from assay.store import (
    Configuration,
    ConfigureEnvironment,
    Conflict,
    CreateSigningKeys,
    RotateSigningKeys,
    Stale,
    Store,
)
from tests import records
from tests.store.conftest import Tenant

POLICY = Policy(
    roles=(*DEFAULT_POLICY["b2b"].roles, Role("editor", 'Says "é" and \\', (Permission("documents", ("read", "*")),))),
    resources=(Resource("documents", "", ("read", "write")),),
    scopes=(Scope("read:documents", "May read.", (Permission("documents", ("read",)),)),),
)
TEMPLATES = (
    JwtTemplate(template_type="M2M", template_content="{}", custom_audience=""),
    JwtTemplate(template_type="SESSION", template_content='{"a":\t{{ user.user_id }}}\n', custom_audience="é"),
)
URLS = (
    RedirectUrl(url="https://b.example/?x=1&y=é", valid_types=(RedirectUrlType(type="LOGIN", is_default=True),)),
    RedirectUrl(
        url="https://a.example",
        valid_types=(
            RedirectUrlType(type="SIGNUP", is_default=False),
            RedirectUrlType(type="LOGIN", is_default=False),
        ),
    ),
)
EVERYTHING = Configuration(policy=POLICY, jwt_templates=TEMPLATES, redirect_urls=URLS)


def configure(environment: Environment) -> ConfigureEnvironment:
    return ConfigureEnvironment(environment=environment, policy=POLICY, jwt_templates=TEMPLATES, redirect_urls=URLS)


async def test_keys_that_come_with_a_setting_take_the_place_of_those_there_are(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    old = records.signing_key(tenant.id), records.signing_key(tenant.id, state="next")
    theirs = records.signing_key(neighbour.id)
    for keys in (old, (theirs,)):
        await store.write(CreateSigningKeys(keys=keys))
    settings = EnvironmentSettings(session_jwt_algorithm="ES256")
    made = {"algorithm": "ES256", "created_at": records.NOW + 5}
    new = records.signing_key(tenant.id, **made), records.signing_key(tenant.id, state="next", **made)
    write = ConfigureEnvironment(environment=replace(tenant.environment, settings=settings), signing_keys=new)
    await store.write(write)
    retired = [replace(key, state="retired", retired_at=records.NOW + 5) for key in old]
    found = await store.signing_keys(tenant.id)
    assert sorted(found, key=lambda key: key.kid) == sorted([*retired, *new], key=lambda key: key.kid)
    caller = await store.caller(tenant.id, tenant.secret.secret_hash)
    assert caller is not None
    assert (caller.environment.settings, caller.signing_kid) == (settings, new[0].kid)
    assert await store.signing_keys(neighbour.id) == [theirs]
    with pytest.raises(Stale):
        await store.write(write)
    assert await store.signing_keys(tenant.id) == found


async def test_a_change_of_algorithm_beats_keys_and_rotations_decided_before_it(store: Store, tenant: Tenant) -> None:
    """Else another worker's first keys, or its rotation, would bring the old algorithm back."""

    def pair(algorithm: str) -> tuple[SigningKey, SigningKey]:
        made = {"algorithm": algorithm}
        return records.signing_key(tenant.id, **made), records.signing_key(tenant.id, state="next", **made)

    before = pair("RS256")
    await store.write(ConfigureEnvironment(environment=tenant.environment, signing_keys=pair("ES256")))
    with pytest.raises(Conflict):
        await store.write(CreateSigningKeys(keys=before))
    upcoming = next(key for key in await store.signing_keys(tenant.id) if key.state == "next")
    environment = replace(tenant.environment, revision=2)
    await store.write(ConfigureEnvironment(environment=environment, signing_keys=pair("EdDSA")))
    rotation = RotateSigningKeys(
        environment_id=tenant.id,
        promoted_kid=upcoming.kid,
        new_next=records.signing_key(tenant.id, state="next", algorithm="ES256"),
        rotated_at=records.NOW + 1,
    )
    with pytest.raises(Stale):
        await store.write(rotation)
    live = [key.algorithm for key in await store.signing_keys(tenant.id) if key.state != "retired"]
    assert live == ["EdDSA", "EdDSA"]


async def test_an_environment_begins_with_the_defaults(store: Store, tenant: Tenant) -> None:
    assert await store.configuration(tenant.id) == (1, Configuration())
    assert await store.configuration("project-test-unknown") == (0, Configuration())


async def test_everything_that_is_set_is_read_back_as_the_next_revision(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    changed = replace(tenant.environment, name="Shop", settings=EnvironmentSettings(user_lock_ttl=60))
    await store.write(configure(changed))
    assert await store.configuration(tenant.id) == (2, EVERYTHING)
    assert await store.environment(tenant.id) == replace(changed, revision=2)
    assert await store.configuration(neighbour.id) == (1, Configuration())
    assert await store.environment(neighbour.id) == neighbour.environment
    caller = await store.caller(tenant.id, tenant.secret.secret_hash)
    assert caller is not None
    assert caller.environment == replace(changed, revision=2)


async def test_only_name_and_settings_of_an_environment_can_be_changed(store: Store, tenant: Tenant) -> None:
    moved = replace(
        tenant.environment, slug="other", kind="live", vertical="consumer", project_id="other", created_at=0
    )
    await store.write(ConfigureEnvironment(environment=moved))
    assert await store.environment(tenant.id) == replace(tenant.environment, revision=2)


PARTS: dict[str, tuple[dict[str, object], Configuration]] = {
    "nothing": ({}, EVERYTHING),
    "a policy": ({"policy": DEFAULT_POLICY["b2b"]}, replace(EVERYTHING, policy=DEFAULT_POLICY["b2b"])),
    "templates": ({"jwt_templates": TEMPLATES[1:]}, replace(EVERYTHING, jwt_templates=TEMPLATES[1:])),
    "no templates": ({"jwt_templates": ()}, replace(EVERYTHING, jwt_templates=())),
    "redirect URLs": ({"redirect_urls": URLS[::-1]}, replace(EVERYTHING, redirect_urls=URLS[::-1])),
    "no redirect URLs": ({"redirect_urls": ()}, replace(EVERYTHING, redirect_urls=())),
}


@pytest.mark.parametrize("case", PARTS)
async def test_what_is_not_given_stays_and_what_is_given_replaces_all_there_was(
    store: Store, tenant: Tenant, neighbour: Tenant, case: str
) -> None:
    given, expected = PARTS[case]
    for one in (tenant, neighbour):
        await store.write(configure(one.environment))
    now = replace(tenant.environment, revision=2)
    await store.write(replace(ConfigureEnvironment(environment=now), **given))
    assert await store.configuration(tenant.id) == (3, expected)
    assert await store.configuration(neighbour.id) == (2, EVERYTHING)


@pytest.mark.parametrize("environment", ["that moved on", "that is gone"])
async def test_an_environment_that_is_not_as_it_was_read_is_left_alone(
    store: Store, tenant: Tenant, environment: str
) -> None:
    await store.write(ConfigureEnvironment(environment=replace(tenant.environment, name="first")))
    late = tenant.environment
    if environment == "that is gone":
        late = replace(late, environment_id="project-test-gone", revision=2)
    event = records.event(tenant.id)
    with pytest.raises(Stale):
        await store.write(replace(configure(late), events=(event,)))
    assert await store.configuration(tenant.id) == (2, Configuration())
    assert await store.environment(tenant.id) == replace(tenant.environment, name="first", revision=2)
    assert await store.events(None, 10) == []


@pytest.mark.parametrize("processes", ["one process", "two processes"])
async def test_of_two_changes_to_one_revision_one_is_kept(
    store: Store, second: Store, tenant: Tenant, processes: str
) -> None:
    """They change different parts, and would not notice each other by those."""
    other = store if processes == "one process" else second
    writes = [
        ConfigureEnvironment(environment=tenant.environment, policy=POLICY),
        ConfigureEnvironment(environment=tenant.environment, redirect_urls=URLS),
    ]
    outcomes = await asyncio.gather(store.write(writes[0]), other.write(writes[1]), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "Stale"]
    kept = Configuration(policy=POLICY) if outcomes[0] is None else Configuration(redirect_urls=URLS)
    assert await second.configuration(tenant.id) == (2, kept)
