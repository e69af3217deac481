"""What operators manage: projects, environments, workspace keys, secrets and public tokens."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable

import pytest
from msgspec.structs import replace

from assay import ids
from assay.model import (
    Environment,
    EnvironmentCounts,
    EnvironmentSettings,
    Event,
    NumberedEvent,
    Project,
    PublicToken,
    WorkspaceKey,
)
from assay.store import (
    Conflict,
    CreateEnvironment,
    CreateMember,
    CreateOrganization,
    CreatePublicToken,
    CreateSecret,
    CreateUser,
    CreateWorkspaceKey,
    DeletePublicToken,
    RecordAttempt,
    RenameProject,
    RevokeSecret,
    RevokeWorkspaceKey,
    Stale,
    Store,
    TouchSecret,
    TouchWorkspaceKey,
    Write,
)
from assay.store.sqlite import SqliteStore
from tests import records
from tests.records import NOW
from tests.store.conftest import ON_SQLITE, Tenant


def an_environment(of: Environment, **changes: object) -> Environment:
    """One more TEST environment of the project that this one is in."""
    made = replace(of, environment_id=ids.new("project", "test"), slug="staging", name="Staging", created_at=NOW + 1)
    return replace(made, **changes)


def a_public_token(environment_id: str, **changes: object) -> PublicToken:
    made = PublicToken(public_token=ids.new("public-token", "test"), environment_id=environment_id, created_at=NOW + 1)
    return replace(made, **changes)


def a_workspace_key(name: str = "terraform", **changes: object) -> WorkspaceKey:
    key = WorkspaceKey(
        workspace_key_id=ids.new("workspace-key", "live"),
        name=name,
        secret_hash=name.encode().ljust(32),
        last_four="abcd",
        created_at=NOW,
    )
    return replace(key, **changes)


@pytest.fixture
async def project(store: Store, tenant: Tenant) -> Project:
    found = await store.project_by_slug("acme")
    assert found is not None
    assert found.project_id == tenant.environment.project_id
    return found


@pytest.fixture(params=["one process", "two processes"])
def stores(request: pytest.FixtureRequest, store: Store, second: Store) -> tuple[Store, Store]:
    return (store, store) if request.param == "one process" else (store, second)


async def race(stores: tuple[Store, Store], writes: Iterable[Write]) -> list[BaseException | None]:
    return await asyncio.gather(
        *(stores[number % 2].write(write) for number, write in enumerate(writes)), return_exceptions=True
    )


# ---------------------------------------------------------------- projects


async def test_a_project_is_found_by_its_slug(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    found = await store.project_by_slug("rival")
    assert found is not None
    assert found.project_id == neighbour.environment.project_id != tenant.environment.project_id
    assert await store.project_by_slug("nobody") is None


async def test_a_project_is_renamed_and_keeps_its_slug(store: Store, project: Project, neighbour: Tenant) -> None:
    theirs = await store.project_by_slug("rival")
    await store.write(RenameProject(project_id=project.project_id, name="Acme Inc."))
    assert await store.project_by_slug("acme") == replace(project, name="Acme Inc.")
    assert await store.project_by_slug("rival") == theirs
    assert theirs is not None
    assert theirs.project_id == neighbour.environment.project_id


async def test_a_project_that_is_not_there_cannot_be_renamed(store: Store, project: Project) -> None:
    with pytest.raises(Stale):
        await store.write(RenameProject(project_id="project-live-unknown", name="x"))
    assert await store.project_by_slug("acme") == project


# ---------------------------------------------------------------- environments


async def test_an_environment_is_read_back_with_its_credentials(store: Store, tenant: Tenant) -> None:
    made = an_environment(
        tenant.environment,
        settings=EnvironmentSettings(user_lock_threshold=3, idp_authorization_url="https://é.example"),
    )
    secret, token = records.secret(made.environment_id), a_public_token(made.environment_id)
    await store.write(CreateEnvironment(environment=made, secrets=(secret,), public_tokens=(token,)))
    assert await store.environment(made.environment_id) == made
    assert await store.environment_by_slug("acme", "staging") == made
    assert (await store.environments(made.project_id))[-1] == made
    assert await store.secrets(made.environment_id) == [secret]
    assert await store.public_tokens(made.environment_id) == [token]
    caller = await store.caller(made.environment_id, secret.secret_hash)
    assert caller is not None
    assert (caller.environment, caller.secret) == (made, secret)


@pytest.mark.parametrize(
    "slugs", [("acme", "production"), ("rival", "other"), ("", ""), ("Acme", "test")], ids="/".join
)
async def test_two_slugs_that_name_nothing_find_nothing(
    store: Store, tenant: Tenant, neighbour: Tenant, slugs: tuple[str, str]
) -> None:
    assert await store.environment_by_slug(*slugs) is None
    assert await store.environment_by_slug("acme", "test") == tenant.environment
    assert await store.environment_by_slug("rival", "test") == neighbour.environment


async def test_an_environment_of_a_project_that_is_gone_is_not_made(store: Store, tenant: Tenant) -> None:
    made = an_environment(tenant.environment, project_id="project-live-gone")
    with pytest.raises(Stale):
        await store.write(CreateEnvironment(environment=made, secrets=(records.secret(made.environment_id),)))
    assert await store.environment(made.environment_id) is None
    assert await store.secrets(made.environment_id) == []


async def test_the_same_slug_is_free_in_another_project(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    for environment in (tenant.environment, neighbour.environment):
        await store.write(CreateEnvironment(environment=an_environment(environment)))
    assert await store.environment_by_slug("acme", "staging") != await store.environment_by_slug("rival", "staging")


COLLISIONS: dict[str, tuple[Callable[[Environment], Environment], str]] = {
    "one slug": (an_environment, "environment_slug"),
    "two live ones": (lambda of: an_environment(of, slug=ids.new("slug", "live"), kind="live"), "live_environment"),
}


@pytest.mark.parametrize("case", COLLISIONS)
async def test_of_many_environments_made_at_once_one_is_made(
    stores: tuple[Store, Store], tenant: Tenant, case: str
) -> None:
    make, key = COLLISIONS[case]
    bare = Project(project_id=ids.new("project", "live"), slug="bare", name="Bare", vertical="b2b", created_at=NOW)
    create = records.new_project("bare")
    await stores[0].write(replace(create, project=bare, environments=(), secrets=(), public_tokens=()))
    origin = replace(tenant.environment, project_id=bare.project_id)
    outcomes = await race(stores, [CreateEnvironment(environment=make(origin)) for _ in range(6)])
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert [one.key if isinstance(one, Conflict) else one for one in refused] == [key] * 5
    assert len(await stores[1].environments(bare.project_id)) == 1


async def test_an_environment_that_was_refused_leaves_no_credentials(store: Store, tenant: Tenant) -> None:
    twin = an_environment(tenant.environment, slug="test")
    secret = records.secret(twin.environment_id)
    with pytest.raises(Conflict):
        await store.write(CreateEnvironment(environment=twin, secrets=(secret,), events=(records.event(None),)))
    assert await store.caller(twin.environment_id, secret.secret_hash) is None
    assert await store.events(None, 10) == []


async def test_what_an_environment_holds_is_counted_without_deleted_members(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    other = records.organization(tenant.id)
    await store.write(CreateOrganization(organization=other))
    await store.write(CreateMember(member=records.member(other)))
    await store.write(CreateMember(member=records.member(other, status="deleted")))
    for _ in range(2):
        await store.write(CreateUser(user=records.user(tenant.id)))
    assert await store.environment_counts(tenant.id) == EnvironmentCounts(users=3, organizations=2, members=2)
    assert await store.environment_counts(neighbour.id) == EnvironmentCounts(users=1, organizations=1, members=1)
    assert await store.environment_counts("unknown") == EnvironmentCounts(users=0, organizations=0, members=0)


# ---------------------------------------------------------------- public tokens


async def test_public_tokens_come_and_go_but_for_the_last(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    (first,) = await store.public_tokens(tenant.id)
    added = a_public_token(tenant.id)
    await store.write(CreatePublicToken(public_token=added))
    assert await store.public_tokens(tenant.id) == [first, added]
    await store.write(DeletePublicToken(environment_id=tenant.id, public_token=first.public_token))
    assert await store.public_tokens(tenant.id) == [added]
    with pytest.raises(Stale):
        await store.write(DeletePublicToken(environment_id=tenant.id, public_token=added.public_token))
    assert await store.public_tokens(tenant.id) == [added]
    assert len(await store.public_tokens(neighbour.id)) == 1


async def test_a_public_token_is_deleted_by_its_own_environment_only(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    await store.write(CreatePublicToken(public_token=a_public_token(tenant.id)))
    before = await store.public_tokens(tenant.id)
    for environment_id, token in ((neighbour.id, before[0].public_token), (tenant.id, "public-token-test-unknown")):
        with pytest.raises(Stale):
            await store.write(DeletePublicToken(environment_id=environment_id, public_token=token))
    assert await store.public_tokens(tenant.id) == before


async def test_a_public_token_of_an_environment_that_is_gone_is_not_made(store: Store) -> None:
    with pytest.raises(Stale):
        await store.write(CreatePublicToken(public_token=a_public_token("project-test-gone")))


async def test_two_who_delete_the_last_two_public_tokens_leave_one(stores: tuple[Store, Store], tenant: Tenant) -> None:
    await stores[0].write(CreatePublicToken(public_token=a_public_token(tenant.id)))
    both = await stores[0].public_tokens(tenant.id)
    outcomes = await race(
        stores, [DeletePublicToken(environment_id=tenant.id, public_token=one.public_token) for one in both]
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "Stale"]
    assert await stores[1].public_tokens(tenant.id) == [both[0] if outcomes[1] is None else both[1]]


# ---------------------------------------------------------------- secrets and workspace keys


async def test_the_last_use_of_a_secret_is_told_and_never_moves_backwards(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    def touch(used_at: int, **changes: str) -> TouchSecret:
        write = TouchSecret(environment_id=tenant.id, secret_id=tenant.secret.secret_id, used_at=used_at)
        return replace(write, **changes)

    for write in (touch(NOW + 60), touch(NOW + 30), touch(NOW + 90, environment_id=neighbour.id)):
        await store.write(write)
    await store.write(touch(NOW, secret_id="secret-test-gone"))
    used = replace(tenant.secret, used_at=NOW + 60)
    assert await store.secrets(tenant.id) == [used]
    caller = await store.caller(tenant.id, tenant.secret.secret_hash)
    assert caller is not None
    assert caller.secret == used
    assert await store.secrets(neighbour.id) == [neighbour.secret]


async def test_of_many_uses_at_once_the_latest_is_kept(stores: tuple[Store, Store], tenant: Tenant) -> None:
    times = [NOW + 5, NOW + 9, NOW + 1, NOW + 7]
    writes = [
        TouchSecret(environment_id=tenant.id, secret_id=tenant.secret.secret_id, used_at=used_at) for used_at in times
    ]
    assert await race(stores, writes) == [None] * 4
    assert await stores[1].secrets(tenant.id) == [replace(tenant.secret, used_at=NOW + 9)]


async def test_the_use_of_one_secret_says_nothing_of_another(store: Store, tenant: Tenant) -> None:
    another = records.secret(tenant.id, created_at=NOW + 1)
    await store.write(CreateSecret(secret=another))
    await store.write(TouchSecret(environment_id=tenant.id, secret_id=another.secret_id, used_at=NOW + 2))
    await store.write(RevokeSecret(environment_id=tenant.id, secret_id=another.secret_id, revoked_at=NOW + 3))
    assert await store.secrets(tenant.id) == [tenant.secret, replace(another, used_at=NOW + 2, revoked_at=NOW + 3)]


async def test_a_workspace_key_opens_until_it_is_revoked(store: Store) -> None:
    first, later = a_workspace_key(), a_workspace_key("console", created_at=NOW + 1)
    for key in (later, first):
        await store.write(CreateWorkspaceKey(key=key))
    assert await store.workspace_key(first.workspace_key_id) == first
    assert await store.workspace_keys() == [first, later]
    await store.write(RevokeWorkspaceKey(workspace_key_id=first.workspace_key_id, revoked_at=NOW + 9))
    assert await store.workspace_key(first.workspace_key_id) is None
    assert await store.workspace_key(later.workspace_key_id) == later
    assert await store.workspace_keys() == [replace(first, revoked_at=NOW + 9), later]


async def test_a_workspace_key_is_revoked_once(store: Store) -> None:
    key = a_workspace_key()
    await store.write(CreateWorkspaceKey(key=key))
    await store.write(RevokeWorkspaceKey(workspace_key_id=key.workspace_key_id, revoked_at=NOW))
    for workspace_key_id in (key.workspace_key_id, "workspace-key-live-unknown"):
        with pytest.raises(Stale):
            await store.write(RevokeWorkspaceKey(workspace_key_id=workspace_key_id, revoked_at=NOW + 5))
    assert await store.workspace_keys() == [replace(key, revoked_at=NOW)]


async def test_the_last_use_of_a_workspace_key_never_moves_backwards(stores: tuple[Store, Store]) -> None:
    key, other = a_workspace_key(), a_workspace_key("other", created_at=NOW + 1)
    for one in (key, other):
        await stores[0].write(CreateWorkspaceKey(key=one))
    writes = [
        TouchWorkspaceKey(workspace_key_id=key.workspace_key_id, used_at=used_at) for used_at in (NOW + 8, NOW + 2)
    ]
    gone = TouchWorkspaceKey(workspace_key_id="workspace-key-live-gone", used_at=NOW)
    assert await race(stores, [*writes, gone]) == [None] * 3
    assert await stores[1].workspace_keys() == [replace(key, used_at=NOW + 8), other]


# ---------------------------------------------------------------- sessions that are alive, events by number


async def test_live_sessions_are_counted_by_environment(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    for of, expires_at in ((tenant, NOW + 10), (tenant, NOW + 20), (neighbour, NOW + 20), (neighbour, NOW)):
        session = records.session(of.member, expires_at=expires_at)
        await store.write(records.start(session, of.secret))
    revoked = records.session(tenant.user, revoked_at=NOW)
    await store.write(records.start(revoked, tenant.secret))
    assert await store.sessions_alive(NOW) == {tenant.id: 2, neighbour.id: 1}
    assert await store.sessions_alive(NOW + 10) == {tenant.id: 1, neighbour.id: 1}
    assert await store.sessions_alive(NOW + 20) == {}


@ON_SQLITE
async def test_counting_sessions_does_not_hold_up_the_event_loop(store: Store, tenant: Tenant) -> None:
    """The count starts when the loop has done something else, and another read is answered meanwhile."""
    assert isinstance(store, SqliteStore)
    loop, threads = asyncio.get_running_loop(), set[int]()
    started, go_on = asyncio.Event(), threading.Event()
    connect = store._connect

    def slow() -> sqlite3.Connection:
        threads.add(threading.get_ident())
        loop.call_soon_threadsafe(started.set)
        assert go_on.wait(10)
        return connect()

    store._connect = slow
    counting = asyncio.create_task(store.sessions_alive(NOW))
    await asyncio.wait_for(started.wait(), 10)
    assert await store.secret_is_live(tenant.id, tenant.secret.secret_id)
    go_on.set()
    assert await counting == {}
    assert threading.get_ident() not in threads


async def test_events_are_paged_by_number_and_oldest_first(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    told: list[Event] = []
    for number, of in enumerate((tenant, neighbour, tenant, tenant)):
        event = records.event(of.id, action=f"change.{number}")
        await store.write(RecordAttempt(attempt=records.attempt(of.id), events=(event,)))
        told.append(event)
    numbered = await store.events_after(None, 0, 10)
    assert [one.event for one in numbered] == told
    assert [one.number for one in numbered] == sorted({one.number for one in numbered})
    page = await store.events_after(tenant.id, 0, 2)
    assert page == [numbered[0], numbered[2]]
    assert await store.events_after(tenant.id, page[-1].number, 2) == [numbered[3]]
    assert await store.events_after(None, numbered[1].number, 1) == [numbered[2]]
    assert await store.events_after(neighbour.id, numbered[1].number, 10) == []
    assert numbered[0] == NumberedEvent(number=numbered[0].number, event=told[0])
