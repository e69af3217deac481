"""Refusals that concern the request itself: credentials, routes, bodies, availability."""

from __future__ import annotations

from assay.errors.base import Error


class UnauthorizedCredentials(Error):
    """The Basic credentials are missing, malformed, unknown or revoked.

    The server API takes a project id and one of its secrets, the management API a workspace key and its secret.
    """

    code = "unauthorized_credentials"
    kind = "unauthenticated"
    default_message = "The project id or the secret is wrong. Send both as HTTP Basic credentials."


class RouteNotFound(Error):
    """No call of this server has this path. The message names it; compare it with the table of calls."""

    code = "route_not_found"
    kind = "not found"
    default_message = "There is no such route."


class MethodNotAllowed(Error):
    """The path exists, but not with this HTTP method."""

    code = "method_not_allowed"
    kind = "method"
    default_message = "This route does not take this method."


class BadRequest(Error):
    """The body or an argument does not have the expected form. The message names the field and what was expected."""

    code = "bad_request"
    kind = "invalid"
    default_message = "The request does not have the expected form."


class RequestTooLarge(Error):
    """The body is longer than 1 MiB. Send less."""

    code = "request_too_large"
    kind = "too large"
    default_message = "The request body is longer than 1 MiB."


class InvalidConsumerEndpoint(Error):
    """A consumer call was made with the credentials of a B2B project. Use the B2B client."""

    code = "invalid_consumer_endpoint"
    kind = "invalid"
    default_message = "This is a B2B project: use the calls under /v1/b2b."


class InvalidB2BEndpoint(Error):
    """A B2B call was made with the credentials of a consumer project. Use the consumer client."""

    code = "invalid_b2b_endpoint"
    kind = "invalid"
    default_message = "This is a consumer project: use the calls outside /v1/b2b."


class MemberSessionNotSupported(Error):
    """A member-session header was sent to a call that does not run with a member's permissions. Leave it out."""

    code = "member_session_header_not_supported"
    kind = "invalid"
    default_message = "This call does not take a member session header; send the request without it."


class StoreUnavailable(Error):
    """The database is away, locked for too long, or full. Nothing is known to have changed; try again later."""

    code = "server_unavailable"
    kind = "unavailable"
    default_message = "The server cannot reach its database at the moment. Try again in a few seconds."


class InternalError(Error):
    """Something went wrong that should not. The log has the reason under the request id; please report it."""

    code = "internal_server_error"
    kind = "unavailable"
    default_message = "Something went wrong on the server. Its log has the reason under this request id."


class ProjectNotFound(Error):
    """No environment has this id, or no project this slug. ``assay project list`` shows those there are."""

    code = "project_not_found"
    kind = "not found"
    default_message = "There is no project environment with this id."


class ProjectSlugAlreadyUsed(Error):
    """Another project has this slug. Choose another name."""

    code = "project_slug_already_used"
    kind = "conflict"
    default_message = "Another project has this slug already."


class InvalidProjectName(Error):
    """A project needs a name of 1 to 128 printable characters."""

    code = "invalid_project_name"
    kind = "invalid"
    default_message = "A project name has 1 to 128 printable characters."


class SecretNotFound(Error):
    """No live secret of the environment has this id. ``assay project secret list`` shows them."""

    code = "secret_not_found"
    kind = "not found"
    default_message = "There is no live secret with this id."


class NextSigningKeyMissing(Error):
    """Another rotation happened at the same moment. Look at ``assay keys list`` before rotating again."""

    code = "signing_key_rotation_conflict"
    kind = "conflict"
    default_message = "The signing keys were rotated by somebody else at the same moment."


class InvalidCursor(Error):
    """The cursor was not given out by this server for this search. Start from the first page."""

    code = "invalid_cursor"
    kind = "invalid"
    default_message = "The cursor is not one that this server gave out for this search."
