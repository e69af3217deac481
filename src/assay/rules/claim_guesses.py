"""Which claims of a token look like attributes, for a proposal (decisions D9). Names that many issuers use.

An address or an id is only proposed under a name that says so: a claim that merely looks like one may be chosen by
whoever the token is about.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from assay import errors
from assay.model import Vertical
from assay.rules import names, pointers
from assay.rules.mapping import EXTERNAL_ID_ATTRIBUTE, MAX_ID_CHARACTERS

_EMAIL = ("email", "user_email", "mail", "email_address")
_EXTERNAL_ID = ("sub", "user_id", "uid", "oid")
_TOKEN_ID = ("uti",)
_NAME = ("name", "display_name", "full_name", "user_name")
_ORGANIZATION = (
    "org_id",
    "organization_id",
    "tenant_id",
    "tid",
    "account_id",
    "installation_id",
    "team_id",
    "workspace_id",
    "hd",
    "/o/id",
    "/org/id",
    "/organization/id",
    "/tenant/id",
)
_ORGANIZATION_NAME = ("org_name", "organization_name", "tenant_name", "account_name", "/org/name", "/organization/name")


def mapping(claims: dict[str, Any], vertical: Vertical) -> dict[str, str]:
    """Attribute → claim name or pointer, as far as names and values suggest it."""
    found = {
        "email": _first(claims, (*_EMAIL, *_namespaced(claims, "email")), _is_email),
        EXTERNAL_ID_ATTRIBUTE[vertical]: _first(claims, _EXTERNAL_ID, _is_id),
        # Without a mapping it is jti, or a hash of the token where there is none.
        "token_id": None if "jti" in claims else _first(claims, _TOKEN_ID, _is_id),
        "name": _first(claims, _NAME, _is_text),
    }
    if vertical == "b2b":
        found["organization_id"] = _first(claims, _ORGANIZATION, _is_id)
        if found["organization_id"]:
            found["organization_name"] = _first(claims, _ORGANIZATION_NAME, _is_text)
    return {attribute: place for attribute, place in found.items() if place is not None}


def _first(claims: dict[str, Any], places: Iterable[str], fits: Any) -> str | None:  # noqa: ANN401 - a predicate
    return next((place for place in places if fits(_value(claims, place))), None)


def _value(claims: dict[str, Any], place: str) -> object:
    return pointers.find(claims, pointers.parse(place)) if place.startswith("/") else claims.get(place)


def _namespaced(claims: dict[str, Any], name: str) -> list[str]:
    """Claims like ``https://example.com/email``, as issuers demand of claims that customers add."""
    return [claim for claim in claims if claim.startswith("https://") and claim.endswith(f"/{name}")]


def _is_email(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(names.email(value))
    except errors.InvalidEmail:
        return False


def _is_id(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (_is_text(value) and len(str(value)) <= MAX_ID_CHARACTERS)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()
