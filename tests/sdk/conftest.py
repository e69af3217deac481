"""One real process for all these tests, with two projects, two issuers, and the profiles they share.

B2B and consumer projects both have ``open`` (provisions, maps everything), ``closed`` (finds by email only),
``static`` (the main issuer's key as PEM) and ``partner`` (the other issuer's key as PEM; finds by email only).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from stytch import B2BClient, Client
from stytch_management import Client as ManagementClient
from stytch_management.models.environments import Environment

from tests.certificates import server_files
from tests.issuer import AUDIENCE, Issuer, IssuerKey, make_key, serving
from tests.process import Assay
from tests.sdk.clients import Credentials, Sdk, Service, Way, connected, unique
from tests.sdk.managing import ManagedServer, new_environment

PARTNER = "https://partner.example"
KID = "key-1"

_MAPPINGS = {
    "b2b": {
        "email": "email",
        "token_id": "jti",
        "external_member_id": "sub",
        "organization_id": "org_id",
        "organization_name": "org_name",
        "role_ids": "roles",
    },
    "consumer": {"email": "email", "token_id": "jti", "external_user_id": "sub", "role_ids": "roles"},
}
_BY_EMAIL = {"email": "email", "token_id": "jti"}


class Profile(NamedTuple):
    """The arguments that one profile is created with."""

    args: tuple[str, ...]
    keywords: dict[str, Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the client use what its own libraries, aiohttp and pydantic, will drop in their next versions."""
    tolerated = ("BasicAuth is deprecated", "The 'auth' parameter is deprecated", "The `dict` method is deprecated")
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            for message in tolerated:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{message}:DeprecationWarning"))


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("sdk")
    assay = Assay(folder)
    partner = Issuer(PARTNER, [IssuerKey(KID, make_key("RSA", "partner").private_key)])
    with serving([make_key("RSA", KID)]) as issuer:
        projects = {vertical: assay.create_project(f"SDK {vertical}", vertical) for vertical in _MAPPINGS}
        b2b, consumer = (Credentials(made["project_id"], made["secret"]) for made in projects.values())
        pems = [_pem_file(folder / f"{number}.pem", each) for number, each in enumerate((issuer, partner))]
        # Each command takes a second, and there are two cores.
        with ThreadPoolExecutor(2) as pool:
            plans = [
                *_profiles("b2b", b2b, issuer, partner, pems),
                *_profiles("consumer", consumer, issuer, partner, pems),
            ]
            list(pool.map(lambda plan: assay.create_profile(*plan.args, **plan.keywords), plans))
        with assay.serving() as server:
            yield Service(assay, server, b2b, consumer, issuer, partner)


def _profiles(
    vertical: str, project: Credentials, issuer: Issuer, partner: Issuer, pems: list[str]
) -> Iterator[Profile]:
    """What to create, as arguments of ``Assay.create_profile``."""
    main: dict[str, Any] = {"issuer": issuer.url, "audience": AUDIENCE}
    other: dict[str, Any] = {"issuer": partner.url, "audience": AUDIENCE}
    keys = (project.project_id, "--jwks-url", issuer.jwks_url)
    yield Profile((*keys, "--jit"), {"profile_id": "open", "mapping": _MAPPINGS[vertical], **main})
    yield Profile(keys, {"profile_id": "closed", "mapping": _BY_EMAIL, **main})
    yield Profile((project.project_id, "--pem", pems[0]), {"profile_id": "static", "mapping": _BY_EMAIL, **main})
    yield Profile((project.project_id, "--pem", pems[1]), {"profile_id": "partner", "mapping": _BY_EMAIL, **other})


def _pem_file(path: Path, issuer: Issuer) -> str:
    path.write_text(issuer.keys[0].pem())
    return str(path)


@pytest.fixture(params=["sync", "async"])
def way(request: pytest.FixtureRequest) -> Way:
    chosen: Way = request.param
    return chosen


@pytest.fixture
async def b2b(service: Service, way: Way) -> AsyncIterator[Sdk]:
    async with connected(B2BClient, service.b2b, service, way) as sdk:
        yield sdk


@pytest.fixture
async def consumer(service: Service, way: Way) -> AsyncIterator[Sdk]:
    async with connected(Client, service.consumer, service, way) as sdk:
        yield sdk


@pytest.fixture
async def organization(b2b: Sdk) -> Any:
    """An organization of this test alone, with an external id."""
    slug = unique("org")
    made = await b2b(
        "organizations.create",
        organization_name=slug.title(),
        organization_slug=slug,
        organization_external_id=f"ext|{slug}",
    )
    return made.organization


@pytest.fixture
async def member(b2b: Sdk, organization: Any) -> Any:
    """An active member of the organization, with an external id."""
    name = unique("member")
    made = await b2b(
        "organizations.members.create",
        organization_id=organization.organization_id,
        email_address=f"{name}@example.com",
        external_id=f"ext|{name}",
    )
    return made.member


@pytest.fixture
async def user(consumer: Sdk) -> Any:
    """A user of this test alone, with an external id."""
    name = unique("user")
    made = await consumer("users.create", email=f"{name}@example.com", external_id=f"ext|{name}")
    return made.user


# ---------------------------------------------------------------- the management API


@pytest.fixture(scope="session")
def managed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagedServer]:
    """One real process for all tests of the management API; each makes projects of its own."""
    folder = tmp_path_factory.mktemp("managed")
    assay, files = Assay(folder), server_files(folder)
    key = assay.run("workspace-key", "create", "--name", "tests")
    with assay.serving(*files.options) as server:
        yield ManagedServer(assay, server, files, key["workspace_key_id"], key["workspace_key_secret"])


@pytest.fixture
def management(managed_server: ManagedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ManagementClient]:
    """The unmodified client over https."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(managed_server.files.authority))
    with requests.Session() as session:
        yield managed_server.client(session)


@pytest.fixture(params=["CONSUMER", "B2B"])
def environment(management: ManagementClient, request: pytest.FixtureRequest) -> Environment:
    """The TEST environment of a new project, in both verticals."""
    return new_environment(management, request.param)
