"""Refusals of trusted auth tokens, of the profiles that judge them, and of the keys behind both."""

from __future__ import annotations

from assay.errors.base import Error


class TrustedTokenProfileNotFound(Error):
    """The environment has no profile with this id. ``assay profile list`` shows those there are."""

    code = "trusted_token_profile_not_found"
    kind = "not found"
    default_message = "There is no trusted auth token profile with this id."


class InvalidTrustedAuthToken(Error):
    """The token is not one the profile can believe. The precise reason is in the attempt record (decisions D13)."""

    code = "invalid_trusted_auth_token"
    kind = "invalid"
    default_message = (
        "The trusted auth token is not valid for this profile. The attempt record under this request id has the reason."
    )


class JwtInvalidIssuer(Error):
    """The ``iss`` claim is missing or is not the profile's issuer, compared character by character."""

    code = "jwt_invalid_issuer"
    kind = "invalid"
    default_message = "The token's issuer is not the one this profile trusts."


class JwtInvalidAudience(Error):
    """The ``aud`` claim is missing or does not contain the profile's audience."""

    code = "jwt_invalid_audience"
    kind = "invalid"
    default_message = "The token's audience does not contain the one this profile expects."


class JwtInvalidClaims(Error):
    """A time claim is out of range or malformed, or a claim that the profile maps is missing or of the wrong type."""

    code = "jwt_invalid_claims"
    kind = "invalid"
    default_message = "A claim of the token is missing, malformed, expired or not yet valid."


class TrustedTokenKeysUnavailable(Error):
    """The issuer's keys cannot be had at the moment, so the token cannot be judged. Try again later (decisions D12)."""

    code = "trusted_token_keys_unavailable"
    kind = "unavailable"
    default_message = "The issuer's public keys cannot be fetched at the moment. Try again in a few seconds."


class TokenMissingOrganizationIdClaim(Error):
    """Neither the token nor the request names an organization. Map ``organization_id`` or pass the parameter."""

    code = "token_missing_organization_id_claim"
    kind = "invalid"
    default_message = "Neither the token nor the request names an organization."


class InvalidTokenOrganizationIdClaim(Error):
    """The token's organization is unknown (and may not be made), or is not the one the request names."""

    code = "invalid_token_organization_id_claim"
    kind = "invalid"
    default_message = "The organization named in the token is unknown, or is not the one named in the request."


class TrustedAuthTokenIdentityConflict(Error):
    """The token's external id and email point at different people, or the external id belongs to another issuer.

    Nothing was changed. Look the two people up and decide which of them keeps the external id (decisions D4).
    """

    code = "trusted_auth_token_identity_conflict"
    kind = "conflict"
    default_message = "The token's external id and email do not point at one and the same person."


class TrustedAuthTokenEmailNotVerified(Error):
    """The issuer has not verified the address, so it neither finds nor makes anybody (decisions D4)."""

    code = "trusted_auth_token_email_not_verified"
    kind = "invalid"
    default_message = "The issuer has not verified the token's email address, so it cannot be used to log in."


class TrustedTokenProfileInvalidRequest(Error):
    """A profile's field has a value that it cannot have, alone or beside the others. The message names it."""

    code = "trusted_token_profile_invalid_request"
    kind = "invalid"
    default_message = "The trusted auth token profile is not valid."


class TrustedTokenProfileIdAlreadyUsed(Error):
    """Another profile of the environment has this id. Choose another id."""

    code = "trusted_token_profile_id_already_used"
    kind = "conflict"
    default_message = "Another trusted auth token profile has this id already."


class TrustedTokenProfileHasProblems(Error):
    """The profile would be saved with problems; the message lists them. Mend them, or say that they are meant."""

    code = "trusted_token_profile_has_problems"
    kind = "invalid"
    default_message = "The profile has problems."


class MustHaveJwksUrl(Error):
    """A profile of key type JWK needs a JWKS URL."""

    code = "must_have_jwks_url_for_trusted_token_profile_with_type_jwk"
    kind = "invalid"
    default_message = "A profile with public key type JWK needs a jwks_url."


class MustHavePemFiles(Error):
    """A profile of key type PEM needs at least one public key."""

    code = "must_have_pem_files_for_trusted_token_profile_with_type_pem"
    kind = "invalid"
    default_message = "A profile with public key type PEM needs one to five pem_files."


class TooManyPemFiles(Error):
    """A profile holds at most five public keys. Delete one that is no longer used first."""

    code = "too_many_pem_files_for_trusted_token_profile"
    kind = "invalid"
    default_message = "A profile holds at most five pem_files."


class PemFileNotFound(Error):
    """The profile has no PEM file with this id. The profile itself shows those it has."""

    code = "pem_file_not_found"
    kind = "not found"
    default_message = "The profile has no PEM file with this id."


class CannotAddPemFile(Error):
    """The profile does not get its keys from PEM files, so one would never be used. Change its sources instead."""

    code = "cannot_add_pem_file_to_non_pem_trusted_token_profile"
    kind = "invalid"
    default_message = "Only a profile with public key type PEM takes PEM files; this one gets its keys elsewhere."


class InvalidPublicKey(Error):
    """The text holds a private key. It was not stored; treat that key as exposed and paste the public one."""

    code = "invalid_public_key"
    kind = "invalid"
    default_message = "This is a private key. It was not stored; paste the public key, and replace the exposed one."


class MultipleExternalIds(Error):
    """The mapping sets more than one external id attribute. Keep the one of this project's vertical."""

    code = "trusted_token_profile_cannot_have_multiple_external_ids"
    kind = "invalid"
    default_message = "A mapping has at most one of external_member_id and external_user_id."


class IncorrectExternalIdMapping(Error):
    """B2B projects map ``external_member_id``, consumer projects ``external_user_id``."""

    code = "trusted_token_profile_incorrect_external_id_mapping"
    kind = "invalid"
    default_message = "B2B projects map external_member_id, consumer projects external_user_id."
