"""The real call in the languages of our callers, with everything filled in but the secret and the token."""

from __future__ import annotations

import json
import shlex
from typing import Any, NamedTuple

from assay.model import Environment
from assay.stories.attest import AttestRequest

SECRET, TOKEN = "SECRET", "TOKEN"
"""Stand for what no page shows."""


class Code(NamedTuple):
    """The call in one language."""

    language: str
    text: str


def calls(base_url: str, environment: Environment, request: AttestRequest) -> tuple[Code, ...]:
    """The attest of ``request`` by curl and by both SDKs. The token of the request is not in it."""
    body: dict[str, Any] = {"profile_id": request.profile_id, "token": TOKEN}
    if request.organization_id is not None:
        body["organization_id"] = request.organization_id
    if request.session_duration_minutes is not None:
        body["session_duration_minutes"] = request.session_duration_minutes
    return (
        Code("curl", _curl(base_url, environment, body)),
        Code("Python", _python(base_url, environment, body)),
        Code("Node", _node(base_url, environment, body)),
    )


def _curl(base_url: str, environment: Environment, body: dict[str, Any]) -> str:
    path = "/v1/b2b/sessions/attest" if environment.vertical == "b2b" else "/v1/sessions/attest"
    return (
        f"curl {shlex.quote(base_url + path)} \\\n"
        f"  --user {shlex.quote(f'{environment.environment_id}:{SECRET}')} \\\n"
        f"  --header 'content-type: application/json' \\\n"
        f"  --data {shlex.quote(json.dumps(body, indent=2))}"
    )


def _python(base_url: str, environment: Environment, body: dict[str, Any]) -> str:
    kind = "B2BClient" if environment.vertical == "b2b" else "Client"
    arguments = "".join(f"    {name}={value!r},\n" for name, value in body.items())
    return (
        "import stytch\n\n"
        f"client = stytch.{kind}(\n"
        f"    project_id={environment.environment_id!r},\n"
        f"    secret={SECRET!r},\n"
        f"    environment={base_url + '/'!r},\n"
        ")\n"
        f"answer = client.sessions.attest(\n{arguments})\n"
        "print(answer.session_token)"
    )


def _node(base_url: str, environment: Environment, body: dict[str, Any]) -> str:
    kind = "B2BClient" if environment.vertical == "b2b" else "Client"
    arguments = "".join(f"  {name}: {json.dumps(value)},\n" for name, value in body.items())
    return (
        'import * as stytch from "stytch";\n\n'
        f"const client = new stytch.{kind}({{\n"
        f"  project_id: {json.dumps(environment.environment_id)},\n"
        f"  secret: {json.dumps(SECRET)},\n"
        f"  env: {json.dumps(base_url)},\n"
        "});\n"
        f"const answer = await client.sessions.attest({{\n{arguments}}});\n"
        "console.log(answer.session_token);"
    )
