"""What a fixture says of an issuer: its preset, a token as the issuer documents it, and tokens that are refused."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from assay.model import Vertical
from assay.rules import presets
from tests.issuer import ABSENT
from tests.world import NOW

__all__ = ["ABSENT", "JWKS", "NOW", "OTHER_PROJECT", "PEM", "SECRET", "Change", "Dialect", "Good", "Wrong"]

PEM = "<the PEM of the issuer's key>"
JWKS = "<the JWK set of the issuer>"
SECRET = "<the shared secret>"
OTHER_PROJECT = "<the id of another environment of this server>"
"""Stand in settings and claims, alone or inside a text, for what a run has made."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """How a token differs from the good one; ``why`` is a sentence for the operator.

    ``claims`` and ``header`` are laid over the good ones, top level only; ABSENT leaves a member out. ``signed_by``
    a stranger means another key of the same family under the issuer's kid. ``padded`` puts ``=`` after each segment.
    ``verticals`` are those in which this is so.
    """

    claims: dict[str, Any] = {}
    header: dict[str, Any] = {}
    alg: str | None = None
    signed_by: Literal["issuer", "stranger"] = "issuer"
    padded: bool | None = None
    verticals: tuple[Vertical, ...] = ("b2b", "consumer")
    why: str = ""


class Good(Change, frozen=True, kw_only=True):
    """Another token that is accepted; ``expected`` is laid over the expected attributes of the first."""

    expected: dict[str, Any] = {}


class Wrong(Change, frozen=True, kw_only=True):
    """A token that is refused with this error code at this step (``assay.stories.judging.STEPS``)."""

    code: str = "jwt_invalid_claims"
    step: str
    status: int = 400


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """An issuer's tokens through its preset.

    ``settings`` are those of the preset. ``claims`` and ``header`` are those of a good token as the issuer documents
    them, times as ``NOW + 300``; ``alg`` and ``kid`` are put into the header. ``expected`` has an entry for every
    attribute that the preset maps, by the names of ``assay.rules.mapping.Identity``: external_id, email,
    email_verified ("verified", "silent", "unverified"), organization, organization_name, role_ids (a tuple), name,
    trusted_metadata, token_id. ``also`` are further tokens that are accepted, ``wrong`` those that are refused.

    ``family`` is that of the issuer's key (``tests.issuer.make_key``). ``jwk`` is laid over its JWK, ``document`` over
    the document that holds it, so that both look as the issuer's do; ``jwks_uri`` is what a discovery document names.
    ``not_guessed`` is why the preset cannot be told from the token alone; empty where it can.
    """

    preset: str
    settings: dict[str, str] = {}
    claims: dict[str, Any]
    header: dict[str, Any] = msgspec.field(default_factory=lambda: {"typ": "JWT"})
    alg: str = "RS256"
    kid: str = "key-1"
    family: str = "RSA"
    padded: bool = False
    jwk: dict[str, Any] = {}
    document: dict[str, Any] = {}
    jwks_uri: str | None = None
    expected: dict[str, Any]
    also: dict[str, Good] = {}
    wrong: dict[str, Wrong]
    not_guessed: str = ""

    @property
    def of(self) -> presets.Preset:
        """The preset. It must exist."""
        found = presets.find(self.preset)
        assert found is not None, f"there is no preset {self.preset}"
        return found

    @property
    def verticals(self) -> tuple[Vertical, ...]:
        return self.of.verticals


GOOD = Good()
"""The token of the dialect itself."""


def filled_in(value: Any, values: dict[str, str]) -> Any:
    """``value`` with every stand-in in its texts replaced."""
    if isinstance(value, str):
        for name, text in values.items():
            value = value.replace(name, text)
        return value
    if isinstance(value, list | tuple):
        return type(value)(filled_in(each, values) for each in value)
    if isinstance(value, dict):
        return {filled_in(name, values): filled_in(each, values) for name, each in value.items()}
    return value
