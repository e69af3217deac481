"""What tests of fetched keys need: an issuer's documents, the way to them, a store of two tables' worth, and time.

All of it stands still until the test moves it: nothing here sleeps.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec

from assay import errors
from assay.keys.fetch import Fetched, FetchFault
from assay.keys.local import OwnServer
from assay.keys.profile_keys import ProfileKeySets
from assay.keys.remote import Time
from assay.keys.sealing import WrongRootKey
from assay.model import KeptKeys, Profile
from assay.rules.algorithms import VerificationKey
from assay.store import KeepKeys, LeaseKeys, Stale
from tests import issuer

URL = "https://issuer.example/jwks"
START = 1_780_000_000
Answer = bytes | Fetched | FetchFault | Callable[[], Any]


def document(*keys: issuer.IssuerKey) -> bytes:
    return json.dumps({"keys": [key.jwk() for key in keys]}).encode()


def profile(**changes: object) -> Profile:
    members: dict[str, Any] = {
        "environment_id": "project-test-1",
        "profile_id": "p1",
        "name": "n",
        "issuer": "https://issuer.example",
        "audience": "a",
        "public_key_type": "JWK",
        "jwks_url": URL,
        "created_at": 1,
        "updated_at": 1,
    }
    return msgspec.convert(members | changes, Profile)


class KeptStore:
    """As much of a store as fetched keys ask for, in memory; ``away`` makes it fail."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str], KeptKeys] = {}
        self.away = False
        self.writes: list[object] = []

    async def kept_keys(self, environment_id: str, profile_id: str) -> list[KeptKeys]:
        self._check()
        return [row for key, row in sorted(self.rows.items()) if key[:2] == (environment_id, profile_id)]

    async def write(self, write: object) -> None:
        self._check()
        self.writes.append(write)
        if isinstance(write, LeaseKeys):
            self._lease(write)
        elif isinstance(write, KeepKeys):
            self._keep(write.kept)

    def _check(self) -> None:
        if self.away:
            raise errors.StoreUnavailable

    def _lease(self, write: LeaseKeys) -> None:
        key = (write.environment_id, write.profile_id, write.source)
        row = self.rows.get(key) or KeptKeys(environment_id=key[0], profile_id=key[1], source=key[2])
        if row.lease_until > write.now:
            raise Stale
        self.rows[key] = msgspec.structs.replace(row, lease_until=write.until)

    def _keep(self, kept: KeptKeys) -> None:
        key = (kept.environment_id, kept.profile_id, kept.source)
        before = self.rows.get(key)
        if kept.document is None and before is not None:
            old = {"document": before.document, "good_at": before.good_at, "fresh_until": before.fresh_until}
            kept = msgspec.structs.replace(kept, **old)
        self.rows[key] = kept


class NoOwnKeys:
    """A server without signing keys or secrets."""

    async def verification_key(self, environment_id: str, kid: str) -> VerificationKey | None:
        del environment_id, kid
        return None

    async def published_kids(self, environment_id: str) -> tuple[str, ...]:
        del environment_id
        return ()


def no_secret(sealed: bytes, purpose: str) -> bytes:
    del sealed, purpose
    raise WrongRootKey("there is no root key here")


class Web:
    """What lies at each URL, the time, and a gate that answers wait at."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.fetched: list[str] = []
        self.authorities: list[str | None] = []
        self.now = float(START)
        self.monotonic = 1000.0
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()
        self.slept: list[float] = []
        self.while_asleep: Callable[[], Any] = lambda: None
        self.store = KeptStore()

    @property
    def fetches(self) -> int:
        return len(self.fetched)

    def turn(self, seconds: float) -> None:
        """Let both clocks go on."""
        self.now += seconds
        self.monotonic += seconds

    async def fetch(self, url: str, ca_pem: str | None = None) -> Fetched:
        self.fetched.append(url)
        self.asked.set()
        self.authorities.append(ca_pem)
        answer = self.answers.get(url, FetchFault("the answer has status 404, not 200", 404))
        await self.gate.wait()
        if callable(answer):
            answer = answer()
        if isinstance(answer, FetchFault):
            raise answer
        return Fetched(answer) if isinstance(answer, bytes) else answer

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.turn(seconds)
        self.while_asleep()
        await asyncio.sleep(0)

    def key_sets(self, store: Any = None, own: OwnServer | None = None, **changes: Any) -> ProfileKeySets:
        """One worker; several over one store are made by calling this again."""
        time = Time(clock=lambda: self.now, monotonic=lambda: self.monotonic, sleep=self.sleep)
        own = own or OwnServer(keys=NoOwnKeys(), open_secret=no_secret)
        kept: Any = store if store is not None else self.store
        return ProfileKeySets(kept, self.fetch, own, time=time, **changes)


def down(status: int = 500) -> FetchFault:
    return FetchFault(f"the answer has status {status}, not 200", status)


def kids(keys: Any) -> list[str | None]:
    return [key.kid for key in keys]


async def settled() -> None:
    """Let every task that can run do so."""
    for _ in range(30):
        await asyncio.sleep(0)
