"""What all nouns have, and the words they are described with."""

from __future__ import annotations

from typing import Literal

import msgspec

Vertical = Literal["b2b", "consumer"]
Kind = Literal["test", "live"]
SubjectKind = Literal["member", "user"]
MemberStatus = Literal["pending", "invited", "active", "deleted"]
UserStatus = Literal["pending", "active"]
KeyType = Literal["JWK", "PEM", "UNSPECIFIED"]
KeyState = Literal["next", "active", "retired"]
IssuerCheck = Literal["exact", "template", "none"]
Replay = Literal["off", "token_id", "fingerprint"]
DriftKind = Literal["claim_started", "claim_stopped", "new_algorithm", "new_kid"]
Outcome = Literal["granted", "refused"]
JwtTemplateType = Literal["SESSION", "M2M"]
SessionJwtAlgorithm = Literal["RS256", "ES256", "EdDSA"]
RedirectUse = Literal["LOGIN", "SIGNUP", "INVITE", "RESET_PASSWORD", "DISCOVERY"]


class Record(msgspec.Struct, frozen=True):
    """Base of all stored nouns."""
