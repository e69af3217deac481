"""One profile of a configuration file, and where its keys come from."""

from __future__ import annotations

import base64
import binascii
import contextlib
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from assay import jsontext
from assay.key_sources import (
    AlbSource,
    DiscoverySource,
    InlineJwksSource,
    JwksSource,
    PemMapSource,
    PemSource,
    ProjectSource,
    SpiffeSource,
    X509MapSource,
)
from assay.stories.declared.format import SOURCE_SECTIONS, SOURCES
from assay.stories.declared.surroundings import Surroundings, Unreadable
from assay.stories.declared.tables import Table
from assay.stories.declared.wanted import PLAIN_FIELDS, ProjectReference, SharedSecret, WantedProfile, WantedSource

_KEYS_FROM = ("jwks_url", "pem_files", "public_keys", "key_sources")
_SECTIONS = dict(zip(SOURCES, SOURCE_SECTIONS, strict=True))
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*={0,2}", re.ASCII)
_Reader = Callable[[Table, Surroundings], WantedSource]

_PLAIN_SECRETS = ("secret", "secret_base64url")


def read_profile(profile_id: str, table: Table, around: Surroundings) -> WantedProfile:
    """The profile that a table describes; what is wrong with it is noted in the table's faults."""
    sources = tuple(_sources(table, around))
    for name in ("issuer", "audience"):
        if not table.given(name) and not follows_from(sources):
            table.fault(f"{name} is missing")
    own = {"name": table["name"] or "", "attribute_mapping": _mapping(table)}
    return WantedProfile(
        profile_id=profile_id,
        sources=sources,
        public_key_type=table["public_key_type"],
        **{name: _plain(table[name]) for name in PLAIN_FIELDS} | own,
    )


def follows_from(sources: tuple[WantedSource, ...]) -> bool:
    """Whether issuer and audience follow from the one source: the session JWTs of another environment."""
    return len(sources) == 1 and isinstance(sources[0], ProjectReference | ProjectSource)


def is_toml(value: object) -> bool:
    """Whether TOML and JSON both have this value: null is in one alone, dates and infinities in the other."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and is_toml(each) for name, each in value.items())
    if isinstance(value, list):
        return all(map(is_toml, value))
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def json_object(text: str | bytes) -> dict[str, Any] | None:
    """JSON text as an object; None for anything else."""
    try:
        found = jsontext.loads(text if isinstance(text, bytes) else text.encode())
    except jsontext.JsonFault:
        return None
    return found if isinstance(found, dict) else None


def _plain(value: Any) -> Any:  # noqa: ANN401 - its form has been checked against the table of keys
    return tuple(value) if isinstance(value, list) else value


def _mapping(table: Table) -> dict[str, Any]:
    found = table["attribute_mapping"]
    mapping = json_object(found) if isinstance(found, str) else found
    if mapping is None or not (isinstance(found, str) or is_toml(mapping)):
        table.fault("it is a table from attribute to claim, or the same as JSON text", "attribute_mapping")
        return {}
    return dict(mapping)


# ---------------------------------------------------------------- where keys come from


def _sources(table: Table, around: Surroundings) -> Iterator[WantedSource]:
    given = [name for name in _KEYS_FROM if table.given(name)]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        table.fault(f"its keys come from one of {', '.join(_KEYS_FROM)}; there is {found}")
    elif given == ["jwks_url"]:
        yield JwksSource(url=table["jwks_url"])
    elif given == ["pem_files"]:
        files = (_file(table, "pem_files", path, around) for path in table.texts("pem_files"))
        yield PemSource(public_keys=tuple(_text(table, "pem_files", raw) for raw in files))
    elif given == ["public_keys"]:
        yield PemSource(public_keys=table.texts("public_keys"))
    else:
        for number, each in enumerate(table["key_sources"], start=1):
            found_source = _source(each, number, table, around)
            if found_source is not None:
                yield found_source


def _source(found: object, number: int, profile: Table, around: Surroundings) -> WantedSource | None:
    kind = found.get("kind") if isinstance(found, dict) else None
    section = _SECTIONS.get(kind) if isinstance(kind, str) else None
    if not isinstance(found, dict) or section is None:
        profile.fault(f"source {number} is a table whose kind is one of {', '.join(SOURCES)}", "key_sources")
        return None
    for name in _PLAIN_SECRETS:
        if kind == "hmac" and name in found:
            where = "name where it is: secret_env, secret_base64url_env or secret_file"
            profile.fault(f"a secret must not stand in this file; {where}", "key_sources", str(number), name)
            return None
    return _READERS[str(kind)](profile.inner(found, section, "key_sources", str(number)), around)


def _fetched(kind: type[JwksSource | SpiffeSource]) -> _Reader:
    def read(table: Table, around: Surroundings) -> WantedSource:
        return kind(url=table["url"] or "", ca_pem=_ca_pem(table, around))

    return read


def _mapped(kind: type[X509MapSource | PemMapSource]) -> _Reader:
    return lambda table, _around: kind(url=table["url"] or "")


def _discovery(table: Table, around: Surroundings) -> WantedSource:
    return DiscoverySource(url=table["url"], ca_pem=_ca_pem(table, around))


def _ca_pem(table: Table, around: Surroundings) -> str | None:
    if not _at_most_one(table, "ca_pem", "ca_pem_file") or not table.given("ca_pem_file"):
        text: str | None = table["ca_pem"]
        return text
    return _text(table, "ca_pem_file", _file(table, "ca_pem_file", table["ca_pem_file"], around))


def _pem(table: Table, around: Surroundings) -> WantedSource:
    _exactly_one(table, "public_keys", "public_key_files")
    files = (_file(table, "public_key_files", path, around) for path in table.texts("public_key_files"))
    texts = tuple(_text(table, "public_key_files", raw) for raw in files)
    return PemSource(public_keys=table.texts("public_keys") or texts)


def _inline_jwks(table: Table, around: Surroundings) -> WantedSource:
    name = _exactly_one(table, "jwks", "jwks_file")
    raw = _file(table, name, table[name], around) if name == "jwks_file" else (table["jwks"] or "")
    jwks = json_object(raw)
    if jwks is None and table.given(name):
        table.fault("it is not a JSON object", name)
    return InlineJwksSource(jwks=jwks or {})


def _alb(table: Table, _around: Surroundings) -> WantedSource:
    return AlbSource(signer=table["signer"] or "", region=table["region"], url=table["url"])


def _project(table: Table, _around: Surroundings) -> WantedSource:
    slugs = table["project_slug"], table["environment_slug"]
    by_id, by_slugs = table.given("project_id"), None not in slugs
    if by_id == by_slugs or (by_id and slugs != (None, None)):
        table.fault("it names an environment by project_slug and environment_slug, or by project_id")
    if by_id:
        return ProjectSource(project_id=table["project_id"])
    return ProjectReference(slugs[0] or "", slugs[1] or "")


# ---------------------------------------------------------------- shared secrets


def _hmac(table: Table, around: Surroundings) -> WantedSource:
    name = _exactly_one(table, "secret_env", "secret_base64url_env", "secret_file")
    if name == "secret_file":
        return SharedSecret(f"the file {table[name]}", _secret_in(table, table[name], around))
    variable = table[name] or ""
    value = around.environ.get(variable)
    if not value:
        return SharedSecret(f"the environment variable {variable}", None)
    secret = value.encode("utf-8", "surrogateescape") if name == "secret_env" else _bytes_of(value)
    if secret is None:
        table.fault("the variable does not hold base64url", name)
    return SharedSecret(f"the environment variable {variable}", secret)


def _secret_in(table: Table, path: str, around: Surroundings) -> bytes | None:
    """What the file holds, without the line break that editors leave; None when there is no such file."""
    try:
        raw = around.read(path)
    except FileNotFoundError:
        return None
    except Unreadable as fault:
        table.fault(str(fault), "secret_file")
        return None
    with contextlib.suppress(UnicodeDecodeError):  # the last of random bytes may be any, and belongs to them
        raw = raw.decode().removesuffix("\n").removesuffix("\r").encode()
    return raw


def _bytes_of(text: str) -> bytes | None:
    stripped = text.strip()
    if not _BASE64URL.fullmatch(stripped):
        return None
    bare = stripped.rstrip("=")
    with contextlib.suppress(binascii.Error):
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    return None


# ---------------------------------------------------------------- files, and choices between keys


def _file(table: Table, name: str, path: str, around: Surroundings) -> bytes:
    try:
        return around.read(path)
    except FileNotFoundError:
        table.fault(f"there is no file {path}", name)
    except Unreadable as fault:
        table.fault(str(fault), name)
    return b""


def _text(table: Table, name: str, raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        table.fault("a file is not text; convert the key to PEM first", name)
        return ""
    if "\0" in text:
        table.fault("a file is not text", name)
    return text


def _at_most_one(table: Table, *names: str) -> bool:
    given = [name for name in names if table.given(name)]
    if len(given) > 1:
        table.fault(f"there is {' and '.join(given)}; give one of them")
    return bool(given)


def _exactly_one(table: Table, *names: str) -> str:
    """The one that is given; the first when there is none or several, which is noted."""
    if not _at_most_one(table, *names):
        table.fault(f"it needs {' or '.join(names)}")
    return next((name for name in names if table.given(name)), names[0])


_READERS: dict[str, _Reader] = {
    "jwks": _fetched(JwksSource),
    "discovery": _discovery,
    "pem": _pem,
    "inline_jwks": _inline_jwks,
    "x509_map": _mapped(X509MapSource),
    "pem_map": _mapped(PemMapSource),
    "alb": _alb,
    "spiffe": _fetched(SpiffeSource),
    "project": _project,
    "hmac": _hmac,
}
