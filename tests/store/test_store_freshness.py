"""What one process has written is what the next read of every other one finds (decisions D29)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from assay.model import Session
from assay.store import (
    ConfigureEnvironment,
    CreateSecret,
    CreateSigningKeys,
    DeleteOrganization,
    DeleteProfile,
    NoteAccesses,
    ReplaceMember,
    ReplaceOrganization,
    ReplaceProfile,
    RevokeSecret,
    RevokeSessionsOf,
    RotateSigningKeys,
    Store,
    TouchSecret,
    Write,
)
from tests import records
from tests.records import NOW
from tests.store.conftest import Tenant

Read = Callable[[Store, Tenant], Awaitable[Any]]


async def caller(store: Store, tenant: Tenant) -> object:
    found = await store.caller(tenant.id, tenant.secret.secret_hash)
    return None if found is None else (found.environment.name, found.secret.used_at, found.signing_kid)


async def secret(store: Store, tenant: Tenant) -> object:
    return await store.secret_is_live(tenant.id, tenant.secret.secret_id)


async def environment(store: Store, tenant: Tenant) -> object:
    found = await store.environment(tenant.id)
    return found and found.name


async def configuration(store: Store, tenant: Tenant) -> object:
    return (await store.configuration(tenant.id))[0]


async def profile(store: Store, tenant: Tenant) -> object:
    found = await store.profile(tenant.id, tenant.profile.profile_id)
    return found and (found.enabled, found.pem_files)


async def organization(store: Store, tenant: Tenant) -> object:
    found = await store.organization(tenant.id, "umbrella", by_slug=True)
    return found and found.name


async def keys(store: Store, tenant: Tenant) -> object:
    return [(key.kid, key.state) for key in await store.signing_keys(tenant.id)]


NEXT = records.signing_key("elsewhere", state="next")


def made_keys(tenant: Tenant) -> Write:
    active = records.signing_key(tenant.id, kid="first")
    return CreateSigningKeys(keys=(active, replace(NEXT, environment_id=tenant.id)))


def rotation(tenant: Tenant) -> Write:
    new = records.signing_key(tenant.id, kid="third", state="next")
    return RotateSigningKeys(environment_id=tenant.id, promoted_kid=NEXT.kid, new_next=new, rotated_at=NOW)


def renamed(tenant: Tenant) -> Write:
    return ConfigureEnvironment(environment=replace(tenant.environment, name="Renamed"))


def touched(tenant: Tenant) -> Write:
    return TouchSecret(environment_id=tenant.id, secret_id=tenant.secret.secret_id, used_at=NOW + 9)


def revoked(tenant: Tenant) -> Write:
    return RevokeSecret(environment_id=tenant.id, secret_id=tenant.secret.secret_id, revoked_at=NOW)


CHANGES: dict[str, tuple[Read, Callable[[Tenant], Write]]] = {
    "a used secret": (caller, touched),
    "a revoked secret of a caller": (caller, revoked),
    "a revoked secret": (secret, revoked),
    "an environment of a caller": (caller, renamed),
    "an environment": (environment, renamed),
    "a configuration": (configuration, renamed),
    "first keys of a caller": (caller, made_keys),
    "first keys": (keys, made_keys),
    "a disabled profile": (profile, lambda one: ReplaceProfile(profile=replace(one.profile, enabled=False))),
    "PEM files of a profile": (
        profile,
        lambda one: ReplaceProfile(
            profile=replace(one.profile, public_key_type="PEM", pem_files=(records.pem_file(),), jwks_url=None)
        ),
    ),
    "a deleted profile": (
        profile,
        lambda one: DeleteProfile(environment_id=one.id, profile_id=one.profile.profile_id),
    ),
    "an organization": (
        organization,
        lambda one: ReplaceOrganization(organization=replace(one.organization, name="Renamed")),
    ),
    "a deleted organization": (
        organization,
        lambda one: DeleteOrganization(environment_id=one.id, organization_id=one.organization.organization_id),
    ),
}


@pytest.mark.parametrize("case", CHANGES)
async def test_a_change_is_seen_by_the_next_read_of_every_process(
    store: Store, second: Store, tenant: Tenant, case: str
) -> None:
    read, change = CHANGES[case]
    before = [await read(each, tenant) for each in (store, second)]
    assert before[0] == before[1]
    await second.write(change(tenant))
    after = [await read(each, tenant) for each in (store, second)]
    assert after[0] == after[1] != before[0]


SESSION_CHANGES: dict[str, Callable[[Tenant, Session], Write]] = {
    "another end": lambda one, of: records.update(of, one.secret, expires_at=of.expires_at + 60),
    "another factor": lambda one, of: records.update(of, one.secret, factors=(*of.factors, records.factor("second"))),
    "other claims": lambda one, of: records.update(of, one.secret, custom_claims={"plan": True}),
    "another token": lambda one, of: records.update(of, one.secret, token_hash=b"another token".ljust(32)),
    "an access": lambda _, of: NoteAccesses(accesses={of.number: of.last_accessed_at + 1}),
    "a revocation": lambda _, of: records.revoke(of),
    "a revocation of all": lambda one, of: RevokeSessionsOf(
        environment_id=one.id, subject_kind="member", subject_id=of.subject_id, revoked_at=NOW
    ),
    "a renamed member": lambda one, _: ReplaceMember(member=replace(one.member, name="Renamed")),
    "a deleted member": lambda one, _: ReplaceMember(member=replace(one.member, status="deleted")),
    "a renamed organization": lambda one, _: ReplaceOrganization(
        organization=replace(one.organization, name="Renamed")
    ),
    "a deleted organization": lambda one, _: DeleteOrganization(
        environment_id=one.id, organization_id=one.organization.organization_id
    ),
    "an erased member": lambda one, of: records.erase(one.id, "member", of.subject_id),
}


@pytest.mark.parametrize("case", SESSION_CHANGES)
async def test_a_change_of_a_session_or_of_whose_it_is_is_seen_by_every_process(
    store: Store, second: Store, tenant: Tenant, case: str
) -> None:
    session = records.session(tenant.member)
    await store.write(records.start(session, tenant.secret))
    before = [await each.session(tenant.id, session.number) for each in (store, second)]
    assert before[0] == before[1]
    await second.write(SESSION_CHANGES[case](tenant, session))
    after = [await each.session(tenant.id, session.number) for each in (store, second)]
    assert after[0] == after[1] != before[0]


@pytest.mark.parametrize(
    "read",
    [
        lambda store, one: store.member(one.id, one.organization.organization_id, "sub|ada"),
        lambda store, one: store.member_by_email(one.id, one.organization.organization_id, one.member.email),
    ],
    ids=["by external id", "by address"],
)
async def test_a_changed_member_is_seen_by_every_process(
    store: Store, second: Store, tenant: Tenant, read: Read
) -> None:
    assert [await read(each, tenant) for each in (store, second)] == [tenant.member] * 2
    await second.write(ReplaceMember(member=replace(tenant.member, name="Renamed")))
    assert [(await read(each, tenant)).name for each in (store, second)] == ["Renamed"] * 2


async def test_a_rotation_is_seen_by_the_next_read_of_every_process(
    store: Store, second: Store, tenant: Tenant
) -> None:
    await store.write(made_keys(tenant))
    assert await caller(store, tenant) == await caller(second, tenant) == (tenant.environment.name, None, "first")
    await second.write(rotation(tenant))
    assert await caller(store, tenant) == await caller(second, tenant) == (tenant.environment.name, None, NEXT.kid)
    assert await store.signing_key_environment("third") == tenant.id


async def test_what_was_not_there_is_found_as_soon_as_it_is(store: Store, second: Store, tenant: Tenant) -> None:
    fresh = records.secret(tenant.id)
    for each in (store, second):
        assert await each.caller(tenant.id, fresh.secret_hash) is None
        assert not await each.secret_is_live(tenant.id, fresh.secret_id)
    await second.write(CreateSecret(secret=fresh))
    for each in (store, second):
        assert await each.caller(tenant.id, fresh.secret_hash) is not None
        assert await each.secret_is_live(tenant.id, fresh.secret_id)
