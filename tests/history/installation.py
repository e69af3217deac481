"""An Assay in a folder, ready for the clients, and the run that its servers take part in."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

from assay import config
from assay.app import open_context
from assay.stories import organizations, profiles, projects
from assay.stories.context import Call, Context
from tests.calls import OPERATOR
from tests.history.clients import Load, Target
from tests.history.history import Recorder
from tests.issuer import AUDIENCE, Issuer, make_key
from tests.process import Assay, Server

CALL_SECONDS: Final = 20


class Installation:
    """One database, the servers over it, and the record of the run. ``workers`` is how many answer at a time."""

    def __init__(self, folder: Path, records: Path, *, seed: int, workers: int = 1) -> None:
        self.folder = folder
        self.assay = Assay(folder)
        self.recorder = Recorder(time.time, records)
        self.load: Load
        self._seed = seed
        self._options = ("--workers", str(workers)) if workers > 1 else ()

    async def set_up(self) -> None:
        """Make the database, and in it whatever the clients need."""
        target = await set_up(self.assay.database)
        self.load = Load(target, self.recorder, time.time, seed=self._seed, people=24)

    def start(self) -> Server:
        """Another server; whoever starts it ends it."""
        return self.assay.start(*self._options)

    def client(self, server: Server) -> httpx.AsyncClient:
        """The clients' way to a server."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        return httpx.AsyncClient(
            base_url=server.url, auth=self.load.target.auth, trust_env=False, timeout=CALL_SECONDS, limits=limits
        )

    async def run(
        self, server: Server, operations: int, clients: int, *, left: int = 0, then: Callable[[], None] | None = None
    ) -> None:
        """Load one server; see :meth:`Load.run`."""
        async with self.client(server) as http:
            await self.load.run(http, operations, clients, left=left, then=then or (lambda: None))


async def set_up(database: str, root_key: str = "") -> Target:
    """A project, an organization and two profiles that trust a new issuer, one of them each token once."""
    issuer = Issuer(keys=[make_key("P-256")])
    settings = {"ASSAY_DATABASE": database, **({"ASSAY_ROOT_KEY": root_key} if root_key else {})}
    async with open_context(config.read(settings)) as context:
        made = await projects.create_project(context, "History", "b2b", by=OPERATOR)
        environment_id = made.environment.environment_id
        for profile_id in ("idp", "once"):
            await _trust(context, environment_id, issuer, profile_id)
        call = Call(
            caller=await projects.authenticate_caller(context, environment_id, made.secret), request_id="set-up"
        )
        wanted = organizations.OrganizationCreate(organization_name="Acme", organization_slug="acme")
        organization = await organizations.create(context, call, wanted)
    return Target((environment_id, made.secret), issuer, organization.organization_id, alg="ES256")


async def _trust(context: Context, environment_id: str, issuer: Issuer, profile_id: str) -> None:
    wanted = profiles.ProfileCreate(
        profile_id=profile_id,
        name=profile_id,
        issuer=issuer.url,
        audience=AUDIENCE,
        pem_files=(issuer.keys[0].pem(),),
        attribute_mapping={"email": "email", "token_id": "jti"},
        can_jit_provision=True,
        replay="token_id" if profile_id == "once" else "off",
    )
    await profiles.create_profile(context, environment_id, wanted, by=OPERATOR, allow_problems=False)
