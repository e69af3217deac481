"""What a store is asked for: searches and what comes of them, as values."""

from __future__ import annotations

from typing import Any

import msgspec

from assay.model import JwtTemplate, Outcome, RedirectUrl
from assay.rules.permissions import Policy


class Filter(msgspec.Struct, frozen=True):
    """One condition of a search: a name out of the target's table of filters, and its checked value."""

    name: str
    value: Any


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A page of records, in the order of their ids, after ``after``. ``limit`` is 1 to 1001: a page and one more."""

    environment_id: str
    filters: tuple[Filter, ...] = ()
    any_of: bool = False
    limit: int = 100
    after: str | None = None


class AttemptSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which attempts: all that is given must be so. ``before`` and ``after`` are numbers, neither included.

    With ``after`` the page is the oldest ones that follow it, oldest first; else the newest, newest first.
    """

    request_id: str | None = None
    profile_id: str | None = None
    outcome: Outcome | None = None
    code: str | None = None
    issuer: str | None = None
    subject: str | None = None
    token_id: str | None = None
    kid: str | None = None
    subject_id: str | None = None
    organization_id: str | None = None
    since: int | None = None
    until: int | None = None
    before: int | None = None
    after: int | None = None
    limit: int = 100


class EventSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which events, newest first: all that is given must be so. ``before`` is a number, not included.

    ``action`` is what the action begins with.
    """

    action: str | None = None
    target: str | None = None
    actor: str | None = None
    before: int | None = None
    limit: int = 100


class AttemptPoint(msgspec.Struct, frozen=True):
    """``count`` attempts that took so long, in one slice of time; slices are numbered from 0."""

    slice: int
    profile_id: str
    outcome: Outcome
    milliseconds: int | None
    count: int


class EndedSessions(msgspec.Struct, frozen=True):
    """How many sessions were looked at, the number of the last of them, if any, and how many of them had ended."""

    looked_at: int
    last: int | None
    ended: int


# ---------------------------------------------------------------- what configures an environment


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator has set for an environment; ``policy`` is None as long as it is the default one."""

    policy: Policy | None = None
    jwt_templates: tuple[JwtTemplate, ...] = ()
    redirect_urls: tuple[RedirectUrl, ...] = ()
