"""Key sources that need no network: keys given with the profile, a shared secret, another environment's own keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from assay.key_sources import HmacSource, InlineJwksSource, KeySource, PemSource, ProjectSource
from assay.keys import admission, documents, sources
from assay.keys.flights import Flight
from assay.keys.keyset import Wanted
from assay.keys.sealing import WrongRootKey, shared_secret_purpose
from assay.model import Profile
from assay.rules.algorithms import AnyKey, VerificationKey

OpenSecret = Callable[[bytes, str], bytes]
"""Sealed bytes and their purpose → what was sealed. Raises WrongRootKey."""


class OwnKeys(Protocol):
    """The signing keys of this server, as :class:`assay.keys.signing.Signer` has them."""

    async def verification_key(self, environment_id: str, kid: str) -> VerificationKey | None:
        """The published key of the environment with this kid; None for any other."""

    async def published_kids(self, environment_id: str) -> tuple[str, ...]:
        """The kids of all published keys of the environment, if there are any yet."""


class OwnServer(msgspec.Struct, frozen=True, kw_only=True):
    """What this server has of its own, for the sources ``project`` and ``hmac``."""

    keys: OwnKeys
    open_secret: OpenSecret


class Given(msgspec.Struct, frozen=True):
    """Keys that stand in a profile, and a sentence for each thing that is wrong with them.

    ``fault`` says why there may be more keys than can be had here.
    """

    keys: Sequence[AnyKey]
    problems: Sequence[str] = ()
    fault: str | None = None


def given(source: KeySource, profile: Profile, open_secret: OpenSecret) -> Given:
    """What the source holds. Never raises for what is in it; TypeError for a source that holds no keys itself."""
    if isinstance(source, HmacSource):
        return _secret(source, profile, open_secret)
    if isinstance(source, InlineJwksSource):
        return _or_problem(*documents.from_inline(source.jwks))
    if isinstance(source, PemSource):
        return _or_problem(*_pem(source))
    raise TypeError(f"a source of type {type(source).__name__} holds no keys")


def _or_problem(keys: Sequence[VerificationKey], problems: Sequence[str]) -> Given:
    return Given(keys, problems or (() if keys else ("There is no usable key.",)))


def _pem(source: PemSource) -> tuple[list[VerificationKey], list[str]]:
    keys: list[VerificationKey] = []
    problems: list[str] = []
    for number, text in enumerate(source.public_keys, start=1):
        try:
            keys.append(sources.from_pem(text))
        except sources.UnusableKey as fault:
            problems.append(f"PEM file {number} is not used: {fault}.")
    return keys, problems


def _secret(source: HmacSource, profile: Profile, open_secret: OpenSecret) -> Given:
    purpose = shared_secret_purpose(profile.environment_id, profile.profile_id)
    try:
        return Given((admission.shared_secret(open_secret(source.sealed_secret, purpose)),))
    except WrongRootKey:
        problem = "The shared secret does not open: it was sealed for another database or another profile."
    except admission.UnusableKey as fault:
        problem = f"The shared secret is not used: {fault}."
    return Given((), (problem,), fault=problem)


class LocalKeys:
    """Base of sources that fetch nothing."""

    def at_hand(self, kid: str | None) -> Sequence[AnyKey] | None:
        """Unknown without a look."""
        del kid
        return None

    def renewal(self, wanted: Wanted) -> Flight | None:
        """Nothing gets old."""
        del wanted
        return None

    def refetch(self, wanted: Wanted) -> Flight | None:
        """Nothing more can be had."""
        del wanted
        return None

    def is_away(self, wanted: Wanted) -> bool:
        """There is nothing that could be."""
        del wanted
        return False

    def fault(self, wanted: Wanted) -> str | None:
        """Nothing is missing."""
        del wanted
        return None


class GivenKeys(LocalKeys):
    """Keys that were given with the profile and stay as they are."""

    def __init__(self, found: Given) -> None:
        self._found = found

    def at_hand(self, kid: str | None) -> Sequence[AnyKey] | None:
        """All of them, unless some cannot be had."""
        del kid
        return self._found.keys if self._found.fault is None else None

    async def known(self, wanted: Wanted) -> Sequence[AnyKey]:
        """All of them."""
        del wanted
        return self._found.keys

    def fault(self, wanted: Wanted) -> str | None:
        """Why they cannot be had."""
        del wanted
        return self._found.fault


class ProjectKeys(LocalKeys):
    """The published signing keys of another environment, read at each look: a retired one stops when it must."""

    def __init__(self, source: ProjectSource, own_keys: OwnKeys) -> None:
        self._environment_id = source.project_id
        self._own_keys = own_keys

    async def known(self, wanted: Wanted) -> Sequence[AnyKey]:
        """The key with this kid, which every session JWT names. Raises errors.StoreUnavailable."""
        key = None if wanted.kid is None else await self._own_keys.verification_key(self._environment_id, wanted.kid)
        return () if key is None else (key,)
