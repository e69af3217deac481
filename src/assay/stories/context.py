"""What every story is handed: the world it works in, and the call it answers."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from assay.config import Settings
from assay.keys.keyset import KeySets
from assay.keys.recent import Kept, Recent
from assay.keys.recent_jwts import RecentJwts
from assay.keys.signing import Signer
from assay.keys.token_seal import TokenSeal
from assay.model import Caller, Environment, Event, Member, Observations
from assay.observing.meter import Meter
from assay.observing.request_log import REQUEST_LOG, RequestLog
from assay.observing.tracer import NO_TRACER, Tracer
from assay.rules.permissions import Policy
from assay.store import Store
from assay.stories.configured import Configurations
from assay.stories.granted import Look
from assay.stories.last_access import LastAccess
from assay.stories.last_use import LastUse


def _holds_nothing(_sealed: bytes, _purpose: str, _plaintext: bytes) -> bool:
    """For a world without a root key, in which nothing was sealed."""
    return False


_PROFILES_KEPT = 10_000
_LOOKS_KEPT = 2_000


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The world of a story.

    ``clock`` gives seconds since the epoch, as a float, so that tests can turn it. ``cursor_key`` is 32 bytes that
    authenticate the cursors of searches (decisions D30). ``seal(plaintext, purpose)`` encrypts secrets of profiles;
    ``holds(sealed, purpose, plaintext)`` tells whether that is what was sealed, without opening it for anybody.
    ``observed`` is what this process knows of the tokens of each profile, by its ids and the time it was made.
    ``looks`` are the last answers to an authenticate, by the numbers of their sessions.
    ``meter`` counts and ``tracer`` makes spans; neither takes anything that a caller wrote.
    """

    store: Store
    keys: KeySets
    signer: Signer
    token_seal: TokenSeal
    settings: Settings
    cursor_key: bytes
    seal: Callable[[bytes, str], bytes]
    observed: Recent[tuple[str, str, int], Observations] = msgspec.field(default_factory=lambda: Recent(_PROFILES_KEPT))
    holds: Callable[[bytes, str, bytes], bool] = _holds_nothing
    clock: Callable[[], float] = time.time
    meter: Meter = msgspec.field(default_factory=Meter)
    tracer: Tracer = NO_TRACER
    request_log: RequestLog = REQUEST_LOG
    last_use: LastUse = msgspec.field(default_factory=LastUse)
    last_access: LastAccess = msgspec.field(default_factory=LastAccess)
    configured: Configurations = msgspec.field(default_factory=Configurations)
    recent_jwts: RecentJwts = msgspec.field(default_factory=RecentJwts)
    looks: Kept[int, Look] = msgspec.field(default_factory=lambda: Kept(_LOOKS_KEPT))


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """The member whose session came in the member-session header; the call runs with its permissions (D19).

    ``policy`` is the one in force when the session was opened; it says what ``session_roles`` permit.
    """

    member: Member
    session_roles: tuple[str, ...]
    policy: Policy


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes the configuration: a workspace key under a request id, or the command line under none."""

    name: str
    request_id: str = ""

    def event(self, environment_id: str | None, action: str, target: str, now: int, **details: object) -> Event:
        """The audit line of a change made by this operator at ``now`` (seconds)."""
        return Event(
            environment_id=environment_id,
            action=action,
            target=target,
            actor=self.name,
            request_id=self.request_id,
            details=details,
            created_at=now,
        )


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One authenticated request: who calls, under which request id, and with whose permissions (None: all)."""

    caller: Caller
    request_id: str
    actor: Actor | None = None

    @property
    def environment(self) -> Environment:
        """The tenant this call may touch."""
        return self.caller.environment

    def event(self, now: int, action: str, target: str, **details: object) -> Event:
        """The audit line of a change made by this call."""
        actor = self.actor.member.member_id if self.actor else self.caller.secret.secret_id
        return Event(
            environment_id=self.environment.environment_id,
            action=action,
            target=target,
            actor=actor,
            request_id=self.request_id,
            details=details,
            created_at=now,
        )
