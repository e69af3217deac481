"""Example values, made from a schema and what is known of its fields."""

from __future__ import annotations

from typing import Any

from assay.api.openapi.fields import example

Schema = dict[str, Any]

# Fields that may be left out, and without which an example would not show what callers usually do.
_USUAL = frozenset({"session_duration_minutes", "session_token", "organization_id", "attribute_mapping", "jwks_url"})
_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


def of_object(schema: Schema, components: dict[str, Schema], *, usual: bool = True) -> dict[str, Any]:
    """An object of this schema: the required members, the usual ones, or else the first one that has an example."""
    properties: dict[str, Schema] = schema.get("properties", {})
    chosen = [name for name in properties if name in schema.get("required", ()) or (usual and name in _USUAL)]
    if not chosen:
        chosen = [name for name in properties if example(name) is not None][:1]
    return {name: of_field(name, properties[name], components) for name in chosen}


def of_field(name: str, schema: Schema, components: dict[str, Schema]) -> Any:  # noqa: ANN401 - any JSON value
    """A value of a field: the known one, if it has the field's type."""
    known = example(name)
    return known if known is not None and _fits(known, schema) else _by_type(name, schema, components)


def _by_type(name: str, schema: Schema, components: dict[str, Schema]) -> Any:  # noqa: ANN401 - as above
    if "$ref" in schema:
        return of_object(components[schema["$ref"].rpartition("/")[2]], components, usual=False)
    if "anyOf" in schema:
        return _by_type(name, schema["anyOf"][0], components)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "array":
        return [of_field(name.removesuffix("s"), schema.get("items", {}), components)]
    if kind == "object":
        return {}
    return {"integer": 1, "number": 1, "boolean": True}.get(str(kind), name.replace("_", " "))


def _fits(value: Any, schema: Schema) -> bool:  # noqa: ANN401 - as above
    if "anyOf" in schema:
        return any(_fits(value, part) for part in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    if "$ref" in schema:
        return False
    kinds = schema.get("type", [])
    return any(isinstance(value, _PYTHON_TYPES[kind]) for kind in ([kinds] if isinstance(kinds, str) else kinds))
