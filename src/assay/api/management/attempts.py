"""Attempts in the management API, and the explanation of one that is still to come."""

from __future__ import annotations

from assay.api.calls import Route, managed
from assay.api.management.paths import ENVIRONMENT
from assay.api.wire import attempts as wire_attempts
from assay.api.wire import explanations as wire_explanations
from assay.api.wire import notices as wire_notices
from assay.stories import attempt_search, explain, managed_profiles, notices

_TOKENS = f"{ENVIRONMENT}/trusted_auth_tokens"
_NOTICES = f"{ENVIRONMENT}/trusted_token_profiles/{{profile_id}}/notices"

ROUTES: tuple[Route, ...] = (
    managed(
        "POST",
        f"{_TOKENS}/explain",
        explain.ManagedExplainRequest,
        explain.managed_explain,
        wire_explanations.explained,
    ),
    managed(
        "GET",
        f"{_TOKENS}/attempts",
        attempt_search.ManagedAttemptsRequest,
        attempt_search.managed_attempts,
        wire_attempts.attempts_found,
    ),
    managed("GET", _NOTICES, managed_profiles.ProfileRef, notices.managed_notices, wire_notices.notices),
)
