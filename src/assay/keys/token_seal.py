"""The session token inside the session JWT, sealed.

Only the hash of a session token is stored (decisions D14), yet a caller who authenticates with the JWT gets the token
back (contract §4). So the JWT carries the token, encrypted under a key that only this server has. That gives
the holder of a JWT nothing new: the JWT itself already opens ``sessions/authenticate``.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from assay.keys.own_algorithms import base64url
from assay.keys.sealing import RootKey


class TokenSeal:
    """Seals session tokens with AES-SIV (RFC 5297): deterministic, so that no nonce can ever repeat by accident."""

    def __init__(self, store_secret: RootKey) -> None:
        """``store_secret`` is what ``sealing.check`` answers: it stays when the root key changes."""
        halves = [store_secret.derive(f"session-token/{half}") for half in ("mac", "encrypt")]
        self._cipher = AESSIV(b"".join(halves))

    def seal(self, environment_id: str, token: str) -> str:
        """The token as it stands in the JWT: base64url, bound to the environment."""
        return base64url(self._cipher.encrypt(token.encode(), [environment_id.encode()]))

    def open(self, environment_id: str, sealed: str) -> str | None:
        """The token, or None when it was sealed under another key or for another environment."""
        try:
            raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            return self._cipher.decrypt(raw, [environment_id.encode()]).decode()
        except (binascii.Error, ValueError, InvalidTag):
            return None
