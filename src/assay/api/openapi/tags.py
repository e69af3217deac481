"""The areas that calls belong to, in the order in which the reference shows them."""

from __future__ import annotations

import msgspec


class Tag(msgspec.Struct, frozen=True):
    """An area of the API. A call belongs to the one that has the piece of path which ends last in the call's path."""

    slug: str
    name: str
    meaning: str
    pieces: tuple[str, ...]


OTHER = Tag("other", "Other calls", "What belongs to no area of its own.", ())

TAGS = (
    Tag(
        "b2b-sessions",
        "B2B sessions",
        "Turn a trusted auth token into a member's session, and work with live sessions.",
        ("/b2b/sessions",),
    ),
    Tag("organizations", "Organizations", "The tenants of a B2B project.", ("/b2b/organizations",)),
    Tag("members", "Members", "The people of an organization.", ("/members", "/member")),
    Tag(
        "consumer-sessions",
        "Consumer sessions",
        "Turn a trusted auth token into a user's session, and work with live sessions.",
        ("/v1/sessions",),
    ),
    Tag("users", "Users", "The people of a consumer project.", ("/v1/users",)),
    Tag(
        "permissions",
        "Permissions",
        "The RBAC policy as callers of the project read it.",
        ("/rbac", "/rbac/organizations"),
    ),
    Tag(
        "project",
        "Project of the caller",
        "What a project can ask about itself.",
        ("/v1/debug", "/v1/trusted_token_profiles", "/v1/events"),
    ),
    Tag(
        "keys-and-probes",
        "Key sets and probes",
        "What is answered without credentials.",
        ("/jwks", "/healthz", "/readyz"),
    ),
    Tag("projects", "Projects", "Made and changed by operators.", ("/projects",)),
    Tag("environments", "Environments", "The LIVE and TEST environments of a project.", ("/environments",)),
    Tag("secrets", "Secrets", "What the callers of an environment authenticate with.", ("/secrets",)),
    Tag("public-tokens", "Public tokens", "What names an environment in a browser.", ("/public_tokens",)),
    Tag(
        "profiles",
        "Trusted auth token profiles",
        "Which issuer's tokens an environment trusts, and what they say about people.",
        ("/trusted_token_profiles",),
    ),
    Tag("redirect-urls", "Redirect URLs", "Where a browser may be sent back to.", ("/redirect_urls",)),
    Tag("rbac-policies", "RBAC policies", "The roles and resources of an environment.", ("/rbac_policy",)),
    Tag("jwt-templates", "JWT templates", "Custom claims of session JWTs.", ("/jwt_templates",)),
    Tag("events", "Audit events", "Who changed what.", ("/events",)),
    Tag(
        "attempts",
        "Attempts and explanations",
        "What became of trusted auth tokens, what would become of one, and why.",
        ("/trusted_auth_tokens", "/notices"),
    ),
    OTHER,
)


def tag_of(path: str) -> Tag:
    """The area that a call of this path belongs to."""
    places = [
        (path.rfind(piece) + len(piece), len(piece), tag) for tag in TAGS for piece in tag.pieces if piece in path
    ]
    return max(places, key=lambda place: place[:2])[2] if places else OTHER
