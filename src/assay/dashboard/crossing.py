"""What keeps other sites from posting forms in an operator's name.

Two things must be right: the headers by which browsers say where a request comes from, and a token in the form that
only our own pages know. Cookies are SameSite beside that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

_PURPOSE = b"assay dashboard form"
_NOTICE_PURPOSE = b"assay dashboard notice"


def token(secret: str) -> str:
    """The anti-forgery token of everybody whose cookie holds ``secret``: a session token, or a visitor's number."""
    return _mac(_PURPOSE, secret, b"")


def is_token(secret: str, shown: str) -> bool:
    """Whether a form carries the token that belongs to the cookie; never without a cookie."""
    return bool(secret) and hmac.compare_digest(token(secret).encode(), shown.encode("utf-8", "surrogatepass"))


def sealed_notice(secret: str, text: str) -> str:
    """What proves that a notice in a cookie was put there by us, for the holder of ``secret``."""
    return _mac(_NOTICE_PURPOSE, secret, text.encode())


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Whether the browser says that a post comes from our own page.

    Programs that are no browser send neither header; those hold no cookie that somebody else could use, and still
    need the token. ``Origin: null`` is what sandboxed frames and privacy redirects send, and is not ours.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    return origin is None or _place(origin) == headers.get("host", "").lower()


def _place(origin: str) -> str | None:
    """Host and port of an origin as a Host header has them. The scheme is not compared: a proxy may speak TLS."""
    try:
        url = urlsplit(origin.lower())
    except ValueError:
        return None
    return url.netloc if url.scheme in {"http", "https"} else None


def _mac(purpose: bytes, secret: str, text: bytes) -> str:
    digest = hmac.digest(secret.encode(), purpose + b"\x00" + text, hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
