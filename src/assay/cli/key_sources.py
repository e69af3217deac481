"""Key sources on the command line: JSON in, lines for people out."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from assay import errors, jsontext
from assay.cli import output
from assay.key_sources import KeySource
from assay.keys.health import KeySetHealth
from assay.stories import key_sources
from assay.stories.key_health import ProfileKeys
from assay.stories.key_sources import GivenSource

MOST_FILE_BYTES = 64 * 1024

Option = Annotated[
    list[str] | None,
    typer.Option(
        "--key-source",
        metavar="JSON",
        help="Where keys come from, as an object with a kind, or @FILE that holds one; once per source, at most eight."
        " docs/how-to/key-sources.md shows each kind. Instead of --jwks-url and --pem.",
    ),
]


def read(texts: Sequence[str]) -> tuple[GivenSource, ...]:
    """The sources of the option's values. Raises BadParameter, which never quotes a secret."""
    given = [_from_files(_object(text)) for text in texts]
    try:
        return key_sources.read(given)
    except errors.TrustedTokenProfileInvalidRequest as fault:
        raise _bad(fault.message) from None


def documents(sources: Sequence[KeySource]) -> list[dict[str, Any]]:
    """The sources as JSON shows them; of a shared secret only that there is one."""
    return [key_sources.view(source) for source in sources]


def lines(sources: Sequence[KeySource]) -> dict[str, str]:
    """A name and a description for each source."""
    names = ["keys"] if len(sources) == 1 else [f"keys {number}" for number in range(1, len(sources) + 1)]
    return dict(zip(names, map(_line, sources), strict=True))


def health_document(found: ProfileKeys) -> list[dict[str, Any]]:
    """The state of each key set, as the API tells it."""
    return [_state(each) for each in found.key_sets]


def health_lines(found: ProfileKeys, now: float) -> list[str]:
    """The state of each key set, for people; ``now`` is in seconds since the epoch."""
    told: list[str] = []
    for number, each in enumerate(found.key_sets, start=1):
        where = f" {each.url}" if each.url else ""
        told += [f"Key source {number}: {each.kind}{where}", *output.fields(_facts(each, now))]
        told += [f"  problem: {problem}" for problem in each.problems]
    return told


# ---------------------------------------------------------------- reading


def _object(text: str) -> dict[str, Any]:
    raw = _bytes(text[1:]) if text.startswith("@") else text.encode()
    found = _json(raw, "it")
    if not isinstance(found, dict):
        raise _bad('it is not a JSON object like {"kind": "jwks", "url": "https://…"}')
    return found


def _from_files(given: dict[str, Any]) -> dict[str, Any]:
    """Members that name a file are replaced by what is in it, so that no secret need stand on the command line."""
    whole = dict(given)
    for name, (member, read_file) in _FILE_MEMBERS.items():
        if name not in whole:
            continue
        if member in whole:
            raise _bad(f"{name} stands in the place of {member}; give one of them")
        whole[member] = read_file(whole.pop(name))
    return whole


def _text(path: object) -> str:
    try:
        return _bytes(path).decode()
    except UnicodeDecodeError:
        raise _bad(f"{path} is not text") from None


def _texts(paths: object) -> list[str]:
    if not isinstance(paths, list):
        raise _bad("public_key_files is a list of files")
    return [_text(path) for path in paths]


def _secret(path: object) -> str:
    """The file's bytes; the line break that editors leave at the end of a text is not part of a secret."""
    raw = _bytes(path)
    with contextlib.suppress(UnicodeDecodeError):  # the last of random bytes may be any, and belongs to them
        raw = raw.decode().removesuffix("\n").removesuffix("\r").encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _jwks(path: object) -> object:
    return _json(_bytes(path), str(path))


_FILE_MEMBERS: dict[str, tuple[str, Callable[[object], object]]] = {
    "ca_pem_file": ("ca_pem", _text),
    "public_key_files": ("public_keys", _texts),
    "jwks_file": ("jwks", _jwks),
    "secret_file": ("secret_base64url", _secret),
}


def _json(raw: bytes, name: str) -> object:
    try:
        found: object = jsontext.loads(raw)
    except jsontext.JsonFault as fault:
        raise _bad(f"{name} cannot be read as JSON: {fault}") from None
    return found


def _bytes(path: object) -> bytes:
    if not isinstance(path, str):
        raise _bad("a file is named by a string")
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MOST_FILE_BYTES + 1)
    except OSError as fault:
        raise _bad(f"{path} cannot be read: {fault.strerror}") from None
    if len(raw) > MOST_FILE_BYTES:
        raise _bad(f"{path} is longer than {MOST_FILE_BYTES} bytes")
    return raw


def _bad(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint="--key-source")


# ---------------------------------------------------------------- showing


def _line(source: KeySource) -> str:
    members = key_sources.view(source)
    kind = members.pop("kind")
    if "public_keys" in members:
        members["public_keys"] = len(members["public_keys"])
    if "jwks" in members:
        members["jwks"] = f"{len(json.dumps(members['jwks']))} bytes"
    if "ca_pem" in members:
        members["ca_pem"] = "set"
    return " ".join([kind, *(f"{name}={value}" for name, value in members.items())])


def _state(each: KeySetHealth) -> dict[str, Any]:
    return {
        "source": each.source,
        "kind": each.kind,
        "url": each.url,
        "last_fetched_at": output.time(each.last_fetched_at),
        "next_fetch_at": output.time(each.next_fetch_at),
        "failures_in_a_row": each.failures_in_a_row,
        "age_seconds": each.age_seconds,
        "usable_keys": each.usable_keys,
        "kids": list(each.kids),
        "problems": list(each.problems),
    }


def _facts(each: KeySetHealth, now: float) -> dict[str, str]:
    facts = {"usable keys": str(each.usable_keys), "key ids": ", ".join(each.kids) or "none"}
    if each.url is None:
        return facts
    facts["last good fetch"] = "never" if each.age_seconds is None else f"{each.age_seconds} seconds ago"
    if each.next_fetch_at is not None:
        wait = each.next_fetch_at - int(now)
        facts["next fetch"] = f"in {wait} seconds" if wait > 0 else "with the next token"
    facts["failures"] = f"{each.failures_in_a_row} in a row"
    return facts
