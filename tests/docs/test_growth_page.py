"""The page about growth names the statements that there are, and misses none that looks across environments."""

from __future__ import annotations

import re

from assay.store.postgres_statements import TEXTS
from tests.docs import pages

PAGE = (pages.ROOT / "docs" / "explanation" / "growth.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([a-z_.]+)`", PAGE.partition("## Which statements would change")[2])) - {
    "environment_id",
    "postgres_locks.py",
}

SHARDED = (
    "sessions|attempts|events|organizations|members|member_emails|users|secrets|profiles|pem_files|kept_keys"
    "|observations|replay_marks|deleted_profiles|redirect_urls|jwt_templates|rbac_policies|public_tokens"
)


def test_every_statement_that_is_named_is_there() -> None:
    assert NAMED
    assert NAMED - TEXTS.keys() == set()


def test_every_statement_that_looks_across_environments_is_named() -> None:
    looks = re.compile(rf"\b(from|join|update) ({SHARDED})\b")
    across = {
        name for name, text in TEXTS.items() if looks.search(text) and not re.search(r"environment_id\s*(=|in\b)", text)
    }
    across.discard("end_all_sessions")  # of a backup of a file
    assert across - NAMED == set()
