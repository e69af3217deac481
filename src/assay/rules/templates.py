"""JWT templates: the claims that an operator adds to every session JWT of an environment (contract §3.6).

A template is the text of a JSON object in which ``{{ variable }}`` stands for a value of the session, either as a
whole JSON value or within a string. It is compiled once, when it is saved and when it is first used, and rendered for
each session JWT. Names of claims are fixed when it is saved; nothing that a member can change becomes one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from assay import errors, jsontext
from assay.model import JwtTemplateType, SessionView, Vertical
from assay.rules import claims
from assay.rules.permissions import Policy, permitted_actions

MAX_TEMPLATE_BYTES = 4096
MAX_RENDERED_BYTES = claims.MAX_BYTES

# What each root offers. A name that ends in a dot goes on into metadata by its keys.
SESSION_VARIABLES: dict[Vertical, tuple[str, ...]] = {
    "b2b": (
        "member.member_id",
        "member.email_address",
        "member.email_address_verified",
        "member.name",
        "member.external_id",
        "member.trusted_metadata",
        "member.trusted_metadata.KEY",
        "member.untrusted_metadata",
        "member.untrusted_metadata.KEY",
        "member.rbac.roles",
        "member.rbac.RESOURCE_ID.actions",
        "organization.organization_id",
        "organization.organization_name",
        "organization.organization_slug",
        "organization.organization_external_id",
        "organization.trusted_metadata",
        "organization.trusted_metadata.KEY",
    ),
    "consumer": (
        "user.user_id",
        "user.email",
        "user.email_verified",
        "user.name.first_name",
        "user.name.middle_name",
        "user.name.last_name",
        "user.external_id",
        "user.trusted_metadata",
        "user.trusted_metadata.KEY",
        "user.untrusted_metadata",
        "user.untrusted_metadata.KEY",
        "user.rbac.roles",
        "user.rbac.RESOURCE_ID.actions",
    ),
}
# Tokens of machines are not made here; their templates are kept for the operator's tools and checked for their form.
M2M_VARIABLES = ("client.KEY", "request.KEY")

_VARIABLE = re.compile(r"\{\{\s*([^\s{}\"]+)\s*\}\}")
# A JSON string (one that never ends included), or a variable outside of strings.
_PARTS = re.compile(r'"(?:[^"\\]|\\.)*+"?|\{\{\s*[^\s{}"]+\s*\}\}', re.DOTALL)
# How a variable outside of strings is written while the template is read as JSON.
_MARK = "{{"


class Variable(msgspec.Struct, frozen=True):
    """A place that a value goes to; ``path`` is what stands between the braces, split at its dots."""

    path: tuple[str, ...]


class Text(msgspec.Struct, frozen=True):
    """A string with variables in it."""

    parts: tuple[str | Variable, ...]


class Template(msgspec.Struct, frozen=True):
    """A compiled template: JSON values with :class:`Variable` and :class:`Text` among them."""

    body: dict[str, Any]
    custom_audience: str = ""


class Values(msgspec.Struct, frozen=True, kw_only=True):
    """What variables speak of: a session, the roles that count in it, and the policy that gives them meaning."""

    view: SessionView
    roles: tuple[str, ...]
    policy: Policy


def compiled(vertical: Vertical, template_type: JwtTemplateType, content: str, custom_audience: str = "") -> Template:
    """The template ready for use. Blank text makes no claims.

    Raises InvalidJwtTemplate, ReservedClaims, StytchClaims (decisions D11).
    """
    if len(content.encode()) > MAX_TEMPLATE_BYTES:
        raise errors.InvalidJwtTemplate(f"A template has at most {MAX_TEMPLATE_BYTES} bytes.")
    body = _read(content) if content.strip() else {}
    claims.check_custom_claims(body)
    known = SESSION_VARIABLES[vertical] if template_type == "SESSION" else M2M_VARIABLES
    return Template(_node(body, known), custom_audience)


def render(template: Template, values: Values) -> dict[str, Any]:
    """The claims for one session. A value that is null or not there leaves its claim out; in a string it is empty.

    Raises CustomClaimsTooLarge when they are longer than 4096 bytes of JSON.
    """
    made: dict[str, Any] = _rendered(template.body, _roots(values), values)
    size = jsontext.size(made)
    if size > MAX_RENDERED_BYTES:
        raise errors.CustomClaimsTooLarge(
            f"The claims that the JWT template makes here hold {size} bytes of JSON; at most {MAX_RENDERED_BYTES} are"
            " allowed. Take a variable out of the template, or make the metadata that it names smaller."
        )
    return made


def _read(content: str) -> dict[str, Any]:
    """The template as JSON, with a variable outside of strings as an object of one member that is called ``{{``."""
    marked = 0

    def mark(found: re.Match[str]) -> str:
        nonlocal marked
        text = found[0]
        if text.startswith('"'):
            return text
        marked += 1
        return f'{{"{_MARK}":"{text[2:-2].strip()}"}}'

    try:
        value = jsontext.loads(_PARTS.sub(mark, content).encode())
    except jsontext.JsonFault as fault:
        raise errors.InvalidJwtTemplate(
            f"The template is not a JSON object with variables as values: {_place(fault)}."
        ) from None
    if not isinstance(value, dict) or _is_mark(value):
        raise errors.InvalidJwtTemplate("The template is not a JSON object.")
    if _marks(value) != marked:
        raise errors.InvalidJwtTemplate(f"The name of a member of an object cannot be {_MARK}.")
    return value


def _place(fault: jsontext.JsonFault) -> str:
    """The fault without its position, which is that in the text as it was marked."""
    return str(fault).partition(" (")[0]


def _is_mark(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {_MARK}


def _marks(value: object) -> int:
    within: list[object] = []
    if isinstance(value, dict | list):
        within += value.values() if isinstance(value, dict) else value
    return int(isinstance(value, dict) and _MARK in value) + sum(map(_marks, within))


def _node(value: Any, known: tuple[str, ...]) -> Any:  # noqa: ANN401 - a JSON value, and what stands for one
    if _is_mark(value):
        return _variable(value[_MARK], known)
    if isinstance(value, dict):
        if any(_MARK in name for name in value):
            raise errors.InvalidJwtTemplate("A variable cannot be the name of a member of an object, nor part of it.")
        return {name: _node(item, known) for name, item in value.items()}
    if isinstance(value, list):
        return [_node(item, known) for item in value]
    return _text(value, known) if isinstance(value, str) and _MARK in value else value


def _text(text: str, known: tuple[str, ...]) -> Text:
    pieces = _VARIABLE.split(text)
    if any(_MARK in piece for piece in pieces[::2]):
        raise errors.InvalidJwtTemplate(
            "In a string, {{ begins a variable, which ends with }} and has no blanks within."
        )
    parts = (_variable(piece, known) if index % 2 else piece for index, piece in enumerate(pieces))
    return Text(tuple(part for part in parts if part != ""))


def _variable(name: str, known: tuple[str, ...]) -> Variable:
    path = tuple(name.split("."))
    if not all(path) or not any(_matches(path, tuple(pattern.split("."))) for pattern in known):
        raise errors.InvalidJwtTemplate(f"There is no variable {name[:128]!r}. There are {', '.join(known)}.")
    return Variable(path)


def _matches(path: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """``KEY`` at the end of a pattern stands for one name and more; so does ``RESOURCE_ID``, since ids have dots."""
    if pattern[-1] == "KEY":
        return path[: len(pattern) - 1] == pattern[:-1] and len(path) >= len(pattern)
    if "RESOURCE_ID" in pattern:
        return path[:2] == pattern[:2] and path[-1] == pattern[-1] and len(path) >= len(pattern)
    return path == pattern


def _roots(values: Values) -> dict[str, Any]:
    """What the first name of a path leads to; records by the names that they have on the wire."""
    view = values.view
    found: dict[str, Any] = {}
    if view.member is not None:
        member = view.member
        found["member"] = {
            "member_id": member.member_id,
            "email_address": member.email,
            "email_address_verified": member.email_verified,
            "name": member.name or None,
            "external_id": member.external_id,
            "trusted_metadata": member.trusted_metadata,
            "untrusted_metadata": member.untrusted_metadata,
        }
    if view.user is not None:
        user = view.user
        found["user"] = {
            "user_id": user.user_id,
            "email": user.email,
            "email_verified": user.email_verified,
            "name": {part: getattr(user.name, part) or None for part in user.name.__struct_fields__},
            "external_id": user.external_id,
            "trusted_metadata": user.trusted_metadata,
            "untrusted_metadata": user.untrusted_metadata,
        }
    if view.organization is not None:
        organization = view.organization
        found["organization"] = {
            "organization_id": organization.organization_id,
            "organization_name": organization.name,
            "organization_slug": organization.slug,
            "organization_external_id": organization.external_id,
            "trusted_metadata": organization.trusted_metadata,
        }
    return found


def _value(path: tuple[str, ...], roots: Mapping[str, Any], values: Values) -> Any:  # noqa: ANN401 - a JSON value
    if path[1] == "rbac":
        return _of_roles(path[2:], values)
    found: Any = roots
    for name in path:
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


def _of_roles(path: tuple[str, ...], values: Values) -> list[str] | None:
    if path == ("roles",):
        return list(values.roles)
    actions = permitted_actions(values.policy, values.roles, ".".join(path[:-1]))
    return None if actions is None else list(actions)


def _rendered(node: Any, roots: Mapping[str, Any], values: Values) -> Any:  # noqa: ANN401 - a JSON value
    if isinstance(node, Variable):
        return _value(node.path, roots, values)
    if isinstance(node, Text):
        return "".join(
            part if isinstance(part, str) else _as_text(_value(part.path, roots, values)) for part in node.parts
        )
    if isinstance(node, dict):
        made = ((name, item, _rendered(item, roots, values)) for name, item in node.items())
        return {name: value for name, item, value in made if not (isinstance(item, Variable) and value is None)}
    if isinstance(node, list):
        items = ((item, _rendered(item, roots, values)) for item in node)
        return [value for item, value in items if not (isinstance(item, Variable) and value is None)]
    return node


def _as_text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.encode(value).decode()
