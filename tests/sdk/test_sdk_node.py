"""The official Node client, whose tests are the ``*.test.mjs`` beside this file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.issuer import AUDIENCE
from tests.process import COMMAND
from tests.sdk.clients import Service

FOLDER = Path(__file__).parent / "node"


@pytest.fixture(scope="module")
def node() -> str:
    """Where Node is. Without it, or without its packages, nothing of this is tested, which must not go unseen."""
    found = shutil.which("node")
    if found is None:
        pytest.fail("Node 20 or later is needed to test the Node client, and there is no `node` on the PATH.")
    if not (FOLDER / "node_modules" / "stytch").is_dir():
        pytest.fail("The Node client is not installed: run `npm ci --prefix tests/sdk/node`, or `make test`.")
    return found


@pytest.mark.parametrize("name", ["b2b.test.mjs", "consumer.test.mjs", "rotation.test.mjs"])
def test_the_node_client_works_as_it_does_with_the_hosted_service(node: str, service: Service, name: str) -> None:
    _run(node, name, _under_test(service))


def test_the_node_client_checks_permissions_and_reads_shaped_jwts(node: str, service: Service) -> None:
    _run(node, "policies.test.mjs", _under_test(service) | {"shaped": _shaped(service)})


def _run(node: str, name: str, under_test: dict[str, object]) -> None:
    environ = os.environ | {"ASSAY_UNDER_TEST": json.dumps(under_test)}
    arguments = [node, "--test", "--test-reporter=spec", name]
    done = subprocess.run(arguments, cwd=FOLDER, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert "pass 0" not in done.stdout, f"no test was found: {done.stdout}"


def _under_test(service: Service) -> dict[str, object]:
    key = service.issuer.keys[0]
    pem = key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "base_url": service.server.url,
        "b2b": service.b2b._asdict(),
        "consumer": service.consumer._asdict(),
        "issuer": {"url": service.issuer.url, "audience": AUDIENCE, "kid": key.kid, "private_key": pem},
        "rotation": {"command": COMMAND, "database": service.assay.database},
    }


def _shaped(service: Service) -> dict[str, object]:
    """A project with a policy and a session template of its own, made by the management API."""
    key = service.assay.run("workspace-key", "create", "--name", "node")
    auth = (key["workspace_key_id"], key["workspace_key_secret"])

    def call(method: str, path: str, **body: Any) -> Any:
        answer = requests.request(
            method, f"{service.server.url}/pwa/v3/projects{path}", json=body, auth=auth, timeout=30
        )
        assert answer.ok, answer.text
        return answer.json()

    project = call("POST", "", name="Shaped", vertical="B2B")["project"]["project_slug"]
    environment = call("POST", f"/{project}/environments", name="Live", type="LIVE")["environment"]
    place = f"/{project}/environments/{environment['environment_slug']}"
    secret = call("POST", f"{place}/secrets")["secret"]["secret"]
    profile = call(
        "POST",
        f"{place}/trusted_token_profiles",
        name="Issuer",
        issuer=service.issuer.url,
        audience=AUDIENCE,
        public_key_type="PEM",
        pem_files=[service.issuer.keys[0].pem()],
        attribute_mapping={"email": "email", "external_member_id": "sub", "role_ids": "roles"},
        can_jit_provision=True,
    )["profile"]
    write = {"resource_id": "documents", "actions": ["read", "write"]}
    pay = {"resource_id": "invoices", "actions": ["*"]}
    call(
        "PUT",
        f"{place}/rbac_policy",
        custom_roles=[{"role_id": "editor", "permissions": [write]}, {"role_id": "billing", "permissions": [pay]}],
        custom_resources=[
            {"resource_id": "documents", "available_actions": ["read", "write"]},
            {"resource_id": "invoices", "available_actions": ["pay"]},
        ],
    )
    content = '{"plan": "free", "id": {{ member.member_id }}, "roles": {{ member.rbac.roles }}}'
    template = {"template_content": content, "custom_audience": "https://api.example"}
    call("PUT", f"{place}/jwt_templates/SESSION", **template)
    return {"project_id": environment["project_id"], "secret": secret, "profile_id": profile["profile_id"]}
