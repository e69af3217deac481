"""What plans are made of: statements in their order, with what it means when one changes nothing.

A plan is data, so that one commit can carry the plans of many requests, and every database the same ones.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any, Literal, NamedTuple

from assay import store
from assay.store.rows import Parameters
from assay.store.statements import STATEMENTS

Otherwise = Literal["stale", "stop", "replayed", "go on"]


class Step(NamedTuple):
    """One statement. ``otherwise`` says what it means when the statement changes no row.

    ``stale``: the write fails as a whole. ``replayed``: so it does, because the token was used before. ``stop``:
    there was nothing to do, so the steps after it are left out.
    """

    sql: str
    parameters: Parameters
    otherwise: Otherwise = "go on"


Plan = list[Step]


def step(name: str, parameters: Parameters, otherwise: Otherwise = "go on") -> Step:
    """The statement of this name as a step. Raises KeyError for a name nobody knows."""
    return Step(STATEMENTS[name], parameters, otherwise)


def fields(record: Any, *names: str) -> Parameters:  # noqa: ANN401 - any Struct; mypy knows the Structs, not the names
    """These fields of a record as named parameters."""
    return {name: getattr(record, name) for name in names}


@singledispatch
def steps(write: store.Write) -> Plan:
    """The steps of one kind of write, without its attempt and its events. Raises TypeError for an unknown kind."""
    raise TypeError(f"no plan for {type(write).__name__}")
