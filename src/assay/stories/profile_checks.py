"""What is refused of a profile, whatever the operator allows (decisions D7, contract §3.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from assay import errors, jsontext
from assay.model import Environment, Profile
from assay.rules import mapping, profile_fields
from assay.rules.algorithms import DEFAULT_ALGORITHMS, OPT_IN_ALGORITHMS

MOST_MAPPING_BYTES = 16 * 1024
"""An attribute mapping as JSON. The profile is read for every token, and so is its mapping."""

_PROFILE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_MAX_TEXT = 2048


def refusals(environment: Environment, profile: Profile) -> Iterator[errors.Error]:
    """Everything that must not be stored, but for what the key sources hold; each as the error it would be."""
    if not _PROFILE_ID.fullmatch(profile.profile_id):
        yield _invalid("profile_id has 1 to 128 letters, digits, _ or -")
    for field in ("name", "issuer", "audience"):
        if not 1 <= len(getattr(profile, field)) <= _MAX_TEXT:
            yield _invalid(f"{field} must have 1 to {_MAX_TEXT} characters")
    unknown = [name for name in profile.algorithms if name not in DEFAULT_ALGORITHMS + OPT_IN_ALGORITHMS]
    if unknown or not profile.algorithms:
        yield _invalid(f"algorithms must be a list out of {', '.join(DEFAULT_ALGORITHMS + OPT_IN_ALGORITHMS)}")
    yield from _raised(lambda: _check_key_type(profile))
    if jsontext.size(profile.attribute_mapping) > MOST_MAPPING_BYTES:
        yield _invalid(f"attribute_mapping is longer than {MOST_MAPPING_BYTES} bytes")
    yield from _raised(lambda: mapping.check(profile.attribute_mapping, environment.vertical))
    yield from _raised(lambda: profile_fields.check(profile, environment.vertical))


def _raised(check: Callable[[], None]) -> Iterator[errors.Error]:
    try:
        check()
    except errors.Error as fault:
        yield fault


def _check_key_type(profile: Profile) -> None:
    """The fields of the contract fit each other (contract §3.1); what is in them is looked at with the sources."""
    if profile.key_sources:
        return
    if profile.public_key_type == "UNSPECIFIED":
        raise _invalid("a profile with public_key_type UNSPECIFIED needs key_sources")
    if profile.public_key_type == "JWK":
        if not profile.jwks_url:
            raise errors.MustHaveJwksUrl
        if profile.pem_files:
            raise errors.CannotAddPemFile
    elif profile.jwks_url:
        raise _invalid("a profile with public_key_type PEM takes no jwks_url")


def _invalid(message: str) -> errors.TrustedTokenProfileInvalidRequest:
    return errors.TrustedTokenProfileInvalidRequest(message)
