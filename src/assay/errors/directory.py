"""Refusals that concern organizations, members and users."""

from __future__ import annotations

from assay.errors.base import Error


class OrganizationNotFound(Error):
    """No organization of this environment has this id, external id or slug."""

    code = "organization_not_found"
    kind = "not found"
    default_message = "The organization was not found."


class MemberNotFound(Error):
    """No member of the organization has this id, external id or address."""

    code = "member_not_found"
    kind = "not found"
    default_message = "The member was not found in this organization."


class UserNotFound(Error):
    """No user of this environment has this id, external id or address."""

    code = "user_not_found"
    kind = "not found"
    default_message = "The user was not found."


class InvalidOrganizationName(Error):
    """An organization's name has 1 to 128 characters."""

    code = "invalid_organization_name"
    kind = "invalid"
    default_message = "organization_name must have 1 to 128 characters."


class InvalidOrganizationSlug(Error):
    """A slug has 2 to 128 characters out of letters, digits and ``-._~``."""

    code = "invalid_organization_slug"
    kind = "invalid"
    default_message = "organization_slug must have 2 to 128 characters out of letters, digits and - . _ ~"


class OrganizationSlugAlreadyUsed(Error):
    """Another organization of the project has this slug."""

    code = "organization_slug_already_used"
    kind = "conflict"
    default_message = "Another organization has this slug already."


class OrganizationExternalIdAlreadyUsed(Error):
    """Another organization of the project has this external id."""

    code = "organization_external_id_already_used"
    kind = "conflict"
    default_message = "Another organization has this external id already."


class ExternalOrganizationIdSame(Error):
    """An external id cannot have the form of one of Assay's own ids."""

    code = "external_organization_id_same_as_organization_id"
    kind = "invalid"
    default_message = "organization_external_id cannot have the form of one of our own ids."


class InvalidExternalId(Error):
    """An external id has 1 to 128 characters out of letters, digits and ``._-|``, and not the form of our own ids."""

    code = "invalid_external_id"
    kind = "invalid"
    default_message = (
        "An external id has 1 to 128 characters out of letters, digits and . _ - | and not the form of our own ids."
    )


class DuplicateMemberEmail(Error):
    """Another member of the organization has this address."""

    code = "duplicate_member_email"
    kind = "conflict"
    default_message = "Another member of this organization has this email address already."


class DuplicateMemberExternalId(Error):
    """Another member of the organization has this external id."""

    code = "duplicate_member_external_id"
    kind = "conflict"
    default_message = "Another member of this organization has this external id already."


class DuplicateMemberPhoneNumber(Error):
    """The member has another phone number for its second factor already; an update does not replace it."""

    code = "duplicate_member_phone_number"
    kind = "conflict"
    default_message = "The member has an MFA phone number already."


class DuplicateEmail(Error):
    """Another user of the project has this address."""

    code = "duplicate_email"
    kind = "conflict"
    default_message = "Another user has this email address already."


class DuplicatePhoneNumber(Error):
    """Another user of the project has this phone number."""

    code = "duplicate_phone_number"
    kind = "conflict"
    default_message = "Another user has this phone number already."


class DuplicateUserExternalId(Error):
    """Another user of the project has this external id."""

    code = "duplicate_user_external_id"
    kind = "conflict"
    default_message = "Another user has this external id already."


class InvalidEmail(Error):
    """The text is not an email address Assay can keep: one ``@`` with something on both sides, at most 254 bytes."""

    code = "invalid_email"
    kind = "invalid"
    default_message = "The email address is not valid."


class InvalidPhoneNumber(Error):
    """Phone numbers are written in E.164 form: ``+`` and 7 to 15 digits."""

    code = "invalid_phone_number"
    kind = "invalid"
    default_message = "The phone number must be in E.164 form, such as +12025550162."


class InvalidCreateUserRequest(Error):
    """A user needs an email address or a phone number."""

    code = "invalid_create_user_request"
    kind = "invalid"
    default_message = "A user needs an email address or a phone number."


class InvalidMemberGetFields(Error):
    """Pass exactly one of ``member_id`` and ``email_address``."""

    code = "invalid_member_get_fields"
    kind = "invalid"
    default_message = "Pass exactly one of member_id and email_address."


class NoDeletedMemberFound(Error):
    """Only a deleted member of the organization can be reactivated, by its member id."""

    code = "no_deleted_member_found_for_reactivation"
    kind = "not found"
    default_message = "No deleted member of this organization has this member id."


class ReactivationEmailTaken(Error):
    """Another member has taken the address since. Change that one first."""

    code = "reactivation_email_belongs_to_another_member"
    kind = "conflict"
    default_message = "The member's email address belongs to another member by now."


class MemberHasNoVerifiedEmail(Error):
    """The step needs a verified address, and the member has none."""

    code = "member_has_no_active_verified_email"
    kind = "invalid"
    default_message = "The member has no verified email address."


class MemberCannotUpdateOwnEmail(Error):
    """A member's own session cannot change its address."""

    code = "member_cannot_update_their_email_address"
    kind = "forbidden"
    default_message = "Members cannot change their own email address."


class CannotUpdateTrustedMetadata(Error):
    """A member's session cannot change trusted metadata. Make the call without the member session header."""

    code = "cannot_update_trusted_metadata"
    kind = "unauthenticated"
    default_message = "trusted_metadata cannot be changed with a member session."


class MetadataTooLarge(Error):
    """Each metadata object holds at most 4096 bytes of JSON."""

    code = "metadata_too_large"
    kind = "invalid"
    default_message = "The metadata would be larger than 4096 bytes."


class MetadataTooManyKeys(Error):
    """Each metadata object holds at most 20 keys at its top level."""

    code = "metadata_too_many_keys"
    kind = "invalid"
    default_message = "The metadata would have more than 20 top-level keys."


class InvalidRole(Error):
    """The RBAC policy of the project has no such role."""

    code = "invalid_rbac_role_assignment"
    kind = "invalid"
    default_message = "The RBAC policy has no such role."


class CannotAssignDefaultRole(Error):
    """Everybody has the default role; it is not assigned."""

    code = "cannot_assign_default_rbac_role_id"
    kind = "invalid"
    default_message = "The default role belongs to everybody and cannot be assigned."


class OrganizationSearchFilterNotRecognized(Error):
    """Organizations cannot be searched by this filter; the message lists those that exist."""

    code = "organization_search_filter_name_not_recognized"
    kind = "invalid"
    default_message = "The search filter is not known."


class MemberSearchFilterNotRecognized(Error):
    """Members cannot be searched by this filter; the message lists those that exist."""

    code = "member_search_filter_name_not_recognized"
    kind = "invalid"
    default_message = "The search filter is not known."


class UserSearchFilterNotRecognized(Error):
    """Users cannot be searched by this filter; the message lists those that exist."""

    code = "user_search_filter_name_not_recognized"
    kind = "invalid"
    default_message = "The search filter is not known."


class MemberSearchMixedIds(Error):
    """Our own member ids and external ids cannot stand in one filter."""

    code = "member_search_cannot_mix_internal_and_external_member_ids"
    kind = "invalid"
    default_message = "A member_ids filter takes either our own ids or external ids, not both."


class UserSearchMixedIds(Error):
    """Our own user ids and external ids cannot stand in one filter."""

    code = "user_search_cannot_mix_internal_and_external_user_ids"
    kind = "invalid"
    default_message = "A user_id filter takes either our own ids or external ids, not both."


class InvalidSearch(Error):
    """A search value has the wrong form; the message names it."""

    code = "invalid_search_request"
    kind = "invalid"
    default_message = "The search does not have the expected form."
