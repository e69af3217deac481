"""Cookies: read from a request, written for an answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

SESSION = "assay_session"
VISIT = "assay_visit"
"""Random, of everybody who is not signed in: what the anti-forgery token of the sign-in form is bound to."""
NOTICE = "assay_notice"
THEME = "assay_theme"
PLACE = "assay_place"
"""The environment that was looked at last."""

YEAR_SECONDS = 365 * 24 * 3600

SameSite = Literal["Lax", "Strict"]


def read(headers: Iterable[tuple[bytes, bytes]], *, secure: bool) -> dict[str, str]:
    """Our cookies by their short names. Of two with one name neither counts: one of them may be planted."""
    found: dict[str, list[str]] = {}
    prefix = _prefix(secure=secure)
    for name, value in headers:
        if name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, _, text = part.strip().partition("=")
                if key.startswith(prefix):
                    found.setdefault(key.removeprefix(prefix), []).append(text)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def written(
    name: str, value: str, *, secure: bool, same_site: SameSite = "Strict", seconds: int | None = None
) -> bytes:
    """A Set-Cookie header. ``seconds`` is how long it is kept; None: until the browser closes, 0: not any more.

    On https the name begins with ``__Host-``, so that no other host and no plain connection can plant it.
    """
    parts = [f"{_prefix(secure=secure)}{name}={value}", "HttpOnly", f"SameSite={same_site}"]
    parts += ["Secure", "Path=/"] if secure else ["Path=/dashboard"]
    if seconds is not None:
        parts.append(f"Max-Age={seconds}")
    return "; ".join(parts).encode("latin-1")


def _prefix(*, secure: bool) -> str:
    return "__Host-" if secure else ""
