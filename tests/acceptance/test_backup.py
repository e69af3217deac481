"""Backups of a real server under writes, and what a restore makes of sessions."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.issuer import AUDIENCE, Issuer, make_key
from tests.process import COMMAND, Assay

WORKERS = 4
BEFORE_THE_BACKUP = 40
ATTEST = "/v1/sessions/attest"
AUTHENTICATE = "/v1/sessions/authenticate"
REVOKE = "/v1/sessions/revoke"


class Installation(NamedTuple):
    """One Assay with a consumer project that trusts an issuer."""

    assay: Assay
    auth: tuple[str, str]
    issuer: Issuer

    def client(self, url: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=url, auth=self.auth, trust_env=False)

    async def attest(self, client: httpx.AsyncClient) -> str:
        """A new session's token."""
        token = self.issuer.mint({"email": "ada@example.com", "email_verified": True})
        body = {"profile_id": "idp", "token": token, "session_duration_minutes": 60}
        answer = await client.post(ATTEST, json=body)
        assert answer.status_code == 200, answer.text
        session_token: str = answer.json()["session_token"]
        return session_token


def install(folder: Path) -> Installation:
    assay, issuer = Assay(folder), Issuer(keys=[make_key("RSA")])
    project = assay.create_project("Acme", "consumer")
    (folder / "key.pem").write_text(issuer.keys[0].pem())
    assay.create_profile(
        project["project_id"],
        *("--pem", str(folder / "key.pem"), "--jit"),
        issuer=issuer.url,
        audience=AUDIENCE,
        mapping={"email": "email", "token_id": "jti"},
        profile_id="idp",
    )
    return Installation(assay, (project["project_id"], project["secret"]), issuer)


async def statuses(client: httpx.AsyncClient, tokens: list[str]) -> set[int]:
    """How sessions are answered for."""
    return {(await client.post(AUTHENTICATE, json={"session_token": token})).status_code for token in tokens}


async def test_a_backup_under_writes_holds_all_that_was_acknowledged_before_it(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    here = install(old)
    backup = tmp_path / "assay.backup"
    acknowledged: list[str] = []
    enough, stop = asyncio.Event(), asyncio.Event()

    async def work(client: httpx.AsyncClient) -> None:
        while not stop.is_set():
            acknowledged.append(await here.attest(client))
            if len(acknowledged) >= BEFORE_THE_BACKUP:
                enough.set()

    with here.assay.serving() as server:
        async with here.client(server.url) as client, asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(work(client))
            await enough.wait()
            before = list(acknowledged)
            code = await _run(here.assay, "backup", str(backup))
            stop.set()
    assert code == 0
    assert len(acknowledged) > len(before), "nothing was written meanwhile"
    elsewhere = Assay(new)
    shutil.copy2(old / "assay.db.root-key", new / "assay.db.root-key")
    elsewhere.run("restore", str(backup), "--keep-sessions")
    with elsewhere.serving() as server:
        async with here.client(server.url) as client:
            assert await statuses(client, before) == {200}
            assert await here.attest(client)


async def test_after_a_restore_sessions_are_live_again_unless_they_are_ended(tmp_path: Path) -> None:
    here = install(tmp_path)
    backup, root_key = str(tmp_path / "assay.backup"), (tmp_path / "assay.db.root-key").read_text()
    with here.assay.serving() as server:
        async with here.client(server.url) as client:
            kept, revoked = await here.attest(client), await here.attest(client)
            here.assay.run("backup", backup)
            await client.post(REVOKE, json={"session_token": revoked})
            assert await statuses(client, [revoked]) == {404}
    found: dict[str, set[int]] = {}
    for option in ("--keep-sessions", "--end-sessions"):
        # Into a database of its own each time: what is put aside is named after the second.
        again = Assay(tmp_path, {"ASSAY_DATABASE": f"sqlite:///{tmp_path}/{option}.db", "ASSAY_ROOT_KEY": root_key})
        again.run("restore", backup, option)
        with again.serving() as server:
            async with here.client(server.url) as client:
                found[option] = await statuses(client, [kept, revoked])
                assert await statuses(client, [await here.attest(client)]) == {200}
    assert found == {"--keep-sessions": {200}, "--end-sessions": {404}}


async def _run(assay: Assay, *arguments: str) -> int:
    """The command beside the event loop that keeps the server busy."""
    process = await asyncio.create_subprocess_exec(
        COMMAND, *arguments, env=assay.environ, stdout=sys.stderr, stderr=sys.stderr
    )
    return await process.wait()
