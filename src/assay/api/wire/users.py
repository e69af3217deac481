"""Consumer users on the wire (contract §6.3): the object, which many answers hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from assay import model
from assay.api.wire.answers import Once, time
from assay.stories import authority


class Name(msgspec.Struct):
    """The parts of a user's name."""

    first_name: str
    middle_name: str
    last_name: str


class Email(msgspec.Struct):
    """A user's address."""

    email_id: str
    email: str
    verified: bool


class PhoneNumber(msgspec.Struct):
    """A user's phone number."""

    phone_id: str
    phone_number: str
    verified: bool = False


class User(msgspec.Struct, kw_only=True):
    """A user. Registrations for ways to log in that Assay has not are there, empty, because clients ask for them."""

    user_id: str
    external_id: str | None
    name: Name
    emails: tuple[Email, ...]
    phone_numbers: tuple[PhoneNumber, ...]
    status: str
    roles: tuple[str, ...]
    is_locked: bool = False
    lock_created_at: None = None
    lock_expires_at: None = None
    password: None = None
    providers: tuple[dict[str, str], ...] = ()
    webauthn_registrations: tuple[dict[str, Any], ...] = ()
    biometric_registrations: tuple[dict[str, Any], ...] = ()
    totps: tuple[dict[str, Any], ...] = ()
    crypto_wallets: tuple[dict[str, Any], ...] = ()
    trusted_metadata: dict[str, Any]
    untrusted_metadata: dict[str, Any]
    created_at: datetime


def user(record: model.User) -> User:
    """The stored user as callers see it."""
    return User(**fields(record))


_users = Once(user, 2_000)


def user_once(record: model.User) -> User:
    """As :func:`user`, for answers made so often that it is written once for each record."""
    return _users(record.user_id, record)


def fields(record: model.User) -> dict[str, Any]:
    """The members of a user object by name, for the one answer that has them at its top level."""
    return {
        "user_id": record.user_id,
        "external_id": record.external_id,
        "name": Name(record.name.first_name, record.name.middle_name, record.name.last_name),
        "emails": _emails(record),
        "phone_numbers": _phone_numbers(record),
        "status": record.status,
        "roles": authority.roles_of(record),
        "trusted_metadata": record.trusted_metadata,
        "untrusted_metadata": record.untrusted_metadata,
        "created_at": time(record.created_at),
    }


def _emails(record: model.User) -> tuple[Email, ...]:
    if record.email is None:
        return ()
    return (Email(record.email_id or "", record.email, record.email_verified),)


def _phone_numbers(record: model.User) -> tuple[PhoneNumber, ...]:
    if record.phone_number is None:
        return ()
    return (PhoneNumber(record.phone_id or "", record.phone_number),)
