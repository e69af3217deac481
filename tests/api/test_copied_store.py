"""After a move everything goes on as it was: sessions, profiles, secrets of callers, and what was sealed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay import config
from assay.api.application import Application
from assay.app import open_context
from assay.keys.sealing import RootKey
from assay.stories import key_sources, profiles
from tests import postgres
from tests.calls import OPERATOR
from tests.copies import copied
from tests.issuer import AUDIENCE, sign
from tests.world import BASE_URL, World, open_world

SHARED = "a secret that only two know, and no more"
OLD, NEW = RootKey(b"o" * 32), RootKey(b"n" * 32)
ATTEST, AUTHENTICATE = "/v1/b2b/sessions/attest", "/v1/b2b/sessions/authenticate"


@pytest.fixture(params=["postgres", "sqlite"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    made = postgres.migrated() if request.param == "postgres" else f"sqlite:///{tmp_path / 'moved.db'}"
    yield made
    postgres.drop(made)


@asynccontextmanager
async def moved(world: World, target: str, *, new: RootKey = NEW) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the B2B project where the target is served, at the same time and with its root key."""
    settings = config.read({"ASSAY_DATABASE": target, "ASSAY_ROOT_KEY": new.text()})
    async with open_context(settings, clock=world.clock, monotonic=world.clock) as context:
        transport = httpx.ASGITransport(app=Application(context))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=world.b2b.auth) as client:
            yield client


async def add_hmac_profile(world: World) -> None:
    profile = profiles.ProfileCreate(
        profile_id="shared",
        name="Shared secret",
        issuer="https://shared.example",
        audience=AUDIENCE,
        algorithms=("HS256",),
        key_sources=key_sources.read([{"kind": "hmac", "secret": SHARED}]),
        attribute_mapping={"email": "email"},
        can_jit_provision=True,
    )
    made = await profiles.create_profile(
        world.context, world.b2b.project_id, profile, by=OPERATOR, allow_problems=False
    )
    assert made.problems == []


def body_of_hmac(world: World) -> dict[str, Any]:
    now = int(world.clock.now)
    claims = {"iss": "https://shared.example", "aud": AUDIENCE, "sub": "grace", "email": "grace@acme.example"}
    token = sign({"alg": "HS256"}, claims | {"iat": now, "exp": now + 600}, "HS256", SHARED.encode())
    return {"profile_id": "shared", "token": token, "organization_id": world.acme.organization_id}


@pytest.mark.parametrize("new", [OLD, NEW], ids=["the same root key", "another root key"])
async def test_who_was_logged_in_stays_so_and_others_can_log_in(tmp_path: Path, target: str, new: RootKey) -> None:
    async with open_world(tmp_path, {"ASSAY_ROOT_KEY": OLD.text()}) as world:
        await add_hmac_profile(world)
        async with world.client(world.b2b) as client:
            before = (await client.post(ATTEST, json=world.attest_body())).json()
            ended = (await client.post(ATTEST, json=world.attest_body(token=world.token(jti="2")))).json()
            jwks = (await client.get(f"/v1/b2b/sessions/jwks/{world.b2b.project_id}")).json()
            body = {"session_token": ended["session_token"]}
            assert (await client.post("/v1/b2b/sessions/revoke", json=body)).status_code == 200
    assert before["status_code"] == ended["status_code"] == 200
    assert (await copied(f"sqlite:///{tmp_path / 'assay.db'}", target, old=OLD, new=new)).is_finished
    async with moved(world, target, new=new) as client:
        for shown in ("session_token", "session_jwt"):
            again = await client.post(AUTHENTICATE, json={shown: before[shown]})
            assert again.status_code == 200
            assert again.json()["member_session"]["member_session_id"] == before["member_session"]["member_session_id"]
        assert (await client.post(AUTHENTICATE, json=body)).status_code == 404
        assert (await client.post(ATTEST, json=world.attest_body(token=world.token(jti="3")))).status_code == 200
        shared = await client.post(ATTEST, json=body_of_hmac(world))
        assert shared.status_code == 200
        assert (await client.get(f"/v1/b2b/sessions/jwks/{world.b2b.project_id}")).json()["keys"] == jwks["keys"]


async def test_the_old_root_key_opens_nothing_any_more(tmp_path: Path, target: str) -> None:
    async with open_world(tmp_path, {"ASSAY_ROOT_KEY": OLD.text()}) as world:
        pass
    await copied(f"sqlite:///{tmp_path / 'assay.db'}", target, old=OLD, new=NEW)
    with pytest.raises(Exception, match="another root key"):
        async with moved(world, target, new=OLD):
            raise AssertionError
