"""Requests made from the OpenAPI document, at a whole Assay in this process; ``test_openapi_fuzz.py`` runs it shortly.

    python -m tests.hostile.openapi_fuzz --seconds 600

Schemathesis makes requests that fit the document and requests that do not. Some of their fields are then aimed: they
get the ids, tokens and credentials of people and projects that exist, since nothing made up would ever be found.

Every call is tried, those that destroy included. The callers' own credentials stay whole because the management API
is only ever aimed at a project that is made for it, and the slugs of the callers' projects are never told.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis.core import NOT_SET
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from assay import logs
from assay.api import openapi
from tests.world import BASE_URL, PROFILE_ID, World, open_world

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
BATCH = 20
"""Examples of one operation before the next one has its turn, in a long run."""

# In this world keys may be out of reach, for tokens of a profile whose address was made up; nothing else may be.
UNAVAILABLE = "trusted_token_keys_unavailable"

# Only one of the two may be sent, and the one that is known leads further.
SESSION_ARGUMENTS = (("session_token", "session_jwt"), ("session_jwt", "session_token"))

Known = dict[str, Any]


class Found(AssertionError):
    """An answer that the document does not allow; the message has the request that leads to it."""


class Caller(NamedTuple):
    """Credentials, and the values that requests made with them are aimed with, by field name."""

    auth: tuple[str, str] | None
    known: Known


class Fuzz:
    """A world and its document; made by :func:`opened`. ``answers`` counts what came, by operation and status."""

    def __init__(self, runner: asyncio.Runner, world: World, document: dict[str, Any]) -> None:
        self._runner = runner
        self._world = world
        self._operator = runner.run(world.operator())
        self.document = document
        schema = schemathesis.openapi.from_dict(document)
        schema.validate()
        found = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
        self.operations = {each.definition.raw["operationId"]: each for each in found}
        self.answers: Counter[tuple[str, int]] = Counter()
        self._log = io.BytesIO()

    def of(self, document: dict[str, Any]) -> Fuzz:
        """The same world, tried by another document."""
        return Fuzz(self._runner, self._world, document)

    def run(self, name: str, examples: int, *, derandomize: bool) -> None:
        """Try one operation so many times. Raises Found, and what the checks of the library raise."""
        operation = self.operations[name]
        caller = self._runner.run(self._caller(operation.definition.raw))
        modes = schemathesis.GenerationMode
        made = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in (modes.POSITIVE, modes.NEGATIVE)))
        names = sorted(caller.known)
        ids = [name for name in names if f"{{{name}}}" in operation.path]
        # What is missed keeps its made-up value; ids of the path seldom are, else hardly a call would get past them.
        missed = st.one_of(st.sets(st.sampled_from(sorted(set(names) - set(ids)))), st.sets(st.sampled_from(names)))

        @settings(
            max_examples=examples,
            derandomize=derandomize,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(made, missed)
        def tried(case: Any, missed: set[str]) -> None:
            _aim(case, {name: caller.known[name] for name in names if name not in missed})
            assume(all(str(value) not in {"", ".", ".."} for value in (case.path_parameters or {}).values()))
            answer = self._runner.run(self._send(case, caller))
            self.answers[name, answer.status_code] += 1
            self._check_available(case, answer)
            case.validate_response(answer, checks=CHECKS)

        logs.configure("error", self._log)  # each test begins with none of its own
        tried()

    async def _send(self, case: Any, caller: Caller) -> httpx.Response:
        asked = case.as_transport_kwargs(base_url=BASE_URL)
        asked.pop("cookies", None)
        if "data" in asked:
            asked["content"] = asked.pop("data")
        headers = {name: value for name, value in asked.pop("headers").items() if name.lower() != "authorization"}
        transport = httpx.ASGITransport(app=self._world.app)
        async with httpx.AsyncClient(transport=transport, auth=caller.auth) as client:
            return await client.request(**asked, headers=headers)

    def _check_available(self, case: Any, answer: httpx.Response) -> None:
        if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
            return
        if answer.json()["error_type"] != UNAVAILABLE:
            fault = self._log.getvalue().decode()
            raise Found(f"{answer.status_code} {answer.text}\n{case.as_curl_command()}\n{fault}")

    async def _caller(self, operation: dict[str, Any]) -> Caller:
        if not operation["security"]:
            return Caller(None, {"project_id": self._world.b2b.project_id, "": None})
        if "workspaceKey" in operation["security"][0]:
            return Caller(self._operator.auth, await self._managed())
        if operation["operationId"].startswith("consumer_"):
            return Caller(self._world.consumer.auth, await self._consumer())
        return Caller(self._world.b2b.auth, await self._b2b())

    async def _b2b(self) -> Known:
        """A new organization with a member who has just logged in."""
        async with self._world.client(self._world.b2b) as client:
            made = await _made(client, "/v1/b2b/organizations", {"organization_name": "Aimed"})
            organization_id = made["organization"]["organization_id"]
            token = self._world.token()
            login = {"profile_id": PROFILE_ID, "token": token, "organization_id": organization_id}
            granted = await _made(client, "/v1/b2b/sessions/attest", login)
        return _credentials(granted) | {
            **login,
            "token_profile_id": PROFILE_ID,
            "organization_ids": [organization_id],
            "member_id": granted["member_id"],
            "member_session_id": granted["member_session"]["member_session_id"],
            "X-Stytch-Member-Session": granted["session_token"],
            "session_duration_minutes": 60,
            "email_address": "aimed@acme.example",
            "external_id": "aimed",
            "organization_slug": organization_id.replace("_", "-"),
        }

    async def _consumer(self) -> Known:
        """A user who has just logged in."""
        login = self._world.consumer_attest_body()
        async with self._world.client(self._world.consumer) as client:
            granted = await _made(client, "/v1/sessions/attest", login)
        return _credentials(granted) | {
            **login,
            "user_id": granted["user_id"],
            "email": "aimed@acme.example",
            "phone_number": "+12025550162",
            "external_id": "aimed",
            "session_id": granted["session"]["session_id"],
        }

    async def _managed(self) -> Known:
        """A new project with everything in it."""
        async with self._world.client(self._operator) as client:
            project = (await _made(client, "/pwa/v3/projects", {"name": "Aimed", "vertical": "B2B"}))["project"]
            base = f"/pwa/v3/projects/{project['project_slug']}/environments"
            live = (await _made(client, base, {"name": "Live", "type": "LIVE"}))["environment"]
            base = f"{base}/{live['environment_slug']}"
            pem = self._world.issuer.keys[0].pem()
            profile = {"name": "Aimed", "issuer": "https://issuer.example", "audience": "assay", "pem_files": [pem]}
            made = (await _made(client, f"{base}/trusted_token_profiles", profile))["profile"]
            secret = (await _made(client, f"{base}/secrets", {}))["secret"]
            token = (await _made(client, f"{base}/public_tokens", {}))["public_token"]
            url = {"url": "https://app.example/callback", "valid_types": [{"type": "LOGIN", "is_default": True}]}
            await _made(client, f"{base}/redirect_urls", url)
        return {
            **profile,
            **url,
            "project_slug": project["project_slug"],
            "environment_slug": live["environment_slug"],
            "profile_id": made["profile_id"],
            "pem_file_id": made["pem_files"][0]["pem_file_id"],
            "public_key": pem,
            "secret_id": secret["secret_id"],
            "public_token": token["public_token"],
            "jwt_template_type": "SESSION",
        }


@contextmanager
def opened(folder: Path) -> Iterator[Fuzz]:
    """A new world in ``folder``, as long as the block runs."""
    with asyncio.Runner() as runner:
        opening = open_world(folder)
        world = runner.run(opening.__aenter__())
        try:
            yield Fuzz(runner, world, openapi.document(""))
        finally:
            runner.run(opening.__aexit__(None, None, None))


def _credentials(granted: dict[str, Any]) -> Known:
    return {"session_token": granted["session_token"], "session_jwt": granted["session_jwt"]}


async def _made(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == httpx.codes.OK, (path, answer.text)
    made: dict[str, Any] = answer.json()
    return made


def _aim(case: Any, known: Known) -> None:
    """Put known values into the places of the request that have their names."""
    for name in known.keys() & (case.path_parameters or {}).keys():
        case.path_parameters[name] = known[name]
    for place in (case.query, case.headers):
        for name in known.keys() & (place or {}).keys():
            place[name] = known[name]
    if case.body is not NOT_SET and isinstance(case.body, dict):
        for name in known.keys() & case.body.keys():
            case.body[name] = known[name]
        if "token" in case.body and "organization_id" in known:  # an attest that has a chance
            case.body["organization_id"] = known["organization_id"]
        for name, other in SESSION_ARGUMENTS:
            if name in known and name in case.body:
                case.body.pop(other, None)


def main() -> int:
    """Run for long; the exit code."""
    parser = argparse.ArgumentParser(description="Call what the OpenAPI document describes, with made-up requests.")
    parser.add_argument("--seconds", type=float, default=600, help="how long (default: 600)")
    chosen = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as fuzz:
        while time.monotonic() - started < chosen.seconds:
            for name in fuzz.operations:
                fuzz.run(name, BATCH, derandomize=False)
        report = f"{fuzz.answers.total():,} requests of {len(fuzz.operations)} operations, all answered as described.\n"
    sys.stdout.write(report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
