"""Who is it? The linking decision of an attest, over the candidates found (decisions D2–D5, D20, D21).

Pure: the story reads the candidates, asks here, writes what comes out, and asks again when a race changed them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from assay import errors, ids
from assay.model import Member, Organization, User, UserName
from assay.rules import claims as metadata
from assay.rules.mapping import Identity
from assay.rules.permissions import Policy

Person = Member | User

MAX_ORGANIZATION_NAME = 128
_DORMANT = frozenset({"pending", "invited"})


class NewOrganization(msgspec.Struct, frozen=True):
    """An organization to be made just in time (decisions D3)."""

    external_id: str
    name: str


class Linked(msgspec.Struct, frozen=True, kw_only=True):
    """The person the token names. ``changed`` says that ``person`` differs from what is stored.

    ``notes`` go into the attempt record.
    """

    person: Person
    changed: bool
    notes: tuple[str, ...] = ()


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A member or user to be made just in time."""

    email: str | None
    email_verified: bool
    external_id: str | None
    issuer: str
    name: str | None = None
    trusted_metadata: dict[str, Any] = {}


def choose_organization(
    identity: Identity,
    *,
    named_in_request: bool,
    by_claim: Organization | None,
    by_request: Organization | None,
    can_jit: bool,
) -> Organization | NewOrganization:
    """Which organization the attest is for (decisions D2, D3).

    ``by_claim`` is the organization whose id or external id the token holds, ``by_request`` the one of the request's
    parameter. Raises TokenMissingOrganizationIdClaim, OrganizationNotFound, InvalidTokenOrganizationIdClaim.
    """
    if named_in_request and by_request is None:
        raise errors.OrganizationNotFound
    if identity.organization is None:
        if by_request is None:
            raise errors.TokenMissingOrganizationIdClaim
        return by_request
    if by_claim is None:
        return _make_organization(identity, named_in_request=named_in_request, can_jit=can_jit)
    if by_request is not None and by_request.organization_id != by_claim.organization_id:
        raise errors.InvalidTokenOrganizationIdClaim(detail="the token and the request name different organizations")
    return by_claim


def _make_organization(identity: Identity, *, named_in_request: bool, can_jit: bool) -> NewOrganization:
    claim = identity.organization or ""
    if named_in_request:
        raise errors.InvalidTokenOrganizationIdClaim(
            detail="the token names an unknown organization, the request a known one"
        )
    if not can_jit:
        raise errors.InvalidTokenOrganizationIdClaim(
            detail="the token names an unknown organization, and the profile may not make one (can_jit_provision)"
        )
    # An external id in the form of our own ids could later be taken for the organization that has that id.
    if ids.is_own_form(claim):
        raise errors.InvalidTokenOrganizationIdClaim(detail="the token's organization has the form of our own ids")
    return NewOrganization(claim, (identity.organization_name or claim)[:MAX_ORGANIZATION_NAME])


def link(
    identity: Identity,
    by_external_id: Person | None,
    by_email: Person | None,
    *,
    can_jit: bool,
    not_found: type[errors.Error],
) -> Linked | NewPerson:
    """The one person that the token names, or the one to be made (decision D4, its cases in order).

    ``by_email`` may hold the address as a retired one. Raises TrustedAuthTokenIdentityConflict,
    TrustedAuthTokenEmailNotVerified, or ``not_found`` when nobody is found and nobody may be made.
    """
    # An address that the issuer has not verified may be anybody's: it neither links, nor creates, nor contradicts.
    email_counts = identity.email is not None and identity.email_verified != "unverified"
    if by_external_id is not None:
        return _by_external_id(identity, by_external_id, by_email if email_counts else None)
    if identity.email is not None and not email_counts:
        raise errors.TrustedAuthTokenEmailNotVerified
    if by_email is not None:
        return _by_email(identity, by_email)
    if not can_jit:
        raise not_found(detail="nobody has this external id or address, and the profile may not make anybody")
    return NewPerson(
        email=identity.email,
        email_verified=identity.email_verified == "verified",
        external_id=identity.external_id,
        issuer=identity.issuer,
        name=identity.name,
        trusted_metadata=merged_metadata({}, identity.trusted_metadata),
    )


def _by_external_id(identity: Identity, found: Person, by_email: Person | None) -> Linked:
    # One issuer must not be able to log in as somebody whom another issuer named, by using the same identifier.
    if found.external_id_issuer not in {None, identity.issuer}:
        raise errors.TrustedAuthTokenIdentityConflict(detail="the external id was attached by another issuer")
    if by_email is not None and _id_of(by_email) != _id_of(found):
        raise errors.TrustedAuthTokenIdentityConflict(
            detail=f"the external id is {_id_of(found)}'s, the address {_id_of(by_email)}'s"
        )
    return _linked(found, found, identity)


def _by_email(identity: Identity, found: Person) -> Linked:
    if found.email != identity.email:
        raise errors.TrustedAuthTokenIdentityConflict(detail=f"the address is a retired one of {_id_of(found)}")
    if identity.external_id is None:
        # An issuer that vouches for external ids could else reach, by leaving its own out, whom it must not reach.
        if identity.maps_external_id and found.external_id_issuer not in {None, identity.issuer}:
            fault = f"{_id_of(found)} carries an external id of another issuer, and the token has none"
            raise errors.TrustedAuthTokenIdentityConflict(detail=fault)
        return _linked(found, found, identity)
    if found.external_id is not None:
        raise errors.TrustedAuthTokenIdentityConflict(detail=f"{_id_of(found)} carries another external id")
    attached = msgspec.structs.replace(found, external_id=identity.external_id, external_id_issuer=identity.issuer)
    return _linked(found, attached, identity, "external id attached")


def _linked(stored: Person, person: Person, identity: Identity, *notes: str) -> Linked:
    """Whoever logs in is active from then on; a verified address is verified; another address is only noted."""
    if person.status in _DORMANT:
        person = msgspec.structs.replace(person, status="active")
        notes = (*notes, f"{stored.status} became active")
    if identity.email is not None and identity.email != person.email:
        notes = (*notes, "the issuer has another address than the one stored")
    elif identity.email is not None and identity.email_verified == "verified" and not person.email_verified:
        person = msgspec.structs.replace(person, email_verified=True)
        notes = (*notes, "address verified by the issuer")
    if identity.name is not None and not has_name(person):
        person = with_name(person, identity.name)
        notes = (*notes, "name taken from the token")
    if identity.trusted_metadata:
        merged = merged_metadata(person.trusted_metadata, identity.trusted_metadata)
        person = msgspec.structs.replace(person, trusted_metadata=merged)
    changed = person is not stored and person != stored
    return Linked(person=person, changed=changed, notes=notes)


def merged_metadata(current: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Trusted metadata with the values of a token in it; null deletes.

    Raises errors.JwtInvalidClaims when the result would be too large: to leave the values out would leave what an
    earlier token said standing, such as a role that was taken away since.
    """
    try:
        return metadata.merge_metadata(current, change)
    except (errors.MetadataTooLarge, errors.MetadataTooManyKeys) as fault:
        raise errors.JwtInvalidClaims(detail=f"the mapped trusted_metadata does not fit: {fault.message}") from None


def has_name(person: Person) -> bool:
    """Whether somebody has given the person a name already; a token's name never replaces that one."""
    return bool(person.name) if isinstance(person, Member) else person.name != UserName()


def with_name(person: Person, name: str) -> Person:
    """The person under this name. A user's is split at the first space, for want of anything better."""
    if isinstance(person, Member):
        return msgspec.structs.replace(person, name=name)
    first, _, last = name.partition(" ")
    return msgspec.structs.replace(person, name=UserName(first_name=first, last_name=last))


def check_organization(organization: Organization | NewOrganization, allowed: tuple[str, ...]) -> None:
    """Refuse an organization that the profile is not for; ``allowed`` are ids or external ids, none meaning any (D8).

    Raises errors.InvalidTokenOrganizationIdClaim.
    """
    if not is_for(organization, allowed):
        raise errors.InvalidTokenOrganizationIdClaim(detail="the profile is not for this organization")


def is_for(organization: Organization | NewOrganization, allowed: tuple[str, ...]) -> bool:
    """Whether the list of a profile's organizations has this one; an empty list has them all."""
    if not allowed:
        return True
    names = {organization.external_id}
    if isinstance(organization, Organization):
        names.add(organization.organization_id)
    return not names.isdisjoint(allowed)


def with_token_roles(person: Person, profile_id: str, role_ids: tuple[str, ...], policy: Policy) -> Linked:
    """The person with the roles of this token instead of those of the profile's last one (decision D5).

    Roles the policy does not know are left out and noted.
    """
    known = tuple(role for role in dict.fromkeys(role_ids) if role in policy.role_ids())
    unknown = [role for role in role_ids if role not in policy.role_ids()]
    notes = (f"unknown roles left out: {', '.join(unknown)[:200]!r}",) if unknown else ()
    if person.token_roles.get(profile_id, ()) == known:
        return Linked(person=person, changed=False, notes=notes)
    token_roles = {**person.token_roles, profile_id: known}
    if not known:
        del token_roles[profile_id]
    return Linked(person=msgspec.structs.replace(person, token_roles=token_roles), changed=True, notes=notes)


def _id_of(person: Person) -> str:
    return person.member_id if isinstance(person, Member) else person.user_id
