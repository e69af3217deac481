"""Redirect URLs: what may be one, and which of them is the default for each use.

Of all the redirect URLs of an environment that are valid for a use, at most one is its default (contract, management
1.7). A change that makes one the default takes that from the other. Unless the caller says otherwise, a use that a
change leaves without a default gets one as long as any URL is valid for it ("promotion").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from assay import errors
from assay.model import RedirectUrl, RedirectUrlType, RedirectUse

MOST_CHARACTERS = 2048

_WEB = re.compile(r"https?://[^/?#\\]+(?:[/?#].*)?", re.ASCII | re.IGNORECASE)
# With a slash after the colon, so that "localhost:3000", which lacks its scheme, is not taken for an app's own.
_APP = re.compile(r"[a-z][a-z0-9+.-]*:/.*", re.ASCII | re.IGNORECASE)
# Schemes that make a browser run or show what the URL itself holds (CWE-601, CWE-79).
_NEVER = frozenset({"about", "blob", "data", "file", "filesystem", "javascript", "vbscript"})


def check(url: str) -> None:
    """Refuse what is not an absolute URL of the web or of an app (RFC 8252 §7). Raises InvalidRedirectUrl.

    It is kept as it is written, and never parsed further: wildcards and placeholders are the operator's.
    """
    if not 1 <= len(url) <= MOST_CHARACTERS:
        raise errors.InvalidRedirectUrl(f"A redirect URL has 1 to {MOST_CHARACTERS} characters.")
    if not url.isprintable() or any(map(str.isspace, url)):
        raise errors.InvalidRedirectUrl("A redirect URL has no blanks and no control characters.")
    scheme = url.partition(":")[0].lower()
    if not (_WEB if scheme in {"http", "https"} else _APP).fullmatch(url) or scheme in _NEVER:
        raise errors.InvalidRedirectUrl(
            "A redirect URL is absolute: https://host/path, http://host/path, or an app's own scheme as in app://path."
        )


def find(urls: Iterable[RedirectUrl], url: str) -> RedirectUrl:
    """The one that is written exactly so: comparing more kindly is how redirects get opened. RedirectUrlNotFound."""
    found = next((each for each in urls if each.url == url), None)
    if found is None:
        raise errors.RedirectUrlNotFound
    return found


def merged(before: Sequence[RedirectUrlType], given: Sequence[RedirectUrlType]) -> tuple[RedirectUrlType, ...]:
    """The uses of ``before`` with those of ``given`` added, or put in the place of the same use."""
    uses = {each.type: each for each in before} | {each.type: each for each in given}
    return tuple(uses.values())


def changed(urls: Sequence[RedirectUrl], after: RedirectUrl, *, promote: bool) -> tuple[RedirectUrl, ...]:
    """All redirect URLs once ``after`` stands among them: in the place of the one with its URL, or at the end."""
    before = next((each for each in urls if each.url == after.url), None)
    kept = tuple(after if each is before else _without_defaults(each, _defaults(after)) for each in urls)
    new = kept if before else (*kept, after)
    held = _uses(before) if before else frozenset[RedirectUse]()
    others = [each.url for each in urls if each is not before]
    for use in sorted(_uses(after) | held) if promote else ():
        # A use that is new here takes a vacant default itself; one given up goes to another URL if there is one.
        new = _promoted(new, use, [*others, after.url] if use in held else [after.url, *others])
    return new


def removed(urls: Sequence[RedirectUrl], gone: RedirectUrl, *, promote: bool) -> tuple[RedirectUrl, ...]:
    """All redirect URLs without ``gone``."""
    new = tuple(each for each in urls if each.url != gone.url)
    for use in sorted(_uses(gone)) if promote else ():
        new = _promoted(new, use, [each.url for each in new])
    return new


def _promoted(urls: tuple[RedirectUrl, ...], use: RedirectUse, order: Sequence[str]) -> tuple[RedirectUrl, ...]:
    """With a default for ``use``, if any URL is valid for it; without one so far, the first in ``order`` that is."""
    if any(use in _defaults(each) for each in urls):
        return urls
    valid = {each.url for each in urls if use in _uses(each)}
    chosen = next((url for url in order if url in valid), None)
    return tuple(_with_default(each, use) if each.url == chosen else each for each in urls)


def _uses(url: RedirectUrl) -> frozenset[RedirectUse]:
    return frozenset(each.type for each in url.valid_types)


def _defaults(url: RedirectUrl) -> frozenset[RedirectUse]:
    return frozenset(each.type for each in url.valid_types if each.is_default)


def _with_default(url: RedirectUrl, use: RedirectUse) -> RedirectUrl:
    return _with_defaults(url, _defaults(url) | {use})


def _without_defaults(url: RedirectUrl, uses: frozenset[RedirectUse]) -> RedirectUrl:
    return _with_defaults(url, _defaults(url) - uses)


def _with_defaults(url: RedirectUrl, uses: frozenset[RedirectUse]) -> RedirectUrl:
    types = (RedirectUrlType(type=each.type, is_default=each.type in uses) for each in url.valid_types)
    return RedirectUrl(url=url.url, valid_types=tuple(types))
