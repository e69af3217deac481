"""Beside which field of a profile's form a sentence of the stories belongs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from assay import errors
from assay.dashboard.profile_form import FLAGS, LISTS, NUMBERS, TEXTS, ProfileForm

FIELDS = (
    "profile_id",
    "jwks_url",
    "pem_files",
    "key_sources",
    "attribute_mapping",
    "algorithms",
    *TEXTS,
    *NUMBERS,
    *LISTS,
    *FLAGS,
)
"""Every field beside which a sentence can stand, by its name."""
_BY_KIND: dict[type[errors.Error], str] = {
    errors.TrustedTokenProfileIdAlreadyUsed: "profile_id",
    errors.MustHaveJwksUrl: "jwks_url",
    errors.MustHavePemFiles: "pem_files",
    errors.TooManyPemFiles: "pem_files",
    errors.CannotAddPemFile: "pem_files",
    errors.InvalidPublicKey: "pem_files",
    errors.MultipleExternalIds: "attribute_mapping",
    errors.IncorrectExternalIdMapping: "attribute_mapping",
}
# Longest first, so that issuer_check is not taken for issuer.
_NAMED = re.compile(rf"\b(?:{'|'.join(sorted(FIELDS, key=len, reverse=True))})\b")
_ABOUT_KEYS = re.compile(r"The key URL|Key source|PEM file|None of the keys|There is no (?:key|PEM)")
_KEY_FIELDS = {"jwks": "jwks_url", "pem": "pem_files", "sources": "key_sources"}
_REQUIRED = ("name", "issuer", "audience", "jwks_url")


def of_refusals(refusals: Iterable[errors.Error], form: ProfileForm) -> dict[str, str]:
    """Field → the first sentence about it; under ``""`` stands what belongs to none."""
    faults: dict[str, str] = {}
    for refusal in refusals:
        faults.setdefault(_field_of(refusal, form), refusal.message)
    return faults


def of_problems(problems: Iterable[str], form: ProfileForm) -> dict[str, str]:
    """Field → the first problem that belongs to it. Those that belong to none are only told below the form."""
    faults: dict[str, str] = {}
    for problem in problems:
        about_keys = _ABOUT_KEYS.match(problem)
        named = _NAMED.match(problem)
        if about_keys or named:
            faults.setdefault(_KEY_FIELDS[form.keys] if about_keys or named is None else named[0], problem)
    return faults


def while_typing(faults: dict[str, str], form: ProfileForm) -> dict[str, str]:
    """Without those about fields that nobody has filled in so far."""
    empty = {name for name in _REQUIRED if not (form.jwks_url if name == "jwks_url" else form.texts[name])}
    if not any(form.pems):
        empty.add("pem_files")
    if not form.sources:
        empty.add("key_sources")
    if not form.rows:
        empty.add("attribute_mapping")
    return {name: sentence for name, sentence in faults.items() if name not in empty}


def _field_of(refusal: errors.Error, form: ProfileForm) -> str:
    known = _BY_KIND.get(type(refusal))
    if known is None:
        named = _NAMED.search(refusal.message)
        known = named[0] if named else ""
    # Keys are typed into one of three fields, and only that one is on the page.
    return _KEY_FIELDS[form.keys] if known in _KEY_FIELDS.values() else known
