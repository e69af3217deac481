"""The place where forgeries are tried: one real process, an issuer whose keys it fetches, and traps around it.

Tokens that are sent or answered through its clients are remembered, and :meth:`Arena.leaks` searches the log for all
of them.
"""

from __future__ import annotations

import asyncio
import copy
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from assay import config
from assay.app import open_context
from assay.stories import profiles, projects
from tests.calls import OPERATOR
from tests.hostile.forging import INVALID, PINNED, Forge
from tests.hostile.keyserver import KeyServer, Trap, document
from tests.issuer import AUDIENCE, Issuer, IssuerKey, make_key
from tests.process import Assay, Server

ATTEST = "/v1/b2b/sessions/attest"
EXPLAIN = "/v1/b2b/trusted_auth_tokens/explain"
JWKS_PATH = "/jwks"
PROFILE = "idp"
MAPPING = {
    "email": "email",
    "email_verified": "email_verified",
    "token_id": "jti",
    "external_member_id": "sub",
    "organization_id": "org_id",
    "role_ids": "roles",
}
FAMILIES = ("RSA", "P-256", "P-384", "P-521", "Ed25519", "Ed448")

# What a refused token may not change: how many there are of each, and in which state.
_STATE = """
    select (select count(*) from sessions), (select coalesce(sum(revision), 0) from sessions),
           (select count(*) from members), (select coalesce(sum(revision), 0) from members),
           (select count(*) from organizations), (select coalesce(sum(revision), 0) from organizations),
           (select count(*) from users)
"""
_ATTEMPT = "select outcome, code, reason, details, session_id from attempts where request_id = ?"
_SHOWN_CHARACTERS = 24


class Attempt(NamedTuple):
    """The row of one attest in the record of attempts."""

    outcome: str
    code: str
    reason: str
    details: dict[str, Any]
    session_id: str | None


class Credentials(NamedTuple):
    """What a backend holds of a project."""

    project_id: str
    secret: str


class Arena:
    """One process and everything around it; made by :func:`open_arena`."""

    def __init__(self, assay: Assay, server: Server, keys: KeyServer, trap: Trap, projects: list[Credentials]) -> None:
        self.assay = assay
        self.server = server
        self.keys = keys
        self.trap = trap
        self.b2b, self.rival = projects
        self.issuer = Issuer(keys.url, trusted_keys())
        self.forge = Forge(self.issuer, Issuer("https://partner.example", [make_key("RSA", "partner")]), trap.url)
        self.secrets = {self.b2b.secret, self.rival.secret}
        self.http = self.client(self.b2b)
        self.bodies: dict[str, dict[str, Any]] = {}
        self._database = assay.database.removeprefix("sqlite:///")

    def attest(self, token: str, profile_id: str = PROFILE, **members: Any) -> httpx.Response:
        """Show a token, as the backend of the B2B project does."""
        return self.http.post(ATTEST, json={"profile_id": profile_id, "token": token} | members)

    def granted(self, token: str, profile_id: str = PROFILE, **members: Any) -> dict[str, Any]:
        """Show a token that must be believed; the answer."""
        answer = self.attest(token, profile_id, **members)
        assert answer.status_code == httpx.codes.OK, (answer.text, self.reason(answer))
        made: dict[str, Any] = answer.json()
        return made

    def refused(self, token: str, error: str, profile_id: str = PROFILE, status: int = 400) -> Attempt:
        """Show a token that must be refused, in public words that are the same for all with this error.

        It leaves nothing behind but its attempt record, which says why without saying the token. Explain says the same.
        """
        before = self.state()
        connections = self.trap.connections, len(self.keys.strays)
        answer = self.attest(token, profile_id)
        body = answer.json()
        attempt = self.attempt(body.pop("request_id"))
        assert (answer.status_code, body.get("error_type")) == (status, error), attempt
        assert body == self.bodies.setdefault(error, body)
        assert (attempt.outcome, attempt.code, attempt.session_id) == ("refused", error, None)
        assert attempt.reason
        assert attempt.reason != body["error_message"] or error != INVALID  # public words alone would help nobody
        assert not _found(token, attempt.reason + json.dumps(attempt.details))
        self._compare_with_explanation(token, profile_id, attempt)
        assert self.state() == before
        assert (self.trap.connections, len(self.keys.strays)) == connections
        return attempt

    def _compare_with_explanation(self, token: str, profile_id: str, attempt: Attempt) -> None:
        answer = self.http.post(EXPLAIN, json={"profile_id": profile_id, "token": token})
        told = answer.json()
        assert (answer.status_code, told["verdict"]) == (200, "refused")
        assert (told["error_type"], _timeless(told["reason"])) == (attempt.code, _timeless(attempt.reason))
        assert [each["step"] for each in told["steps"] if each["outcome"] == "failed"] == [attempt.details["step"]]
        assert not _found(token, answer.text)

    def state(self) -> tuple[int, ...]:
        """What is in the store; no refusal changes it."""
        found: tuple[int, ...] = self._row(_STATE)
        return found

    def attempt(self, request_id: str) -> Attempt:
        """The record of the attest that was answered under this request id."""
        outcome, code, reason, details, session_id = self._row(_ATTEMPT, request_id)
        return Attempt(outcome, code, reason, json.loads(details), session_id)

    def reason(self, answer: httpx.Response) -> str:
        """The private reason of an answer, for the message of a failed assertion."""
        try:
            return self.attempt(answer.json()["request_id"]).reason
        except (TypeError, KeyError, ValueError):
            return "no attempt record"

    def add_profile(self, profile_id: str, **changes: Any) -> list[str]:
        """Register another profile while the process runs; what is wrong with it."""
        return asyncio.run(_add_profile(self.assay, self.b2b.project_id, profile_id, changes))

    def change_profile(self, profile_id: str, **changes: Any) -> None:
        """Change a profile while the process runs."""
        asyncio.run(_change_profile(self.assay, self.b2b.project_id, profile_id, changes))

    def beside(self, server: Server) -> Arena:
        """The same world, tried at another process over the same store."""
        other = copy.copy(self)
        other.server = server
        other.http = other.client(self.b2b)
        return other

    def client(self, credentials: Credentials) -> httpx.Client:
        """A backend of a project. The tokens that it sends and is sent are remembered."""
        hooks: dict[str, list[Any]] = {"request": [self._sent], "response": [self._answered]}
        return httpx.Client(base_url=self.server.url, auth=credentials, timeout=30, trust_env=False, event_hooks=hooks)

    def leaks(self) -> list[str]:
        """The beginnings of secrets that were sent or made here and stand in the log of the process."""
        log = "".join(self.server.log)
        return [found[:_SHOWN_CHARACTERS] for secret in self.secrets for found in _found(secret, log)]

    def _sent(self, request: httpx.Request) -> None:
        self._remember(request.read())

    def _answered(self, answer: httpx.Response) -> None:
        self._remember(answer.read())

    def _remember(self, body: bytes) -> None:
        try:
            members = json.loads(body)
        except (ValueError, RecursionError):
            return
        if isinstance(members, dict):
            values = (members.get(name) for name in ("token", "session_token", "session_jwt"))
            self.secrets |= {value for value in values if isinstance(value, str)}

    def _row(self, statement: str, *values: str) -> Any:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
            return database.execute(statement, values).fetchone()


def trusted_keys() -> list[IssuerKey]:
    """The issuer's keys: one of each family, and an RSA key whose JWK allows RS256 alone."""
    return [*(make_key(family) for family in FAMILIES), make_key("RSA", PINNED, "RS256")]


@contextmanager
def open_arena(folder: Path) -> Iterator[Arena]:
    """Open it as long as the block runs. At the end no secret may stand in the log, and nobody in the trap."""
    assay = Assay(folder, {"ASSAY_LOG_LEVEL": "debug"})
    with ExitStack() as stack:
        keys, trap = stack.enter_context(KeyServer.running()), stack.enter_context(Trap.set_up())
        made = asyncio.run(_set_up(assay, keys.url))
        keys.answer(JWKS_PATH, document(Issuer(keys=trusted_keys()).jwks()))
        server = stack.enter_context(assay.serving())
        arena = Arena(assay, server, keys, trap, made)
        yield arena
        arena.http.close()
        assert arena.leaks() == []
        assert trap.connections == 0
        assert keys.strays == []


async def _set_up(assay: Assay, url: str) -> list[Credentials]:
    """Two projects, the first with the profile that judges; their credentials."""
    async with open_context(config.read(assay.environ)) as context:
        made = [await projects.create_project(context, name, "b2b", by=OPERATOR) for name in ("Arena", "Rival")]
        found = [Credentials(each.environment.environment_id, each.secret) for each in made]
    await _add_profile(assay, found[0].project_id, PROFILE, {"issuer": url, "jwks_url": url + JWKS_PATH})
    return found


async def _change_profile(assay: Assay, environment_id: str, profile_id: str, changes: dict[str, Any]) -> None:
    change = profiles.ProfileUpdate(**changes)
    async with open_context(config.read(assay.environ)) as context:
        await profiles.update_profile(context, environment_id, profile_id, change, by=OPERATOR, allow_problems=True)


async def _add_profile(assay: Assay, environment_id: str, profile_id: str, changes: dict[str, Any]) -> list[str]:
    usual: dict[str, Any] = {
        "profile_id": profile_id,
        "name": profile_id,
        "issuer": "https://issuer.example",
        "audience": AUDIENCE,
        "attribute_mapping": MAPPING,
        "can_jit_provision": True,
    }
    request = profiles.ProfileCreate(**(usual | changes))
    async with open_context(config.read(assay.environ)) as context:
        report = await profiles.create_profile(context, environment_id, request, by=OPERATOR, allow_problems=True)
        return report.problems


def _timeless(reason: str) -> str:
    """The reason without the second in which it was given."""
    return re.sub(r"now is \d+", "now", reason)


def _found(token: str, text: str) -> list[str]:
    """The parts of a token that stand in a text: the beginning, the middle or the end of any of its segments."""
    parts = []
    for segment in token.split("."):
        if len(segment) >= _SHOWN_CHARACTERS:
            middle = len(segment) // 2
            parts += [segment[:_SHOWN_CHARACTERS], segment[-_SHOWN_CHARACTERS:], segment[middle:][:_SHOWN_CHARACTERS]]
    return [part for part in parts if part in text]
