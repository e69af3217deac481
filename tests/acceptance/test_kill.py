"""The process is killed in the middle of its work: what it acknowledged is there when it comes back."""

from __future__ import annotations

import asyncio
import itertools
import signal
from pathlib import Path
from typing import Any

import httpx

from tests.issuer import AUDIENCE, Issuer, make_key
from tests.process import Assay, Server

ROUNDS = 3
WORKERS = 8
ACKNOWLEDGED_BEFORE_THE_KILL = 60
ATTEST = "/v1/b2b/sessions/attest"
AUTHENTICATE = "/v1/b2b/sessions/authenticate"
REVOKE = "/v1/b2b/sessions/revoke"


class Ledger:
    """What the server said yes to. A session whose revoke got no answer may be live or not, so it is in neither."""

    def __init__(self) -> None:
        self.live: set[str] = set()
        self.revoked: set[str] = set()
        self.enough = asyncio.Event()
        self.cut_off = 0
        self._goal = 0

    def expect(self, more: int) -> None:
        """Be content again after so many more answers."""
        self._goal = len(self) + more
        self.enough.clear()
        self.cut_off = 0

    def note(self) -> None:
        """One answer more."""
        if len(self) >= self._goal:
            self.enough.set()

    def __len__(self) -> int:
        return len(self.live) + len(self.revoked)


class Load:
    """Backends that log people in and out until the server is gone."""

    def __init__(self, issuer: Issuer, organization_id: str, ledger: Ledger) -> None:
        self._issuer = issuer
        self._organization_id = organization_id
        self._ledger = ledger
        self._numbers = itertools.count()

    async def work(self, client: httpx.AsyncClient) -> None:
        """Attest again and again, and revoke every second session."""
        try:
            for number in self._numbers:
                token = await self._attest(client, number)
                if number % 2:
                    await self._revoke(client, token)
        except httpx.TransportError:
            self._ledger.cut_off += 1

    async def _attest(self, client: httpx.AsyncClient, number: int) -> str:
        claims = {"email": f"person-{number % 20}@example.com"}
        request = {
            "profile_id": "idp",
            "token": self._issuer.mint(claims),
            "organization_id": self._organization_id,
            "session_duration_minutes": 60,
        }
        answer = await client.post(ATTEST, json=request)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["session_token"]
        self._ledger.live.add(token)
        self._ledger.note()
        return token

    async def _revoke(self, client: httpx.AsyncClient, token: str) -> None:
        self._ledger.live.remove(token)
        answer = await client.post(REVOKE, json={"session_token": token})
        assert answer.status_code == 200, answer.text
        self._ledger.revoked.add(token)
        self._ledger.note()


async def kill_under_load(server: Server, auth: tuple[str, str], load: Load, ledger: Ledger) -> None:
    """Kill the server while its workers are at it; none of them may have stopped before."""
    ledger.expect(ACKNOWLEDGED_BEFORE_THE_KILL)
    async with httpx.AsyncClient(base_url=server.url, auth=auth, trust_env=False) as client:
        workers = [asyncio.create_task(load.work(client)) for _ in range(WORKERS)]
        enough = asyncio.create_task(ledger.enough.wait())
        await asyncio.wait({enough, *workers}, return_when=asyncio.FIRST_COMPLETED)
        server.process.kill()
        await asyncio.gather(enough, *workers)
    assert ledger.cut_off == WORKERS


async def check(server: Server, auth: tuple[str, str], ledger: Ledger) -> None:
    """Every acknowledged session is there, and every acknowledged revoke holds."""
    async with httpx.AsyncClient(base_url=server.url, auth=auth, trust_env=False) as client:
        for token in ledger.live:
            assert (await client.post(AUTHENTICATE, json={"session_token": token})).status_code == 200
        for token in ledger.revoked:
            answer = await client.post(AUTHENTICATE, json={"session_token": token})
            assert (answer.status_code, answer.json()["error_type"]) == (404, "session_not_found")


def set_up(assay: Assay, folder: Path, issuer: Issuer) -> tuple[str, str]:
    """A project that trusts the issuer; its credentials."""
    project = assay.create_project("Acme", "b2b")
    (folder / "key.pem").write_text(issuer.keys[0].pem())
    assay.create_profile(
        project["project_id"],
        *("--pem", str(folder / "key.pem"), "--jit"),
        issuer=issuer.url,
        audience=AUDIENCE,
        mapping={"email": "email", "token_id": "jti"},
        profile_id="idp",
    )
    return project["project_id"], project["secret"]


def organize(server: Server, auth: tuple[str, str]) -> str:
    """A new organization's id."""
    request = {"organization_name": "Acme", "organization_slug": "acme"}
    answer = httpx.post(f"{server.url}/v1/b2b/organizations", json=request, auth=auth, trust_env=False)
    made: dict[str, Any] = answer.json()
    organization_id: str = made["organization"]["organization_id"]
    return organization_id


async def test_nothing_that_was_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    assay, issuer, ledger = Assay(tmp_path), Issuer(keys=[make_key("RSA")]), Ledger()
    auth = set_up(assay, tmp_path, issuer)
    load: Load | None = None
    for _ in range(ROUNDS):
        server = assay.start()
        try:
            load = load or Load(issuer, organize(server, auth), ledger)
            await check(server, auth, ledger)
            await kill_under_load(server, auth, load, ledger)
        finally:
            assert server.end(signal.SIGKILL) == -signal.SIGKILL
    with assay.serving() as server:
        await check(server, auth, ledger)
    assert len(ledger) >= ROUNDS * ACKNOWLEDGED_BEFORE_THE_KILL
    assert ledger.live
    assert ledger.revoked
