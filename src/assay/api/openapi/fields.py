"""What fields mean and look like, by name: a name means the same wherever it stands on this wire."""

from __future__ import annotations

from typing import Any

import msgspec

_UUID = "00000000-0000-4000-8000-000000000001"


class Field(msgspec.Struct, frozen=True):
    """A sentence about a field (CommonMark; empty where the name says it all) and a value it could have."""

    meaning: str
    example: Any = None


FIELDS: dict[str, Field] = {
    # ------------------------------------------------------------ every answer
    "status_code": Field("The HTTP status once more."),
    "request_id": Field("Names this request in the log, in audit events and in the record of attempts."),
    "error_type": Field("The stable code of the error; decide by this."),
    "error_message": Field("A sentence for people; it may change."),
    "error_url": Field("Where this server explains the code, relative to it if it has no public URL."),
    # ------------------------------------------------------------ trusted auth tokens
    "profile_id": Field("The trusted auth token profile.", "idp"),
    "token": Field("The trusted auth token: a signed JWT of the issuer that the profile trusts.", "eyJhbGciOi…"),
    "telemetry_id": Field("Accepted for the sake of official clients, and not used."),
    # ------------------------------------------------------------ sessions
    "session_token": Field("The opaque session token, 44 characters.", "AZ3kq…"),
    "session_jwt": Field(
        "A JWT of the session; it verifies locally with the project's key set for five minutes.", "eyJhbGciOi…"
    ),
    "session_duration_minutes": Field("How long the session lives from now, in minutes: 5 to 527040.", 60),
    "session_custom_claims": Field(
        "Claims merged into the session and its JWTs; null removes one. Registered claims are refused.",
        {"plan": "pro"},
    ),
    "authorization_check": Field("Refuse unless a role of the session permits this action."),
    "member_session_id": Field("The session's id.", f"member-session-test-{_UUID}"),
    "session_id": Field("The session's id.", f"session-test-{_UUID}"),
    "expires_at": Field("When the session ends (RFC 3339, UTC)."),
    # ------------------------------------------------------------ people
    "organization_id": Field("The organization: our id or its external id; most calls take the slug too.", "acme"),
    "organization_ids": Field("The organizations to look in, each by id, external id or slug.", ["acme"]),
    "name": Field("", "Acme"),
    "organization_name": Field("1 to 128 characters.", "Acme"),
    "organization_slug": Field("2 to 128 characters out of letters, digits and `-._~`; unique in the project.", "acme"),
    "organization_external_id": Field("Your own id of the organization; unique in the project.", "tenant-1"),
    "organization_logo_url": Field("", "https://acme.example/logo.svg"),
    "member_id": Field("The member: our id or its external id.", f"member-test-{_UUID}"),
    "user_id": Field("The user: our id or its external id.", f"user-test-{_UUID}"),
    "external_id": Field(
        "Your own id of this person; through the API 1 to 128 characters out of letters, digits and `._-|`.", "crm-4711"
    ),
    "email_address": Field("The member's address.", "ada@acme.example"),
    "email": Field("The user's address.", "ada@acme.example"),
    "phone_number": Field("In E.164 form.", "+12025550162"),
    "mfa_phone_number": Field("In E.164 form.", "+12025550162"),
    "unlink_email": Field("Also free the address that the member had until now.", True),
    "include_deleted": Field("Also find a deleted member.", True),
    "trusted_metadata": Field(
        "Merged at its top level into what is stored; null removes a key. At most 20 keys and 4096 bytes.",
        {"plan": "pro"},
    ),
    "untrusted_metadata": Field("As `trusted_metadata`; members may change it themselves.", {"theme": "dark"}),
    # ------------------------------------------------------------ searches
    "cursor": Field("`next_cursor` of the page before; the rest of the search must be the same."),
    "next_cursor": Field("What brings the next page; null on the last one."),
    "limit": Field("Records on a page: 1 to 1000, else 100.", 100),
    "query": Field("What to look for; everything, if left out."),
    "filter_name": Field("", "member_emails"),
    "filter_value": Field("Its form depends on the filter; a refusal says which it is."),
    "total": Field("How many records match, on all pages together."),
    # ------------------------------------------------------------ attempts and explanations
    "verdict": Field("What attest would say."),
    "reason": Field("The precise reason, for operators: people who log in learn only the public message."),
    "remedy": Field("What to do about it (CommonMark)."),
    "hints": Field("Near misses: in what small way the token or the profile may be wrong."),
    "signature_verified": Field("Whether the signature was found to be right; until then all else is anybody's word."),
    "outcome": Field("What came of it."),
    "since": Field("The earliest time, RFC 3339.", "2026-01-31T12:00:00Z"),
    "until": Field("The time up to which, itself left out, RFC 3339.", "2026-02-01T12:00:00Z"),
    "subject": Field("What the token says in `sub`.", "auth0|4711"),
    "token_id": Field("The id of the token, as the profile maps it."),
    "kid": Field("The key id in the token's header."),
    "kept_claims": Field("Claims that the profile lets be kept, of verified tokens alone."),
    "milliseconds": Field("How long it took."),
    # ------------------------------------------------------------ what operators manage
    "project_id": Field("The project id of one environment: the user name of its callers.", f"project-test-{_UUID}"),
    "project_slug": Field("The project.", "acme-shop"),
    "environment_slug": Field("The environment of the project.", "production"),
    "vertical": Field("B2B projects have organizations and members, CONSUMER projects users.", "B2B"),
    "session_jwt_algorithm": Field(
        "What session JWTs are signed with; the local checks of the official SDKs take RS256 alone. Another one makes"
        " new keys, and the old ones stay published for 30 days.",
        "RS256",
    ),
    "secret_id": Field("The secret's id.", f"secret-test-{_UUID}"),
    "issuer": Field("What the `iss` claim must be.", "https://issuer.example"),
    "audience": Field("What the `aud` claim must hold.", "assay"),
    "jwks_url": Field("Where the issuer publishes its keys.", "https://issuer.example/jwks.json"),
    "attribute_mapping": Field(
        "Which claim gives which attribute: a claim name, a JSON pointer, `{from, default}` or `{cel}`.",
        {"email": "email", "token_id": "jti"},
    ),
    "algorithms": Field("The signature algorithms that are accepted.", ["RS256"]),
    "leeway_seconds": Field("How far the issuer's clock may differ from ours: 0 to 300.", 30),
    "keys_stale_limit": Field(
        "How many seconds the last good keys serve while the issuer is away: 0 to 604800.", 86400
    ),
    "max_age_seconds": Field("For how many seconds after its `iat` a token is taken; in a change 0 lifts the limit."),
    "max_lifetime_seconds": Field("How many seconds may lie between `iat`, or else now, and `exp`.", 3600),
    "require_exp": Field("Whether a token must have `exp`; false needs `max_age_seconds`."),
    "additional_audiences": Field("Accepted beside `audience`."),
    "single_audience": Field("Refuse tokens that are for other audiences as well."),
    "audience_claim": Field(
        "Where the audience stands: a claim name, a JSON pointer, `header:NAME`, or `none`, which needs a condition."
    ),
    "issuer_check": Field(
        "`exact` compares; `template` first fills in the one `{claim}` of `issuer`; `none` does not look. The last two"
        " need a condition."
    ),
    "typ": Field("What the header's `typ` may be; `absent` stands for none."),
    "conditions": Field(
        "At most 20 CEL expressions over `claims` and `header`; each must be exactly true.",
        ['claims.hd == "acme.example"'],
    ),
    "replay": Field("What may be used once only: nothing (`off`), each token id, or each token (`fingerprint`)."),
    "trust_email": Field("Whether an address counts of which the token does not say that it is verified."),
    "session_ends_with_token": Field("End sessions when the token ends that started them."),
    "rotate_session_token": Field("Give out a new session token when a token adds to a session."),
    "can_jit_provision": Field("Whether people whom nobody knows yet are created at their first login.", True),
    "url": Field("", "https://app.example/callback"),
    "problems": Field("What stands in the way of this profile ever verifying a token; empty when all is well."),
}

# What answers hold is always our own id.
NAMED_BY_CALLERS = frozenset({"organization_id", "member_id", "user_id"})


def example(name: str) -> Any:  # noqa: ANN401 - any JSON value
    """A value that a field of this name could have, or None when none is known."""
    field = FIELDS.get(name)
    return None if field is None else field.example
