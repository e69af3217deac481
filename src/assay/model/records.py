"""What happened: attempts and events."""

from __future__ import annotations

from typing import Any

from assay.model.base import DriftKind, Outcome, Record


class Attempt(Record, frozen=True, kw_only=True):
    """What became of one attest. ``code`` is public, ``reason`` is for the operator (decisions D13).

    Neither the token nor its signature is ever part of it. ``issuer``, ``subject``, ``token_id``, ``kid`` and
    ``algorithm`` are what the token says, cut to a length; unless ``verified`` it may be anybody's word.
    ``kept_claims`` are those that the profile allows to be kept, of verified tokens alone.
    """

    environment_id: str
    request_id: str
    profile_id: str
    outcome: Outcome
    code: str
    reason: str
    details: dict[str, Any] = {}
    subject_id: str | None = None
    organization_id: str | None = None
    session_id: str | None = None
    issuer: str | None = None
    subject: str | None = None
    token_id: str | None = None
    kid: str | None = None
    algorithm: str | None = None
    verified: bool = False
    kept_claims: dict[str, Any] = {}
    milliseconds: int | None = None
    created_at: int


class Event(Record, frozen=True, kw_only=True):
    """One line of the audit record, written in the same transaction as the change it tells of."""

    environment_id: str | None
    action: str
    target: str
    actor: str
    request_id: str = ""
    details: dict[str, Any] = {}
    created_at: int


class NumberedEvent(Record, frozen=True, kw_only=True):
    """An event with its place in the audit record, which readers go on from."""

    number: int
    event: Event


class NumberedAttempt(Record, frozen=True, kw_only=True):
    """An attempt with its place among all, which readers go on from."""

    number: int
    attempt: Attempt


class ReplayMark(Record, frozen=True, kw_only=True):
    """A token that was used once, until it would be refused for its age anyway (decisions D8).

    ``secret_id`` and ``request_hash`` say who used it and how, so that a caller whose answer was lost can ask again;
    ``session_number`` is the session that came of it, if one did.
    """

    environment_id: str
    profile_id: str
    mark: str
    created_at: int
    expires_at: int
    secret_id: str
    request_hash: bytes
    session_number: int | None = None


class AttemptCount(Record, frozen=True, kw_only=True):
    """How many attempts at a profile came to one outcome in the hour that begins at ``hour`` (seconds)."""

    profile_id: str
    outcome: Outcome
    hour: int
    attempts: int


class DriftNotice(Record, frozen=True, kw_only=True):
    """Something about an issuer's tokens that was not so before."""

    kind: DriftKind
    value: str
    noticed_at: int


class Observations(Record, frozen=True, kw_only=True):
    """What the tokens of a profile have looked like so far.

    ``tokens`` counts the first ones, from which no notices come. ``claims`` are top-level names; those that are true
    have been in every token. ``notices`` are the newest, oldest first.
    """

    environment_id: str
    profile_id: str
    tokens: int = 0
    claims: dict[str, bool] = {}
    algorithms: tuple[str, ...] = ()
    kids: tuple[str, ...] = ()
    notices: tuple[DriftNotice, ...] = ()
    revision: int = 0


class PersonCounts(Record, frozen=True, kw_only=True):
    """How many records tell of one person beside its own."""

    sessions: int
    attempts: int
    events: int
