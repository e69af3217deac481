"""The Structs that parse requests and render answers, as JSON Schema 2020-12 under names fit for code generators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_type_hints

import msgspec
from msgspec import inspect

from assay.api.openapi.fields import FIELDS, NAMED_BY_CALLERS
from assay.api.openapi.prose import plain

Schema = dict[str, Any]
Struct = type[msgspec.Struct]

REFERENCE = "#/components/schemas/"


class Schemas:
    """The schemas of requests and answers.

    ``components`` is for the document, sorted by name. Every member of an answer is marked as required, for answers
    leave nothing out unless their Struct says so; requests keep what parsing demands.
    """

    def __init__(self, requests: Iterable[Struct], answers: Iterable[Struct]) -> None:
        asked, given = list(dict.fromkeys(requests)), list(dict.fromkeys(answers))
        self._names = _names([*asked, *given])
        self._own = {_decoder_name(struct, self._names): name for struct, name in self._names.items()}
        _, found = msgspec.json.schema_components([*asked, *given], ref_template="{name}")
        made = {self._own[name]: self._renamed(schema) for name, schema in found.items()}
        for struct in _structs(given):
            _as_answer(struct, made[self._names[struct]])
        self.components = {name: made[name] for name in sorted(made)}

    def reference(self, struct: Struct) -> Schema:
        """A schema that stands for the component of this Struct."""
        return {"$ref": REFERENCE + self._names[struct]}

    def members(self, struct: Struct, names: Iterable[str]) -> Schema:
        """The schema of some members of a request."""
        whole = self.components[self._names[struct]]
        chosen = set(names)
        schema: Schema = {"type": "object"}
        schema["properties"] = {name: each for name, each in whole["properties"].items() if name in chosen}
        required = [name for name in whole.get("required", ()) if name in chosen]
        return schema | ({"required": required} if required else {})

    def _renamed(self, schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
        if isinstance(schema, list):
            return [self._renamed(part) for part in schema]
        if not isinstance(schema, dict):
            return schema
        made = {key: _value(key, self._renamed(part), self._own) for key, part in schema.items()}
        if isinstance(made.get("properties"), dict):
            made["properties"] = {key: _with_meaning(key, part) for key, part in made["properties"].items()}
        return {key: part for key, part in made.items() if (key, part) != ("default", None)}


def answer_of(render: Callable[..., Any]) -> Struct:
    """The Struct that a renderer says it makes."""
    answer: Struct = get_type_hints(render)["return"]
    return answer


def _value(key: str, value: Any, names: dict[str, str]) -> Any:  # noqa: ANN401 - any part of a schema
    if key == "$ref":
        return REFERENCE + names[value]
    return plain(" ".join(value.split())) if key == "description" and isinstance(value, str) else value


def _with_meaning(name: str, schema: Schema) -> Schema:
    field = FIELDS.get(name)
    if field is None or not field.meaning or "$ref" in schema:
        return schema
    return schema | {"description": field.meaning}


def _names(structs: Iterable[Struct]) -> dict[Struct, str]:
    """A name for each Struct: its own, and before it that of its module when another one is called the same."""
    found = list(_structs(structs))
    many = Counter(struct.__name__ for struct in found)
    return {struct: _told_apart(struct) if many[struct.__name__] > 1 else struct.__name__ for struct in found}


def _told_apart(struct: Struct) -> str:
    words = struct.__module__.split(".")[-1].split("_")
    floor = "" if ".api." in struct.__module__ else "Asked"
    return floor + "".join(word.capitalize() for word in words) + struct.__name__


def _decoder_name(struct: Struct, names: dict[Struct, str]) -> str:
    """The name that the library gives the component: the shortest that is unique."""
    return struct.__name__ if names[struct] == struct.__name__ else f"{struct.__module__}.{struct.__qualname__}"


def _structs(kinds: Iterable[Any]) -> Iterator[Struct]:
    """Every Struct in these types, once, in the order in which they are met."""
    seen: set[Struct] = set()
    waiting: list[Any] = list(reversed([inspect.type_info(kind) for kind in kinds]))
    while waiting:
        node = waiting.pop()
        if isinstance(node, inspect.StructType):
            if node.cls in seen:
                continue
            seen.add(node.cls)
            yield node.cls
        waiting.extend(reversed(list(_inner(node))))


def _inner(node: Any) -> Iterator[Any]:  # noqa: ANN401 - any node of the library's tree
    if isinstance(node, inspect.StructType):
        yield from (field.type for field in node.fields)
    elif isinstance(node, inspect.UnionType):
        yield from node.types
    elif isinstance(node, inspect.TupleType):
        yield from node.item_types
    elif isinstance(node, inspect.DictType):
        yield from (node.key_type, node.value_type)
    elif isinstance(node, inspect.CollectionType):
        yield node.item_type


def _as_answer(struct: Struct, schema: Schema) -> None:
    for name, part in schema["properties"].items():
        left_out = {"default", "description"} if name in NAMED_BY_CALLERS else {"default"}
        schema["properties"][name] = {key: value for key, value in part.items() if key not in left_out}
    if not struct.__struct_config__.omit_defaults:
        schema["required"] = list(schema["properties"])
