"""One call in OpenAPI: its parameters, body, answer and refusals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

import msgspec

from assay import errors
from assay.api.calls import Route
from assay.api.openapi import examples, refusals
from assay.api.openapi.prose import Told, told
from assay.api.openapi.schemas import REFERENCE, Schema, Schemas, Struct, answer_of
from assay.api.openapi.tags import tag_of
from assay.api.wire.answers import STATUSES

JSON = "application/json"
PROJECT_CREDENTIALS = "projectCredentials"
WORKSPACE_KEY = "workspaceKey"

_IN_PATH = re.compile(r"{(\w+)}")
# What a call is about, where its path does not say it: clients put it into the query (contract, management 1.7).
_IN_QUERY = frozenset({"url"})
_MEMBER_SESSION = (
    ("X-Stytch-Member-Session", "A member's session token: the call then runs with that member's permissions."),
    ("X-Stytch-Member-SessionJWT", "As the other header, with a session JWT. Send at most one of the two."),
)


def operation(row: Route, schemas: Schemas) -> Schema:
    """The call of a row of a table."""
    words = told(row.story)
    made = described(row.path, words, operation_id(row))
    made["description"] = "\n\n".join(filter(None, (words.text, *_remarks(row))))
    made["security"] = [{WORKSPACE_KEY if row.api == "management" else PROJECT_CREDENTIALS: []}]
    made |= _asked(row, schemas)
    made["responses"] = responses(schemas.reference(answer_of(row.render)), refusals.possible(row))
    return made


def described(path: str, words: Told, name: str) -> Schema:
    """What any call begins with."""
    return {"tags": [tag_of(path).name], "operationId": name, "summary": words.summary, "description": words.text}


def operation_id(row: Route) -> str:
    """A name for the call, as stable as the names of its story and of the kind of its project."""
    module = row.story.__module__.rpartition(".")[2]
    return "_".join(filter(None, (row.vertical or row.api, module, row.story.__name__)))


def in_path(path: str) -> list[str]:
    """The names of the ids in a path, in order."""
    names: list[str] = _IN_PATH.findall(path)
    return names


def path_parameters(path: str, properties: dict[str, Schema]) -> list[Schema]:
    """The ids in a path; each may be percent-encoded, and is never empty."""
    return [_parameter("path", name, properties[name] | {"minLength": 1}) for name in in_path(path)]


def responses(answer: Schema, refused: Iterable[type[errors.Error]]) -> Schema:
    """The answers by status: one that is 200, and of the refusals which codes come with which status."""
    made: Schema = {"200": {"description": "Done.", "content": {JSON: {"schema": answer}}}}
    by_status = sorted(refused, key=lambda error: (STATUSES[error.kind], error.code))
    for status, group in groupby(by_status, key=lambda error: STATUSES[error.kind]):
        made[str(status)] = _refused(status, list(group))
    return made


def _refused(status: int, found: list[type[errors.Error]]) -> Schema:
    codes = [error.code for error in found]
    narrower = {"properties": {"status_code": {"const": status}, "error_type": {"enum": codes}}}
    schema = {"allOf": [{"$ref": f"{REFERENCE}Refusal"}, narrower]}
    lines = "\n".join(f"- `{error.code}`: {error.default_message}" for error in found)
    made: Schema = {"description": f"Refused:\n\n{lines}", "content": {JSON: {"schema": schema}}}
    headers = {
        401: {
            "WWW-Authenticate": {"description": "With unauthorized_credentials: Basic.", "schema": {"type": "string"}}
        },
        503: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}, "required": True}},
    }
    return made | ({"headers": headers[status]} if status in headers else {})


def _remarks(row: Route) -> list[str]:
    """What a row says beside its story."""
    remarks = [f"Also at {', '.join(f'`{path}`' for path in row.also)}."] if row.also else []
    remarks += [f"`{alias}` is another name of `{name}`." for alias, name in row.aliases.items()]
    return remarks


def _asked(row: Route, schemas: Schemas) -> Schema:
    """Parameters and body. Only what is not in the path is asked for again."""
    names = [field.encode_name for field in msgspec.structs.fields(row.request)]
    inside = in_path(row.path)
    rest = [name for name in names if name not in inside]
    asked = path_parameters(row.path, schemas.members(row.request, inside)["properties"])
    in_query = [name for name in rest if row.method in {"GET", "DELETE"} or _about(row, name)]
    asked += _query_parameters(schemas.members(row.request, in_query))
    asked += [_header(name, meaning) for name, meaning in _MEMBER_SESSION] if row.member_session else []
    made: Schema = {"parameters": asked} if asked else {}
    in_body = [name for name in rest if name not in in_query]
    if in_body:
        made["requestBody"] = _body(row, in_body, schemas)
    return made


def _about(row: Route, name: str) -> bool:
    return row.api == "management" and row.method == "PUT" and name in _IN_QUERY


def _body(row: Route, names: list[str], schemas: Schemas) -> Schema:
    plain = schemas.members(row.request, names)
    unusual = {"session_token"} if "token" in names else set()
    unusual |= {"organization_id"} if row.vertical == "consumer" else set()
    shown = examples.of_object(schemas.members(row.request, set(names) - unusual), schemas.components)
    schema = _with_aliases(plain, row.aliases)
    return {"required": bool(plain.get("required")), "content": {JSON: {"schema": schema, "example": shown}}}


def _with_aliases(schema: Schema, aliases: dict[str, str]) -> Schema:
    """The schema with the other names of its fields; one of the names of a required field must be there."""
    required = [name for name in schema.get("required", ()) if name not in aliases.values()]
    either = [
        {"anyOf": [{"required": [name]}, {"required": [alias]}]}
        for alias, name in aliases.items()
        if name in schema.get("required", ())
    ]
    others = {
        alias: schema["properties"][name] | {"description": f"Another name of `{name}`.", "deprecated": True}
        for alias, name in aliases.items()
    }
    made = schema | {"properties": schema["properties"] | others, "required": required}
    return made | ({"allOf": either} if either else {})


def _query_parameters(schema: Schema) -> list[Schema]:
    required = schema.get("required", ())
    return [
        _parameter("query", name, _not_null(part)) | ({"required": True} if name in required else {})
        for name, part in schema["properties"].items()
    ]


def _not_null(schema: Schema) -> Schema:
    """A query string cannot say null."""
    parts: list[Schema] = [part for part in schema.get("anyOf", ()) if part != {"type": "null"}]
    if len(parts) != 1:
        return schema
    return {key: value for key, value in schema.items() if key != "anyOf"} | parts[0]


def _parameter(place: str, name: str, schema: Schema) -> Schema:
    shape = {key: value for key, value in schema.items() if key != "description"}
    made: Schema = {"name": name, "in": place, "schema": shape}
    if "description" in schema:
        made["description"] = schema["description"]
    return made | ({"required": True} if place == "path" else {})


def _header(name: str, meaning: str) -> Schema:
    return {"name": name, "in": "header", "description": meaning, "schema": {"type": "string"}}


def structs(rows: Iterable[Route]) -> tuple[list[Struct], list[Struct]]:
    """The types of all requests and of all answers."""
    found = list(rows)
    return [row.request for row in found], [answer_of(row.render) for row in found]
