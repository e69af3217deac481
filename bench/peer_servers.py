"""The peers of bench/peers as running servers, filled with the people that Assay knows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bench import processes, tokens
from bench.installation import PROFILE, Installation
from bench.processes import BenchFault, Server, free_port

FOLDER = Path(__file__).parent / "peers"
VENV = Path(os.environ.get("BENCH_VENV", FOLDER.parents[1] / ".venv-bench"))


class Peer(NamedTuple):
    """A peer. ``limit`` is how many times its requests per second Assay is to reach."""

    name: str
    title: str
    limit: float

    @contextmanager
    def serving(self, folder: Path, assay: Installation, people: int) -> Iterator[Server]:
        """Run it with as many people. Raises BenchFault when what it needs is not installed."""
        own, port = folder / self.name, free_port()
        own.mkdir()
        (own / "seed.json").write_text(json.dumps(_seed(assay, people)), encoding="utf-8")
        given = {"PEER_SEED": str(own / "seed.json"), "PEER_DATABASE": str(own / "peer.db"), "PORT": str(port)}
        command = _fastapi(port) if self is FASTAPI else _fastify()
        environ: Mapping[str, str] = {**os.environ, **given}
        with processes.serving(command, port, own / "peer.log", environ) as server:
            yield server


FASTAPI = Peer("fastapi", "FastAPI peer", 4.5)
FASTIFY = Peer("fastify", "Node peer", 1.8)
PEERS = (FASTAPI, FASTIFY)


def venv() -> Path:
    """Where requirements/bench.txt is installed. Raises BenchFault when it is not."""
    if not (VENV / "bin" / "python").exists():
        raise BenchFault(f"{VENV} is not there: `make bench` makes it, or set BENCH_VENV")
    return VENV


def _fastapi(port: int) -> Sequence[str]:
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    return [
        *(str(venv() / "bin" / "python"), "-m", "uvicorn", "--app-dir", str(FOLDER / "fastapi_peer"), "app:app"),
        *options,
    ]


def _fastify() -> Sequence[str]:
    folder = FOLDER / "fastify"
    if not (folder / "node_modules" / "better-sqlite3").exists():
        raise BenchFault(f"the packages of {folder} are not installed: `make bench` does that")
    return ["node", str(folder / "server.js")]


def _seed(assay: Installation, people: int) -> dict[str, object]:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "project_id": assay.project_id,
        "secret": assay.secret,
        "signing_key": pem.decode(),
        "profile": {
            "profile_id": PROFILE,
            "issuer": tokens.ISSUER,
            "audience": tokens.AUDIENCE,
            "public_key": assay.partner.pem(),
        },
        "organization": {
            "organization_id": "organization-1",
            "external_id": tokens.ORGANIZATION,
            "name": "Analytical Engines",
        },
        "members": [
            {
                "member_id": f"member-{person}",
                "organization_id": "organization-1",
                "external_id": tokens.external_id(person),
                "email": tokens.email(person),
                "name": "Ada Lovelace",
                "status": "active",
            }
            for person in range(people)
        ],
    }
