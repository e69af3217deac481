"""The values that search filters take (contract §6.6): one reader per kind, one kind per filter."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, get_args

import msgspec

from assay import errors
from assay.model import MemberStatus, UserStatus
from assay.rules import names

MIN_FUZZY = 3
MAX_TEXT = 255
MAX_VALUES = 1000


class Unfit(Exception):
    """The value is not of the filter's kind."""


class Kind(msgspec.Struct, frozen=True):
    """What a filter takes, in words for the caller, and how it is read."""

    expected: str
    read: Callable[[Any], Any]


class Between(msgspec.Struct, forbid_unknown_fields=True):
    """The two ends of ``created_at_between``, both left out themselves."""

    greater_than: str
    less_than: str


def read(filter_name: str, value: object) -> Any:  # noqa: ANN401 - every filter has its own type
    """The value as the store takes it: texts, a bool, seconds since the epoch. Raises InvalidSearch."""
    kind = KINDS[filter_name]
    try:
        return kind.read(value)
    except (Unfit, msgspec.ValidationError):
        raise errors.InvalidSearch(f"The search filter {filter_name} takes {kind.expected}.") from None


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or names.has_control_characters(value):
        raise Unfit
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_VALUES:
        raise Unfit
    return tuple(_text(item) for item in value)


def _fuzzy(value: object) -> str:
    text = _text(value)
    if len(text) < MIN_FUZZY:
        raise Unfit
    return text


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unfit
    return value


def _statuses(value: object) -> tuple[str, ...]:
    statuses = _texts(value)
    if not set(statuses) <= set(get_args(MemberStatus)):
        raise Unfit
    return statuses


def _user_status(value: object) -> str:
    if value not in get_args(UserStatus):
        raise Unfit
    return _text(value)


def moment(value: object) -> float:
    """A time such as RFC 3339 writes it, in seconds since the epoch. Raises Unfit, msgspec.ValidationError."""
    read_time: datetime = msgspec.convert(_text(value), Annotated[datetime, msgspec.Meta(tz=True)])
    return read_time.timestamp()


def _after(value: object) -> int:
    # Records have whole seconds: the first one after 10.5 is 11, which is the first one after 10.
    return math.floor(moment(value))


def _before(value: object) -> int:
    return math.ceil(moment(value))


def _between(value: object) -> dict[str, int]:
    ends = msgspec.convert(value, Between)
    return {"greater_than": _after(ends.greater_than), "less_than": _before(ends.less_than)}


TIME = "a time such as 2025-01-31T12:00:00Z (RFC 3339)"
TEXTS = Kind(f"a list of at most {MAX_VALUES} strings of at most {MAX_TEXT} characters", _texts)
FUZZY = Kind(f"a string of {MIN_FUZZY} to {MAX_TEXT} characters", _fuzzy)
FLAG = Kind("true or false", _flag)
STATUSES = Kind("a list out of pending, invited, active and deleted", _statuses)
USER_STATUS = Kind("pending or active", _user_status)
AFTER = Kind(TIME, _after)
BEFORE = Kind(TIME, _before)
BETWEEN = Kind(f"an object with greater_than and less_than, each {TIME}", _between)

KINDS: dict[str, Kind] = {
    "organization_ids": TEXTS,
    "organization_slugs": TEXTS,
    "organization_name_fuzzy": FUZZY,
    "organization_slug_fuzzy": FUZZY,
    "allowed_domains": TEXTS,
    "allowed_domain_fuzzy": FUZZY,
    "claimed_email_domains": TEXTS,
    "member_ids": TEXTS,
    "member_emails": TEXTS,
    "member_email_fuzzy": FUZZY,
    "member_is_breakglass": FLAG,
    "statuses": STATUSES,
    "member_mfa_phone_numbers": TEXTS,
    "member_mfa_phone_number_fuzzy": FUZZY,
    "member_phone_numbers": TEXTS,
    "member_phone_number_fuzzy": FUZZY,
    "member_roles": TEXTS,
    "created_at_greater_than": AFTER,
    "created_at_less_than": BEFORE,
    "created_at_between": BETWEEN,
    "status": USER_STATUS,
    "user_id": TEXTS,
    "full_name_fuzzy": FUZZY,
    "phone_number": TEXTS,
    "phone_id": TEXTS,
    "phone_number_fuzzy": FUZZY,
    "email_address": TEXTS,
    "email_id": TEXTS,
    "email_verified": FLAG,
    "email_address_fuzzy": FUZZY,
}
