"""Attribute mapping: which claim of a token says who somebody is (decisions D9).

A mapping goes from attribute to the literal name of a top-level claim, so that ``https://example.com/role``,
``kubernetes.io`` and ``a.b`` name the claims that are called so. Claims are data: they are coerced by the few rules
below and never interpreted as paths, patterns or expressions.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from assay import errors, ids
from assay.model import Profile, Vertical
from assay.rules import names
from assay.rules.jws import shown
from assay.rules.tokens import Claims

EmailVerified = Literal["verified", "silent", "unverified"]

MAX_ID_CHARACTERS = 255

EXTERNAL_ID_ATTRIBUTE: dict[Vertical, str] = {"b2b": "external_member_id", "consumer": "external_user_id"}

_COMMON = frozenset({"email", "email_verified", "token_id", "role_ids"})
_ATTRIBUTES: dict[Vertical, frozenset[str]] = {
    "b2b": _COMMON | {"external_member_id", "organization_id", "organization_name"},
    "consumer": _COMMON | {"external_user_id"},
}
_ALL_ATTRIBUTES = _ATTRIBUTES["b2b"] | _ATTRIBUTES["consumer"]


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who the token says its bearer is, before anybody is looked up.

    ``email`` is lower-cased. ``role_ids`` is None when they are not mapped, or the token has no such claim.
    """

    token_id: str
    email: str | None
    email_verified: EmailVerified
    external_id: str | None
    organization: str | None
    organization_name: str | None
    role_ids: tuple[str, ...] | None


def read(claims: Claims, profile: Profile, vertical: Vertical) -> Identity:
    """Read the mapped claims of a verified token.

    Raises errors.JwtInvalidClaims when a mapped claim is missing or has no usable form, or when the token names
    nobody at all, and InvalidTokenOrganizationIdClaim when the organization's claim has no usable form.
    """
    source = _Source(claims.values, profile.attribute_mapping)
    external_id = _external_id(source, EXTERNAL_ID_ATTRIBUTE[vertical])
    in_organization = vertical == "b2b"
    return Identity(
        token_id=_token_id(source, claims.token_hash),
        email=_email(source, required=external_id is None),
        email_verified=_email_verified(source),
        external_id=external_id,
        organization=_organization(source) if in_organization else None,
        organization_name=_organization_name(source) if in_organization else None,
        role_ids=_role_ids(source),
    )


def problems(mapping: dict[str, Any], vertical: Vertical) -> list[str]:
    """Say, a sentence each, what in a mapping can never work. Such a mapping is stored all the same (decisions D7)."""
    external_id = EXTERNAL_ID_ATTRIBUTE[vertical]
    found = []
    if not {"email", external_id} & mapping.keys():
        found.append(f"attribute_mapping has neither email nor {external_id}, so no token can say who its bearer is.")
    for attribute, name in mapping.items():
        if attribute not in _ALL_ATTRIBUTES:
            known = ", ".join(sorted(_ATTRIBUTES[vertical]))
            found.append(f"attribute_mapping has {shown(attribute)}, which is no attribute; there are {known}.")
        elif attribute not in _ATTRIBUTES[vertical]:
            found.append(f"attribute_mapping has {attribute}, which has no meaning in a {vertical} project.")
        elif not _is_claim_name(name):
            found.append(f"attribute_mapping maps {attribute} to something that is not the name of a claim.")
    return found


def check(mapping: dict[str, Any], vertical: Vertical) -> None:
    """Refuse what must not be stored (decisions D7, D8, D9).

    Raises errors.MultipleExternalIds, IncorrectExternalIdMapping, or TrustedTokenProfileInvalidRequest for values
    whose meaning this version does not know: stored and read literally, they would mean something else later.
    """
    external_ids = mapping.keys() & set(EXTERNAL_ID_ATTRIBUTE.values())
    if len(external_ids) > 1:
        raise errors.MultipleExternalIds
    if external_ids - {EXTERNAL_ID_ATTRIBUTE[vertical]}:
        raise errors.IncorrectExternalIdMapping
    for attribute, name in mapping.items():
        if isinstance(name, dict) or (isinstance(name, str) and name.startswith("/")):
            kind = "an object" if isinstance(name, dict) else "a JSON pointer"
            raise errors.TrustedTokenProfileInvalidRequest(
                f"attribute_mapping maps {shown(attribute)} to {kind}; this version takes only claim names."
            )


class _Source(msgspec.Struct, frozen=True):
    """The claims of one token, asked by attribute."""

    claims: dict[str, Any]
    mapping: dict[str, Any]

    def value(self, attribute: str) -> Any:  # noqa: ANN401 - a JSON value
        """Return the claim of an attribute; UNSET if the attribute is not mapped or the token has no such claim."""
        if attribute not in self.mapping:
            return msgspec.UNSET
        name = self.mapping[attribute]
        # Fail closed: taken for "not mapped", an unusable email_verified would make every address trusted.
        if not _is_claim_name(name):
            fault = f"the profile maps {attribute} to something that is not the name of a claim"
            raise errors.JwtInvalidClaims(detail=fault)
        return self.claims.get(name, msgspec.UNSET)

    def text(self, attribute: str, refusal: type[errors.Error] = errors.JwtInvalidClaims) -> str | None:
        """Return the claim of an attribute as a string; None if there is none or it is null."""
        value = self.value(attribute)
        if value is msgspec.UNSET or value is None:
            return None
        text = _as_text(value)
        if text is None:
            raise refusal(detail=f"the claim for {attribute} is not a string: {shown(value)}")
        return text


def _is_claim_name(name: object) -> bool:
    return isinstance(name, str) and name != "" and not name.startswith("/")


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


def _token_id(source: _Source, token_hash: str) -> str:
    """Use the mapped claim, else ``jti``, else the hash (decisions D9)."""
    if "token_id" not in source.mapping:
        return _check_id("token_id", source.claims.get("jti") or token_hash)
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


def _email_verified(source: _Source) -> EmailVerified:
    """Read the mapped claim, else the standard one (decisions D4): issuers send it as boolean, string or number."""
    mapped = "email_verified" in source.mapping
    value = source.value("email_verified") if mapped else source.claims.get("email_verified", msgspec.UNSET)
    if value is msgspec.UNSET:
        return "silent"
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
    if not isinstance(value, list) or not all(isinstance(role, str) for role in value):
        raise errors.JwtInvalidClaims(detail=f"the claim for role_ids is not a list of strings: {shown(value)}")
    return tuple(dict.fromkeys(value))
