"""What people and organizations may be called: pure checks of names, slugs, external ids, addresses and numbers.

Each check returns the value to store, or raises the error that names the field (contract §6.4, §6.5).
"""

from __future__ import annotations

import re
import string
import unicodedata

from assay import errors, ids

MAX_NAME = 128
MAX_SLUG = 128
MAX_EMAIL_BYTES = 254
MAX_TEXT = 2048
FALLBACK_SLUG = "organization"

_EXTERNAL_ID = re.compile(r"[A-Za-z0-9._|-]{1,128}", re.ASCII)
_SLUG = re.compile(r"[A-Za-z0-9._~-]{2,128}", re.ASCII)
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_NOT_IN_A_SLUG = re.compile(r"[^a-z0-9]+", re.ASCII)

# RFC 3986 §5.2.4: clients and proxies remove these from a path, so that the call would land on another route.
_DOT_SEGMENTS = frozenset({".", ".."})

# Only A-Z: outside of ASCII str.lower() would also fold other letters (the Kelvin sign becomes k), so that two people
# would share an address.
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def lower(text: str) -> str:
    """``text`` with A-Z lower-cased and nothing else changed (decisions D4)."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def email(text: str) -> str:
    """The address as it is stored and compared. Raises InvalidEmail.

    One ``@`` with something on both sides, printable, no blanks, at most 254 bytes (RFC 5321 §4.5.3.1.3).
    """
    local, _, domain = text.partition("@")
    if not local or not domain or "@" in domain:
        raise errors.InvalidEmail
    if not text.isprintable() or " " in text or len(text.encode()) > MAX_EMAIL_BYTES:
        raise errors.InvalidEmail
    return lower(text)


def phone_number(text: str) -> str:
    """The number in E.164 form (``+``, then 7 to 15 digits). Raises InvalidPhoneNumber."""
    if not _PHONE.fullmatch(text):
        raise errors.InvalidPhoneNumber
    return text


def external_id(text: str) -> str:
    """An external id that a caller gives to a member or user (decisions D21). Raises InvalidExternalId."""
    if not _EXTERNAL_ID.fullmatch(text) or text in _DOT_SEGMENTS or ids.is_own_form(text):
        raise errors.InvalidExternalId
    return text


def organization_external_id(text: str) -> str:
    """As :func:`external_id`, for an organization. Raises ExternalOrganizationIdSame, InvalidExternalId."""
    if ids.is_own_form(text):
        raise errors.ExternalOrganizationIdSame
    return external_id(text)


def organization_name(text: str) -> str:
    """1 to 128 characters without control characters. Raises InvalidOrganizationName."""
    if not 1 <= len(text) <= MAX_NAME or has_control_characters(text):
        raise errors.InvalidOrganizationName
    return text


def slug(text: str) -> str:
    """2 to 128 letters, digits and ``-._~``, not in the form of one of our own ids. Raises InvalidOrganizationSlug."""
    if not _SLUG.fullmatch(text) or text in _DOT_SEGMENTS or ids.is_own_form(text):
        raise errors.InvalidOrganizationSlug
    return text


def label(field: str, text: str) -> str:
    """Free text of at most 2048 characters without control characters. Raises BadRequest naming ``field``."""
    if len(text) > MAX_TEXT or has_control_characters(text):
        raise errors.BadRequest(f"{field} must be text of at most {MAX_TEXT} characters without control characters.")
    return text


def slug_from(name: str) -> str:
    """A slug that reads like ``name``: its ASCII letters and digits, lower-cased, with ``-`` between the words."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = _NOT_IN_A_SLUG.sub("-", plain).strip("-")[:MAX_SLUG].rstrip("-")
    if len(words) < 2 or ids.is_own_form(words):  # noqa: PLR2004 - the shortest slug
        return FALLBACK_SLUG
    return words


def unique_slug(name: str, suffix: str) -> str:
    """The slug of ``name`` with a random ``suffix``, for when another organization has the plain one already."""
    return f"{slug_from(name)[: MAX_SLUG - len(suffix) - 1].rstrip('-')}-{suffix}"


def has_control_characters(text: str) -> bool:
    """Whether ``text`` holds what no name, address or search ever needs, and some databases cannot keep."""
    # Cc holds NUL, which PostgreSQL refuses; Cs are half surrogates, which cannot be written as UTF-8.
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)
