"""Out of the text of a configuration file what it wants, or everything that is wrong with it."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from typing import Any

from assay import errors
from assay.model import EnvironmentSettings, JwtTemplate, JwtTemplateType, RedirectUrl, RedirectUrlType, Vertical
from assay.rules.permissions import Permission, Resource, Role, Scope
from assay.stories.declared import format as forms
from assay.stories.declared.planning_policies import DEFAULT_ROLES
from assay.stories.declared.profiles import read_profile
from assay.stories.declared.surroundings import Surroundings
from assay.stories.declared.tables import Fault, Table
from assay.stories.declared.wanted import Wanted, WantedEnvironment, WantedProject

MOST_BYTES = 16 * 1024 * 1024

_TWICE = re.compile(r"Cannot (?:declare|overwrite|mutate).*\((at .*)\)|Duplicate .* key.*\((at .*)\)")


def parse(raw: bytes, around: Surroundings) -> Wanted:
    """Read a configuration file. Raises ConfigurationFileInvalid, which lists every fault with its place."""
    faults: list[Fault] = []
    top = Table(_toml(raw), (), forms.TOP, faults)
    projects = tuple(_project(slug, table, around) for slug, table in top.tables("projects", forms.PROJECT))
    if faults:
        raise errors.ConfigurationFileInvalid("\n".join(map(str, faults)))
    return Wanted(projects)


def _toml(raw: bytes) -> dict[str, Any]:
    try:
        found = tomllib.loads(raw.decode())
    except UnicodeDecodeError:
        raise errors.ConfigurationFileInvalid("It is not UTF-8 text.") from None
    except RecursionError:
        raise errors.ConfigurationFileInvalid("It is nested too deeply.") from None
    except tomllib.TOMLDecodeError as fault:
        raise errors.ConfigurationFileInvalid(_syntax(str(fault))) from None
    if _holds_nul(found):
        raise errors.ConfigurationFileInvalid("A text in it holds the character NUL.")
    return found


def _holds_nul(value: object) -> bool:
    """TOML lets a text hold NUL by an escape; databases do not."""
    if isinstance(value, dict):
        return any(map(_holds_nul, value)) or any(map(_holds_nul, value.values()))
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value


def _syntax(message: str) -> str:
    """The library's sentence, which quotes keys and never values; a name given twice is said more plainly."""
    twice = _TWICE.search(message)
    if twice is None:
        return f"It is not TOML: {message}."
    return f"The same name is given twice ({twice[1] or twice[2]})."


def _project(slug: str, table: Table, around: Surroundings) -> WantedProject:
    vertical: Vertical = table["vertical"] or "b2b"
    environments = tuple(
        _environment(name, each, around) for name, each in table.tables("environments", forms.ENVIRONMENT)
    )
    if sum(each.kind == "live" for each in environments) > 1:
        table.fault("a project has at most one live environment", "environments")
    return WantedProject(slug=slug, name=table["name"] or "", vertical=vertical, environments=environments)


def _environment(slug: str, table: Table, around: Surroundings) -> WantedEnvironment:
    return WantedEnvironment(
        slug=slug,
        kind=table["type"] or "test",
        name=table["name"] or "",
        settings=_settings(table),
        profiles=tuple(
            read_profile(profile_id, each, around) for profile_id, each in table.tables("profiles", forms.PROFILE)
        ),
        roles=tuple(_role(role_id, each) for role_id, each in table.tables("roles", forms.ROLE)),
        resources=tuple(
            Resource(resource_id, each["description"], each.texts("actions"))
            for resource_id, each in table.tables("resources", forms.RESOURCE)
        ),
        scopes=tuple(
            Scope(scope, each["description"], _permissions(each)) for scope, each in table.tables("scopes", forms.SCOPE)
        ),
        redirect_urls=_redirect_urls(table),
        jwt_templates=tuple(_templates(table)),
    )


def _settings(table: Table) -> EnvironmentSettings | None:
    found = table.below("settings", forms.SETTINGS)
    if found is None:
        return None
    return EnvironmentSettings(**{key.name: found[key.name] for key in forms.SETTINGS.keys})


def _role(role_id: str, table: Table) -> Role:
    if role_id in DEFAULT_ROLES and table.given("description"):
        table.fault("the description of a default role cannot be changed", "description")
    return Role(role_id, table["description"], _permissions(table))


def _permissions(table: Table) -> tuple[Permission, ...]:
    permissions = []
    for resource_id, actions in table["permissions"].items():
        if isinstance(actions, list) and all(isinstance(action, str) for action in actions):
            permissions.append(Permission(resource_id, tuple(actions)))
        else:
            table.fault("the actions on a resource are a list of texts", "permissions", resource_id)
    return tuple(permissions)


def _redirect_urls(table: Table) -> tuple[RedirectUrl, ...]:
    urls = [_redirect_url(url, each) for url, each in table.tables("redirect_urls", forms.REDIRECT_URL)]
    defaults = Counter(use.type for each in urls for use in each.valid_types if use.is_default)
    for use, count in defaults.items():
        if count > 1:
            table.fault(f"{count} redirect URLs are the default for {use}", "redirect_urls")
    return tuple(urls)


def _redirect_url(url: str, table: Table) -> RedirectUrl:
    defaults = table.texts("default_for")
    uses = table.texts("types")
    if not set(defaults) <= set(uses):
        table.fault("default_for names what is not among its types", "default_for")
    types = (RedirectUrlType(type=use, is_default=use in defaults) for use in uses)  # type: ignore[arg-type] # checked
    return RedirectUrl(url=url, valid_types=tuple(types))


_TEMPLATE_TYPES: dict[str, JwtTemplateType] = {"session": "SESSION", "m2m": "M2M"}


def _templates(table: Table) -> list[JwtTemplate]:
    templates = []
    for word, each in table.tables("jwt_templates", forms.JWT_TEMPLATE):
        if word not in _TEMPLATE_TYPES:
            each.fault("there are the templates session and m2m")
            continue
        templates.append(
            JwtTemplate(
                template_type=_TEMPLATE_TYPES[word],
                template_content=each["template_content"] or "",
                custom_audience=each["custom_audience"],
            )
        )
    return templates
