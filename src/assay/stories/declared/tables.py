"""Tables of a configuration file, read strictly: every fault is noted with its place, and reading goes on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from assay.stories.declared.format import Key, Section

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)

_WORDS = {
    "text": "a text in quotes",
    "integer": "a whole number",
    "boolean": "true or false",
    "texts": "a list of texts",
    "table": "a table",
    "tables": "tables, each with a name of its own",
    "list of tables": "a list of tables",
    "table or JSON text": "a table",
}


class Fault(NamedTuple):
    """What is wrong at one place of the file. Never quotes a value: it may be a secret in the wrong place."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


def place_of(*names: str) -> str:
    """A dotted key as it stands in the file, quoted where it must be."""
    return ".".join(name if _BARE.fullmatch(name) else _quoted(name) for name in names)


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Table:
    """One table, with the keys that it may have and the faults that are found in it.

    Asking for a key that is absent or of the wrong form gives its default; the fault has been noted.
    """

    def __init__(self, found: object, names: tuple[str, ...], section: Section, faults: list[Fault]) -> None:
        self.names = names
        self.place = place_of(*names)
        self._keys = {key.name: key for key in section.keys}
        self._section = section
        self._faults = faults
        self._values: dict[str, Any] = {}
        if isinstance(found, dict):
            self._read(found)
        else:
            self.fault(f"a {section.name} is a table")

    def fault(self, message: str, *names: str) -> None:
        """Note what is wrong here, or at a key of this table."""
        self._faults.append(Fault(place_of(*self.names, *names), message))

    def given(self, name: str) -> bool:
        """Whether the key stands there in its right form."""
        return name in self._values

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - its form has been checked against the table of keys
        key = self._keys[name]
        return self._values.get(name, key.default)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty when there is none."""
        return tuple(self[name] or ())

    def tables(self, name: str, section: Section) -> Iterator[tuple[str, Table]]:
        """The tables below this key, by the name that each has."""
        for word, found in (self[name] or {}).items():
            yield word, Table(found, (*self.names, name, word), section, self._faults)

    def below(self, name: str, section: Section) -> Table | None:
        """The one table that stands at this key, if it is there."""
        return Table(self[name], (*self.names, name), section, self._faults) if self.given(name) else None

    def inner(self, found: object, section: Section, *names: str) -> Table:
        """A table that stands in a list below this one."""
        return Table(found, (*self.names, *names), section, self._faults)

    def _read(self, found: dict[str, Any]) -> None:
        for name, value in found.items():
            key = self._keys.get(name)
            if key is None:
                self.fault(_unknown(self._section, self._keys, name), name)
            elif not _FORMS[key.form](value):
                self.fault(f"{name} must be {_WORDS[key.form]}", name)
            else:
                self._take(key, value)
        for key in self._keys.values():
            if key.required and key.name not in found:
                self.fault(f"{key.name} is missing")

    def _take(self, key: Key, value: Any) -> None:  # noqa: ANN401 - any form of value
        texts = value if isinstance(value, list) else [value]
        if key.choices and not set(texts) <= set(key.choices):
            self.fault(f"{key.name} must be {_one_of(key)}", key.name)
        elif key.form == "texts" and key.choices and len(set(texts)) < len(texts):
            self.fault(f"{key.name} names the same one twice", key.name)
        else:
            self._values[key.name] = value


def _one_of(key: Key) -> str:
    words = " or ".join([", ".join(key.choices[:-1]), key.choices[-1]]) if len(key.choices) > 1 else key.choices[0]
    return f"a list out of {words}" if key.form == "texts" else words


def _unknown(section: Section, keys: dict[str, Key], name: str) -> str:
    near = difflib.get_close_matches(name, keys, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(keys)}"
    return f"a {section.name} has no key of this name; {hint}"


_FORMS: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "texts": lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
    "table": lambda value: isinstance(value, dict),
    "tables": lambda value: isinstance(value, dict),
    "list of tables": lambda value: isinstance(value, list),
    "table or JSON text": lambda value: isinstance(value, dict | str),
}
