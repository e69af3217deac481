"""The description of every call in OpenAPI 3.1, made from the types that parse requests and render answers.

It cannot promise what the code does not do: there is no second list of calls, fields or errors to keep up to date.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import assay
from assay import errors
from assay.api import management, server
from assay.api.openapi import calls
from assay.api.openapi.fields import FIELDS
from assay.api.openapi.prose import Told, told
from assay.api.openapi.refusals import ALWAYS, by_code, raised
from assay.api.openapi.schemas import Schema, Schemas, Struct
from assay.api.openapi.tags import TAGS
from assay.api.wire import access
from assay.api.wire.answers import Refusal
from assay.stories import projects

PATH = "/openapi.json"
VERSION = "3.1.1"

_ABOUT = (
    "Assay turns any trusted JWT into a session and speaks the API of the hosted service that its clients know.\n\n"
    "Bodies are JSON objects of at most 1 MiB. Members that a call does not know are ignored, and null counts as not"
    " given. Ids in a path may be percent-encoded, and win over the same field in a query or body. Times are RFC 3339"
    " in UTC. Answers may get further members; a client ignores what it does not know."
)
_SECURITY_SCHEMES: Schema = {
    calls.PROJECT_CREDENTIALS: {
        "type": "http",
        "scheme": "basic",
        "description": "The server API: a project id as user name, one of its secrets as password.",
    },
    calls.WORKSPACE_KEY: {
        "type": "http",
        "scheme": "basic",
        "description": "The management API: a workspace key's id as user name, its secret as password"
        " (`assay workspace-key create`).",
    },
}


class Public(NamedTuple):
    """A call without credentials: what is told of it, and the Struct of the answer."""

    path: str
    name: str
    told: Told
    answer: Struct
    refused: frozenset[type[errors.Error]]


PUBLIC = (
    *(
        Public(path, f"{kind}_key_set", told(projects.jwks), access.KeySet, ALWAYS | raised(projects.jwks))
        for kind, path in zip(("b2b", "consumer"), server.JWKS_PATHS, strict=True)
    ),
    Public("/healthz", "alive", Told("The process runs", "", ""), access.Health, frozenset()),
    Public(
        "/readyz", "ready", Told("The process can do its work: its store can be read", "", ""), access.Health, ALWAYS
    ),
)


@functools.cache
def document(public_url: str) -> dict[str, Any]:
    """The whole description, the same for the same code. ``public_url`` is where callers find the server, or empty.

    It is made once and must not be changed.
    """
    rows = (*server.ROUTES, *management.ROUTES)
    requests, answers = calls.structs(rows)
    schemas = Schemas(requests, [*answers, *(each.answer for each in PUBLIC), Refusal])
    paths: dict[str, Schema] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = calls.operation(row, schemas)
    for each in PUBLIC:
        paths[each.path] = {"get": _public(each, schemas)}
    used = {name for path in paths.values() for call in path.values() for name in call["tags"]}
    return {
        "openapi": VERSION,
        "info": _info(),
        "servers": [{"url": public_url or "/"}],
        "tags": [{"name": tag.name, "description": tag.meaning} for tag in TAGS if tag.name in used],
        "paths": paths,
        "components": {"schemas": _reachable(paths, schemas.components), "securitySchemes": _SECURITY_SCHEMES},
    }


def _info() -> Schema:
    licence = {"name": "Apache License 2.0", "identifier": "Apache-2.0"}
    return {"title": "Assay", "version": assay.__version__, "description": _ABOUT, "license": licence}


def _public(each: Public, schemas: Schemas) -> Schema:
    made = calls.described(each.path, each.told, each.name) | {"security": []}
    properties = {name: {"type": "string", "description": FIELDS[name].meaning} for name in calls.in_path(each.path)}
    asked = calls.path_parameters(each.path, properties)
    refused = each.refused | ({errors.BadRequest} if asked else frozenset())
    made |= {"parameters": asked} if asked else {}
    return made | {"responses": calls.responses(schemas.reference(each.answer), by_code(refused))}


def _reachable(paths: dict[str, Schema], components: dict[str, Schema]) -> dict[str, Schema]:
    """The components that the calls refer to; requests stand in their calls, without the ids of the path."""
    found: set[str] = set()
    waiting: list[Any] = [paths]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                waiting.append(components[name])
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return {name: schema for name, schema in components.items() if name in found}
