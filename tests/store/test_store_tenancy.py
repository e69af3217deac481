"""Projects, environments, secrets, signing keys, profiles, and the records of what happened."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from assay import errors
from assay.model import Caller, SigningKey
from assay.store import (
    Conflict,
    CreateProfile,
    CreateSecret,
    CreateSigningKeys,
    DeleteProfile,
    RecordAttempt,
    ReplaceProfile,
    RevokeSecret,
    RewrapSigningKeys,
    RotateSigningKeys,
    SetRootKeyCheck,
    Stale,
    Store,
)
from tests import records
from tests.records import NOW
from tests.store.conftest import Tenant


async def test_a_project_is_read_back_as_it_was_written(store: Store) -> None:
    project = records.new_project("acme")
    await store.write(project)
    live, test = project.environments
    assert await store.projects() == [project.project]
    assert await store.environments(project.project.project_id) == [live, test]
    assert await store.environment(live.environment_id) == live
    assert await store.secrets(test.environment_id) == [project.secrets[1]]


async def test_a_slug_names_one_project_and_the_loser_leaves_nothing(store: Store) -> None:
    await store.write(records.new_project("acme"))
    twin = records.new_project("acme")
    with pytest.raises(Conflict) as refused:
        await store.write(twin)
    assert refused.value.key == "project_slug"
    assert len(await store.projects()) == 1
    assert await store.environments(twin.project.project_id) == []


async def test_a_caller_is_found_by_environment_and_secret_together(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    found = await store.caller(tenant.id, tenant.secret.secret_hash)
    assert found == Caller(environment=tenant.environment, secret=tenant.secret, signing_kid=None)
    assert await store.caller(neighbour.id, tenant.secret.secret_hash) is None
    assert await store.secret_is_live(tenant.id, tenant.secret.secret_id)
    assert not await store.secret_is_live(neighbour.id, tenant.secret.secret_id)
    assert await store.caller(tenant.id, b"\x00" * 32) is None


async def test_a_caller_comes_with_the_kid_that_signs(store: Store, tenant: Tenant) -> None:
    active = records.signing_key(tenant.id)
    await store.write(CreateSigningKeys(keys=(records.signing_key(tenant.id, state="next"), active)))
    found = await store.caller(tenant.id, tenant.secret.secret_hash)
    assert found is not None
    assert found.signing_kid == active.kid


async def test_several_secrets_are_live_until_each_is_revoked(store: Store, tenant: Tenant) -> None:
    another = records.secret(tenant.id, created_at=NOW + 1)
    await store.write(CreateSecret(secret=another))
    await store.write(RevokeSecret(environment_id=tenant.id, secret_id=tenant.secret.secret_id, revoked_at=NOW + 5))
    assert await store.caller(tenant.id, tenant.secret.secret_hash) is None
    assert not await store.secret_is_live(tenant.id, tenant.secret.secret_id)
    assert await store.secret_is_live(tenant.id, another.secret_id)
    assert await store.secrets(tenant.id) == [replace(tenant.secret, revoked_at=NOW + 5), another]


async def test_a_secret_is_revoked_once_and_by_its_own_environment(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    for environment_id in (neighbour.id, tenant.id):
        revoke = RevokeSecret(environment_id=environment_id, secret_id=tenant.secret.secret_id, revoked_at=NOW)
        if environment_id == tenant.id:
            await store.write(revoke)
        with pytest.raises(Stale):
            await store.write(revoke)
    assert await store.secret_is_live(neighbour.id, neighbour.secret.secret_id)
    assert not await store.secret_is_live(neighbour.id, tenant.secret.secret_id)


async def test_a_kid_tells_whose_signing_key_it_is(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    mine, theirs = records.signing_key(tenant.id), records.signing_key(neighbour.id)
    retired = records.signing_key(tenant.id, state="retired", retired_at=NOW)
    for key in (mine, theirs, retired):
        await store.write(CreateSigningKeys(keys=(key,)))
    found = [await store.signing_key_environment(key.kid) for key in (mine, theirs, retired)]
    assert found == [tenant.id, neighbour.id, tenant.id]
    assert await store.signing_key_environment("jwk-test-unknown") is None


async def test_first_signing_keys_are_made_once(store: Store, second: Store, tenant: Tenant) -> None:
    def first_keys() -> CreateSigningKeys:
        return CreateSigningKeys(keys=(records.signing_key(tenant.id), records.signing_key(tenant.id, state="next")))

    outcomes = await asyncio.gather(store.write(first_keys()), second.write(first_keys()), return_exceptions=True)
    (refused,) = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(refused, Conflict)
    assert refused.key == "signing_key"
    keys = await store.signing_keys(tenant.id)
    assert sorted(key.state for key in keys) == ["active", "next"]
    assert await store.all_signing_keys() == keys


async def test_a_rotation_promotes_the_next_key_and_the_other_rotation_is_stale(store: Store, tenant: Tenant) -> None:
    old = records.signing_key(tenant.id)
    upcoming = records.signing_key(tenant.id, state="next", created_at=NOW + 1)
    await store.write(CreateSigningKeys(keys=(old, upcoming)))

    def rotation() -> RotateSigningKeys:
        return RotateSigningKeys(
            environment_id=tenant.id,
            promoted_kid=upcoming.kid,
            new_next=records.signing_key(tenant.id, state="next", created_at=NOW + 9),
            rotated_at=NOW + 9,
        )

    won = rotation()
    await store.write(won)
    with pytest.raises(Stale):
        await store.write(rotation())
    assert await store.signing_keys(tenant.id) == [
        replace(old, state="retired", retired_at=NOW + 9),
        replace(upcoming, state="active", activated_at=NOW + 9),
        won.new_next,
    ]


async def test_a_rotation_leaves_the_keys_of_other_environments_alone(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    kept: dict[str, list[SigningKey]] = {}
    for environment_id in (tenant.id, neighbour.id):
        keys = (records.signing_key(environment_id), records.signing_key(environment_id, state="next"))
        await store.write(CreateSigningKeys(keys=keys))
        kept[environment_id] = await store.signing_keys(environment_id)

    def rotation(environment_id: str, of: str) -> RotateSigningKeys:
        (upcoming,) = [key for key in kept[of] if key.state == "next"]
        return RotateSigningKeys(
            environment_id=environment_id,
            promoted_kid=upcoming.kid,
            new_next=records.signing_key(environment_id, state="next"),
            rotated_at=NOW,
        )

    with pytest.raises(Stale):
        await store.write(rotation(tenant.id, of=neighbour.id))
    assert await store.signing_keys(tenant.id) == kept[tenant.id]
    await store.write(rotation(tenant.id, of=tenant.id))
    assert await store.signing_keys(neighbour.id) == kept[neighbour.id]


async def test_only_the_first_root_key_check_is_kept(store: Store) -> None:
    assert await store.root_key_check() is None
    await store.write(SetRootKeyCheck(root_key_check=b"first"))
    await store.write(SetRootKeyCheck(root_key_check=b"second"))
    assert await store.root_key_check() == b"first"


async def test_a_change_of_the_root_key_changes_every_key_and_the_check(store: Store, tenant: Tenant) -> None:
    key = records.signing_key(tenant.id)
    await store.write(CreateSigningKeys(keys=(key,)))
    await store.write(SetRootKeyCheck(root_key_check=b"old"))
    await store.write(RewrapSigningKeys(sealed={key.kid: b"sealed anew"}, root_key_check=b"new"))
    assert await store.all_signing_keys() == [replace(key, sealed_private_key=b"sealed anew")]
    assert await store.root_key_check() == b"new"


@pytest.mark.parametrize("which", ["a key that is gone", "a key made meanwhile"])
async def test_a_change_of_the_root_key_that_does_not_fit_the_keys_changes_nothing(
    store: Store, tenant: Tenant, which: str
) -> None:
    """A key left under the old root key could never be opened again."""
    key = records.signing_key(tenant.id)
    await store.write(CreateSigningKeys(keys=(key,)))
    await store.write(SetRootKeyCheck(root_key_check=b"old"))
    sealed = {key.kid: b"anew", "unknown": b"anew"} if which == "a key that is gone" else {}
    with pytest.raises(Stale):
        await store.write(RewrapSigningKeys(sealed=sealed, root_key_check=b"new"))
    assert await store.all_signing_keys() == [key]
    assert await store.root_key_check() == b"old"


async def test_a_profile_is_read_back_with_its_pem_files_in_their_order(store: Store, tenant: Tenant) -> None:
    made = records.profile(
        tenant.id,
        profile_id="static",
        public_key_type="PEM",
        jwks_url=None,
        pem_files=(records.pem_file("b"), records.pem_file("a")),
        can_jit_provision=True,
        created_at=NOW + 1,
    )
    await store.write(CreateProfile(profile=made))
    assert await store.profile(tenant.id, "static") == made
    assert await store.profiles(tenant.id) == [tenant.profile, made]


async def test_a_profile_id_is_taken_once_per_environment(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    assert tenant.profile.profile_id == neighbour.profile.profile_id
    with pytest.raises(Conflict) as refused:
        await store.write(CreateProfile(profile=tenant.profile))
    assert refused.value.key == "profile_id"


async def test_every_field_of_a_profile_can_be_replaced(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    changed = replace(
        tenant.profile,
        name="Other",
        issuer="https://other.example",
        audience="other",
        public_key_type="PEM",
        jwks_url=None,
        pem_files=(records.pem_file("c"),),
        attribute_mapping={"email": "mail"},
        can_jit_provision=True,
        algorithms=("EdDSA",),
        leeway_seconds=0,
        updated_at=NOW + 60,
    )
    await store.write(ReplaceProfile(profile=changed))
    stored = replace(changed, revision=2)
    assert await store.profile(tenant.id, changed.profile_id) == stored
    await store.write(ReplaceProfile(profile=replace(stored, pem_files=())))
    assert await store.profile(tenant.id, changed.profile_id) == replace(stored, pem_files=(), revision=3)
    assert await store.profile(neighbour.id, changed.profile_id) == neighbour.profile


async def test_a_profile_that_moved_on_is_not_replaced(store: Store, tenant: Tenant) -> None:
    await store.write(ReplaceProfile(profile=replace(tenant.profile, name="first")))
    with pytest.raises(Stale):
        await store.write(ReplaceProfile(profile=replace(tenant.profile, name="second")))
    found = await store.profile(tenant.id, tenant.profile.profile_id)
    assert found is not None
    assert found.name == "first"


async def test_a_deleted_profile_is_gone_and_cannot_be_deleted_again(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    delete = DeleteProfile(environment_id=tenant.id, profile_id=tenant.profile.profile_id)
    await store.write(delete)
    with pytest.raises(Stale):
        await store.write(delete)
    assert await store.profile(tenant.id, tenant.profile.profile_id) is None
    assert await store.profile(neighbour.id, tenant.profile.profile_id) == neighbour.profile


async def test_a_profile_made_again_under_its_old_id_never_repeats_a_revision(store: Store, tenant: Tenant) -> None:
    """What was decided or cached for the deleted profile must not pass for the new one (decisions D29)."""
    await store.write(ReplaceProfile(profile=tenant.profile))
    revisions = [2]
    for _ in range(2):
        await store.write(DeleteProfile(environment_id=tenant.id, profile_id=tenant.profile.profile_id))
        await store.write(CreateProfile(profile=tenant.profile))
        found = await store.profile(tenant.id, tenant.profile.profile_id)
        assert found is not None
        revisions.append(found.revision)
    assert revisions == [2, 3, 4]


async def test_attempts_are_read_newest_first_and_per_environment(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    made = [records.attempt(tenant.id, reason=str(number)) for number in range(3)]
    for one in made:
        await store.write(RecordAttempt(attempt=one))
    await store.write(RecordAttempt(attempt=records.attempt(neighbour.id)))
    assert await store.attempts(tenant.id, 2) == [made[2], made[1]]


async def test_events_are_written_with_their_change_or_not_at_all(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    told = records.event(tenant.id, action="profile.delete")
    elsewhere = records.event(neighbour.id)
    delete = DeleteProfile(events=(told,), environment_id=tenant.id, profile_id=tenant.profile.profile_id)
    await store.write(delete)
    with pytest.raises(Stale):
        await store.write(delete)
    await store.write(RecordAttempt(events=(elsewhere,), attempt=records.attempt(neighbour.id)))
    assert await store.events(tenant.id, 10) == [told]
    assert await store.events(None, 10) == [elsewhere, told]


async def test_a_closed_store_says_so(store: Store, tenant: Tenant) -> None:
    await store.ping()
    assert await store.schema() >= 1
    await store.close()
    with pytest.raises(errors.StoreUnavailable):
        await store.ping()
    with pytest.raises(errors.StoreUnavailable):
        await store.write(CreateSecret(secret=records.secret(tenant.id)))


async def test_profiles_of_one_id_in_two_environments_do_not_touch_each_other(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    theirs = replace(neighbour.profile, public_key_type="PEM", jwks_url=None, pem_files=(records.pem_file("theirs"),))
    await store.write(ReplaceProfile(profile=theirs))
    theirs = replace(theirs, revision=2)
    ours = replace(tenant.profile, public_key_type="PEM", jwks_url=None, pem_files=(records.pem_file("ours"),))
    await store.write(ReplaceProfile(profile=ours))
    assert await store.profiles(tenant.id) == [replace(ours, revision=2)]
    await store.write(DeleteProfile(environment_id=tenant.id, profile_id=ours.profile_id))
    assert await store.profiles(tenant.id) == []
    await store.write(CreateProfile(profile=ours))
    assert await store.profiles(tenant.id) == [replace(ours, revision=3)]
    assert await store.profiles(neighbour.id) == [theirs]
    # Deleted over there as well, and at another count: each environment goes on with its own.
    for _ in range(3):
        await store.write(DeleteProfile(environment_id=neighbour.id, profile_id=theirs.profile_id))
        await store.write(CreateProfile(profile=replace(theirs, revision=1)))
    assert await store.profiles(neighbour.id) == [replace(theirs, revision=5)]
    await store.write(DeleteProfile(environment_id=tenant.id, profile_id=ours.profile_id))
    await store.write(CreateProfile(profile=ours))
    assert await store.profiles(tenant.id) == [replace(ours, revision=4)]


async def test_an_id_that_was_deleted_in_another_environment_only_is_new_here(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    for environment_id in (neighbour.id, tenant.id):
        made = records.profile(environment_id, profile_id="shared", created_at=NOW + 1)
        await store.write(CreateProfile(profile=made))
        assert await store.profile(environment_id, "shared") == made
        await store.write(DeleteProfile(environment_id=environment_id, profile_id="shared"))
