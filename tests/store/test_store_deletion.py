"""Deleting environments and projects, and ending many sessions at once."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from assay.model import (
    JwtTemplate,
    KeptKeys,
    OperatorLink,
    OperatorPassword,
    Project,
    PublicToken,
    RedirectUrl,
    Session,
)
from assay.rules.permissions import DEFAULT_POLICY
from assay.store import (
    ConfigureEnvironment,
    CreateEnvironment,
    CreateMember,
    CreateOperatorLink,
    CreateOrganization,
    CreateProfile,
    CreatePublicToken,
    CreateSigningKeys,
    DeleteEnvironment,
    DeleteProfile,
    DeleteProject,
    KeepKeys,
    Observe,
    RecordAttempt,
    RevokeSessionsWhere,
    Stale,
    Store,
    TouchSecret,
    UseOperatorLink,
)
from tests import records
from tests.records import NOW
from tests.store import contents
from tests.store.conftest import Tenant, populate


async def fill(store: Store, tenant: Tenant) -> None:
    """Give the environment rows of every kind."""
    environment_id = tenant.id
    pem = records.profile(environment_id, profile_id="static", public_key_type="PEM", pem_files=(records.pem_file(),))
    gone = records.profile(environment_id, profile_id="gone")
    kept = KeptKeys(environment_id=environment_id, profile_id=tenant.profile.profile_id, source="s", document=b"{}")
    token = PublicToken(public_token=f"public-{environment_id}", environment_id=environment_id, created_at=NOW)
    configured = ConfigureEnvironment(
        environment=tenant.environment,
        policy=DEFAULT_POLICY["b2b"],
        jwt_templates=(JwtTemplate(template_type="SESSION", template_content="{}", custom_audience=""),),
        redirect_urls=(RedirectUrl(url="https://a.example", valid_types=()),),
    )
    user_id = tenant.user.user_id
    link = OperatorLink(token_hash=user_id.encode(), user_id=user_id, created_at=NOW, expires_at=NOW + 1)
    password = OperatorPassword(user_id=user_id, password_hash="$argon2id$", changed_at=NOW)
    writes = (
        CreateProfile(profile=pem),
        CreateProfile(profile=gone),
        DeleteProfile(environment_id=environment_id, profile_id="gone"),
        KeepKeys(kept=kept),
        CreateSigningKeys(keys=(records.signing_key(environment_id),)),
        CreatePublicToken(public_token=token),
        configured,
        Observe(observations=records.observations(environment_id)),
        records.start(
            records.session(tenant.member),
            tenant.secret,
            attempt=records.attempt(environment_id),
            replay=records.replay_mark(tenant.secret),
        ),
        records.start(records.session(tenant.user, revoked_at=NOW), tenant.secret),
        RecordAttempt(attempt=records.attempt(environment_id), events=(records.event(environment_id),)),
        CreateOperatorLink(link=replace(link, token_hash=b"used" + link.token_hash)),
        UseOperatorLink(
            token_hash=b"used" + link.token_hash, user=tenant.user, is_new=False, password=password, now=NOW
        ),
        CreateOperatorLink(link=link),
    )
    for write in writes:
        await store.write(write)


def outlived(path: str) -> contents.Rows:
    """Everything but the audit record, the count of changes, and what SQLite keeps for itself."""
    return contents.everything(path, leave_out=("configuration_version", "events", "sqlite_stat1"))


async def test_everything_has_an_environment(store: Store, tenant: Tenant, path: str) -> None:
    """A table that is added later must be filled and deleted here as well."""
    await fill(store, tenant)
    of_environments = {name for name, columns in contents.tables(path).items() if "environment_id" in columns}
    assert contents.holders(path, tenant.id) == of_environments
    others = set(contents.tables(path)) - of_environments
    assert others == {
        "member_emails",
        "meta",
        "operator_links",
        "operator_passwords",
        "projects",
        "schema_migrations",
        "sign_in_tries",
        "workspace_keys",
    }


async def test_a_deleted_environment_leaves_its_audit_events_and_nothing_else(
    store: Store, neighbour: Tenant, path: str
) -> None:
    await fill(store, neighbour)
    project = records.new_project("acme")
    environment, secret = project.environments[1], project.secrets[1]
    await store.write(
        replace(project, environments=project.environments[:1], secrets=project.secrets[:1], public_tokens=())
    )
    before = outlived(path)
    await store.write(CreateEnvironment(environment=environment, secrets=(secret,)))
    await fill(store, await populate(store, environment, secret))
    events = await store.events(None, 100)
    told = records.event(None, action="environment.deleted")
    await store.write(DeleteEnvironment(environment_id=environment.environment_id, events=(told,)))
    assert contents.holders(path, environment.environment_id) == {"events"}
    assert await store.events(None, 100) == [told, *events]
    assert outlived(path) == before


async def test_a_deleted_project_leaves_the_audit_events_of_its_environments_and_nothing_else(
    store: Store, neighbour: Tenant, path: str
) -> None:
    await fill(store, neighbour)
    before = outlived(path)
    project = records.new_project("acme")
    await store.write(project)
    for environment, secret in zip(project.environments, project.secrets, strict=True):
        await fill(store, await populate(store, environment, secret))
    events = await store.events(None, 100)
    told = records.event(None, action="project.deleted")
    await store.write(DeleteProject(project_id=project.project.project_id, events=(told,)))
    assert [contents.holders(path, one.environment_id) for one in project.environments] == [{"events"}] * 2
    assert await store.events(None, 100) == [told, *events]
    assert outlived(path) == before


@pytest.mark.parametrize("what", ["environment", "project"])
async def test_what_is_not_there_cannot_be_deleted(store: Store, tenant: Tenant, path: str, what: str) -> None:
    await fill(store, tenant)
    before = contents.everything(path)
    told = records.event(None)
    unknown = (
        DeleteEnvironment(environment_id=tenant.environment.project_id, events=(told,))
        if what == "environment"
        else DeleteProject(project_id=tenant.id, events=(told,))
    )
    with pytest.raises(Stale):
        await store.write(unknown)
    assert contents.everything(path) == before


async def test_an_environment_is_deleted_once(store: Store, second: Store, tenant: Tenant) -> None:
    delete = DeleteEnvironment(environment_id=tenant.id)
    outcomes = await asyncio.gather(store.write(delete), second.write(delete), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "Stale"]


async def test_a_project_without_environments_can_be_deleted(store: Store) -> None:
    project = Project(project_id="project-live-1", slug="bare", name="Bare", vertical="b2b", created_at=NOW)
    await store.write(
        replace(records.new_project("bare"), project=project, environments=(), secrets=(), public_tokens=())
    )
    await store.write(DeleteProject(project_id=project.project_id))
    assert await store.projects() == []


async def test_what_comes_too_late_leaves_nothing_in_a_deleted_environment(
    store: Store, tenant: Tenant, path: str
) -> None:
    """Requests that were under way end after the deletion; each of their writes is refused or does nothing."""
    await store.write(DeleteEnvironment(environment_id=tenant.id))
    kept = KeptKeys(environment_id=tenant.id, profile_id=tenant.profile.profile_id, source="s")
    refused = (
        records.start(records.session(tenant.member), tenant.secret, attempt=records.attempt(tenant.id)),
        CreateMember(member=records.member(tenant.organization)),
        CreateOrganization(organization=records.organization(tenant.id)),
        CreateSigningKeys(keys=(records.signing_key(tenant.id),)),
        ConfigureEnvironment(environment=tenant.environment, policy=DEFAULT_POLICY["b2b"]),
        KeepKeys(kept=kept),
        Observe(observations=records.observations(tenant.id)),
        RecordAttempt(attempt=records.attempt(tenant.id), replay=records.replay_mark(tenant.secret)),
    )
    for write in refused:
        with pytest.raises(Stale):
            await store.write(write)
    await store.write(TouchSecret(environment_id=tenant.id, secret_id=tenant.secret.secret_id, used_at=NOW))
    await store.write(RecordAttempt(attempt=records.attempt(tenant.id)))
    assert contents.holders(path, tenant.id) == set()


# ---------------------------------------------------------------- ending sessions


CASES = {
    "all": ({}, {"a", "a other", "b", "user"}),
    "of one organization": ({"organization_id": "A"}, {"a", "a other"}),
    "that rest on one profile": ({"profile_id": "other"}, {"a other", "user"}),
    "both": ({"organization_id": "A", "profile_id": "other"}, {"a other"}),
    "of a profile with a name like another": ({"profile_id": "vercel"}, set()),
    "of an organization elsewhere": ({"organization_id": "theirs"}, set()),
}


@pytest.mark.parametrize("case", CASES)
async def test_the_live_sessions_that_are_meant_end(store: Store, tenant: Tenant, neighbour: Tenant, case: str) -> None:
    where, expected = CASES[case]
    sessions = await five_sessions(store, tenant)
    theirs = records.session(neighbour.member, factors=(records.factor(profile_id="other"),))
    await store.write(records.start(theirs, neighbour.secret))
    names = {"A": tenant.organization.organization_id, "theirs": neighbour.organization.organization_id}
    told = records.event(tenant.id)
    await store.write(
        RevokeSessionsWhere(
            environment_id=tenant.id,
            revoked_at=NOW + 5,
            events=(told,),
            **{name: names.get(value, value) for name, value in where.items()},
        )
    )
    after = {name: await store.session(tenant.id, one.number) for name, one in sessions.items()}
    revoked = {name: view.session.revoked_at for name, view in after.items() if view is not None}
    assert revoked == {name: NOW + 5 if name in expected else one.revoked_at for name, one in sessions.items()}
    view = await store.session(neighbour.id, theirs.number)
    assert view is not None
    assert view.session.revoked_at is None
    assert await store.events(None, 10) == [told]


async def five_sessions(store: Store, tenant: Tenant) -> dict[str, Session]:
    organization = records.organization(tenant.id)
    member = records.member(organization)
    await store.write(CreateOrganization(organization=organization))
    await store.write(CreateMember(member=member))
    other = (records.factor(), records.factor("token-2", profile_id="other"))
    made = {
        "a": records.session(tenant.member),
        "a other": records.session(tenant.member, factors=other),
        "b": records.session(member),
        "user": records.session(tenant.user, factors=other[1:]),
        "ended": records.session(tenant.member, factors=other, revoked_at=NOW - 5),
        "expired": records.session(tenant.member, factors=other, expires_at=NOW + 5),
    }
    for one in made.values():
        await store.write(records.start(one, tenant.secret))
    return made
