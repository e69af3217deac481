"""Where a profile's keys come from: what an operator may say, what is refused, and what is wrong (decisions D7, D8)."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from assay import errors, jsontext
from assay.key_sources import (
    AlbSource,
    DiscoverySource,
    HmacSource,
    InlineJwksSource,
    JwksSource,
    KeySource,
    PemMapSource,
    PemSource,
    ProjectSource,
    SpiffeSource,
    X509MapSource,
)
from assay.keys import admission, documents, fetch, sealing, sources
from assay.keys.effective import sources_of
from assay.model import Profile
from assay.rules import session_jwt
from assay.rules.algorithms import HMAC_ALGORITHMS, VerificationKey
from assay.stories.context import Context

MOST_SOURCES = 8
MOST_PEM_FILES = 5
MOST_SOURCE_BYTES = 64 * 1024
"""One source as JSON. The profile is read for every token, and so are its sources."""


# The region becomes a part of a host name.
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2}", re.ASCII)
_LOAD_BALANCER = re.compile(r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:loadbalancer/app/.+", re.ASCII)
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


class HmacGiven(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="hmac", forbid_unknown_fields=True):
    """A shared secret as it is given: text whose UTF-8 bytes are the key, or the bytes as base64url."""

    secret: str | None = None
    secret_base64url: str | None = None

    def __repr__(self) -> str:
        """Never the secret: representations end up in logs."""
        return "HmacGiven(…)"


GivenSource = (
    JwksSource
    | DiscoverySource
    | PemSource
    | InlineJwksSource
    | X509MapSource
    | PemMapSource
    | AlbSource
    | SpiffeSource
    | ProjectSource
    | HmacGiven
)
"""A source in a request (decisions D8), told by its member ``kind``."""


def read(given: Sequence[dict[str, Any]]) -> tuple[GivenSource, ...]:
    """Sources out of decoded JSON. Raises TrustedTokenProfileInvalidRequest, which quotes no value but a kind."""
    try:
        return msgspec.convert(given, tuple[GivenSource, ...])
    except msgspec.ValidationError as fault:
        raise _invalid(f"a key source is not well-formed: {fault}") from None


def view(source: KeySource) -> dict[str, Any]:
    """The source as it is shown: every member that is set, and of a shared secret nothing (decisions D8)."""
    if isinstance(source, HmacSource):
        return {"kind": "hmac"}
    members: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(source))
    return {name: value for name, value in members.items() if value is not None}


def shown(profile: Profile) -> list[dict[str, Any]]:
    """The sources that count for a profile, each as :func:`view` shows it."""
    return [view(source) for source in sources_of(profile)]


def kind_of(source: KeySource) -> str:
    """The kind of the source, in the words of decisions D8."""
    return str(source.__struct_config__.tag)


def stored(ctx: Context, profile: Profile, given: Sequence[GivenSource]) -> tuple[KeySource, ...]:
    """The sources as the profile keeps them, a shared secret sealed. Raises TrustedTokenProfileInvalidRequest."""
    return tuple(_sealed(ctx, profile, each) if isinstance(each, HmacGiven) else each for each in given)


# ---------------------------------------------------------------- what is refused, whatever the operator allows


async def check(ctx: Context, profile: Profile, before: Profile | None = None) -> None:
    """Refuse sources that must not be stored (decisions D7, D8).

    A profile that lost its last PEM file ``before`` may be changed in other ways without getting one again.
    Raises TrustedTokenProfileInvalidRequest, MustHavePemFiles, TooManyPemFiles, InvalidPublicKey.
    """
    found = sources_of(profile)
    if len(found) > MOST_SOURCES:
        raise _invalid(f"key_sources has at most {MOST_SOURCES} sources")
    if len(set(map(msgspec.json.encode, found))) < len(found):
        raise _invalid("key_sources names the same source twice")
    _check_private_keys(found)
    _check_pem(found, keyless=before is not None and sources_of(before) == found)
    _check_hmac(profile, found)
    for source in found:
        if jsontext.size(msgspec.to_builtins(source)) > MOST_SOURCE_BYTES:
            raise _invalid(f"a key source is longer than {MOST_SOURCE_BYTES} bytes")
        if isinstance(source, AlbSource):
            _check_alb(source)
        if isinstance(source, ProjectSource):
            await _check_project(ctx, profile, source)


def _check_private_keys(found: Sequence[KeySource]) -> None:
    for source in found:
        inline = isinstance(source, InlineJwksSource) and documents.inline_holds_private_key(source.jwks)
        texts = (*getattr(source, "public_keys", ()), getattr(source, "ca_pem", None) or "")
        if inline or any(map(sources.holds_private_key, texts)):
            raise errors.InvalidPublicKey


def _check_pem(found: Sequence[KeySource], *, keyless: bool) -> None:
    counts = [len(source.public_keys) for source in found if isinstance(source, PemSource)]
    if 0 in counts and not keyless:
        raise errors.MustHavePemFiles
    if sum(counts) > MOST_PEM_FILES:
        raise errors.TooManyPemFiles


def _check_hmac(profile: Profile, found: Sequence[KeySource]) -> None:
    """Public keys and shared secrets never meet in one profile, so that neither is taken for the other (R06, A76)."""
    shared = [isinstance(source, HmacSource) for source in found]
    macs = [name in HMAC_ALGORITHMS for name in profile.algorithms]
    if any(shared) and len(found) > 1:
        raise _invalid("a profile with an hmac source has no other source")
    if any(shared) and not all(macs):
        raise _invalid(f"a profile with an hmac source lists its algorithms, all out of {', '.join(HMAC_ALGORITHMS)}")
    if any(macs) and not any(shared):
        raise _invalid(f"{', '.join(HMAC_ALGORITHMS)} need an hmac source, and no other")


def _check_alb(source: AlbSource) -> None:
    if not source.signer:
        raise _invalid("an alb source needs its signer, the ARN of your load balancer")
    if (source.region is None) == (source.url is None):
        raise _invalid("an alb source has either region or url")
    if source.region is not None and not _REGION.fullmatch(source.region):
        raise _invalid("the region of an alb source does not look like an AWS region")


async def _check_project(ctx: Context, profile: Profile, source: ProjectSource) -> None:
    # A session JWT of the same environment would be a session that renews itself for ever (R40).
    if source.project_id == profile.environment_id:
        raise _invalid("a project source names another environment than the profile's own")
    if await ctx.store.environment(source.project_id) is None:
        raise _invalid("the project_id of a project source names no environment of this server")


# ---------------------------------------------------------------- what keeps the profile from working


def problems(ctx: Context, profile: Profile) -> list[str]:
    """Everything about the sources that keeps them from working, a sentence each (decisions D7)."""
    found = sources_of(profile)
    told: list[str] = []
    for number, source in enumerate(found, start=1):
        name = f"Key source {number} ({kind_of(source)}): " if len(found) > 1 else ""
        told += [name + problem for problem in _problems(ctx, profile, source)]
    return told


def _problems(ctx: Context, profile: Profile, source: KeySource) -> Iterator[str]:
    url = url_of(profile, source)
    problem = None if url is None else _url_problem(ctx, url)
    if problem is not None:
        yield problem
    ca_pem = getattr(source, "ca_pem", None)
    if ca_pem is not None:
        yield from documents.certificate_problems(ca_pem)
    if isinstance(source, PemSource):
        yield from _pem_problems(profile, source)
    elif isinstance(source, InlineJwksSource):
        keys, found = documents.from_inline(source.jwks)
        yield from found
        yield from _use_problems(profile, keys, found)
    elif isinstance(source, AlbSource):
        yield from _alb_problems(profile, source)
    elif isinstance(source, ProjectSource):
        yield from _project_problems(ctx, profile, source)


def _url_problem(ctx: Context, url: str) -> str | None:
    settings = ctx.settings
    return fetch.url_problem(url, allow_loopback=settings.allow_loopback_key_urls, networks=settings.key_url_networks)


def url_of(profile: Profile, source: KeySource) -> str | None:
    """What is fetched for the source, None when nothing is, or a URL per key."""
    if isinstance(source, DiscoverySource):
        return source.url if source.url is not None else documents.discovery_url(profile.issuer)
    return getattr(source, "url", None)


def _pem_problems(profile: Profile, source: PemSource) -> Iterator[str]:
    if not source.public_keys:
        yield "There is no PEM file, so every token is refused."
        return
    keys: list[VerificationKey] = []
    unusable = False
    for number, text in enumerate(source.public_keys, start=1):
        found = sources.pem_problems(text)
        yield from (f"PEM file {number}: {problem}" for problem in found)
        unusable |= bool(found)
        keys += [] if found else [sources.from_pem(text)]
    if not unusable:
        yield from _use_problems(profile, keys, ())


def _use_problems(profile: Profile, keys: Sequence[VerificationKey], found: Sequence[str]) -> Iterator[str]:
    """Say that keys given with the profile can never verify a token, unless what is wrong with them says so."""
    if not keys and not found:
        yield "There is no key for signatures in the key set."
    elif keys and not any(key.algorithms & set(profile.algorithms) for key in keys):
        yield f"None of the keys can verify an algorithm that the profile accepts ({', '.join(profile.algorithms)})."


def _alb_problems(profile: Profile, source: AlbSource) -> Iterator[str]:
    if not _LOAD_BALANCER.fullmatch(source.signer):
        yield "The signer is not the ARN of an application load balancer."
    if "ES256" not in profile.algorithms:
        yield "Load balancers sign with ES256, which the profile does not accept."


def _project_problems(ctx: Context, profile: Profile, source: ProjectSource) -> Iterator[str]:
    issuer = session_jwt.issuer_of(source.project_id, ctx.settings.public_url)
    if profile.issuer != issuer:
        yield f"The issuer of that project's session JWTs is {issuer}, not {profile.issuer}."
    if profile.audience != source.project_id:
        yield f"The audience of that project's session JWTs is {source.project_id}, not {profile.audience}."
    if not set(session_jwt.ALGORITHMS) & set(profile.algorithms):
        names = f"{', '.join(session_jwt.ALGORITHMS[:-1])} or {session_jwt.ALGORITHMS[-1]}"
        yield f"Session JWTs are signed with {names}, none of which the profile accepts."


# ---------------------------------------------------------------- shared secrets


def _sealed(ctx: Context, profile: Profile, given: HmacGiven) -> HmacSource:
    secret = _secret(given)
    try:
        key = admission.shared_secret(secret)
    except admission.UnusableKey as fault:
        raise _invalid(f"the secret of an hmac source cannot be used: {fault}") from None
    short = [name for name in profile.algorithms if name in HMAC_ALGORITHMS and name not in key.algorithms]
    if short:
        raise _invalid(f"the secret of an hmac source is too short for {', '.join(short)} (RFC 7518 §3.2)")
    purpose = sealing.shared_secret_purpose(profile.environment_id, profile.profile_id)
    return HmacSource(sealed_secret=ctx.seal(secret, purpose))


def _secret(given: HmacGiven) -> bytes:
    if given.secret is not None and given.secret_base64url is None:
        return given.secret.encode()
    text = given.secret_base64url
    if text is None or given.secret is not None:
        raise _invalid("an hmac source has either secret or secret_base64url")
    if _BASE64URL.fullmatch(text):
        with contextlib.suppress(binascii.Error):
            return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    raise _invalid("secret_base64url is not base64url without padding")


def _invalid(message: str) -> errors.TrustedTokenProfileInvalidRequest:
    return errors.TrustedTokenProfileInvalidRequest(message)
