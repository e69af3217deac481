"""What stands on the right of an attribute mapping, and the value it finds in a token (decisions D9).

* A string is the literal name of a top-level claim, whatever characters it has: ``https://example.com/role``,
  ``kubernetes.io`` and ``a.b`` name the claims that are called so.
* A string that starts with ``/`` is a JSON pointer, which may step into a string that holds JSON.
* ``{"from": NAME_OR_POINTER, "default": VALUE}`` says what to take when the token has nothing there, or null.
* ``{"cel": EXPRESSION}`` computes the value, and may have a ``default`` as well.

Claims are data: none is ever interpreted as a path, a pattern or an expression.
"""

from __future__ import annotations

from typing import Any

import msgspec

from assay import errors
from assay.rules import expressions, pointers
from assay.rules.expressions import BadExpression, Expression, ExpressionFault
from assay.rules.pointers import BadPointer
from assay.rules.tokens import Claims

_MEMBERS = ({"from"}, {"from", "default"}, {"cel"}, {"cel", "default"})


class BadMapping(ValueError):
    """The value of a mapping can never find anything; the message says why, with the place in an expression."""


class Place(msgspec.Struct, frozen=True):
    """Where a value comes from: a claim by name, the steps of a pointer, or an expression; and what stands in for it.

    ``default`` is UNSET when nothing does.
    """

    origin: str | tuple[str, ...] | Expression
    default: Any = msgspec.UNSET


def place(value: object) -> Place:
    """Read the right side of one attribute. Raises BadMapping."""
    if isinstance(value, str):
        return Place(_origin(value))
    if not isinstance(value, dict) or value.keys() not in _MEMBERS:
        raise BadMapping('a claim name, a JSON pointer, {"from": …, "default": …} or {"cel": …} is expected')
    default = value.get("default", msgspec.UNSET)
    if "from" in value:
        if not isinstance(value["from"], str):
            raise BadMapping("from must be a claim name or a JSON pointer")
        return Place(_origin(value["from"]), default)
    if not isinstance(value["cel"], str):
        raise BadMapping("cel must be an expression")
    try:
        return Place(expressions.compile_expression(value["cel"]), default)
    except BadExpression as fault:
        raise BadMapping(str(fault)) from None


def _origin(text: str) -> str | tuple[str, ...]:
    if not text:
        raise BadMapping("the name of a claim is empty")
    if not text.startswith("/"):
        return text
    try:
        return pointers.parse(text)
    except BadPointer as fault:
        raise BadMapping(str(fault)) from None


def find(attribute: str, value: object, claims: Claims) -> Any:  # noqa: ANN401 - a JSON value
    """The value that the mapping of ``attribute`` finds in the token, else its default, else UNSET.

    Raises errors.JwtInvalidClaims when the mapping itself is of no use, or its expression fails for this token:
    taken for "not there", a broken ``email_verified`` would make every address a trusted one.
    """
    try:
        there = place(value)
    except BadMapping as fault:
        raise errors.JwtInvalidClaims(detail=f"the profile's mapping of {attribute} is of no use: {fault}") from None
    try:
        found = _value(there, claims)
    except ExpressionFault as fault:
        if there.default is msgspec.UNSET:
            raise errors.JwtInvalidClaims(detail=f"the expression for {attribute} has no value: {fault}") from None
        return there.default
    missing = found is msgspec.UNSET or found is None
    return there.default if missing and there.default is not msgspec.UNSET else found


def _value(there: Place, claims: Claims) -> Any:  # noqa: ANN401 - a JSON value
    origin = there.origin
    if isinstance(origin, str):
        return claims.values.get(origin, msgspec.UNSET)
    if isinstance(origin, Expression):
        return origin.value(claims.values, claims.header)
    return pointers.find(claims.values, origin)
