"""One suite for every store: a test that takes ``store`` runs on each of ADDRESSES."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from assay.model import Environment, Member, Organization, Profile, Secret, Session, User
from assay.store import (
    CreateMember,
    CreateOrganization,
    CreateProfile,
    CreateUser,
    Store,
    backup,
)
from assay.store.opening import open_store
from tests import postgres, records

# A store is named here by the address of fresh data of its kind.
ADDRESSES: dict[str, Callable[[Path], str]] = {
    "sqlite": lambda folder: f"sqlite:///{folder / 'assay.db'}",
    "postgres": lambda _folder: postgres.migrated(),
}


# For a test of what only one kind of store has.
ON_SQLITE = pytest.mark.parametrize("address", ["sqlite"], indirect=True)
ON_POSTGRES = pytest.mark.parametrize("address", ["postgres"], indirect=True)


class Tenant(msgspec.Struct, frozen=True):
    """An environment with people in it."""

    environment: Environment
    secret: Secret
    profile: Profile
    organization: Organization
    member: Member
    user: User

    @property
    def id(self) -> str:
        return self.environment.environment_id


@pytest.fixture(params=ADDRESSES)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    made = ADDRESSES[request.param](tmp_path)
    yield made
    postgres.drop(made)


@pytest.fixture
def path(address: str) -> str:
    """The file of the store, or its address, for what looks into it directly."""
    return address.removeprefix("sqlite:///")


@pytest.fixture
async def store(address: str) -> AsyncIterator[Store]:
    opened = await open_store(address)
    yield opened
    await opened.close()


@pytest.fixture
async def second(store: Store, address: str) -> AsyncIterator[Store]:
    """Another store on the same data, as another process has it."""
    del store  # the first one is open when the second is opened
    opened = await open_store(address)
    yield opened
    await opened.close()


@pytest.fixture
async def tenant(store: Store) -> Tenant:
    return await settle(store, "acme")


@pytest.fixture
async def neighbour(store: Store) -> Tenant:
    """Another tenant of the same store, who must never be seen or touched."""
    return await settle(store, "rival")


@pytest.fixture
async def session(store: Store, tenant: Tenant) -> Session:
    """A live session of the tenant's member."""
    started = records.session(tenant.member)
    await store.write(records.start(started, tenant.secret))
    return started


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder / "monday.db"


@pytest.fixture
async def copy(store: Store, tenant: Tenant, session: Session, address: str, target: Path) -> AsyncIterator[Path]:
    """A backup of the tenant with its session; the store is closed, so that it can be replaced."""
    del tenant, session
    await backup.back_up(address, str(target), now=records.NOW)
    yield target
    await store.close()


async def settle(store: Store, slug: str) -> Tenant:
    """A project whose TEST environment has one of everything."""
    project = records.new_project(slug)
    await store.write(project)
    return await populate(store, project.environments[1], project.secrets[1])


async def populate(store: Store, environment: Environment, secret: Secret) -> Tenant:
    """Put one of everything into an environment that is there."""
    organization = records.organization(environment.environment_id, slug="umbrella", external_id="customer-7")
    made = Tenant(
        environment=environment,
        secret=secret,
        profile=records.profile(environment.environment_id),
        organization=organization,
        member=records.member(organization, email="ada@acme.example", external_id="sub|ada"),
        user=records.user(environment.environment_id, email="bob@home.example", external_id="sub|bob"),
    )
    await store.write(CreateProfile(profile=made.profile))
    await store.write(CreateOrganization(organization=made.organization))
    await store.write(CreateMember(member=made.member))
    await store.write(CreateUser(user=made.user))
    return made
