"""The CEL library as :mod:`assay.rules.expressions` uses it; imported with the first expression."""

from __future__ import annotations

from cel_expr_python import cel
from cel_expr_python.ext.ext_optional import ExtOptional
from cel_expr_python.ext.ext_strings import ExtStrings

from assay.rules.expressions import VARIABLES

FAILURES = (cel.Type.ERROR, cel.Type.UNKNOWN)
"""What a value has for a type where there is none."""


def _environment(*variables: str) -> cel.Env:
    kind = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return cel.NewEnv(variables=dict.fromkeys(variables, kind), extensions=[ExtStrings(), ExtOptional()])


OVER_A_TOKEN = _environment(*VARIABLES)
OVER_NOTHING = _environment()
