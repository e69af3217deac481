"""Attribute mapping: which claim of a token says who somebody is (decisions D9).

A mapping goes from attribute to a value that :mod:`assay.rules.mapped_values` finds in the token. Here it becomes an
identity by the few coercions below; what has no usable form refuses the token.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from assay import errors, ids
from assay.model import Profile, Vertical
from assay.rules import checks, mapped_values, names
from assay.rules.expressions import Expression
from assay.rules.jws import shown
from assay.rules.mapped_values import BadMapping, Place
from assay.rules.tokens import Claims

EmailVerified = Literal["verified", "silent", "unverified"]

MAX_ID_CHARACTERS = 255
METADATA = "trusted_metadata."
MAX_NAME_CHARACTERS = 255

EXTERNAL_ID_ATTRIBUTE: dict[Vertical, str] = {"b2b": "external_member_id", "consumer": "external_user_id"}

_COMMON = frozenset({"email", "email_verified", "token_id", "role_ids", "name"})
_ATTRIBUTES: dict[Vertical, frozenset[str]] = {
    "b2b": _COMMON | {"external_member_id", "organization_id", "organization_name"},
    "consumer": _COMMON | {"external_user_id"},
}
_ALL_ATTRIBUTES = _ATTRIBUTES["b2b"] | _ATTRIBUTES["consumer"]


# An attribute that says who somebody is must not be the same for people whose tokens lack the claim.
_ONES_OWN = frozenset({"token_id", "email", *EXTERNAL_ID_ATTRIBUTE.values()})
# Types of expressions that can never become the attribute: what is no text, and true and false, which name nobody.
_NO_NAME = frozenset({"MAP", "BOOL", "NULL_TYPE"})
_NO_USE = {
    "email": _NO_NAME | {"INT", "UINT", "DOUBLE"},
    "role_ids": _NO_NAME | {"INT", "UINT", "DOUBLE"},
    "email_verified": frozenset({"MAP", "LIST", "NULL_TYPE"}),
}


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who the token says its bearer is, before anybody is looked up.

    ``email`` is lower-cased. ``role_ids`` is None when they are not mapped, or the token has no such claim.
    ``issuer`` vouches for the external id. ``email_verified`` has taken the profile's ``trust_email`` into account.
    ``maps_external_id`` says that the profile looks for an external id, also where the token has none.
    ``trusted_metadata`` holds every key that is mapped, with None for what the token does not have.
    """

    issuer: str
    token_id: str
    email: str | None
    email_verified: EmailVerified
    external_id: str | None
    organization: str | None
    organization_name: str | None
    role_ids: tuple[str, ...] | None
    maps_external_id: bool = False
    name: str | None = None
    trusted_metadata: dict[str, Any] = {}


def read(claims: Claims, profile: Profile, vertical: Vertical) -> Identity:
    """Read the mapped claims of a verified token.

    Raises errors.JwtInvalidClaims when a mapped claim is missing or has no usable form, or when the token names
    nobody at all, and InvalidTokenOrganizationIdClaim when the organization's claim has no usable form.
    """
    mapped, in_organization = profile.attribute_mapping, vertical == "b2b"
    source = _Source(claims, mapped)
    maps_external_id = EXTERNAL_ID_ATTRIBUTE[vertical] in mapped
    external_id = _external_id(source, EXTERNAL_ID_ATTRIBUTE[vertical]) if maps_external_id else None
    return Identity(
        issuer=checks.issuer_of(profile, claims.values),
        token_id=_token_id(source),
        email=_email(source, required=external_id is None),
        email_verified=_email_verified(source, trust_email=profile.trust_email),
        external_id=external_id,
        organization=_organization(source) if in_organization and "organization_id" in mapped else None,
        organization_name=_organization_name(source) if in_organization and "organization_name" in mapped else None,
        role_ids=_role_ids(source) if "role_ids" in mapped else None,
        maps_external_id=maps_external_id,
        name=_name(source) if "name" in mapped else None,
        trusted_metadata={} if mapped.keys() <= _ALL_ATTRIBUTES else _trusted_metadata(source),
    )


def attributes(vertical: Vertical) -> tuple[str, ...]:
    """What can be mapped in a project of this vertical, beside ``trusted_metadata.KEY``; in alphabetical order."""
    return tuple(sorted(_ATTRIBUTES[vertical]))


def problems(mapping: dict[str, Any], vertical: Vertical) -> list[str]:
    """Say, a sentence each, what in a mapping can never work. Such a mapping is stored all the same (decisions D7)."""
    external_id = EXTERNAL_ID_ATTRIBUTE[vertical]
    found = []
    if not {"email", external_id} & mapping.keys():
        found.append(f"attribute_mapping has neither email nor {external_id}, so no token can say who its bearer is.")
    for attribute, value in mapping.items():
        found += _attribute_problems(attribute, vertical) or _value_problems(attribute, value)
    return found


def _attribute_problems(attribute: str, vertical: Vertical) -> list[str]:
    if attribute.startswith(METADATA) and len(attribute) > len(METADATA):
        return []
    if attribute not in _ALL_ATTRIBUTES:
        known = ", ".join([*sorted(_ATTRIBUTES[vertical]), f"{METADATA}KEY"])
        return [f"attribute_mapping has {shown(attribute)}, which is no attribute; there are {known}."]
    if attribute not in _ATTRIBUTES[vertical]:
        return [f"attribute_mapping has {attribute}, which has no meaning in a {vertical} project."]
    return []


def _value_problems(attribute: str, value: object) -> list[str]:
    try:
        there = mapped_values.place(value)
    except BadMapping as fault:
        return [f"attribute_mapping maps {attribute} to something that can never work: {fault}."]
    fault_of_kind = _kind_problem(attribute, there)
    return [f"attribute_mapping maps {attribute} to {fault_of_kind}."] if fault_of_kind else []


def _kind_problem(attribute: str, there: Place) -> str | None:
    """What is wrong with the type of an expression's value, or with a default, for this attribute."""
    if isinstance(there.origin, Expression):
        if not there.origin.reads_token:
            return "an expression that has the same value for every token"
        kind = there.origin.kind.partition("<")[0]
        if not attribute.startswith(METADATA) and kind in _NO_USE.get(attribute, _NO_NAME):
            return f"an expression whose value is of the type {kind.lower()}"
    if there.default is msgspec.UNSET or there.default is None:
        return None
    if attribute in _ONES_OWN:
        # Everybody whose token lacks the claim would be one and the same person.
        return "a default, which would be the same for everybody"
    return None if _fits(attribute, there.default) else f"a default of the wrong type: {shown(there.default)}"


def _fits(attribute: str, default: object) -> bool:
    if attribute == "email_verified" or attribute.startswith(METADATA):
        return True
    if attribute == "role_ids":
        return isinstance(default, str) or _all_texts(default)
    return _as_text(default) is not None


def _all_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def check(mapping: dict[str, Any], vertical: Vertical) -> None:
    """Refuse what must not be stored (decisions D7). Raises errors.MultipleExternalIds, IncorrectExternalIdMapping."""
    external_ids = mapping.keys() & set(EXTERNAL_ID_ATTRIBUTE.values())
    if len(external_ids) > 1:
        raise errors.MultipleExternalIds
    if external_ids - {EXTERNAL_ID_ATTRIBUTE[vertical]}:
        raise errors.IncorrectExternalIdMapping


class _Source(msgspec.Struct, frozen=True):
    """The claims of one token, asked by attribute."""

    claims: Claims
    mapping: dict[str, Any]

    def value(self, attribute: str) -> Any:  # noqa: ANN401 - a JSON value
        """Return the value of an attribute; UNSET if it is not mapped or the token has nothing there."""
        where = self.mapping.get(attribute, msgspec.UNSET)
        if where is msgspec.UNSET:
            return where
        if isinstance(where, str) and where and where[0] != "/":  # the name of a claim, as nearly always
            return self.claims.values.get(where, msgspec.UNSET)
        return mapped_values.find(attribute, where, self.claims)

    def text(self, attribute: str, refusal: type[errors.Error] = errors.JwtInvalidClaims) -> str | None:
        """Return the claim of an attribute as a string; None if there is none or it is null."""
        value = self.value(attribute)
        if isinstance(value, str):
            return value
        if value is msgspec.UNSET or value is None:
            return None
        text = _as_text(value)
        if text is None:
            raise refusal(detail=f"the claim for {attribute} is not a string: {shown(value)}")
        return text


def _as_text(value: object) -> str | None:
    """Coerce a string, boolean, number, or list of just one of these (decisions D9); None for anything else."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    # Issuers in JavaScript do not tell 5 from 5.0, so both are "5".
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | float) else None


def _check_id(attribute: str, text: str, refusal: type[errors.Error] = errors.JwtInvalidClaims) -> str:
    """Take only ids that can be shown, logged and indexed: 1 to 255 printable characters (security A60)."""
    if not 0 < len(text) <= MAX_ID_CHARACTERS or not text.isprintable():
        fault = f"the claim for {attribute} does not have 1 to {MAX_ID_CHARACTERS} printable characters"
        raise refusal(detail=f"{fault}: {shown(text)}")
    return text


def _token_id(source: _Source) -> str:
    """Use the mapped claim, else ``jti``, else the hash (decisions D9)."""
    if "token_id" not in source.mapping:
        return _check_id("token_id", source.claims.values.get("jti") or source.claims.token_hash)
    text = source.text("token_id")
    if text is None:
        raise errors.JwtInvalidClaims(detail="the token has no claim for token_id")
    return _check_id("token_id", text)


def _external_id(source: _Source, attribute: str) -> str | None:
    text = source.text(attribute)
    if text is None:
        return None
    # An external id in the form of our own ids could later be taken for the person who has that id (D21).
    if ids.is_own_form(text):
        raise errors.JwtInvalidClaims(detail=f"the claim for {attribute} has the form of our own ids: {shown(text)}")
    return _check_id(attribute, text)


def _email(source: _Source, *, required: bool) -> str | None:
    """Return the address; None only where an external id names the bearer instead (decisions D20)."""
    text = source.text("email")
    if not text:
        if required:
            raise errors.JwtInvalidClaims(detail="the token has no claim for email, and no external id instead")
        return None
    try:
        return names.email(text)
    except errors.InvalidEmail:
        fault = f"the claim for email is not an email address: {shown(text)}"
        raise errors.JwtInvalidClaims(detail=fault) from None


def _email_verified(source: _Source, *, trust_email: bool) -> EmailVerified:
    """Read the mapped claim, else the standard one (decisions D4): issuers send it as boolean, string or number.

    An issuer at which people choose their address is not believed by saying nothing (``trust_email`` false).
    """
    mapped = "email_verified" in source.mapping
    value = source.value("email_verified") if mapped else source.claims.values.get("email_verified", msgspec.UNSET)
    if value is msgspec.UNSET:
        return "silent" if trust_email else "unverified"
    return "verified" if value in (True, "true", 1, "1") else "unverified"


def _organization(source: _Source) -> str | None:
    text = source.text("organization_id", errors.InvalidTokenOrganizationIdClaim)
    if text is None:
        return None
    return _check_id("organization_id", text, errors.InvalidTokenOrganizationIdClaim)


def _organization_name(source: _Source) -> str | None:
    text = source.text("organization_name")
    if not text:
        return None
    try:
        return names.organization_name(text[: names.MAX_NAME])
    except errors.InvalidOrganizationName:
        fault = f"the claim for organization_name has control characters: {shown(text)}"
        raise errors.JwtInvalidClaims(detail=fault) from None


def _role_ids(source: _Source) -> tuple[str, ...] | None:
    """Take a list of strings, or one string with spaces between (decisions D9); each role once."""
    value = source.value("role_ids")
    if value is msgspec.UNSET or value is None:
        return None
    if isinstance(value, str):
        value = [role for role in value.split(" ") if role]
    if not _all_texts(value):
        raise errors.JwtInvalidClaims(detail=f"the claim for role_ids is not a list of strings: {shown(value)}")
    return tuple(dict.fromkeys(value))


def _name(source: _Source) -> str | None:
    """Return the person's name, cut to what fits; None if there is none."""
    text = source.text("name")
    if not text or not text.strip():
        return None
    if not text.isprintable():
        raise errors.JwtInvalidClaims(detail=f"the claim for name has control characters: {shown(text)}")
    return text.strip()[:MAX_NAME_CHARACTERS]


def _trusted_metadata(source: _Source) -> dict[str, Any]:
    """Return every mapped key with the token's value; null deletes the key, as everywhere in metadata.

    What the token does not have is null too: issuers leave out what somebody has no longer, and a plan or a right
    that was taken away must not stay.
    """
    names_of_keys = [attribute for attribute in source.mapping if attribute.startswith(METADATA)]
    values = {attribute.removeprefix(METADATA): source.value(attribute) for attribute in names_of_keys}
    return {key: None if value is msgspec.UNSET else value for key, value in values.items()}
