"""What an expression may cost at most, estimated from its text before any token is judged by it.

The library stops after so many iterations, but not at how much each of them handles: doubling a text a few dozen
times takes more memory than there is, and a regular expression out of a claim takes as long as its author likes.
The estimate is of the worst token there can be, so it is never too low; what is far too much is refused when the
expression is saved.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from assay import jsontext
from assay.rules.jws import MAX_TOKEN_CHARACTERS
from assay.rules.syntax_trees import Node

MOST_WORK = 256 * 1024 * 1024
"""Bytes looked at or copied in one evaluation: some tenths of a second."""
MOST_PATTERN_CHARACTERS = 256
MOST_REPETITIONS = 4
MOST_GATHERED = 2 * jsontext.MAX_STRUCTURE
"""Elements of a list that a loop makes: the library copies all of them for each."""

_ITERATIONS = 10_000
"""After so many in all, the library stops."""
_PER_VALUE = 16
_PER_PIECE = 32
_QUOTED = 6
_LONGEST_NUMBER = 1_400
_COUNTED = 1_000
"""What each character costs a pattern that counts repetitions, compared with one that does not."""

_JUDGING = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_&&_", "_||_", "!_", "@in", "@not_strictly_false"})
_MEASURING = frozenset(
    {"contains", "startsWith", "endsWith", "matches", "size", "indexOf", "lastIndexOf", "hasValue", "timestamp"}
)
_REPETITION = re.compile(r"\{\d")

_Size = dict[str, float]
"""A size in bytes that is linear in those of loop variables; the empty name stands for what is fixed."""


class TooDear(ValueError):
    """The expression could take too long; the message says why. ``place`` is the offset of the part that does."""

    def __init__(self, message: str, place: int) -> None:
        super().__init__(message)
        self.place = place


class _Variable(NamedTuple):
    """Of a loop variable: the sum of its sizes over all iterations, and how many those are."""

    total: float
    times: float


def check(root: Node, kind: str) -> None:
    """Refuse an expression that could take too long; ``kind`` is the type of its value. Raises TooDear."""
    estimate = _Estimate()
    size = estimate.size(root, 1)
    # A value of unknown type may be two bytes of a token and a whole object here.
    estimate.spend(size, 1, root, _PER_PIECE if "DYN" in kind else 1)


class _Estimate:
    """Adds up the work of all parts while it finds their sizes."""

    def __init__(self) -> None:
        self._work = 0.0
        self._variables: dict[str, _Variable] = {}

    def size(self, node: Node, times: float) -> _Size:
        """The size of a value that is computed so many times."""
        if node.kind == "name":
            return {node.name: 1.0} if node.name in self._variables else {"": float(MAX_TOKEN_CHARACTERS)}
        if node.kind == "constant":
            return {"": float(len((node.text or "").encode()) + _PER_VALUE)}
        if node.kind == "loop":
            return self._loop(node, times)
        sizes = [self.size(part, times) for part in node.parts]
        size = self._call(node, sizes, times) if node.kind == "call" else _sum([*sizes, _fixed(node, _PER_VALUE)])
        self.spend(size, times, node)
        return size if node.kind != "member" else sizes[0]

    def spend(self, size: _Size, times: float, node: Node, weight: float = 1) -> None:
        """Count what it takes to handle values of this size so many times. Raises TooDear."""
        self._work += weight * self._total(size, times)
        if self._work > MOST_WORK:
            raise TooDear("it could take too long: it loops in loops, or repeats long texts", node.place)

    def _call(self, node: Node, sizes: list[_Size], times: float) -> _Size:
        if node.name == "matches":
            self._check_pattern(node)
        if node.name in _JUDGING or node.name in _MEASURING:
            counted = node.name == "matches" and _REPETITION.search(node.parts[-1].text or "")
            self.spend(_sum(sizes), times, node, _COUNTED if counted else 1)
            return {"": float(_PER_VALUE)}
        if node.name == "_?_:_":
            return _greater(sizes[1], sizes[2])
        return _sum([*self._grown(node, sizes), _fixed(node, _PER_VALUE)])

    def _grown(self, node: Node, sizes: list[_Size]) -> list[_Size]:
        """What a function makes of its arguments that may be longer than they are: sizes to be added up."""
        if node.name == "replace":
            new = node.parts[2].text
            if new is None:
                raise TooDear("what replace puts in must be a text in quotes", node.place)
            return [_scaled(sizes[0], 1 + len(new.encode())), *sizes[1:]]
        if node.name == "join":
            return [sizes[0], *(_scaled(each, _count(node.parts[0])) for each in sizes[1:])]
        growth = {"split": _PER_PIECE, "format": _LONGEST_NUMBER, "strings.quote": _QUOTED}.get(node.name, 1)
        return [_scaled(sizes[0], growth), *sizes[1:]] if sizes else []

    def _check_pattern(self, node: Node) -> None:
        """Take only patterns that stand in the expression: claims are data, and a pattern decides what it costs."""
        pattern = node.parts[-1].text
        if pattern is None:
            raise TooDear("the pattern of matches must be a text in quotes", node.place)
        if len(pattern) > MOST_PATTERN_CHARACTERS or len(_REPETITION.findall(pattern)) > MOST_REPETITIONS:
            raise TooDear(
                f"a pattern has at most {MOST_PATTERN_CHARACTERS} characters and {MOST_REPETITIONS} counted"
                " repetitions such as {8}",
                node.place,
            )

    def _loop(self, node: Node, times: float) -> _Size:
        over, first, condition, step, result = node.parts
        size = self.size(over, times)
        start = self.size(first, times)
        count = _count(over)
        inside = min(max(times * count, 1.0), _ITERATIONS)
        outer, self._variables = self._variables, dict(self._variables)
        self._variables[node.name] = _Variable(self._total(size, times), inside)
        # What gathers is not looked at again by the macros; handling it is bounded by MOST_GATHERED.
        self._variables[node.gathered] = _Variable(0.0, inside)
        self.size(condition, inside)
        grown = self.size(step, inside)
        self._variables = dict(outer)
        if grown.get(node.gathered) and first.kind == "list" and count > MOST_GATHERED:
            raise TooDear('what is split and looped over needs a limit, such as split(" ", 100)', node.place)
        gathered = _gathered(node, size, start, grown, min(count, _ITERATIONS / times))
        self._variables[node.gathered] = _Variable(self._total(gathered, times), times)
        found = self.size(result, times)
        self._variables = outer
        return _sum([_scaled(gathered, found.pop(node.gathered, 0.0)), found])

    def _total(self, size: _Size, times: float) -> float:
        """The sum of a size over all the times that its part is computed."""
        return sum(
            each * (self._variables[name].total * times / self._variables[name].times if name else times)
            for name, each in size.items()
        )


def _gathered(loop: Node, size: _Size, start: _Size, grown: _Size, count: float) -> _Size:
    """The size of what a loop has made: what each step adds, summed over its variable and its iterations."""
    kept = grown.pop(loop.gathered, 0.0)
    if kept > 1:
        raise TooDear("it could take too long: it doubles what it has at each step", loop.place)
    each = _scaled(size, grown.pop(loop.name, 0.0))
    return _sum([start, each, _scaled(grown, count if kept else 1.0)])


def _count(node: Node) -> float:
    """How many elements a list or map can have; one out of a token, no more than a token may hold."""
    if node.kind == "list":
        return len(node.parts)
    if node.kind == "loop":
        return _count(node.parts[0]) if node.parts[1].kind == "list" else _count(node.parts[4])
    if node.kind == "call":
        if node.name == "_+_":
            return sum(map(_count, node.parts))
        if node.name == "_?_:_":
            return max(map(_count, node.parts[1:]))
        if node.name == "split":
            limit = node.parts[-1].number
            return limit if limit is not None and 0 <= limit <= MAX_TOKEN_CHARACTERS else MAX_TOKEN_CHARACTERS
    return jsontext.MAX_STRUCTURE


def _fixed(node: Node, per_part: float) -> _Size:
    return {"": per_part * (1 + len(node.parts))}


def _sum(sizes: list[_Size]) -> _Size:
    total: _Size = {}
    for size in sizes:
        for name, each in size.items():
            total[name] = total.get(name, 0.0) + each
    return total


def _scaled(size: _Size, factor: float) -> _Size:
    return {name: each * factor for name, each in size.items()} if factor else {}


def _greater(one: _Size, other: _Size) -> _Size:
    return {name: max(one.get(name, 0.0), other.get(name, 0.0)) for name in one.keys() | other.keys()}
