"""A profile proposed from a token alone, and whether the keys that it names can be had.

What is proposed comes out of a token that nobody has verified. Nothing is stored, and nothing is fetched unless the
operator asks for it: the address would be one that the token names.
"""

from __future__ import annotations

import msgspec

from assay import errors
from assay.key_sources import DiscoverySource, JwksSource, KeySource
from assay.keys import origins
from assay.keys.fetch import FetchFault
from assay.keys.origins import Fetch, Parsed
from assay.model import Profile, Vertical
from assay.rules import algorithms, guessing, jws, recognition
from assay.rules.algorithms import VerificationKey
from assay.rules.guessing import Guess
from assay.rules.recognition import Sighting
from assay.rules.tokens import MAX_KEYS_TRIED

MOST_CHARACTERS = 64 * 1024


class KeysFound(msgspec.Struct, frozen=True, kw_only=True):
    """What came of looking for the keys: at which URL, how many, whether one of them made the signature."""

    kind: str
    url: str
    keys: int
    signature: bool
    fault: str = ""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A guess, the token it was made from (unverified, without its signature), and its keys if they were fetched."""

    guess: Guess
    sighting: Sighting
    keys: KeysFound | None = None


async def propose(token: str, vertical: Vertical, now: float, fetch: Fetch | None = None) -> Proposal:
    """A profile for tokens like this one. With ``fetch`` its keys are looked for, where they are published.

    Raises InvalidTrustedAuthToken for what is no token at all.
    """
    text = token.strip()
    if len(text) > jws.MAX_TOKEN_CHARACTERS:
        raise errors.InvalidTrustedAuthToken(detail=f"the token has more than {jws.MAX_TOKEN_CHARACTERS} characters")
    sighting = guessing.look_at(text)
    guess = guessing.guess(sighting, vertical, now)
    if fetch is None:
        return Proposal(guess=guess, sighting=sighting)
    return await _looked_up(Proposal(guess=guess, sighting=sighting), text, fetch)


async def _looked_up(proposal: Proposal, token: str, fetch: Fetch) -> Proposal:
    guess = proposal.guess
    profile = recognition.profile_for_checks(guess.members)
    found: KeysFound | None = None
    for source in _candidates(guess, profile):
        found = await _keys_at(source, profile, proposal.sighting, token, fetch)
        if found.keys:
            break
    if found is not None and found.keys and guess.preset is None and found.kind == "jwks":
        guess = msgspec.structs.replace(guess, keys=found.url)
    return Proposal(guess=guess, sighting=proposal.sighting, keys=found)


def _candidates(guess: Guess, profile: Profile) -> list[KeySource]:
    """What there is to fetch: the preset's documents, else what issuers usually publish."""
    if guess.preset is not None:
        whole: list[KeySource] = [msgspec.convert(each, KeySource) for each in guess.sources if each["kind"] != "hmac"]
        return [each for each in whole if origins.is_document(each)]
    if guess.keys != "discovery":
        return []
    return [DiscoverySource(), JwksSource(url=profile.issuer.removesuffix("/") + "/.well-known/jwks.json")]


async def _keys_at(source: KeySource, profile: Profile, sighting: Sighting, token: str, fetch: Fetch) -> KeysFound:
    origin = origins.origin_of(source, profile)
    try:
        fetched = await origin.fetch(fetch)
    except FetchFault as fault:
        return KeysFound(kind=origin.kind, url=origin.url, keys=0, signature=False, fault=str(fault))
    parsed = origin.parse(fetched.document)
    return KeysFound(
        kind=origin.kind,
        url=origin.url,
        keys=len(parsed.keys),
        signature=_is_signed(parsed, sighting, token),
        fault=" ".join(parsed.problems),
    )


def _is_signed(parsed: Parsed, sighting: Sighting, token: str) -> bool:
    algorithm = sighting.header["alg"]
    parts = jws.parse(token, padded=sighting.padded)
    fitting = [key for key in parsed.keys if _fits(key, algorithm, sighting.header.get("kid"))][:MAX_KEYS_TRIED]
    return any(algorithms.verify(algorithm, key, parts.signature, parts.signed) for key in fitting)


def _fits(key: VerificationKey, algorithm: str, kid: str | None) -> bool:
    return algorithm in key.algorithms and (kid is None or key.kid in {kid, None})
