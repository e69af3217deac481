"""What Assay keeps of its own operators beside their user records."""

from __future__ import annotations

from assay.model.base import Record


class OperatorPassword(Record, frozen=True, kw_only=True):
    """A password as Argon2id left it: the standard text with its parameters, salt and hash."""

    user_id: str
    password_hash: str
    changed_at: int


class OperatorLink(Record, frozen=True, kw_only=True):
    """A one-time link, kept as SHA-256 of its token. Without ``user_id`` it makes the first operator of all."""

    token_hash: bytes
    user_id: str | None
    created_at: int
    expires_at: int
