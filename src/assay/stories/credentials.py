"""Secrets and public tokens as they are made, and secrets as they are compared."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from assay import ids
from assay.model import Environment, PublicToken, Secret

_SECRET_BYTES = 32
_DUMMY_HASH = hashlib.sha256(b"compared with when there is nothing to compare with").digest()


def new_secret(environment: Environment, now: int) -> tuple[Secret, str]:
    """256 random bits as a secret of an environment, and its record, made at ``now`` (decisions D27)."""
    plain = new_plain_secret(environment.kind)
    record = Secret(
        secret_id=ids.new("secret-id", environment.kind),
        environment_id=environment.environment_id,
        secret_hash=hash_secret(plain),
        last_four=plain[-4:],
        created_at=now,
    )
    return record, plain


def new_plain_secret(kind: str) -> str:
    """256 random bits as text that says what they are."""
    return f"secret-{kind}-{base64.urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).decode().rstrip('=')}"


def new_public_token(environment: Environment, now: int) -> PublicToken:
    """One more name of an environment, made at ``now``."""
    text = f"public-token-{environment.kind}-{ids.uuid7()}"
    return PublicToken(public_token=text, environment_id=environment.environment_id, created_at=now)


def hash_secret(secret: str) -> bytes:
    """What is kept of a secret: SHA-256; 256 random bits need no slow hash (security part d)."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def matches(stored_hash: bytes | None, shown_hash: bytes) -> bool:
    """Whether what was shown is what is stored; never when nothing (None) is.

    Something is compared in either case, so that the time taken does not tell (security R44, R45).
    """
    same = hmac.compare_digest(stored_hash or _DUMMY_HASH, shown_hash)
    return same and stored_hash is not None
