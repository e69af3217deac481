"""What an update does to a member, and who may ask for it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from assay import errors, ids
from assay.model import Member, RetiredEmail
from assay.rules import claims, names
from assay.rules.permissions import Policy
from assay.stories import authority, roles
from assay.stories.context import Call

RESOURCE = "stytch.member"
EXTERNAL_ID = "update.settings.external-id"

# What an actor must be permitted in order to change a field (the docstrings of the official clients).
ACTIONS = {
    "name": "update.info.name",
    "untrusted_metadata": "update.info.untrusted-metadata",
    "is_breakglass": "update.settings.is-breakglass",
    "mfa_phone_number": "update.info.mfa-phone",
    "mfa_enrolled": "update.settings.mfa-enrolled",
    "default_mfa_method": "update.settings.default-mfa-method",
    "roles": "update.settings.roles",
    "email_address": "update.info.email",
    "external_id": EXTERNAL_ID,
}
# Only these may be permitted by stytch.self. Everybody has all of stytch.self by default: with roles among them,
# every member could make itself an administrator.
OF_ONESELF = frozenset({"name", "untrusted_metadata", "mfa_phone_number", "mfa_enrolled", "default_mfa_method"})


class MemberUpdate(msgspec.Struct, kw_only=True):
    """What to change; None leaves a field as it is. Metadata merges, ``roles`` replaces the explicit roles."""

    organization_id: str
    member_id: str
    name: str | None = None
    trusted_metadata: dict[str, Any] | None = None
    untrusted_metadata: dict[str, Any] | None = None
    is_breakglass: bool | None = None
    mfa_phone_number: str | None = None
    mfa_enrolled: bool | None = None
    default_mfa_method: Literal["sms_otp", "totp"] | None = None
    roles: list[str] | None = None
    email_address: str | None = None
    unlink_email: bool | None = None
    external_id: str | None = None


def authorize(call: Call, member: Member, request: MemberUpdate) -> None:
    """Refuse a field that the actor may not change.

    Raises MemberCannotUpdateOwnEmail, CannotUpdateTrustedMetadata, as :func:`authority.authorize`.
    """
    if call.actor is None:
        return
    if request.trusted_metadata is not None:
        raise errors.CannotUpdateTrustedMetadata
    if request.email_address is not None and call.actor.member.member_id == member.member_id:
        raise errors.MemberCannotUpdateOwnEmail
    given = [name for name in ACTIONS if getattr(request, name) is not None]
    # A request that changes nothing still shows the member, so it needs one permission at least.
    for name in given or ["name"]:
        self_id = member.member_id if name in OF_ONESELF else None
        authority.authorize(call, member.organization_id, RESOURCE, ACTIONS[name], self_id=self_id)


def changes(call: Call, member: Member, request: MemberUpdate, policy: Policy) -> dict[str, Any]:
    """The new values of the member's fields; ``policy`` says which roles there are.

    Raises InvalidEmail, InvalidExternalId, InvalidPhoneNumber, DuplicateMemberPhoneNumber, as
    :func:`roles.assignable` and :func:`claims.merge_metadata`.
    """
    plain = ("is_breakglass", "mfa_enrolled", "default_mfa_method")
    new: dict[str, Any] = {name: getattr(request, name) for name in plain if getattr(request, name) is not None}
    if request.name is not None:
        new["name"] = names.label("name", request.name)
    if request.roles is not None:
        new["roles"] = roles.assignable("b2b", policy, request.roles)
    if request.external_id is not None:
        # Set by a caller, so it matches the tokens of any profile from now on (decisions D4).
        new |= {"external_id": names.external_id(request.external_id), "external_id_issuer": None}
    if request.mfa_phone_number is not None:
        new["mfa_phone_number"] = _phone_number(member, request.mfa_phone_number)
    return new | _metadata(member, request) | _email(call, member, request)


def _metadata(member: Member, request: MemberUpdate) -> dict[str, Any]:
    return {
        name: claims.merge_metadata(getattr(member, name), getattr(request, name))
        for name in ("trusted_metadata", "untrusted_metadata")
        if getattr(request, name) is not None
    }


def _phone_number(member: Member, text: str) -> str:
    number = names.phone_number(text)
    # A second factor that its first factor could replace would be none.
    if member.mfa_phone_number not in {"", number}:
        raise errors.DuplicateMemberPhoneNumber
    return number


def _email(call: Call, member: Member, request: MemberUpdate) -> dict[str, Any]:
    if request.email_address is None:
        return {}
    email = names.email(request.email_address)
    if email == member.email:
        return {}
    # The member may come back to an address it left; the one it leaves now stays its own unless it is unlinked.
    retired = [item for item in member.retired_emails if item.email_address != email]
    if member.email is not None and not request.unlink_email:
        email_id = ids.new("email", call.environment.kind)
        retired.append(RetiredEmail(email_id=email_id, email_address=member.email))
    return {"email": email, "email_verified": False, "retired_emails": tuple(retired)}
