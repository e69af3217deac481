"""The private reasons that the source can give: the text of every ``detail=`` of a refusal, with ``…`` for values."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parents[2] / "src" / "assay"
ANYTHING = "…"


class Detail(NamedTuple):
    """One text that a refusal may carry; ``error`` is None where a variable holds the error."""

    module: str
    line: int
    error: str | None
    text: str


def details(module: str) -> Iterator[Detail]:
    """The details of all refusals that are made in a module, such as ``rules/jws.py``."""
    tree = ast.parse((SOURCE / module).read_text(encoding="utf-8"))
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    for function in functions.values():
        for call in _calls(function):
            given = [keyword.value for keyword in call.keywords if keyword.arg == "detail"]
            for text in _texts(given[0], function, functions) if given else ():
                yield Detail(module, call.lineno, _error(call.func), text)


def bare(module: str) -> set[str]:
    """The errors that a module raises without a detail; of those the public sentence is the reason."""
    tree = ast.parse((SOURCE / module).read_text(encoding="utf-8"))
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc]
    plain = [
        each.func if isinstance(each, ast.Call) else each
        for each in raised
        if not (isinstance(each, ast.Call) and any(keyword.arg == "detail" for keyword in each.keywords))
    ]
    return {name for name in map(_error, plain) if name}


def _is_none(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def _calls(function: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(function) if isinstance(node, ast.Call))


def _error(node: ast.expr) -> str | None:
    """The class of ``errors.NAME``."""
    known = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "errors"
    return node.attr if known and isinstance(node, ast.Attribute) else None


def _texts(
    node: ast.expr | None,
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef],
) -> list[str]:
    """The texts an expression may have: literals, variables of the function, and calls of the module's functions."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        texts = [""]
        for part in node.values:
            inner = _texts(part.value if isinstance(part, ast.FormattedValue) else part, function, functions)
            texts = [text + each for text in texts for each in inner]
        return texts
    if isinstance(node, ast.IfExp):
        branches = [each for each in (node.body, node.orelse) if not _is_none(each)]
        return [text for each in branches for text in _texts(each, function, functions)]
    if isinstance(node, ast.Name):
        assigned = [
            each.value
            for each in ast.walk(function)
            if isinstance(each, ast.Assign)
            and any(isinstance(name, ast.Name) and name.id == node.id for name in each.targets)
        ]
        found = [text for value in assigned for text in _texts(value, function, functions)]
        return found if any(text.strip(ANYTHING) for text in found) else [ANYTHING]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
        callee = functions[node.func.id]
        returned = [
            each.value for each in ast.walk(callee) if isinstance(each, ast.Return) and not _is_none(each.value)
        ]
        found = [text for value in returned for text in _texts(value, callee, functions)]
        return found if any(text.strip(ANYTHING) for text in found) else [ANYTHING]
    return [ANYTHING]
