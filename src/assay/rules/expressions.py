"""Expressions in CEL over the claims and the header of a token (decisions D8, D9).

An expression is compiled and type-checked when it is saved, so that a slip is found by whoever wrote it and not by
the people who cannot log in. It can read what is handed to it and nothing else, has no side effects, and cannot run
for long: the library bounds its nesting and its iterations, :mod:`assay.rules.expression_costs` what these handle.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from assay.rules import expression_costs, syntax_trees
from assay.rules.syntax_trees import Node

if TYPE_CHECKING:
    from cel_expr_python import cel

    Data = cel.Activation

MAX_CHARACTERS = 2_048
MOST_OPTIONAL_MACROS = 4
VARIABLES = ("claims", "header")

_EXPRESSIONS_KEPT = 4_096
_FAULT = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)")
_LIMIT = re.compile(r"recursion")
_MISSING = re.compile(r'Key not found in map : "([^"]{1,100})"')
# Each of these doubles all that stands before it while the library compiles: a few dozen would take all memory.
_DOUBLING = re.compile(r"\bopt(?:Flat)?Map\b")
# What the library calls a result that nothing in a token could be compared with or become, without its parameter.
_NEVER_JSON = frozenset({"BYTES", "DURATION", "TIMESTAMP", "TYPE", "ERROR"})
_OPTIONAL = "optional_type"
_MEMBER_CALLS = frozenset({"_[_]", "_?._", "_[?_]"})


@cache
def _library() -> ModuleType:
    """The library takes fifteen megabytes, which a process without expressions does without."""
    from assay.rules import expressions_library  # noqa: PLC0415 - see above

    return expressions_library


class BadExpression(ValueError):
    """The expression cannot be compiled; the message says what is wrong and where, by line and column from 1."""


class ExpressionFault(ValueError):
    """The expression has no value for this token; the message says why and quotes at most the name of a claim."""


class Expression:
    """A compiled expression. ``kind`` is the type of its value as far as it is known, such as ``BOOL`` or ``DYN``.

    ``reads_token`` is False for one that names neither ``claims`` nor ``header``. ``tree`` are its parts.
    """

    __slots__ = ("_compiled", "kind", "reads_token", "text", "tree")

    def __init__(self, text: str, compiled: cel.Expression, tree: Node, *, reads_token: bool) -> None:
        self.text = text
        self.kind = compiled.return_type().name()
        self.reads_token = reads_token
        self.tree = tree
        self._compiled = compiled

    def members_read(self, variable: str) -> frozenset[str]:
        """The top-level claims, or members of the header, that it names; one whose name it computes is not there."""
        return frozenset(name for node in self.tree.walk() if (name := _member_of(variable, node)) is not None)

    def constants(self) -> tuple[str | int, ...]:
        """The texts and whole numbers that stand in the expression, each once."""
        found = (each.text if each.number is None else each.number for each in self.tree.walk())
        return tuple(dict.fromkeys(each for each in found if each is not None))

    def value(self, claims: dict[str, Any], header: dict[str, Any]) -> Any:  # noqa: ANN401 - a JSON value
        """Its value for these claims, as plain JSON. Raises ExpressionFault."""
        return self.value_over(data_of(claims, header))

    def value_over(self, data: cel.Activation) -> Any:  # noqa: ANN401 - a JSON value
        """Its value over what :func:`data_of` made, as plain JSON. Raises ExpressionFault."""
        try:
            found = self._compiled.eval(data)
            kind = found.type()
            value = found.plain_value()
        except Exception as fault:  # noqa: BLE001 - see below
            # The library reports what it cannot represent by exceptions of several kinds.
            raise ExpressionFault(self._reason(str(fault))) from None
        if kind in _library().FAILURES:
            raise ExpressionFault(self._reason(str(value)))
        if not _is_json(value):
            raise ExpressionFault(f"its value is of the type {kind.name().lower()}, which no claim can have")
        return value

    def _reason(self, message: str) -> str:
        """Why there is no value. The name of a missing member is quoted if the expression itself holds it."""
        found = _MISSING.search(message)
        if found and any(found[1] in {node.name, node.text} for node in self.tree.walk()):
            return f"there is no {found[1]!r}"
        return _reason(message)


def data_of(claims: dict[str, Any], header: dict[str, Any]) -> cel.Activation:
    """A token as expressions read it: made once for all of them, because that takes longer than most expressions."""
    over: cel.Env = _library().OVER_A_TOKEN
    return over.Activation(data={"claims": claims, "header": header})


@lru_cache(_EXPRESSIONS_KEPT)
def compile_expression(text: str) -> Expression:
    """Compile and type-check an expression. The same text has the same meaning for ever, so it is compiled once.

    Raises BadExpression.
    """
    if not text.strip():
        raise BadExpression("the expression is empty")
    if len(text) > MAX_CHARACTERS:
        raise BadExpression(f"the expression has more than {MAX_CHARACTERS} characters")
    if len(_DOUBLING.findall(text)) > MOST_OPTIONAL_MACROS:
        raise BadExpression(f"the expression has optMap or optFlatMap more than {MOST_OPTIONAL_MACROS} times")
    compiled = _compile(_library().OVER_A_TOKEN, text)
    try:
        _compile(_library().OVER_NOTHING, text)
    except BadExpression:
        reads_token = True
    else:
        reads_token = False
    expression = Expression(text, compiled, _affordable(text, compiled), reads_token=reads_token)
    kind = expression.kind.partition("<")[0]
    if kind == _OPTIONAL:
        raise BadExpression('its value may be absent; say what it is then, such as claims.?name.orValue("")')
    if kind in _NEVER_JSON:
        raise BadExpression(f"the value of the expression is of the type {kind.lower()}")
    return expression


def _affordable(text: str, compiled: cel.Expression) -> Node:
    """The parts of an expression that cannot take too long, whatever the token. Raises BadExpression."""
    tree = syntax_trees.read(compiled.serialize())
    try:
        expression_costs.check(tree, compiled.return_type().name())
    except expression_costs.TooDear as fault:
        before = text[: fault.place].split("\n")
        raise BadExpression(f"line {len(before)}, column {len(before[-1]) + 1}: {fault}") from None
    for node in tree.walk():
        if node.name == "matches" and node.parts:
            _check_pattern(node.parts[-1].text or "")
    return tree


def _check_pattern(pattern: str) -> None:
    """Refuse a pattern that the library cannot read: it would only say so of a token, and of every one."""
    quoted = json.dumps(pattern, ensure_ascii=False)
    over: cel.Env = _library().OVER_NOTHING
    outcome = over.compile(f'"".matches({quoted})').eval()
    if outcome.type() in _library().FAILURES:
        raise BadExpression(f"{quoted} is not a regular expression")


def _member_of(variable: str, node: Node) -> str | None:
    """What a part of an expression selects from a variable, by its name as it stands there."""
    if not node.parts or (node.parts[0].kind, node.parts[0].name) != ("name", variable):
        return None
    if node.kind == "member":
        return node.name
    return node.parts[1].text if node.kind == "call" and node.name in _MEMBER_CALLS else None


def _is_json(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(each) for name, each in value.items())
    return value is None or isinstance(value, str | int | float | bool)


def _compile(environment: cel.Env, text: str) -> cel.Expression:
    try:
        return environment.compile(text)
    except Exception as fault:  # noqa: BLE001 - the library raises plain RuntimeError for everything
        raise BadExpression(_position(str(fault))) from None


def _position(message: str) -> str:
    """The first fault that the compiler names, as a sentence with its place."""
    if _LIMIT.search(message):
        return "the expression is nested too deeply"
    found = _FAULT.search(message)
    if found is None:
        return "the expression cannot be compiled"
    line, column, sentence = found.groups()
    sentence = sentence.removesuffix(" (in container '')").split(" expecting {", 1)[0].removeprefix("Syntax error: ")
    return f"line {line}, column {int(column)}: {sentence}"


def _reason(message: str) -> str:
    """Why there is no value, without any value: operands may be anything."""
    if "overloads" in message:
        return "it compares or combines values of different types"
    if "Iteration budget" in message:
        return "it looks at too many values"
    if "out of range" in message:
        return "a number is out of range"
    return "it has no value"
