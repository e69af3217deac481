"""Who an attest is for, and the records it makes or changes on the way (decisions D2 to D5).

``decide`` reads and judges without writing; ``settle`` writes. A race with another first login shows as a unique
key already taken: that is ``store.Stale`` here, upon which the attest reads and decides once more.
"""

from __future__ import annotations

import msgspec

from assay import errors, ids, store
from assay.model import Member, Organization, Profile, User
from assay.rules import identity as linking
from assay.rules import names
from assay.rules.identity import Linked, NewOrganization, NewPerson
from assay.rules.mapping import Identity
from assay.rules.permissions import Policy
from assay.rules.tokens import Seen
from assay.stories import authority, organizations
from assay.stories.context import Call, Context


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the token names, before anything is written. ``organization`` is None for consumers."""

    organization: Organization | NewOrganization | None
    person: Linked | NewPerson


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """The records as they are stored now, and what is worth noting in the attempt."""

    organization: Organization | None
    person: Member | User
    notes: tuple[str, ...]


async def decide(
    ctx: Context, call: Call, profile: Profile, identity: Identity, organization_reference: str | None, seen: Seen
) -> Decision:
    """The organization and the person, in this order; ``seen`` is told which.

    Raises TokenMissingOrganizationIdClaim, InvalidTokenOrganizationIdClaim, OrganizationNotFound, MemberNotFound,
    UserNotFound, TrustedAuthTokenIdentityConflict, TrustedAuthTokenEmailNotVerified, and JwtInvalidClaims for mapped
    metadata that does not fit.
    """
    if call.environment.vertical == "consumer":
        seen.step = "person"
        return Decision(organization=None, person=await _link_user(ctx, call, profile, identity))
    seen.step = "organization"
    organization = await _organization(ctx, call, profile, identity, organization_reference)
    linking.check_organization(organization, profile.organizations)
    seen.step = "person"
    if isinstance(organization, NewOrganization):
        person = _link_member(profile, identity, None, None)
    else:
        candidates = await ctx.store.member_candidates(
            call.environment.environment_id, organization.organization_id, identity.external_id, identity.email
        )
        person = _link_member(profile, identity, *candidates)
    return Decision(organization=organization, person=person)


async def settle(ctx: Context, call: Call, profile: Profile, identity: Identity, decision: Decision) -> Settled:
    """Write what the decision asks for. Raises store.Stale when somebody else was faster."""
    organization, decided = decision.organization, decision.person
    if isinstance(decided, Linked) and _is_settled(profile, decided) and not isinstance(organization, NewOrganization):
        return Settled(organization=organization, person=decided.person, notes=decided.notes)
    now = int(ctx.clock())
    policy = await authority.policy_of(ctx, call.environment)
    if isinstance(organization, NewOrganization):
        organization = await _create_organization(ctx, call, _new_organization(call, organization, now))
    person = _person(call, decided, organization, now)
    with_roles = _with_roles(profile, identity, person.person, policy)
    notes = person.notes + with_roles.notes
    stored = with_roles.person
    if isinstance(decided, NewPerson):
        await _create_person(ctx, call, stored, now)
    elif person.changed or with_roles.changed:
        stored = await _replace_person(ctx, call, stored, now, notes)
    return Settled(organization=organization, person=stored, notes=notes)


def _is_settled(profile: Profile, decided: Linked) -> bool:
    """Whether the person is stored just as the token has it, and the profile leaves roles alone: as nearly always."""
    return not decided.changed and "role_ids" not in profile.attribute_mapping


async def foresee(ctx: Context, call: Call, profile: Profile, identity: Identity, decision: Decision) -> Settled:
    """What :func:`settle` would come to, if nobody else were faster. Writes nothing."""
    now = int(ctx.clock())
    policy = await authority.policy_of(ctx, call.environment)
    organization = decision.organization
    if isinstance(organization, NewOrganization):
        organization = _new_organization(call, organization, now)
    person = _person(call, decision.person, organization, now)
    with_roles = _with_roles(profile, identity, person.person, policy)
    return Settled(organization=organization, person=with_roles.person, notes=person.notes + with_roles.notes)


def _person(call: Call, decided: Linked | NewPerson, organization: Organization | None, now: int) -> Linked:
    """The person of the decision; a new one as it will be made."""
    if isinstance(decided, Linked):
        return decided
    made: Member | User = _new_user(call, decided, now)
    if organization is not None:
        made = _new_member(call, decided, organization, now)
    if decided.name is not None:
        made = linking.with_name(made, decided.name)
    return Linked(person=made, changed=True, notes=("made just in time",))


async def _organization(
    ctx: Context, call: Call, profile: Profile, identity: Identity, reference: str | None
) -> Organization | NewOrganization:
    environment_id = call.environment.environment_id
    by_claim = by_request = None
    if reference:
        by_request = await ctx.store.organization(environment_id, reference, by_slug=True)
    if identity.organization is not None:
        # A slug can be changed by the organization itself, so a token is never matched by slug (decisions D2).
        by_claim = await ctx.store.organization(environment_id, identity.organization, by_slug=False)
    return linking.choose_organization(
        identity,
        named_in_request=bool(reference),
        by_claim=by_claim,
        by_request=by_request,
        can_jit=profile.can_jit_provision,
    )


def _link_member(
    profile: Profile, identity: Identity, by_external_id: Member | None, by_email: Member | None
) -> Linked | NewPerson:
    return linking.link(
        identity,
        by_external_id,
        by_email,
        can_jit=profile.can_jit_provision,
        not_found=errors.MemberNotFound,
    )


async def _link_user(ctx: Context, call: Call, profile: Profile, identity: Identity) -> Linked | NewPerson:
    by_external_id, by_email = await ctx.store.user_candidates(
        call.environment.environment_id, identity.external_id, identity.email
    )
    return linking.link(
        identity,
        by_external_id,
        by_email,
        can_jit=profile.can_jit_provision,
        not_found=errors.UserNotFound,
    )


async def _create_organization(ctx: Context, call: Call, organization: Organization) -> Organization:
    """Two simultaneous first logins make one organization: the external id decides, the slug only gets a suffix."""
    try:
        return await organizations.create_with_free_slug(ctx, call, organization)
    except errors.OrganizationExternalIdAlreadyUsed:
        raise store.Stale from None


def _new_organization(call: Call, new: NewOrganization, now: int) -> Organization:
    environment = call.environment
    return Organization(
        environment_id=environment.environment_id,
        organization_id=ids.new("organization", environment.kind),
        name=new.name,
        slug=names.slug_from(new.name),
        external_id=new.external_id,
        created_at=now,
        updated_at=now,
    )


async def _create_person(ctx: Context, call: Call, person: Member | User, now: int) -> None:
    """Two simultaneous first logins make one person: the address and the external id decide."""
    try:
        await ctx.store.write(_creation(call, person, now))
    except store.Conflict:
        raise store.Stale from None


def _new_member(call: Call, new: NewPerson, organization: Organization, now: int) -> Member:
    environment = call.environment
    return Member(
        environment_id=environment.environment_id,
        organization_id=organization.organization_id,
        member_id=ids.new("member", environment.kind),
        email=new.email,
        email_verified=new.email_verified,
        external_id=new.external_id,
        external_id_issuer=new.issuer if new.external_id else None,
        trusted_metadata=new.trusted_metadata,
        created_at=now,
        updated_at=now,
    )


def _new_user(call: Call, new: NewPerson, now: int) -> User:
    environment = call.environment
    return User(
        environment_id=environment.environment_id,
        user_id=ids.new("user", environment.kind),
        email=new.email,
        email_id=ids.new("email", environment.kind) if new.email else None,
        email_verified=new.email_verified,
        external_id=new.external_id,
        external_id_issuer=new.issuer if new.external_id else None,
        trusted_metadata=new.trusted_metadata,
        created_at=now,
        updated_at=now,
    )


def _creation(call: Call, person: Member | User, now: int) -> store.Write:
    if isinstance(person, Member):
        event = call.event(now, "member.created", person.member_id, by="attest")
        return store.CreateMember(member=person, events=(event,))
    event = call.event(now, "user.created", person.user_id, by="attest")
    return store.CreateUser(user=person, events=(event,))


async def _replace_person(
    ctx: Context, call: Call, person: Member | User, now: int, notes: tuple[str, ...]
) -> Member | User:
    changed = msgspec.structs.replace(person, updated_at=now)
    why = list(notes) or ["roles of the token replaced"]
    try:
        if isinstance(changed, Member):
            event = call.event(now, "member.updated", changed.member_id, by="attest", changes=why)
            await ctx.store.write(store.ReplaceMember(member=changed, events=(event,)))
        else:
            event = call.event(now, "user.updated", changed.user_id, by="attest", changes=why)
            await ctx.store.write(store.ReplaceUser(user=changed, events=(event,)))
    except store.Conflict:
        raise store.Stale from None
    return msgspec.structs.replace(changed, revision=changed.revision + 1)


def _with_roles(profile: Profile, identity: Identity, person: Member | User, policy: Policy) -> Linked:
    """Roles are replaced by those of this token only if the profile maps them at all (decisions D5)."""
    if "role_ids" not in profile.attribute_mapping:
        return Linked(person=person, changed=False)
    return linking.with_token_roles(person, profile.profile_id, identity.role_ids or (), policy)
