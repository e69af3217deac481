"""What the pages of the reference show, taken out of the OpenAPI document."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from assay import errors
from assay.api.openapi import examples
from assay.api.openapi.calls import JSON, PROJECT_CREDENTIALS
from assay.api.openapi.prose import plain, told
from assay.api.openapi.tags import TAGS, Tag
from assay.api.wire.answers import STATUSES

Schema = dict[str, Any]

_HERE = "http://127.0.0.1:8080"
_SHOWN_LINE = 88
# One of several ways to say what a call is about, so that none of them is required by itself.
_SHOWN_IN_QUERY = frozenset({"member_id"})
# What nearly every call can answer; shown once, folded, so that a call's own refusals stand out.
_EVERYWHERE = frozenset(
    {
        errors.BadRequest.code,
        errors.InternalError.code,
        errors.InvalidB2BEndpoint.code,
        errors.InvalidConsumerEndpoint.code,
        errors.MemberSessionNotSupported.code,
        errors.RequestTooLarge.code,
        errors.StoreUnavailable.code,
        errors.UnauthorizedCredentials.code,
    }
)


class Piece(NamedTuple):
    """A part of the name of a type; ``link`` is the type it names, if that has a section of its own."""

    text: str
    link: str = ""


class FieldView(NamedTuple):
    """A parameter, or a member of a body or answer. ``marked`` says what is less usual: required, or left out."""

    name: str
    type: list[Piece]
    marked: bool
    meaning: str


class Group(NamedTuple):
    """Fields that come in one place."""

    title: str
    fields: list[FieldView]


class ErrorView(NamedTuple):
    """An error code: what it says, when it comes and what to do."""

    code: str
    status: int
    kind: str
    message: str
    meaning: str


class CallView(NamedTuple):
    """One call."""

    anchor: str
    method: str
    path: str
    summary: str
    text: str
    credentials: str
    asked: list[Group]
    answer: Piece
    answered: list[FieldView]
    example: str
    own: list[ErrorView]
    common: list[ErrorView]


class AreaView(NamedTuple):
    """An area and its calls."""

    tag: Tag
    calls: list[CallView]


class TypeView(NamedTuple):
    """A type that requests or answers hold."""

    name: str
    text: str
    fields: list[FieldView]


def all_errors() -> list[ErrorView]:
    """Every error code, by name."""
    return [_error(error) for error in errors.all_errors()]


def types(document: Schema) -> list[TypeView]:
    """Every type of the document."""
    found = document["components"]["schemas"]
    return [TypeView(name, schema.get("description", ""), _answered(schema)) for name, schema in found.items()]


def areas(document: Schema) -> list[AreaView]:
    """The areas that have calls, in their order, each with its calls in the order of the table."""
    known = {view.code: view for view in all_errors()}
    calls: dict[str, list[CallView]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            view = _call(document, path, method.upper(), operation, known)
            calls.setdefault(operation["tags"][0], []).append(view)
    return [AreaView(tag, calls[tag.name]) for tag in TAGS if tag.name in calls]


def _error(error: type[errors.Error]) -> ErrorView:
    words = told(error)
    meaning = " ".join(filter(None, (f"{words.summary}.", words.text)))
    return ErrorView(error.code, STATUSES[error.kind], error.kind, plain(error.default_message), meaning)


def _call(document: Schema, path: str, method: str, operation: Schema, known: dict[str, ErrorView]) -> CallView:
    answer = operation["responses"]["200"]["content"][JSON]["schema"]["$ref"].rpartition("/")[2]
    refused = [known[code] for code in _codes(operation)]
    return CallView(
        anchor=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        text=operation["description"],
        credentials=_credentials(operation),
        asked=[group for group in _asked(operation) if group.fields],
        answer=Piece(answer, answer),
        answered=_answered(document["components"]["schemas"][answer]),
        example=_curl(document, path, method, operation),
        own=[view for view in refused if view.code not in _EVERYWHERE],
        common=[view for view in refused if view.code in _EVERYWHERE],
    )


def _codes(operation: Schema) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        if status != "200":
            yield from answer["content"][JSON]["schema"]["allOf"][1]["properties"]["error_type"]["enum"]


def _credentials(operation: Schema) -> str:
    if not operation["security"]:
        return "none"
    return "project id and secret" if PROJECT_CREDENTIALS in operation["security"][0] else "workspace key"


def _asked(operation: Schema) -> Iterator[Group]:
    parameters = operation.get("parameters", [])
    for place, title in (("path", "Path"), ("query", "Query"), ("header", "Headers")):
        yield Group(title, [_parameter(each) for each in parameters if each["in"] == place])
    if "requestBody" in operation:
        yield Group("Body", _fields(operation["requestBody"]["content"][JSON]["schema"]))


def _parameter(each: Schema) -> FieldView:
    return FieldView(each["name"], _type(each["schema"]), bool(each.get("required")), each.get("description", ""))


def _fields(schema: Schema) -> list[FieldView]:
    """The members of a body. Null stands for what is not given, so it is not told again with each of them."""
    required = set(schema.get("required", ()))
    for group in schema.get("allOf", ()):  # one of several names of a field; the first is the one to use
        required.update(group["anyOf"][0]["required"])
    return [
        FieldView(name, _type(part), name in required, part.get("description", ""))
        for name, part in schema.get("properties", {}).items()
    ]


def _answered(schema: Schema) -> list[FieldView]:
    """The members of an answer. They are always there; the few that are not are marked."""
    required = schema.get("required", ())
    return [
        FieldView(name, _type(part, null=True), name not in required, part.get("description", ""))
        for name, part in schema.get("properties", {}).items()
    ]


def _type(schema: Schema, *, null: bool = False) -> list[Piece]:
    """A schema in the words of a reader; with ``null`` it is said where null may stand beside something else."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return [Piece(name, name)]
    if "anyOf" in schema:
        kinds = [_type(part) for part in schema["anyOf"] if null or part != {"type": "null"}]
        return [piece for number, kind in enumerate(kinds) for piece in ([Piece(" or ")] if number else []) + kind]
    if "enum" in schema:
        return [Piece(" | ".join(json.dumps(value) for value in schema["enum"]))]
    kind = schema.get("type", "any value")
    if kind == "array":
        return [Piece("list of "), *_type(schema.get("items", {}))]
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return [Piece("object of "), *_type(schema["additionalProperties"])]
    return [Piece({"date-time": "time"}.get(schema.get("format", ""), str(kind)))]


def _curl(document: Schema, path: str, method: str, operation: Schema) -> str:
    components = document["components"]["schemas"]
    query: list[tuple[str, Any]] = []
    for each in operation.get("parameters", []):
        value = examples.of_field(each["name"], each["schema"], components)
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", quote(str(value), safe=""))
        elif each["in"] == "query" and (each.get("required") or each["name"] in _SHOWN_IN_QUERY):
            query.append((each["name"], value))
    url = document["servers"][0]["url"]
    place = (_HERE if url == "/" else url) + path + (f"?{urlencode(query)}" if query else "")
    lines = [f"curl{'' if method == 'GET' else f' -X {method}'} {shlex.quote(place)}"]
    if operation["security"]:
        project = _credentials(operation).startswith("project")
        lines.append('-u "$PROJECT_ID:$SECRET"' if project else '-u "$WORKSPACE_KEY_ID:$WORKSPACE_KEY_SECRET"')
    if "requestBody" in operation:
        lines += ["-H 'Content-Type: application/json'", f"-d {_shell_json(operation)}"]
    return " \\\n  ".join(lines)


def _shell_json(operation: Schema) -> str:
    example = operation["requestBody"]["content"][JSON]["example"]
    line = json.dumps(example, ensure_ascii=False)
    text = line if len(line) <= _SHOWN_LINE else json.dumps(example, ensure_ascii=False, indent=2)
    return shlex.quote(text.replace("\n", "\n  "))
