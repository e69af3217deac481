"""Writes a configuration file from what there is: applied to the same store it changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import tomli_w

from assay import errors
from assay.key_sources import HmacSource, InlineJwksSource, JwksSource, KeySource, PemSource, ProjectSource
from assay.keys.effective import sources_of
from assay.model import EnvironmentSettings, Profile, RedirectUrl
from assay.rules import session_jwt
from assay.stories import key_sources
from assay.stories.declared.current import Current, CurrentEnvironment, CurrentProject
from assay.stories.declared.planning_policies import DEFAULT_ROLES, default_roles_said, entry_fields
from assay.stories.declared.profiles import is_toml
from assay.stories.declared.wanted import PLAIN_FIELDS, WantedProfile

FILE_NAME = "assay.toml"
KEYS_FOLDER = "keys"

HEAD = """\
# Assay configuration, written by `assay export`. `assay apply` makes a database agree with it.
#
# Not in this file, because it cannot be chosen or must not be written down: the ids of environments (project ids)
# and of PEM files, secrets, public tokens, workspace keys, signing keys, people and sessions. A new database gets new
# ones. Where a shared secret is needed, secret_env names an environment variable to put it in (or secret_base64url_env,
# or secret_file); a profile that has its secret already keeps it without.

"""

_PLAIN = {
    field.name: field.default
    for field in msgspec.structs.fields(WantedProfile)
    if field.name in PLAIN_FIELDS and field.name not in {"name", "issuer", "audience", "attribute_mapping"}
}


# A list of texts as the library writes it. In a text of several lines the quotes would be escaped.
_LIST = re.compile(r' = \[\n((?:  "(?:[^"\\\n]|\\.)*",\n)+)\]')
_LINE = 100
_ASTRAL = 0x10000


class Exported(msgspec.Struct, frozen=True):
    """The text of the file, and the files beside it by their relative paths."""

    text: str
    files: dict[str, bytes]


def export(current: Current, *, project_slug: str | None, public_url: str, beside: bool) -> Exported:
    """One project or all of them as a configuration file.

    With ``beside`` the texts of keys are files of their own, else they stand in the file. Raises ProjectNotFound.
    """
    projects = [each for each in current.projects if project_slug in {None, each.project.slug}]
    if project_slug is not None and not projects:
        raise errors.ProjectNotFound("There is no project with this slug.")
    writer = _Writer(current.slugs(), public_url, beside=beside)
    document = {"projects": {each.project.slug: writer.project(each) for each in projects}} if projects else {}
    return Exported(HEAD + _toml(document), writer.files)


def _toml(document: Mapping[str, Any]) -> str:
    # The library turns CRLF into LF in texts of several lines; escaped on one line, every character is kept.
    multiline = "\r\n" not in "".join(_texts(document))
    text = tomli_w.dumps(document, multiline_strings=multiline, indent=2)
    return _LIST.sub(_on_one_line, "".join(map(_escaped, text)))


def _on_one_line(found: re.Match[str]) -> str:
    # Only line feeds part the texts of a list: other line breaks may stand in them.
    texts = (each[2:].removesuffix(",") for each in found[1].removesuffix("\n").split("\n"))
    line = f" = [{', '.join(texts)}]"
    return line if len(line) <= _LINE else found[0]


def _escaped(character: str) -> str:
    """Only names and texts hold what cannot be printed, and TOML has an escape for it there."""
    if character.isprintable() or character == "\n":
        return character
    return f"\\u{ord(character):04x}" if ord(character) < _ASTRAL else f"\\U{ord(character):08x}"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


class _Writer:
    """Makes the tables; the files that stand beside gather in ``files``."""

    def __init__(self, slugs: Mapping[str, tuple[str, str]], public_url: str, *, beside: bool) -> None:
        self.files: dict[str, bytes] = {}
        self._slugs = slugs
        self._public_url = public_url
        self._beside = beside
        self._variables: set[str] = set()

    def project(self, found: CurrentProject) -> dict[str, Any]:
        project = found.project
        environments = {
            each.environment.slug: self._environment(project.slug, each) for each in _live_first(found.environments)
        }
        return {"name": project.name, "vertical": project.vertical, **_unless_empty(environments=environments)}

    def _environment(self, project_slug: str, found: CurrentEnvironment) -> dict[str, Any]:
        environment = found.environment
        profiles = {each.profile_id: self._profile((project_slug, environment.slug), each) for each in found.profiles}
        return {
            "type": environment.kind,
            "name": environment.name,
            **_unless_empty(settings=_settings(environment.settings), **_policy(found), profiles=profiles),
            **_unless_empty(
                redirect_urls={each.url: _redirect_url(each) for each in found.configuration.redirect_urls},
                jwt_templates={
                    each.template_type.lower(): {
                        "template_content": each.template_content,
                        **_unless_empty(custom_audience=each.custom_audience),
                    }
                    for each in found.configuration.jwt_templates
                },
            ),
        }

    # ---------------------------------------------------------------- profiles

    def _profile(self, slugs: tuple[str, str], profile: Profile) -> dict[str, Any]:
        values = {name: getattr(profile, name) for name in _PLAIN}
        mapping = profile.attribute_mapping
        return {
            "name": profile.name,
            **self._whom(profile),
            **self._keys("-".join([*slugs, profile.profile_id]), profile),
            **{name: _plain(value) for name, value in values.items() if value != _PLAIN[name]},
            **_unless_empty(attribute_mapping=mapping if is_toml(mapping) else json.dumps(mapping)),
        }

    def _whom(self, profile: Profile) -> dict[str, Any]:
        """Issuer and audience, unless they follow from the source: then another database has others."""
        found = sources_of(profile)
        first = found[0] if len(found) == 1 else None
        told = {"issuer": profile.issuer, "audience": profile.audience}
        if not isinstance(first, ProjectSource) or first.project_id not in self._slugs:
            return told
        follow = {
            "issuer": session_jwt.issuer_of(first.project_id, self._public_url),
            "audience": first.project_id,
        }
        return {name: value for name, value in told.items() if value != follow[name]}

    def _keys(self, name: str, profile: Profile) -> dict[str, Any]:
        found = sources_of(profile)
        first = found[0] if len(found) == 1 else None
        if isinstance(first, JwksSource) and first.ca_pem is None:
            return {"jwks_url": first.url}
        if isinstance(first, PemSource):
            return self._pem(name, first, "pem_files")
        return {"key_sources": [self._source(f"{name}-{number}", each) for number, each in enumerate(found, start=1)]}

    def _source(self, name: str, source: KeySource) -> dict[str, Any]:
        members = key_sources.view(source)
        kind = {"kind": members.pop("kind")}
        if isinstance(source, PemSource):
            return kind | self._pem(name, source, "public_key_files")
        if isinstance(source, InlineJwksSource):
            text = json.dumps(source.jwks, indent=2, ensure_ascii=False) + "\n"
            return kind | self._text(f"{name}.json", text, "jwks", "jwks_file")
        if isinstance(source, HmacSource):
            return kind | {"secret_env": self._variable(name)}
        if isinstance(source, ProjectSource) and source.project_id in self._slugs:
            project_slug, environment_slug = self._slugs[source.project_id]
            return kind | {"project_slug": project_slug, "environment_slug": environment_slug}
        ca_pem = members.pop("ca_pem", None)
        return kind | members | (self._text(f"{name}-ca.pem", ca_pem, "ca_pem", "ca_pem_file") if ca_pem else {})

    def _pem(self, name: str, source: PemSource, files_key: str) -> dict[str, Any]:
        if not self._beside:
            return {"public_keys": list(source.public_keys)}
        paths = [self._file(f"{name}-{number}.pem", text) for number, text in enumerate(source.public_keys, start=1)]
        return {files_key: paths}

    def _text(self, name: str, text: str, key: str, file_key: str) -> dict[str, Any]:
        return {file_key: self._file(name, text)} if self._beside else {key: text}

    def _file(self, name: str, text: str) -> str:
        # Some file systems take a name in capitals for the same.
        taken = {path.lower() for path in self.files}
        path = f"{KEYS_FOLDER}/{name}"
        number = 1
        while path.lower() in taken:
            number += 1
            path = f"{KEYS_FOLDER}/{number}-{name}"
        self.files[path] = text.encode()
        return path

    def _variable(self, name: str) -> str:
        word = "ASSAY_SECRET_" + re.sub(r"[^A-Z0-9]", "_", name.upper().removesuffix("-1"))
        variable = word
        while variable in self._variables:
            variable = f"{word}_{len(self._variables) + 1}"
        self._variables.add(variable)
        return variable


# ---------------------------------------------------------------- tables that need no files


def _live_first(environments: tuple[CurrentEnvironment, ...]) -> list[CurrentEnvironment]:
    return sorted(environments, key=lambda each: each.environment.kind != "live")


def _settings(settings: EnvironmentSettings) -> dict[str, Any]:
    usual = EnvironmentSettings()
    values = msgspec.structs.asdict(settings)
    return {name: value for name, value in values.items() if value != getattr(usual, name)}


def _policy(found: CurrentEnvironment) -> dict[str, dict[str, Any]]:
    kept = found.configuration.policy
    if kept is None:
        return {}
    said = default_roles_said(found.environment.vertical, kept)
    usual = {role.role_id for role in kept.roles if role.role_id in DEFAULT_ROLES}
    return {
        "resources": {each.resource_id: _unless_empty(**entry_fields(each)) for each in kept.resources},
        "roles": {
            role.role_id: _unless_empty(**entry_fields(role))
            for role in kept.roles
            if role.role_id in said or role.role_id not in usual
        },
        "scopes": {each.scope: _unless_empty(**entry_fields(each)) for each in kept.scopes},
    }


def _redirect_url(url: RedirectUrl) -> dict[str, Any]:
    defaults = [each.type for each in url.valid_types if each.is_default]
    return {"types": [each.type for each in url.valid_types], **_unless_empty(default_for=defaults)}


def _unless_empty(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
