"""The catalogue of attacks, A01 to A111: each row is a named case here, or it says why it is none."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.hostile import bad_keys, claim_forgeries, header_forgeries, text_forgeries

ROWS = frozenset(f"A{number:02}" for number in range(1, 112))
HERE = Path(__file__).parent

DOES_NOT_APPLY: dict[str, str] = {
    "A59": "Replay is refused by profiles that take each token once. This version has no such profiles; that another"
    " spelling of a token is no other token is shown beside A63.",
    "A104": "Time is measured, not asserted: a busy machine would fail such a test. `python -m bench run --only timing`"
    " measures it; that the words are the same is tested with the calls.",
}
"""Row → why this version has nothing to show for it."""

_TABLES = (header_forgeries.FORGERIES, text_forgeries.FORGERIES, claim_forgeries.FORGERIES, bad_keys.BAD_KEYS)
_ROW = re.compile(r"A[0-9]{2,3}\b")
_NAME = re.compile(r"_a([0-9]{2,3})(?=_)")


def test_every_row_is_a_named_case_or_says_why_not() -> None:
    named = _rows_in_tables() | _rows_in_tests()
    assert named.isdisjoint(DOES_NOT_APPLY)
    assert sorted(ROWS - named - DOES_NOT_APPLY.keys()) == []
    assert sorted(named - ROWS) == []
    assert all(len(reason) > 20 for reason in DOES_NOT_APPLY.values())


def _rows_in_tables() -> set[str]:
    return {row for table in _TABLES for name in table for row in _ROW.findall(name)[:1]}


def _rows_in_tests() -> set[str]:
    """Rows named by a test function, or by a case of a table inside a test module."""
    found: set[str] = set()
    for path in HERE.glob("test_hostile_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found |= {f"A{number}" for number in _NAME.findall(node.name)}
            if isinstance(node, ast.Dict):
                keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
                found |= {row for key in keys if isinstance(key, str) for row in _ROW.findall(key)[:1]}
    return found
