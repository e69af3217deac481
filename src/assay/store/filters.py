"""The filters a search can use, per target, as the contract (§6.6) names them: those on data that a store holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Target = Literal["organizations", "members", "users"]

FILTERS: Mapping[Target, frozenset[str]] = {
    "organizations": frozenset(
        {
            "organization_ids",
            "organization_slugs",
            "organization_name_fuzzy",
            "organization_slug_fuzzy",
            "member_emails",
            "member_email_fuzzy",
            "allowed_domains",
            "allowed_domain_fuzzy",
            "claimed_email_domains",
        }
    ),
    "members": frozenset(
        {
            "member_ids",
            "member_emails",
            "member_email_fuzzy",
            "member_is_breakglass",
            "statuses",
            "member_mfa_phone_numbers",
            "member_mfa_phone_number_fuzzy",
            "member_phone_numbers",
            "member_phone_number_fuzzy",
            "member_roles",
        }
    ),
    "users": frozenset(
        {
            "created_at_greater_than",
            "created_at_less_than",
            "created_at_between",
            "status",
            "user_id",
            "full_name_fuzzy",
            "phone_number",
            "phone_id",
            "phone_number_fuzzy",
            "email_address",
            "email_id",
            "email_verified",
            "email_address_fuzzy",
        }
    ),
}

# A database has a limit on the depth of a condition; a story refuses a search with more filters than this.
MAX_FILTERS = 100
