"""A profile proposed from a token, as the form of a new profile takes it. Nothing of it is verified."""

from __future__ import annotations

from typing import Any

import msgspec

from assay.dashboard import profile_form
from assay.stories.guessing import Proposal
from assay.stories.profiles import ProfileCreate

_NO_URL = frozenset({"discovery", "hmac", "pem"})


def request(proposal: Proposal) -> ProfileCreate:
    """The proposed profile. What the token does not tell is empty; in a preset examples stand for it."""
    guess = proposal.guess
    if guess.preset is not None:
        return msgspec.convert(guess.members, ProfileCreate)
    members: dict[str, Any] = guess.members | {name: "" for name in guess.missing if name in guess.members}
    if guess.keys == "discovery":
        members["key_sources"] = [{"kind": "discovery"}]
    elif guess.keys not in _NO_URL:
        members["jwks_url"] = guess.keys
    return msgspec.convert(members, ProfileCreate)


def notes(proposal: Proposal) -> tuple[str, ...]:
    """What to know before it is saved."""
    guess = proposal.guess
    found = ["Filled from the token, of which nothing is verified: read it, and know whose token it was."]
    if guess.preset is not None:
        found.append(f"The token looks like one of the preset {guess.preset}.")
    if guess.also_fitting:
        found.append(f"These presets fit as well: {', '.join(guess.also_fitting)}.")
    if guess.missing:
        found.append(f"The token does not tell: {', '.join(guess.missing)}. Fill that in.")
    return (*found, *guess.warnings)


def fields(proposal: Proposal) -> list[tuple[str, str]]:
    """The fields of the form, for a button that goes on to it without the token."""
    form = profile_form.of_request(request(proposal))
    rows = [
        pair
        for number, (attribute, value) in enumerate(form.rows)
        for pair in ((f"attribute_{number}", attribute), (f"value_{number}", value))
    ]
    given = [
        *form.texts.items(),
        *((name, "on") for name in sorted(form.flags)),
        *(("algorithms", name) for name in form.algorithms),
        ("keys", form.keys),
        ("jwks_url", form.jwks_url),
        ("key_sources", form.sources),
        *rows,
    ]
    return [(name, value) for name, value in given if value]
