"""Our own keys: sign session JWTs, publish what verifies them, rotate (decisions D25).

What is kept in memory never changes for a kid: its private key, its public key. Which key signs, and which keys
are published, is read from the store each time (decisions D29).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec

from assay import errors
from assay.keys import own_algorithms, sealing
from assay.keys.minting import mint, private_key_of
from assay.keys.own_algorithms import PrivateKey, Sign
from assay.keys.recent import Recent
from assay.keys.sources import from_jwk
from assay.model import Environment, Event, SessionJwtAlgorithm, SigningKey
from assay.observing.meter import Meter
from assay.observing.tracer import NO_TRACER, Tracer
from assay.rules.algorithms import VerificationKey
from assay.store import Conflict, CreateSigningKeys, RotateSigningKeys, Stale, Store

PUBLISHED_AFTER_RETIREMENT = 30 * 24 * 3600
"""Seconds that a retired key stays published (decisions D25)."""

_KEYS_IN_MEMORY = 2_000
_json = msgspec.json.Encoder()


class _Hand(msgspec.Struct, frozen=True):
    """What signs under one kid: the encoded header with the dot after it, and the private key."""

    header: bytes
    sign: Sign


class Signer:
    """Signs for every environment of one store. ``clock`` gives seconds since the epoch."""

    def __init__(
        self,
        store: Store,
        root_key: sealing.RootKey,
        clock: Callable[[], float] = time.time,
        meter: Meter | None = None,
        tracer: Tracer = NO_TRACER,
    ) -> None:
        self._store = store
        self._meter = meter or Meter()
        self._tracer = tracer
        self._root_key = root_key
        self._clock = clock
        self._hands: Recent[tuple[str, str], _Hand] = Recent(_KEYS_IN_MEMORY)
        self._verifiers: Recent[tuple[str, str], VerificationKey] = Recent(_KEYS_IN_MEMORY)
        # One at a time: of many first requests one makes the keys, and of many after a start one opens them.
        self._lock = asyncio.Lock()

    async def sign(self, environment: Environment, active_kid: str | None, claims: dict[str, Any]) -> str:
        """Sign a session JWT with ``claims``, in compact form.

        ``active_kid`` is what the store said when the caller was read; None makes the environment's first keys.
        Raises errors.StoreUnavailable, and WrongRootKey when the key does not open.
        """
        with self._tracer.step("sign"):
            kid = active_kid or await self._active_kid(environment)
            hand = self._hands.get((environment.environment_id, kid)) or await self._take_up(environment, kid)
            signed = _signed(hand, claims)
        self._meter.signed()
        return signed

    async def published(self, environment: Environment) -> list[dict[str, Any]]:
        """The JWKs that verify session JWTs now or soon: next, active, and those retired less than 30 days ago."""
        now = self._clock()
        return [key.public_jwk for key in await self._keys(environment) if _is_published(key, now)]

    async def verification_key(self, environment_id: str, kid: str) -> VerificationKey | None:
        """The published key of the environment with this kid; None for any other."""
        for key in await self._store.signing_keys(environment_id):
            if key.kid == kid and _is_published(key, self._clock()):
                return self._verifier(key)
        return None

    async def published_kids(self, environment_id: str) -> tuple[str, ...]:
        """The kids of all published keys of the environment; empty when it has none yet. Makes none."""
        now = self._clock()
        keys = await self._store.signing_keys(environment_id)
        return tuple(key.kid for key in keys if _is_published(key, now))

    async def rotate(self, environment: Environment, event: Event) -> list[SigningKey]:
        """Promote the next key, retire the active one and make another; answers all keys, oldest first.

        The new key is of the promoted one's algorithm, which is the environment's at the moment of the write.
        ``event`` is written with the change, its details completed by the two new kids. Raises
        errors.NextSigningKeyMissing when another rotation won.
        """
        await sealing.check(self._store, self._root_key)
        promoted = next((key for key in await self._keys(environment) if key.state == "next"), None)
        if promoted is None:
            raise errors.NextSigningKeyMissing
        now = int(self._clock())
        new_next = await asyncio.to_thread(mint, environment, "next", self._root_key, now, promoted.algorithm)
        write = RotateSigningKeys(
            events=(_with_kids(event, promoted, new_next),),
            environment_id=environment.environment_id,
            promoted_kid=promoted.kid,
            new_next=new_next,
            rotated_at=now,
        )
        try:
            await self._store.write(write)
        except Stale:
            raise errors.NextSigningKeyMissing from None
        return await self._store.signing_keys(environment.environment_id)

    async def fresh_pair(self, environment: Environment) -> tuple[SigningKey, SigningKey]:
        """A new active key and a new next one of the environment's algorithm, which the caller has to store.

        Raises errors.StoreUnavailable, and WrongRootKey when the root key is not the store's.
        """
        # A key sealed under a root key that the store does not know could never be opened after the next start.
        await sealing.check(self._store, self._root_key)
        now = int(self._clock())
        active = await asyncio.to_thread(mint, environment, "active", self._root_key, now)
        return active, await asyncio.to_thread(mint, environment, "next", self._root_key, now)

    async def _active_kid(self, environment: Environment) -> str:
        for key in await self._keys(environment):
            if key.state == "active":
                return key.kid
        raise errors.InternalError(detail=f"environment {environment.environment_id} has no active signing key")

    async def _keys(self, environment: Environment) -> list[SigningKey]:
        """All keys of the environment, which are made now if there are none."""
        keys = await self._store.signing_keys(environment.environment_id)
        if keys:
            return keys
        async with self._lock:
            return await self._store.signing_keys(environment.environment_id) or await self._first_keys(environment)

    async def _first_keys(self, environment: Environment) -> list[SigningKey]:
        active, following = await self.fresh_pair(environment)
        try:
            await self._store.write(
                CreateSigningKeys(events=(_created(active), _created(following)), keys=(active, following))
            )
        except Conflict:
            # Another worker made them first; ours are forgotten and theirs are read.
            return await self._store.signing_keys(environment.environment_id)
        return [active, following]

    async def _take_up(self, environment: Environment, kid: str) -> _Hand:
        name = (environment.environment_id, kid)
        async with self._lock:
            hand = self._hands.get(name)
            if hand is None:
                hand = await self._open(environment.environment_id, kid)
                self._hands.put(name, hand)
        return hand

    async def _open(self, environment_id: str, kid: str) -> _Hand:
        for key in await self._store.signing_keys(environment_id):
            if key.kid == kid:
                private_key = await asyncio.to_thread(private_key_of, key, self._root_key)
                return _hand(kid, key.algorithm, private_key)
        raise errors.InternalError(detail=f"environment {environment_id} has no signing key {kid}")

    def _verifier(self, key: SigningKey) -> VerificationKey:
        name = (key.environment_id, key.kid)
        verifier = self._verifiers.get(name)
        if verifier is None:
            verifier = from_jwk(key.public_jwk)
            self._verifiers.put(name, verifier)
        return verifier


def compact(kid: str, claims: dict[str, Any], private_key: PrivateKey, algorithm: SessionJwtAlgorithm = "RS256") -> str:
    """Sign ``claims`` into a JWT in compact form, its header naming ``kid``, ``alg`` and ``typ``."""
    return _signed(_hand(kid, algorithm, private_key), claims)


def _hand(kid: str, algorithm: SessionJwtAlgorithm, private_key: PrivateKey) -> _Hand:
    header = _segment(_json.encode({"alg": algorithm, "kid": kid, "typ": "JWT"}))
    return _Hand(header + b".", own_algorithms.signing(private_key, algorithm))


def _signed(hand: _Hand, claims: dict[str, Any]) -> str:
    signing_input = hand.header + _segment(_json.encode(claims))
    return (signing_input + b"." + _segment(hand.sign(signing_input))).decode("ascii")


def _segment(data: bytes) -> bytes:
    """One part of a JWS: base64url without padding (RFC 7515 §2)."""
    # As a JSON string msgspec writes the same base64 in half the time of the standard library.
    return _json.encode(data)[1:-1].translate(_URL_SAFE).rstrip(b"=")


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _is_published(key: SigningKey, now: float) -> bool:
    return key.retired_at is None or now < key.retired_at + PUBLISHED_AFTER_RETIREMENT


def _created(key: SigningKey) -> Event:
    """Keys are made by whoever needs them first, so the service itself is the actor."""
    return Event(
        environment_id=key.environment_id,
        action="signing_key.create",
        target=key.kid,
        actor="assay",
        details={"state": key.state},
        created_at=key.created_at,
    )


def _with_kids(event: Event, promoted: SigningKey, new_next: SigningKey) -> Event:
    return msgspec.structs.replace(event, details={**event.details, "active": promoted.kid, "next": new_next.kid})
