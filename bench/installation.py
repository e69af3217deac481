"""Assay as it is installed: a fresh database, a project, a profile, the real ``assay serve``."""

from __future__ import annotations

import base64
import http.client
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bench import tokens
from bench.load import Requests
from bench.processes import SERVER_CORE, BenchFault, Server, free_port, serving

COMMAND = str(Path(sys.executable).parent / "assay")
PROFILE = "partner"
PEOPLE = 1000
ATTEST = "/v1/b2b/sessions/attest"
AUTHENTICATE = "/v1/b2b/sessions/authenticate"
MAPPING = {"email": "email", "external_member_id": "sub", "organization_id": "org_id"}
COMMAND_SECONDS = 60


class Answer(msgspec.Struct, frozen=True):
    """An answer over HTTP."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body. Raises BenchFault for anything but 200."""
        if self.status != 200:  # noqa: PLR2004 - the status of success
            raise BenchFault(f"an answer with status {self.status}: {self.body[:500]!r}")
        found: dict[str, Any] = json.loads(self.body)
        return found


class Installation:
    """One Assay in ``folder``: a b2b project with one profile, ``partner``, which makes people just in time.

    ``database`` is a URL as ASSAY_DATABASE takes it; without one it is a file in the folder.
    """

    def __init__(self, folder: Path, partner: tokens.Partner, database: str | None = None) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.partner = partner
        self.file = folder / "assay.db"
        own = {"ASSAY_DATABASE": database or f"sqlite:///{self.file}", "ASSAY_ALLOW_LOOPBACK_KEY_URLS": "1"}
        if database:  # a file of SQLite brings its own root key and schema
            own["ASSAY_ROOT_KEY"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")} | own
        if database:
            self.run("migrate")
        made = self.run("project", "create", "Bench", "--vertical", "b2b")
        self.project_id: str = made["project_id"]
        self.secret: str = made["secret"]
        pem = folder / "partner.pem"
        pem.write_text(partner.pem(), encoding="utf-8")
        self.create_profile(PROFILE, "--pem", str(pem), "--jit")

    @property
    def authorization(self) -> str:
        """The header of the project's secret."""
        return basic(self.project_id, self.secret)

    def run(self, *arguments: str) -> dict[str, Any]:
        """Run ``assay ARGUMENTS --json``; what it prints. Raises BenchFault with its words when it fails."""
        command = [COMMAND, *arguments, "--json"]
        done = subprocess.run(
            command, env=self.environ, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        if done.returncode:
            raise BenchFault(f"assay {' '.join(arguments)}: {done.stdout}{done.stderr}")
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    def create_profile(self, profile_id: str, *options: str, issuer: str = tokens.ISSUER) -> None:
        """A further profile; ``options`` name its keys."""
        maps = [part for attribute, claim in MAPPING.items() for part in ("--map", f"{attribute}={claim}")]
        named = ["--project-id", self.project_id, "--id", profile_id, "--name", profile_id]
        self.run("profile", "create", *named, "--issuer", issuer, "--audience", tokens.AUDIENCE, *maps, *options)

    @contextmanager
    def serving(
        self, *options: str, cores: Iterable[int] = (SERVER_CORE,), metrics: int | None = None
    ) -> Iterator[Server]:
        """``assay serve`` as long as the block runs; ``metrics`` is the port that they are served on."""
        port = free_port()
        beside = f"127.0.0.1:{metrics}" if metrics else "none"
        arguments = [COMMAND, "serve", "--host", "127.0.0.1", "--port", str(port), "--metrics", beside, *options]
        with serving(arguments, port, self.folder / "serve.log", self.environ, cores) as server:
            yield server

    def attest_bodies(self, name: str, people: Sequence[int]) -> Requests:
        """A file of attests, each with a token of its own, of these people in order."""
        path = self.folder / f"{name}.bodies"
        minted = tokens.signed_side_by_side(self.partner.mint, iter(people))
        count = tokens.write_lines(path, (attest_body(token) for token in minted))
        return Requests(path=ATTEST, bodies=str(path), authorization=self.authorization, count=count)

    def meet(self, server: Server, people: Iterable[int]) -> list[dict[str, Any]]:
        """Let each of these people log in, which makes those who do not exist yet; the answers."""
        with calling(server, self.authorization) as call:
            return [call(ATTEST, attest_body(self.partner.mint(person))).json() for person in people]

    def authenticate_bodies(self, name: str, session_tokens: Iterable[str]) -> Requests:
        """A file of authenticates, one for each session."""
        path = self.folder / f"{name}.bodies"
        count = tokens.write_lines(path, ({"session_token": token} for token in session_tokens))
        return Requests(path=AUTHENTICATE, bodies=str(path), authorization=self.authorization, count=count)


class Calling:
    """Posts JSON over one kept connection."""

    def __init__(self, port: int, authorization: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=COMMAND_SECONDS)
        self._headers = {"Content-Type": "application/json", "Authorization": authorization}

    def __call__(self, path: str, body: Mapping[str, object], authorization: str | None = None) -> Answer:
        """The answer, whatever its status."""
        headers = self._headers | ({"Authorization": authorization} if authorization else {})
        self._connection.request("POST", path, json.dumps(body), headers)
        answer = self._connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@contextmanager
def calling(server: Server, authorization: str) -> Iterator[Calling]:
    """Post to a server as long as the block runs."""
    call = Calling(server.port, authorization)
    try:
        yield call
    finally:
        call.close()


def attest_body(token: str, profile_id: str = PROFILE) -> dict[str, object]:
    """The body of an attest that starts a session of an hour."""
    return {"profile_id": profile_id, "token": token, "session_duration_minutes": 60}


def basic(project_id: str, secret: str) -> str:
    """HTTP Basic credentials."""
    return "Basic " + base64.b64encode(f"{project_id}:{secret}".encode()).decode()
