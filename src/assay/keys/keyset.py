"""Where the public keys of a profile come from, as the rest of the service sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from assay.model import Profile
from assay.rules.algorithms import VerificationKey


class KeySet(Protocol):
    """The keys that one profile trusts."""

    async def find(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """The keys that may have signed a token with this ``kid`` and ``alg``; at most five, and one for a known kid.

        An empty answer means that no such key is known after a good fetch. Raises
        errors.TrustedTokenKeysUnavailable when the keys cannot be had (decisions D12).
        """


class KeySets(Protocol):
    """All key sets of this process."""

    def of(self, profile: Profile) -> KeySet:
        """The key set of this revision of the profile (decisions D29)."""

    async def close(self) -> None:
        """Stop what runs in the background."""


MAX_CANDIDATES = 5
"""Keys tried for one token: verifying costs time, and the token's sender decides how often (security R29)."""


class StaticKeySet:
    """Keys that were given with the profile and stay as they are."""

    def __init__(self, keys: Sequence[VerificationKey]) -> None:
        self._keys = keys

    async def find(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """As ``KeySet.find`` says; never fails."""
        return choose(self._keys, kid, algorithm)


def choose(keys: Sequence[VerificationKey], kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
    """The key that the token names, else those that have no name, else (no kid in the token) all that fit.

    A key with another kid is never tried: the name is part of what the issuer says about its key.
    """
    named = [key for key in keys if kid is not None and key.kid == kid]
    candidates = named or [key for key in keys if kid is None or key.kid is None]
    return [key for key in candidates if algorithm in key.algorithms][:MAX_CANDIDATES]
