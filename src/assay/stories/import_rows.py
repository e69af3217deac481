"""What one row of a file of people says, checked field by field and put into the words of our own records.

A row has the members of the member object or the user object of the server API, as JSON or as cells of text. Ids of
the other system are never taken over; the external id is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from assay import errors, ids
from assay.model import UserName, Vertical
from assay.rules import claims, names, permissions
from assay.stories.people_files import Row

People = Literal["members", "users"]

# What an export says beside what can be taken over: ids and times of its own, and what follows from other members.
_LEFT = frozenset({
    "created_at",
    "is_admin",
    "is_locked",
    "member_id",
    "mfa_phone_number_verified",
    "organization_id",
    "updated_at",
    "user_id",
})  # fmt: skip
_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"false", "0", "no"})
_PLACE = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?", re.DOTALL)

ANOTHER_ADDRESS = "had more than one address or phone number; the first one, or the first verified one, was taken"
OWN_FORM_ID = (
    "had an id of the form of Assay's own ids, which cannot be an external id (decisions D21);"
    " keep it with --map member_id=trusted_metadata.NAME (or user_id)"
)
UNFIT_ID = "had an id that does not fit the alphabet of external ids, so it was not kept"


class RoleGiven(msgspec.Struct):
    """A role as the member object shows it."""

    role_id: str
    sources: list[dict[str, Any]] | None = None


class EmailGiven(msgspec.Struct):
    """An address as the user object shows it."""

    email: str
    verified: bool = False


class PhoneGiven(msgspec.Struct):
    """A phone number as the user object shows it."""

    phone_number: str
    verified: bool = False


class NameGiven(msgspec.Struct):
    """A consumer's name in its parts."""

    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None


class MemberRow(msgspec.Struct):
    """What is read of a member object (contract §6.2), and of the organization it is in."""

    organization_id: str | None = None
    organization_external_id: str | None = None
    organization_slug: str | None = None
    organization_name: str | None = None
    member_id: str | None = None
    external_id: str | None = None
    email_address: str | None = None
    email_address_verified: bool | None = None
    name: str | None = None
    status: Literal["pending", "invited", "active", "deleted"] | None = None
    roles: list[str | RoleGiven] | None = None
    is_breakglass: bool | None = None
    mfa_enrolled: bool | None = None
    mfa_phone_number: str | None = None
    trusted_metadata: dict[str, Any] | None = None
    untrusted_metadata: dict[str, Any] | None = None


class UserRow(msgspec.Struct):
    """What is read of a user object (contract §6.3); ``email`` and ``phone_number`` may stand by themselves."""

    user_id: str | None = None
    external_id: str | None = None
    email: str | None = None
    email_verified: bool | None = None
    emails: list[EmailGiven] | None = None
    phone_number: str | None = None
    phone_numbers: list[PhoneGiven] | None = None
    name: NameGiven | None = None
    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None
    status: Literal["pending", "active", "deleted"] | None = None
    roles: list[str | RoleGiven] | None = None
    trusted_metadata: dict[str, Any] | None = None
    untrusted_metadata: dict[str, Any] | None = None


_KNOWN = {kind: _LEFT.union(kind.__struct_fields__) for kind in (MemberRow, UserRow)}
_NOTHING: tuple[object, ...] = ({}, [], False, "")


class Place(NamedTuple):
    """The organization that a row names, in all the ways it does."""

    organization_id: str | None
    external_id: str | None
    slug: str | None
    name: str | None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A person as the row wants it: the fields of our record that it gives.

    ``left_out`` says that the person was deleted over there. ``notes`` say what could not be taken over, ``unused``
    names members of the row that nothing was made of.
    """

    line: int
    fields: dict[str, Any]
    place: Place = Place(None, None, None, None)
    left_out: bool = False
    notes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


class RowFault(Exception):
    """What is wrong with a row, as sentences for whoever mends the file."""


class Rules(NamedTuple):
    """What holds for all rows of a file. ``assignable`` are the roles that may be given to somebody explicitly."""

    people: People
    assignable: frozenset[str]
    keep_ids: bool = False

    @property
    def vertical(self) -> Vertical:
        """Whose people these are."""
        return "b2b" if self.people == "members" else "consumer"


def read(row: Row, rules: Rules) -> Wanted:
    """The row, checked. Raises RowFault, which tells everything that is wrong with it."""
    if row.fault:
        raise RowFault(row.fault)
    kind: type[MemberRow | UserRow] = MemberRow if rules.people == "members" else UserRow
    given = {name: value for name, value in row.given.items() if value is not None and (value != "" or name == "name")}
    typed = _typed(given, kind)
    found = _Findings(rules)
    if isinstance(typed, MemberRow):
        _member(typed, found)
        place = Place(
            typed.organization_id, typed.organization_external_id, typed.organization_slug, typed.organization_name
        )
    else:
        _user(typed, found)
        place = Place(None, None, None, None)
    left_out = typed.status == "deleted"
    if found.faults and not left_out:
        raise RowFault("; ".join(found.faults))
    unused = tuple(name for name, value in given.items() if name not in _KNOWN[kind] and value not in _NOTHING)
    notes = tuple(found.notes)
    return Wanted(line=row.line, fields=found.fields, place=place, left_out=left_out, notes=notes, unused=unused)


class _Findings:
    """Fields of the record as they are read, and what is wrong on the way."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.fields: dict[str, Any] = {}
        self.faults: list[str] = []
        self.notes: list[str] = []

    def take(self, name: str, value: object, check: Callable[[Any], object], field: str = "") -> None:
        """Check a member that was given, and keep it as ``field`` of the record."""
        if value is None:
            return
        try:
            self.fields[field or name] = check(value)
        except errors.Error as error:
            self.faults.append(error.message if name in error.message else f"{name}: {error.message}")

    def plain(self, row: MemberRow | UserRow, *members: str) -> None:
        """Members that need no check beyond their type."""
        self.fields |= {name: getattr(row, name) for name in members if getattr(row, name) is not None}


def _member(row: MemberRow, found: _Findings) -> None:
    found.take("email_address", row.email_address, names.email, "email")
    found.take("name", row.name, lambda text: names.label("name", text))
    found.take("mfa_phone_number", row.mfa_phone_number, names.phone_number)
    found.plain(row, "is_breakglass", "mfa_enrolled", "status")
    if row.email_address_verified is not None:
        found.fields["email_verified"] = row.email_address_verified
    _common(row, row.member_id, found)
    if not {"email", "external_id"} & found.fields.keys() and not found.faults:
        found.faults.append("a member needs an email_address or an external_id")


def _user(row: UserRow, found: _Findings) -> None:
    email, phone = _first(row.emails), _first(row.phone_numbers)
    if any(len(each or ()) > 1 for each in (row.emails, row.phone_numbers)):
        found.notes.append(ANOTHER_ADDRESS)
    verified = email.verified if email is not None and row.email is None else row.email_verified
    found.take("email", row.email or (email.email if email else None), names.email)
    if verified is not None:
        found.fields["email_verified"] = verified
    found.take("phone_number", row.phone_number or (phone.phone_number if phone else None), names.phone_number)
    found.take("name", _name(row), _checked_name)
    found.plain(row, "status")
    _common(row, row.user_id, found)
    if not {"email", "phone_number", "external_id"} & found.fields.keys() and not found.faults:
        found.faults.append("a user needs an email, a phone_number or an external_id")


def _common(row: MemberRow | UserRow, old_id: str | None, found: _Findings) -> None:
    found.take("external_id", row.external_id, names.external_id)
    if row.external_id is None and old_id is not None and found.rules.keep_ids:
        _keep_id(old_id, found)
    if row.roles is not None:
        found.take("roles", _explicit(row.roles), lambda given: _roles(found.rules, given))
    for name in ("trusted_metadata", "untrusted_metadata"):
        found.take(name, getattr(row, name), lambda change: claims.merge_metadata({}, change))


def _keep_id(old_id: str, found: _Findings) -> None:
    try:
        found.fields["external_id"] = names.external_id(old_id)
    except errors.InvalidExternalId:
        found.notes.append(OWN_FORM_ID if ids.is_own_form(old_id) else UNFIT_ID)


def _explicit(given: Iterable[str | RoleGiven]) -> list[str]:
    """Role ids; of those that say where they come from, only the ones that were assigned to the person itself."""
    return [
        each if isinstance(each, str) else each.role_id
        for each in given
        if isinstance(each, str)
        or not each.sources
        or any(source.get("type") == "direct_assignment" for source in each.sources)
    ]


def _roles(rules: Rules, role_ids: Iterable[str]) -> tuple[str, ...]:
    # Exports list the default role, which everybody has here as well.
    wanted = tuple(name for name in dict.fromkeys(role_ids) if name != permissions.DEFAULT_ROLE[rules.vertical])
    for role_id in wanted:
        if role_id not in rules.assignable:
            raise errors.InvalidRole(f"the RBAC policy has no role {role_id!r}: add it, or leave the role out")
    return wanted


def _first(given: list[Any] | None) -> Any:  # noqa: ANN401 - an EmailGiven or a PhoneGiven
    """The first verified one, else the first."""
    return next((each for each in given or () if each.verified), given[0] if given else None)


def _name(row: UserRow) -> NameGiven | None:
    parts = row.name or NameGiven()
    given = {name: getattr(row, name) or getattr(parts, name) for name in NameGiven.__struct_fields__}
    return NameGiven(**given) if any(given.values()) else None


def _checked_name(parts: NameGiven) -> UserName:
    return UserName(
        **{name: names.label(f"name.{name}", getattr(parts, name) or "") for name in UserName.__struct_fields__}
    )


# ---------------------------------------------------------------- types


def _typed(given: Mapping[str, Any], kind: type[MemberRow | UserRow]) -> MemberRow | UserRow:
    if kind is UserRow and isinstance(given.get("name"), str):
        raise RowFault("name must be an object; text goes into first_name, middle_name and last_name")
    try:
        members = {name: _from_text(value, _WANTS.get(name, "text"), name) for name, value in given.items()}
        return msgspec.convert(members, kind)
    except msgspec.ValidationError as fault:
        found = _PLACE.fullmatch(str(fault))
        sentence, place = found.groups() if found else (str(fault), None)
        words = sentence[:1].lower() + sentence[1:].replace("`", "")
        raise RowFault(f"{place}: {words}" if place else words) from None


# Cells are text: which members are something else in JSON.
_WANTS = {
    **dict.fromkeys(("email_address_verified", "email_verified", "is_breakglass", "mfa_enrolled"), "flag"),
    **dict.fromkeys(("roles",), "words"),
    **dict.fromkeys(("trusted_metadata", "untrusted_metadata", "emails", "phone_numbers"), "json"),
}


def _from_text(value: object, wanted: str, name: str) -> object:
    if not isinstance(value, str) or wanted == "text":
        return value
    if wanted == "words":
        return [word for word in re.split(r"[\s,;|]+", value) if word]
    if wanted == "json":
        raise RowFault(f"{name} must be JSON, such as {json.dumps({'plan': 'pro'})}")
    if value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise RowFault(f"{name} must be true or false")
