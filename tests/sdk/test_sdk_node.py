"""The official Node client, whose tests are the ``*.test.mjs`` beside this file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.issuer import AUDIENCE
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


@pytest.mark.parametrize("name", ["b2b.test.mjs", "consumer.test.mjs"])
def test_the_node_client_works_as_it_does_with_the_hosted_service(node: str, service: Service, name: str) -> None:
    environ = os.environ | {"ASSAY_UNDER_TEST": json.dumps(_under_test(service))}
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
    }
