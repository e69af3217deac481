"""One suite for every store: a test that takes ``store`` runs on each of ADDRESSES."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
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
)
from assay.store.opening import open_store
from tests import records

# A store is named here by the address of fresh data of its kind.
ADDRESSES: dict[str, Callable[[Path], str]] = {
    "sqlite": lambda folder: f"sqlite:///{folder / 'assay.db'}",
}


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
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return ADDRESSES[request.param](tmp_path)


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


async def settle(store: Store, slug: str) -> Tenant:
    """A project whose TEST environment has one of everything."""
    project = records.new_project(slug)
    environment, secret = project.environments[1], project.secrets[1]
    organization = records.organization(environment.environment_id, slug="umbrella", external_id="customer-7")
    made = Tenant(
        environment=environment,
        secret=secret,
        profile=records.profile(environment.environment_id),
        organization=organization,
        member=records.member(organization, email="ada@acme.example", external_id="sub|ada"),
        user=records.user(environment.environment_id, email="bob@home.example", external_id="sub|bob"),
    )
    await store.write(project)
    await store.write(CreateProfile(profile=made.profile))
    await store.write(CreateOrganization(organization=made.organization))
    await store.write(CreateMember(member=made.member))
    await store.write(CreateUser(user=made.user))
    return made
