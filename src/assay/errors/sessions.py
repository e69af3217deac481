"""Refusals that concern sessions, their claims, and what they permit."""

from __future__ import annotations

from assay.errors.base import Error


class SessionNotFound(Error):
    """The session is unknown, expired or revoked. Ask the person to log in again."""

    code = "session_not_found"
    kind = "not found"
    default_message = "The session was not found: it is unknown, expired or revoked."


class InvalidSessionToken(Error):
    """The text is not a session token: 44 characters of base64url."""

    code = "invalid_session_token"
    kind = "invalid"
    default_message = "The session_token does not have the form of a session token."


class InvalidSessionId(Error):
    """The text is not a session id of this environment."""

    code = "invalid_session_id"
    kind = "invalid"
    default_message = "The session id does not have the form of a session id of this environment."


class UnableToParseSessionJwt(Error):
    """The session JWT is malformed, or was not signed by this environment."""

    code = "unable_to_parse_session_jwt"
    kind = "invalid"
    default_message = "The session_jwt is malformed or was not issued by this environment."


class NoSessionArguments(Error):
    """Pass exactly one of ``session_token`` and ``session_jwt``."""

    code = "no_session_arguments"
    kind = "invalid"
    default_message = "Pass one of session_token and session_jwt."


class TooManySessionArguments(Error):
    """Pass at most one of ``session_token`` and ``session_jwt``."""

    code = "too_many_session_arguments"
    kind = "invalid"
    default_message = "Pass only one of session_token and session_jwt."


class NoSessionRevokeArguments(Error):
    """Say which session to revoke, by its id, token or JWT, or (B2B) by member."""

    code = "no_session_revoke_arguments"
    kind = "invalid"
    default_message = "Say which session to revoke: by its id, session_token, session_jwt, or (B2B) member_id."


class TooManySessionRevokeArguments(Error):
    """Name the session in one way only."""

    code = "too_many_session_revoke_arguments"
    kind = "invalid"
    default_message = "Name what to revoke in one way only."


class InvalidSessionDurationMinutes(Error):
    """A session lasts 5 to 527040 minutes."""

    code = "invalid_session_duration_minutes"
    kind = "invalid"
    default_message = "session_duration_minutes must be a whole number from 5 to 527040."


class MemberSessionMemberIdMismatch(Error):
    """The session passed in belongs to another member than the token names. Nothing was changed."""

    code = "member_session_member_id_mismatch"
    kind = "invalid"
    default_message = "The session passed in belongs to another member than the one the token names."


class UserIdMismatch(Error):
    """The session passed in belongs to another user than the token names. Nothing was changed."""

    code = "user_id_mismatch"
    kind = "invalid"
    default_message = "The session passed in belongs to another user than the one the token names."


class InsufficientFactors(Error):
    """The organization or the member requires a second factor that is not there yet (decisions D15)."""

    code = "insufficient_factors"
    kind = "unauthenticated"
    default_message = (
        "Multi-factor authentication is required: add this token to a session that holds a factor of another profile."
    )


class InsufficientFactorsForSessionExchange(Error):
    """None of the session's factors counts in the target organization."""

    code = "insufficient_factors_for_session_exchange"
    kind = "invalid"
    default_message = "None of the session's factors counts in the other organization."


class CustomClaimsTooLarge(Error):
    """The custom claims of a session hold at most 4096 bytes of JSON, merged ones included.

    So do the claims that the environment's JWT template makes of a session; then the message names the template.
    """

    code = "custom_claims_too_large"
    kind = "invalid"
    default_message = "The session's custom claims would be larger than 4096 bytes."


class ReservedClaims(Error):
    """``iss``, ``sub``, ``aud``, ``exp``, ``nbf``, ``iat`` and ``jti`` cannot be custom claims."""

    code = "reserved_claims_in_custom_claims"
    kind = "invalid"
    default_message = "Custom claims cannot use the reserved names iss, sub, aud, exp, nbf, iat and jti."


class StytchClaims(Error):
    """Names under ``https://stytch.com/`` are kept for the session's own claims."""

    code = "stytch_claims_in_custom_claims"
    kind = "invalid"
    default_message = "Custom claims cannot use names under https://stytch.com/."


class SessionAuthorizationError(Error):
    """No role of the member's session permits this action on this resource."""

    code = "session_authorization_error"
    kind = "forbidden"
    default_message = "The member session does not permit this action on this resource."


class SessionAuthorizationTenancyError(Error):
    """The member's session belongs to another organization than the one asked about."""

    code = "session_authorization_tenancy_error"
    kind = "forbidden"
    default_message = "The member session belongs to another organization."


class ConsumerSessionAuthorizationError(Error):
    """No role of the user's session permits this action on this resource."""

    code = "consumer_session_authorization_error"
    kind = "forbidden"
    default_message = "The session does not permit this action on this resource."
