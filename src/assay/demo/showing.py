"""The demo's own attest, over HTTP as any backend's, and the words around it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import httpx

from assay.demo.data import PROFILE_ID, Credentials, World
from assay.demo.issuer import DemoIssuer

PATH = "/b2b/v1/sessions/attest"
SESSION_MINUTES = 24 * 60
"""Longer than the tokens live, so that both commands work as long as they do."""

_TIMEOUT_SECONDS = 30.0


class DemoFault(Exception):
    """The demo's own attest was refused or took too long; the message says why."""


class ServerGone(Exception):
    """Nobody answers any more: the server is about to end, and its own end tells whether all is well."""


async def attest(base_url: str, world: World, issuer: DemoIssuer) -> str:
    """Start a session as a backend would; answers its session token. Raises DemoFault, ServerGone."""
    credentials = world.b2b
    async with httpx.AsyncClient(
        base_url=base_url, auth=(credentials.project_id, credentials.secret), trust_env=False, timeout=_TIMEOUT_SECONDS
    ) as client:
        try:
            answer = await client.post(PATH, json=_body(world, issuer.mint(), {"plan": "pro"}))
        except httpx.TimeoutException:
            raise DemoFault(f"the demo's own attest got no answer within {_TIMEOUT_SECONDS:g} seconds") from None
        except httpx.TransportError:
            raise ServerGone from None
    if answer.status_code != httpx.codes.OK:
        raise DemoFault(f"the demo's own attest was refused: {answer.text}")
    return str(answer.json()["session_token"])


def page(base_url: str, world: World, issuer: DemoIssuer, session_token: str, data: Path) -> str:
    """What the demo prints."""
    first = _body(world, issuer.mint(), {"plan": "pro"})
    second = {**_body(world, issuer.mint(), {"confirmed": True}), "session_token": session_token}
    return f"""
Assay answers on {base_url}

  B2B project       {world.b2b.project_id}
  Consumer project  {world.consumer.project_id}
  Organization      {world.organization.organization_id} ({world.organization.slug})
  Profile           {PROFILE_ID}, in both projects
  Demo issuer       {issuer.jwks_url}
  Dashboard         {base_url}/dashboard, with a link for its first operator as long as there is none
  Data              {_named(data)}: assay.db, assay.log, credentials.json (both projects' secrets)

A backend posts a token that the issuer signed for Ada, and gets a session. Paste into another terminal:

{_curl(base_url, world.b2b, first)}

The same, with another token, adds a factor to the session that this demo has started already:

{_curl(base_url, world.b2b, second)}

Both work for two hours, as often as you like. Then see what the server thinks of itself:

ASSAY_ALLOW_LOOPBACK_KEY_URLS=1 {_assay()} doctor --database {shlex.quote(f"sqlite:///{_named(data)}/assay.db")}

Press Ctrl-C to stop.
"""


def _body(world: World, token: str, custom_claims: dict[str, Any]) -> dict[str, Any]:
    return {
        "token_profile_id": PROFILE_ID,
        "token": token,
        "organization_id": world.organization.organization_id,
        "session_duration_minutes": SESSION_MINUTES,
        "session_custom_claims": custom_claims,
    }


def _curl(base_url: str, credentials: Credentials, body: dict[str, Any]) -> str:
    """A command for a shell; nothing in the body holds a single quote."""
    return (
        f"curl -s -u {credentials.project_id}:{credentials.secret} -H 'Content-Type: application/json'"
        f" -X POST {base_url}{PATH} -d '{json.dumps(body)}'"
    )


def _assay() -> str:
    return shlex.quote(_named(Path(sys.executable).with_name("assay")))


def _named(path: Path) -> str:
    """The path as it is shortest from here."""
    absolute = path.absolute()
    here = Path.cwd()
    return os.fspath(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)
