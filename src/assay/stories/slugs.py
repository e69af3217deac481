"""Names and slugs of projects and environments: slugs stand in paths, are chosen or made once, and never change."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

from assay import errors

_SLUG = re.compile(r"[a-z0-9-]{1,128}", re.ASCII)
_MAX_NAME = 128
_MAX_READABLE = 40
# A made slug ends in 16 random bits, so that even a name used a thousand times soon finds a free one.
_TRIES = 16

Made = TypeVar("Made")


def check_name(name: str, refusal: type[errors.Error]) -> None:
    """Raises ``refusal`` unless the name has 1 to 128 printable characters, and not only spaces."""
    if not 1 <= len(name.strip()) <= _MAX_NAME or not name.isprintable():
        raise refusal


def check(slug: str | None, refusal: type[errors.Error]) -> None:
    """Raises ``refusal`` unless the slug, if one was chosen, has 1 to 128 characters out of a-z, 0-9 and hyphen."""
    if slug is not None and not _SLUG.fullmatch(slug):
        raise refusal


def made_from(name: str) -> str:
    """A slug that can be read like the name, and that nobody else has got."""
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_MAX_READABLE] or "project"
    return f"{readable}-{secrets.token_hex(2)}"


async def with_free_slug(
    chosen: str | None, name: str, make: Callable[[str], Awaitable[Made]], taken: type[errors.Error]
) -> Made:
    """What ``make`` answers for the chosen slug, or else for a slug made from ``name`` that nobody else has.

    Raises what ``make`` raises: ``taken`` when somebody has the chosen slug.
    """
    if chosen is not None:
        return await make(chosen)
    for _ in range(_TRIES - 1):
        try:
            return await make(made_from(name))
        except taken:
            continue
    return await make(made_from(name))
