"""A signing key is rotated under clients: JWTs from before and after verify locally, for whoever has the keys.

The Node client's half is ``node/rotation.test.mjs``.
"""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from stytch import B2BClient, Client

from tests.sdk.clients import Credentials, Sdk, Service, Way, connected, person, unique

LOCAL = "sessions.authenticate_jwt_local"


def _kid(session_jwt: str) -> str:
    kid: str = jwt.get_unverified_header(session_jwt)["kid"]
    return kid


@pytest.mark.parametrize("kind", [B2BClient, Client], ids=["B2B", "consumer"])
async def test_over_a_rotation_old_and_new_jwts_verify_locally(
    service: Service, way: Way, kind: type[B2BClient | Client]
) -> None:
    credentials = service.b2b if kind is B2BClient else service.consumer
    claims = person() | ({"org_id": unique("org")} if kind is B2BClient else {})
    async with connected(kind, credentials, service, way) as sdk:
        old = await sdk.login(claims, session_duration_minutes=60)
        assert await sdk(LOCAL, session_jwt=old.session_jwt) is not None
        service.assay.run("keys", "rotate", "--project-id", credentials.project_id)
        new = await sdk("sessions.authenticate", session_token=old.session_token)
        assert _kid(old.session_jwt) != _kid(new.session_jwt)
        await _verifies(sdk, old, new)
    async with connected(kind, credentials, service, way) as fresh:
        await _verifies(fresh, old, new)
        # The server too, which knows the session by either JWT.
        for each in (old, new):
            found = await fresh("sessions.authenticate", session_jwt=each.session_jwt)
            assert found.session_token == old.session_token


async def _verifies(sdk: Sdk, *answers: Any) -> None:
    for each in answers:
        assert await sdk(LOCAL, session_jwt=each.session_jwt) is not None


async def test_a_jwt_of_another_environment_s_key_does_not_verify(service: Service, way: Way) -> None:
    """So that the test above does not pass because everything verifies."""
    made = service.assay.create_project(unique("Other"), "consumer")
    other = Credentials(made["project_id"], made["secret"])
    async with connected(Client, service.consumer, service, way) as sdk:
        login = await sdk.login(person(), session_duration_minutes=60)
    async with connected(Client, other, service, way) as stranger:
        with pytest.raises(jwt.PyJWKClientError):
            await stranger(LOCAL, session_jwt=login.session_jwt)
