"""A whole Assay in one process, for tests of anything above the stories: store, keys, projects, an issuer, the API.

The ``world`` fixture (``tests/conftest.py``) opens one per test::

    async def test_a_member_logs_in(world: World) -> None:
        async with world.client(world.b2b) as client:
            answer = await client.post("/v1/b2b/sessions/attest", json=world.attest_body())
        assert answer.status_code == 200

Its clock stands still until ``world.clock.turn(seconds)``. It has a B2B and a consumer project, each with a profile
named ``idp`` that trusts ``world.issuer`` by its PEM (so that no test opens a connection), and an organization
``acme`` in the first. ``world.operator()`` makes a key of the management API. ``world.log_lines()`` are the log lines
so far, and ``world.log_bytes()`` the log as written.
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from assay import config, logs
from assay.api.application import Application
from assay.app import open_context
from assay.keys.origins import Fetch
from assay.model import Caller, Organization, Vertical
from assay.stories import organizations, profiles, projects, workspace_keys
from assay.stories.context import Call, Context
from tests.calls import OPERATOR
from tests.issuer import AUDIENCE, Issuer, make_key
from tests.whole import WholeBodies

NOW = 1_780_000_000
PROFILE_ID = "idp"
BASE_URL = "http://assay.test"


class Clock:
    """Seconds since the epoch; ``turn`` moves it."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += seconds


class Tenant(msgspec.Struct, frozen=True):
    """A project environment and the credentials that open it."""

    project_id: str
    secret: str
    caller: Caller

    @property
    def auth(self) -> tuple[str, str]:
        return self.project_id, self.secret


class Operating(msgspec.Struct, frozen=True):
    """A workspace key, which opens the management API."""

    workspace_key_id: str
    secret: str

    @property
    def auth(self) -> tuple[str, str]:
        return self.workspace_key_id, self.secret


class World(msgspec.Struct):
    """What a test works with."""

    clock: Clock
    context: Context
    app: Application
    issuer: Issuer
    b2b: Tenant
    consumer: Tenant
    acme: Organization
    log: io.BytesIO

    def client(self, caller: Tenant | Operating | None = None) -> httpx.AsyncClient:
        """A client of the API in this process, with the caller's credentials or none."""
        transport = httpx.ASGITransport(app=WholeBodies(self.app))
        return httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=caller.auth if caller else None)

    async def operator(self) -> Operating:
        """A new workspace key."""
        key, secret = await workspace_keys.create(self.context, by=OPERATOR)
        return Operating(key.workspace_key_id, secret)

    def token(self, **claims: Any) -> str:
        """A good token of the issuer, with ``claims`` over the usual ones."""
        return self.issuer.mint(claims, now=self.clock.now)

    def attest_body(self, **members: Any) -> dict[str, Any]:
        """The body of a B2B attest that is granted, with ``members`` over it."""
        body = {"profile_id": PROFILE_ID, "token": self.token(), "organization_id": self.acme.organization_id}
        return body | members

    def consumer_attest_body(self, **members: Any) -> dict[str, Any]:
        """As :meth:`attest_body`, for the consumer project."""
        return {"profile_id": PROFILE_ID, "token": self.token(), "session_duration_minutes": 60} | members

    def log_bytes(self) -> bytes:
        logs.flush()
        return self.log.getvalue()

    def log_lines(self, event: str = "request") -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log_bytes().splitlines()]
        return [line for line in lines if line["event"] == event]


@asynccontextmanager
async def open_world(
    folder: Path, environ: dict[str, str] | None = None, fetch: Fetch | None = None
) -> AsyncIterator[World]:
    """Everything over an SQLite file in ``folder``; ``environ`` holds further settings.

    ``fetch`` stands for the way to the issuers.
    """
    log = io.BytesIO()
    logs.configure("debug", log)
    clock = Clock()
    settings = config.read({"ASSAY_DATABASE": f"sqlite:///{folder / 'assay.db'}"} | (environ or {}))
    async with open_context(settings, clock=clock, monotonic=clock, fetch=fetch) as context:
        issuer = Issuer(keys=[make_key("RSA")])
        b2b = await _tenant(context, "b2b", issuer)
        consumer = await _tenant(context, "consumer", issuer)
        request = organizations.OrganizationCreate(organization_name="Acme", organization_slug="acme")
        acme = await organizations.create(context, Call(caller=b2b.caller, request_id="set-up"), request)
        yield World(clock, context, Application(context), issuer, b2b, consumer, acme, log)


async def _tenant(context: Context, vertical: Vertical, issuer: Issuer) -> Tenant:
    made = await projects.create_project(context, f"Test {vertical}", vertical, by=OPERATOR)
    environment_id = made.environment.environment_id
    profile = profiles.ProfileCreate(
        profile_id=PROFILE_ID,
        name="Test issuer",
        issuer=issuer.url,
        audience=AUDIENCE,
        pem_files=(issuer.keys[0].pem(),),
        attribute_mapping={"email": "email", "token_id": "jti"},
        can_jit_provision=True,
    )
    await profiles.create_profile(context, environment_id, profile, by=OPERATOR, allow_problems=False)
    caller = await projects.authenticate_caller(context, environment_id, made.secret)
    return Tenant(environment_id, made.secret, caller)
