"""The form of a profile: what its fields hold, out of a profile or a post, and the requests that they make.

Here it is only translated: text to members and back. Whether a profile may be saved is decided by the stories.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from assay import errors
from assay.dashboard.fields import Fields
from assay.model import Profile
from assay.stories import key_sources
from assay.stories.profiles import NO_LIMIT, ProfileCreate, ProfileUpdate

MOST_PEM_FILES = 5
SPARE_ROWS = 1
MOST_ROWS = 40
_MOST_DIGITS = 12

TEXTS = ("name", "issuer", "audience", "audience_claim", "issuer_check", "replay")
NUMBERS = ("leeway_seconds", "max_age_seconds", "max_lifetime_seconds", "keys_stale_limit")
LISTS = ("additional_audiences", "typ", "conditions", "organizations", "kept_claims")
FLAGS = (
    "can_jit_provision",
    "require_exp",
    "single_audience",
    "trust_email",
    "session_ends_with_token",
    "rotate_session_token",
    "enabled",
)
CHOICES = {"issuer_check": ("exact", "template", "none"), "replay": ("off", "token_id", "fingerprint")}
KEYS = ("jwks", "pem", "sources")
_OPTIONAL = "max_age_seconds"


class FormFaults(Exception):
    """Fields whose text is not what their kind asks for: field → a sentence."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__(", ".join(faults))
        self.faults = faults


class ProfileForm(msgspec.Struct, kw_only=True):
    """What the fields hold, as text. ``keys`` says which of the ways to name keys is shown, and counts.

    ``rows`` are the attribute mapping: attribute, and where its value comes from. ``revision`` is that of the profile
    which the form was made from, 0 for a new one.
    """

    texts: dict[str, str]
    flags: set[str]
    algorithms: tuple[str, ...]
    keys: str = "jwks"
    jwks_url: str = ""
    pems: list[str] = []
    sources: str = ""
    rows: list[tuple[str, str]] = []
    profile_id: str = ""
    revision: int = 0

    @property
    def is_advanced(self) -> bool:
        """Whether a field that is folded away differs from what a new profile has."""
        usual = _BLANK
        shown = {"name", "issuer", "audience"}
        flags = {"can_jit_provision"}
        return (
            any(self.texts[name] != text for name, text in usual.texts.items() if name not in shown)
            or self.flags - flags != usual.flags - flags
            or self.algorithms != usual.algorithms
        )


def blank() -> ProfileForm:
    """The form of a new profile."""
    return msgspec.structs.replace(_BLANK)


def of_request(request: ProfileCreate) -> ProfileForm:
    """The form of a profile that is not stored yet, such as a preset makes."""
    given = None if request.key_sources is None else [_plain(source) for source in request.key_sources]
    form = _of(request, given or _told(request.jwks_url, list(request.pem_files)))
    form.profile_id = request.profile_id or ""
    return form


def of_profile(profile: Profile) -> ProfileForm:
    """The form that changes a profile. A shared secret is not in it."""
    form = _of(profile, key_sources.shown(profile))
    form.profile_id, form.revision = profile.profile_id, profile.revision
    return form


def prefilled(query: Fields) -> ProfileForm:
    """The form of a new profile with what a link says about it, by the names of its fields."""
    given = set(query.given())
    form, read = blank(), posted(query)
    form.texts |= {name: read.texts[name] for name in form.texts if name in given}
    form.flags = {name for name in FLAGS if (query.raw(name) == "on" if name in given else name in form.flags)}
    form.algorithms = read.algorithms or form.algorithms
    form.jwks_url, form.pems, form.rows, form.profile_id = read.jwks_url, read.pems, read.rows, read.profile_id
    form.keys, form.sources = read.keys, read.sources
    return form


def posted(fields: Fields) -> ProfileForm:
    """What was typed."""
    keys = fields.text("keys")
    return ProfileForm(
        texts={name: fields.text(name) for name in (*TEXTS, *NUMBERS, *LISTS)},
        flags={name for name in FLAGS if fields.flag(name)},
        algorithms=tuple(dict.fromkeys(fields.all("algorithms"))),
        keys=keys if keys in KEYS else "jwks",
        jwks_url=fields.text("jwks_url"),
        pems=[fields.text(f"pem_{number}") for number in range(1, MOST_PEM_FILES + 1)],
        sources=fields.text("key_sources"),
        rows=_rows(fields),
        profile_id=fields.text("profile_id"),
        revision=fields.number("revision") or 0,
    )


def create_request(form: ProfileForm) -> ProfileCreate:
    """The new profile that the form describes. Raises FormFaults."""
    faults: dict[str, str] = {}
    members = _members(form, faults)
    members |= _keys(form, faults)
    if faults:
        raise FormFaults(faults)
    return ProfileCreate(profile_id=form.profile_id or None, **members)


def change_request(form: ProfileForm, profile: Profile) -> ProfileUpdate:
    """What the form changes about the profile; keys that stay as they are, are not in it. Raises FormFaults."""
    faults: dict[str, str] = {}
    members = _members(form, faults)
    if members[_OPTIONAL] is None:
        members[_OPTIONAL] = NO_LIMIT
    members |= _changed_keys(form, of_profile(profile), faults)
    if faults:
        raise FormFaults(faults)
    return ProfileUpdate(**members)


# ---------------------------------------------------------------- records → text


def _of(record: ProfileCreate | Profile, sources: list[dict[str, Any]]) -> ProfileForm:
    texts = {name: str(getattr(record, name)) for name in TEXTS}
    texts |= {name: _number_text(getattr(record, name)) for name in NUMBERS}
    texts |= {name: _list_text(getattr(record, name)) for name in LISTS}
    form = ProfileForm(
        texts=texts,
        flags={name for name in FLAGS if getattr(record, name)},
        algorithms=record.algorithms,
        rows=[(name, _place_text(value)) for name, value in (record.attribute_mapping or {}).items()],
    )
    _put_sources(form, sources)
    return form


def _told(jwks_url: str | None, pem_files: list[str]) -> list[dict[str, Any]]:
    if pem_files:
        return [{"kind": "pem", "public_keys": pem_files}]
    return [{"kind": "jwks", "url": jwks_url or ""}]


def _plain(source: key_sources.GivenSource) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(source)
    return {name: value for name, value in members.items() if value is not None}


def _put_sources(form: ProfileForm, sources: list[dict[str, Any]]) -> None:
    first = sources[0] if len(sources) == 1 else {}
    if first.keys() == {"kind", "url"} and first["kind"] == "jwks":
        form.keys, form.jwks_url = "jwks", first["url"]
    elif first.get("kind") == "pem":
        form.keys, form.pems = "pem", list(first["public_keys"])
    else:
        form.keys, form.sources = "sources", json.dumps(sources, indent=2, ensure_ascii=False)


def _number_text(value: int | None) -> str:
    return "" if value is None else str(value)


def _list_text(values: tuple[str, ...]) -> str:
    """One value in each line; as JSON where a value has lines of its own."""
    if any("\n" in value or value.strip() != value for value in values):
        return json.dumps(values, ensure_ascii=False)
    return "\n".join(values)


def _place_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# ---------------------------------------------------------------- text → requests


def _rows(fields: Fields) -> list[tuple[str, str]]:
    rows = [(fields.text(f"attribute_{number}"), fields.text(f"value_{number}")) for number in range(MOST_ROWS)]
    return [row for row in rows if any(row)]


def _members(form: ProfileForm, faults: dict[str, str]) -> dict[str, Any]:
    members: dict[str, Any] = {name: form.texts[name] for name in TEXTS}
    members |= {name: _number(name, form.texts[name], faults) for name in NUMBERS}
    members |= {name: _values(form.texts[name]) for name in LISTS}
    members |= {name: name in form.flags for name in FLAGS}
    for name, known in (
        ("issuer_check", ("exact", "template", "none")),
        ("replay", ("off", "token_id", "fingerprint")),
    ):
        if members[name] not in known:
            faults[name] = f"Choose one of {', '.join(known)}."
    members["attribute_mapping"] = _mapping(form.rows, faults)
    return members | {"algorithms": form.algorithms}


def _number(name: str, text: str, faults: dict[str, str]) -> int | None:
    if not text and name == _OPTIONAL:
        return None
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        return int(text)
    faults[name] = "A whole number of seconds."
    return None


def _values(text: str) -> tuple[str, ...]:
    """One value in each line, or a JSON list of texts. An expression of CEL may begin as a list does."""
    if text.startswith("["):
        try:
            return tuple(msgspec.json.decode(text, type=list[str]))
        except msgspec.MsgspecError:
            pass
    return tuple(line.strip() for line in text.split("\n") if line.strip())


def _mapping(rows: list[tuple[str, str]], faults: dict[str, str]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for attribute, value in rows:
        if not attribute or not value:
            faults["attribute_mapping"] = "Each row has an attribute and a value; to leave one out, empty both."
        elif attribute in mapping:
            faults["attribute_mapping"] = f"{attribute} is mapped twice."
        else:
            mapping[attribute] = _place(value, faults)
    return mapping


def _place(text: str, faults: dict[str, str]) -> object:
    """A claim or a pointer as it stands; an object is JSON (decisions D9)."""
    if not text.startswith("{"):
        return text
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        faults["attribute_mapping"] = 'A value that begins with { is JSON, such as {"cel": "claims.email"}.'
        return text


def _keys(form: ProfileForm, faults: dict[str, str]) -> dict[str, Any]:
    if form.keys == "jwks":
        return {"public_key_type": "JWK", "jwks_url": form.jwks_url}
    if form.keys == "pem":
        return {"public_key_type": "PEM", "pem_files": tuple(filter(None, form.pems))}
    return {"key_sources": _sources(form.sources, faults)}


def _changed_keys(form: ProfileForm, before: ProfileForm, faults: dict[str, str]) -> dict[str, Any]:
    """Nothing when they stay: PEM files keep their ids, and a shared secret does not come back in the form."""
    if form.keys == "sources":
        # Before all else: what is stored there must not be asked for a secret that nobody wanted to change.
        same = before.keys == "sources" and _json(form.sources) == _json(before.sources)
        return {} if same else {"key_sources": _sources(form.sources, faults)}
    pems = list(filter(None, form.pems))
    if form.keys == before.keys:
        if form.keys == "jwks":
            if not form.jwks_url:
                faults["jwks_url"] = errors.MustHaveJwksUrl().message
            return {} if form.jwks_url == before.jwks_url else {"jwks_url": form.jwks_url}
        # White space around a key is no change: a browser sends other line ends than were stored.
        same = pems == [pem.replace("\r\n", "\n").strip() for pem in before.pems]
        return {} if same else {"pem_files": tuple(pems)}
    given = _told(form.jwks_url, []) if form.keys == "jwks" else [{"kind": "pem", "public_keys": pems}]
    return {"key_sources": key_sources.read(given)}


def _sources(text: str, faults: dict[str, str]) -> tuple[key_sources.GivenSource, ...]:
    given = _json(text)
    if not isinstance(given, list):
        faults["key_sources"] = 'A JSON list of key sources, such as [{"kind": "discovery"}].'
        return ()
    try:
        return key_sources.read(given)
    except errors.Error as fault:
        faults["key_sources"] = fault.message
        return ()


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return None


_BLANK = of_request(ProfileCreate(name="", issuer="", audience=""))
