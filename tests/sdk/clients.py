"""The official Python client, sync or async behind one adapter, and what its refusals must look like."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal, NamedTuple

import httpx
import pytest
import requests
from stytch import B2BClient, Client
from stytch.core.response_base import StytchError, StytchErrorDetails

from assay import config
from assay.api.application import Application
from assay.app import open_context
from tests.issuer import Issuer
from tests.process import Assay, Server

Way = Literal["sync", "async"]

INVALID = "invalid_trusted_auth_token"

_numbers = itertools.count(1)


class Credentials(NamedTuple):
    """What a backend holds of a project."""

    project_id: str
    secret: str


class Service(NamedTuple):
    """One server with its projects and issuers; the profiles are those of ``conftest.py``."""

    assay: Assay
    server: Server
    b2b: Credentials
    consumer: Credentials
    issuer: Issuer
    partner: Issuer


class Sdk:
    """One client. ``await sdk("sessions.get", …)`` calls ``sessions.get``, or awaits ``sessions.get_async``."""

    def __init__(self, client: B2BClient | Client, way: Way, service: Service) -> None:
        self.client = client
        self.way = way
        self.service = service

    async def __call__(self, call: str, /, **arguments: Any) -> Any:
        *names, method = call.split(".")
        group: Any = self.client
        for name in names:
            group = getattr(group, name)
        if self.way == "sync":
            return getattr(group, method)(**arguments)
        return await getattr(group, f"{method}_async")(**arguments)

    async def login(self, claims: dict[str, Any], **arguments: Any) -> Any:
        """Attest a good token of the main issuer against the profile that may provision."""
        return await self(
            "sessions.attest", **{"profile_id": "open", "token": self.service.issuer.mint(claims)} | arguments
        )


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{next(_numbers)}"


def person(**claims: Any) -> dict[str, Any]:
    """Claims of somebody whom no other test knows."""
    name = unique("person")
    return {"sub": f"idp|{name}", "email": f"{name}@example.com", "email_verified": True} | claims


@asynccontextmanager
async def connected(
    kind: type[B2BClient | Client], credentials: Credentials, service: Service, way: Way = "sync"
) -> AsyncIterator[Sdk]:
    """A client pointed at the service as the documentation of the client says, for as long as the block runs."""
    with requests.Session() as session:
        client = kind(*credentials, environment=f"{service.server.url}/", sync_session=session)
        async with client:
            yield Sdk(client, way, service)


@contextmanager
def refused(error_type: str, status: int) -> Iterator[list[StytchErrorDetails]]:
    """The block must end in a refusal of this type and status; the list holds it afterwards."""
    found: list[StytchErrorDetails] = []
    with pytest.raises(StytchError) as caught:
        yield found
    details = caught.value.details
    assert (details.error_type, details.status_code) == (error_type, status), details.error_message
    assert details.request_id.startswith("request-id-test-")
    assert details.error_message
    assert details.error_url
    found.append(details)


async def jwt_of_ten_minutes_ago(service: Service, route: str, session_token: str) -> str:
    """A session JWT that ran out, made by a second Assay over the same database whose clock is slow."""
    settings = config.read(service.assay.environ)
    credentials = service.b2b if "b2b" in route else service.consumer
    async with open_context(settings, clock=lambda: time.time() - 600) as context:
        transport = httpx.ASGITransport(Application(context))
        async with httpx.AsyncClient(transport=transport, base_url="http://assay", auth=credentials) as client:
            answer = await client.post(route, json={"session_token": session_token})
    assert answer.status_code == 200, answer.text
    made: str = answer.json()["session_jwt"]
    return made
