"""Which way imports run: the table of docs/decisions/0001, read from the source instead of believed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "assay"

FLOORS = {
    "words": ("model", "key_sources", "errors", "ids", "jsontext"),
    "rules": ("rules",),
    "world": ("keys", "store", "config", "observing"),
    "stories": ("stories",),
    "edges": ("api", "dashboard"),
    "roof": (
        "app",
        "cli",
        "demo",
        "first_operator",
        "garbage",
        "months",
        "front",
        "http_server",
        "listening",
        "logs",
        "metrics",
        "protocol",
        "serving",
        "tls",
        "workers",
    ),
}
MAY_IMPORT = {
    "words": {"words"},
    "rules": {"words", "rules"},
    "world": {"words", "rules", "world"},
    "stories": {"words", "rules", "world", "stories"},
    "edges": {"words", "stories", "edges"},
    "roof": set(FLOORS),
}
# Who outside the roof may know a library, by the beginning of the module's name.
LIBRARIES = {
    "msgspec": ("",),
    "cel_expr_python": ("rules.expressions",),
    "cryptography": ("rules.algorithms", "rules.tokens", "keys"),
    "httpcore": ("keys.fetch",),
    "httpx": ("keys.fetch",),
    "sqlite3": ("store.sqlite",),
    "asyncpg": ("store.postgres",),
    "prometheus_client": ("observing.meter",),
    "opentelemetry": ("observing.opentelemetry",),
    "starlette": ("api", "dashboard"),
    "structlog": ("api", "dashboard"),
    "tomli_w": ("stories.declared.exporting",),
    "jinja2": ("api.reference", "dashboard.templating"),
    "markupsafe": ("api.reference",),
}
# The same inside the roof; a library that is not named here is free to all of it.
LIBRARIES_OF_THE_ROOF = {
    "prometheus_client": ("metrics",),
    "starlette": ("app", "front", "http_server", "metrics", "protocol", "workers.covering"),
    "opentelemetry": (),
    "uvicorn": ("app", "http_server", "protocol"),
    "httpx": ("demo",),
    "sqlite3": (),
    "asyncpg": (),
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module named by an import, wherever it stands; for ``from a import b`` both ``a`` and ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor_of(module: str) -> str:
    first = module.split(".", maxsplit=1)[0]
    return next(floor for floor, names in FLOORS.items() if first in names)


MODULES = dict(modules())


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_floors_it_stands_on(module: str) -> None:
    own = [name.removeprefix("assay.") for name in imported(MODULES[module]) if name.startswith("assay.")]
    wrong = [name for name in own if _is_module(name) and floor_of(name) not in MAY_IMPORT[floor_of(module)]]
    assert wrong == []


@pytest.mark.parametrize("module", MODULES)
def test_a_module_knows_only_the_libraries_of_its_place(module: str) -> None:
    libraries = {name.split(".")[0] for name in imported(MODULES[module])} - {"assay", "__future__"}
    for library in libraries - (sys.stdlib_module_names - {"sqlite3"}):
        assert module.startswith(_places(module, library)), f"{module} imports {library}"


def test_stories_know_the_store_by_its_protocol_only() -> None:
    names = [name for module, tree in MODULES.items() if floor_of(module) == "stories" for name in imported(tree)]
    assert [name for name in names if name.startswith(("assay.store.sqlite", "assay.store.postgres"))] == []


def test_edges_do_not_know_each_other() -> None:
    own = [(module, name) for module, tree in MODULES.items() for name in imported(tree)]
    assert [pair for pair in own if pair[0].startswith("dashboard") and pair[1].startswith("assay.api")] == []
    assert [pair for pair in own if pair[0].startswith("api") and pair[1].startswith("assay.dashboard")] == []


def _places(module: str, library: str) -> tuple[str, ...]:
    if floor_of(module) == "roof":
        return LIBRARIES_OF_THE_ROOF.get(library, ("",))
    return LIBRARIES.get(library, ())


def _is_module(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] in {first for names in FLOORS.values() for first in names}
