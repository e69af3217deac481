"""Where the keys of a profile come from, as the rest of the service sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from assay.keys.health import KeySetHealth
from assay.model import Profile
from assay.rules.algorithms import AnyKey

NO_HEADER: Mapping[str, Any] = MappingProxyType({})

MAX_CANDIDATES = 5
"""Keys tried for one token: verifying costs time, and the token's sender decides how often (security R29)."""


class KeySet(Protocol):
    """The keys that one profile trusts."""

    async def find(self, kid: str | None, algorithm: str, header: Mapping[str, Any] = NO_HEADER) -> Sequence[AnyKey]:
        """The keys that may have signed a token with this ``kid`` and ``alg``; at most five.

        ``header`` is the token's whole header, for sources that demand more of it than a kid. An empty answer means
        that no such key is known after a good fetch. Raises errors.TrustedTokenKeysUnavailable when the keys cannot
        be had (decisions D12).
        """


class KeySets(Protocol):
    """All key sets of this process."""

    def of(self, profile: Profile) -> KeySet:
        """The key set of this revision of the profile (decisions D29)."""

    async def health(self, profile: Profile) -> list[KeySetHealth]:
        """How each key source of the profile is doing, in their order, as all workers of this store know it."""

    async def refresh(self, profile: Profile) -> list[KeySetHealth]:
        """As ``health``, after every source of the profile was fetched anew, past cache and cool-down."""

    async def close(self) -> None:
        """Stop what runs in the background."""


class Wanted(msgspec.Struct, frozen=True):
    """What a token says about its key. All of it is the sender's word until the signature is verified."""

    kid: str | None
    algorithm: str
    header: Mapping[str, Any] = NO_HEADER


def choose(keys: Sequence[AnyKey], kid: str | None, algorithm: str) -> Sequence[AnyKey]:
    """The key that the token names, else those that have no name, else (no kid in the token) all that fit.

    A key with another kid is never tried: the name is part of what the issuer says about its key.
    """
    if kid is not None:
        keys = [key for key in keys if key.kid == kid] or [key for key in keys if key.kid is None]
    return [key for key in keys if algorithm in key.algorithms][:MAX_CANDIDATES]


def names(keys: Sequence[AnyKey], wanted: Wanted) -> bool:
    """Whether looking further would teach nothing: the kid is among the keys, whatever its key is good for."""
    if wanted.kid is None:
        return bool(choose(keys, None, wanted.algorithm))
    return wanted.kid in [key.kid for key in keys]
