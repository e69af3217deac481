"""``assay profile guess``: a profile proposed from a token."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
import time
from typing import Annotated, Any

import msgspec
import typer

from assay import errors
from assay.cli import output, running
from assay.cli.options import Json
from assay.cli.presets import create_words as create_preset_words
from assay.keys.fetch import Fetcher
from assay.model import Vertical
from assay.rules.guessing import Guess
from assay.rules.jws import shown
from assay.stories import guessing
from assay.stories.guessing import MOST_CHARACTERS, KeysFound, Proposal
from assay.stories.presets import show_preset

_FLAGS = {"require_exp": ("--require-exp", "--no-require-exp"), "trust_email": ("--trust-email", "--no-trust-email")}
_REPEATED = {"algorithms": "--algorithm", "typ": "--typ", "conditions": "--condition"}
_PLAIN = ("name", "issuer", "audience", "audience_claim", "issuer_check", "max_lifetime_seconds", "max_age_seconds")
_KEYS = {
    "discovery": ["--key-source", '{"kind": "discovery"}'],
    "hmac": ["--key-source", '{"kind": "hmac", "secret_file": "secret.txt"}'],
    "pem": ["--pem", "key.pem"],
}


def guess(
    token: Annotated[
        str,
        typer.Argument(
            metavar="TOKEN", help="A token of the issuer, or - to read it from standard input, where nobody sees it."
        ),
    ],
    *,
    vertical: Annotated[Vertical, typer.Option(help="What the project is for.")] = "b2b",
    project_id: Annotated[
        str, typer.Option("--project-id", metavar="ID", help="The environment to name in the proposed command.")
    ] = "PROJECT_ID",
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch the keys from where the token or the preset says, and try them.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Propose a profile from a token alone: the preset that fits, or the issuer's keys and a mapping.

    The token is not verified, so nothing is proved by it: know whose it is. Nothing is saved, the token is not shown,
    and nothing is fetched unless told --fetch.
    """
    text = _read() if token == "-" else token  # noqa: S105 - the name of standard input
    try:
        found = asyncio.run(guessing.propose(text, vertical, time.time(), _fetcher().fetch if fetch else None))
    except errors.InvalidTrustedAuthToken as fault:
        raise errors.InvalidTrustedAuthToken("This is no token that could be looked at.", detail=fault.detail) from None
    command = create_words(found.guess, project_id)
    output.show(_document(found, command), _lines(found, command), as_json=as_json)


def create_words(guess: Guess, project_id: str) -> list[str]:
    """The words after ``assay`` that create the proposed profile; what is missing stands in capitals or in a file."""
    if guess.preset is not None:
        return create_preset_words(show_preset(guess.preset), guess.settings, project_id)
    members = guess.members
    words = ["profile", "create", "--project-id", project_id]
    for name in _PLAIN:
        words += [f"--{name.replace('_', '-')}", str(members[name])] if name in members else []
    words += _KEYS.get(guess.keys) or ["--jwks-url", guess.keys]
    for name, option in _REPEATED.items():
        words += [word for value in members.get(name, ()) for word in (option, value)]
    for name, (when_true, when_false) in _FLAGS.items():
        words += [when_true if members[name] else when_false] if name in members else []
    for attribute, place in members["attribute_mapping"].items():
        words += ["--map", f"{attribute}={place}"]
    return words


def _fetcher() -> Fetcher:
    settings = running.settings(None)
    return Fetcher(allow_loopback=settings.allow_loopback_key_urls, networks=settings.key_url_networks)


def _read() -> str:
    text = sys.stdin.read(MOST_CHARACTERS + 1)
    if len(text) > MOST_CHARACTERS:
        raise typer.BadParameter(f"standard input has more than {MOST_CHARACTERS} characters", param_hint="-")
    return text


def _document(found: Proposal, command: list[str]) -> dict[str, Any]:
    guess: dict[str, Any] = msgspec.to_builtins(found.guess)
    keys = msgspec.to_builtins(found.keys) if found.keys else None
    return guess | {"key_document": keys, "command": shlex.join(["assay", *command])}


def _lines(found: Proposal, command: list[str]) -> list[str]:
    guess, header, claims = found.guess, found.sighting.header, found.sighting.claims
    seen = {
        "preset": guess.preset or "none fits",
        "issuer": _shown(claims, "iss"),
        "audience": _shown(claims, "aud"),
        "subject": _shown(claims, "sub"),
        "algorithm": _shown(header, "alg"),
        "kid": _shown(header, "kid"),
        "type": _shown(header, "typ"),
        "mapping": ", ".join(f"{name} = {_text(place)}" for name, place in guess.members["attribute_mapping"].items()),
    }
    also = [f"These presets fit as well: {', '.join(guess.also_fitting)}.", ""] if guess.also_fitting else []
    missing = [f"The token does not tell: {', '.join(guess.missing)}. Fill that in."] if guess.missing else []
    return [
        "Nothing of this is verified: it is what the token says.",
        "",
        *output.fields(seen),
        "",
        *_key_lines(found.keys),
        *(f"Warning: {warning}" for warning in guess.warnings),
        *([""] if guess.warnings else []),
        *also,
        *missing,
        "To trust tokens like this one (add --jit to make people who do not exist yet):",
        "",
        "  " + shlex.join(["assay", *command]),
    ]


def _key_lines(keys: KeysFound | None) -> list[str]:
    if keys is None:
        return []
    if not keys.keys:
        return [f"No key was found at {keys.url}: {keys.fault}", ""]
    verdict = "one of them made the signature" if keys.signature else "none of them made the signature"
    return [f"{output.counted(keys.keys, 'key')} at {keys.url}; {verdict}.", ""]


def _shown(members: dict[str, Any], name: str) -> str:
    return shown(members[name]) if name in members else "none"


def _text(place: object) -> str:
    return place if isinstance(place, str) else json.dumps(place, ensure_ascii=False)
