"""Assay and two independent libraries agree about thousands of tokens near good ones, but for a list of differences."""

from __future__ import annotations

import os

import pytest

from tests.hostile import differential, oracles
from tests.hostile.differences import ASSAY, BOTH, DIFFERENCES, Difference, explanation
from tests.hostile.mutations import NOW, Edit, Plan, Spelling, make
from tests.issuer import make_key

EXAMPLES = int(os.environ.get("ASSAY_FUZZ_EXAMPLES", "600"))


def test_no_difference_from_the_oracles_is_unexplained() -> None:
    """The same examples in every run; ``make soak`` draws others for as long as it is told."""
    tally = differential.run(EXAMPLES, derandomize=True)
    assert tally.examples >= EXAMPLES
    assert tally.granted > EXAMPLES // 20
    assert tally.differences


_ALLOWED = tuple(sorted(make_key("RSA", "fuzz").algorithms))
_RSA = Plan("RSA", "RS256", "RS256", _ALLOWED)


def _edit(part: int, name: str, value: str, *, again: bool = False) -> Plan:
    return _RSA._replace(edits=(Edit(part, name, value, again),))


EXAMPLES_OF = {
    "padding": _RSA._replace(spellings=(Spelling(2, "pad"),)),
    "text encoding": _RSA._replace(forms=(Spelling(1, "utf-16"),)),
    "repeated members": _edit(1, "x", '{"a":1,"a":2}'),
    "numbers": _edit(1, "x", "NaN"),
    "strings": _edit(1, "x", '"\\u0000"'),
    "depth": _edit(1, "x", "[" * 40 + "]" * 40),
    "typ": _edit(0, "typ", '"logout+jwt"'),
    "cty": _edit(0, "cty", '"JWT"'),
    "members of encrypted tokens": _edit(0, "zip", '"DEF"'),
    "b64": _edit(0, "b64", "true"),
    "crit": _edit(0, "crit", '["alg"]'),
    "long kid": _edit(0, "kid", '"' + "k" * 1025 + '"'),
    "lifetime": _edit(1, "exp", str(NOW + 50 * 366 * 86_400)),
    "times far away": _edit(1, "exp", "1e300"),
    "times as text": _edit(1, "exp", f'"{NOW + 300}"'),
    "fractions of a second, ours stricter": _edit(1, "nbf", f"{NOW + 30}.5"),
    "fractions of a second, PyJWT stricter": _edit(1, "exp", f"{NOW - 30}.5"),
    "length": _edit(1, "x", '"' + "x" * 16_384 + '"'),
    "types of ignored header members": _edit(0, "jwk", "1"),
}


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_each_difference_on_the_list_is_a_real_one(difference: Difference) -> None:
    """A line that no token shows any more would hide the day on which one does for another reason."""
    name = difference.name
    plan = EXAMPLES_OF[name]
    token = make(plan)
    ours = oracles.ours(plan, token)
    found = {}
    for oracle in oracles.ORACLES:
        theirs = oracles.verdict(oracle, plan, token)
        if theirs.granted != ours.granted:
            found[oracle] = explanation(token, ours, oracle, theirs)
    assert name in found.values()
    assert set(found.values()) == {name}


def test_every_line_of_the_list_says_why() -> None:
    assert {each.name for each in DIFFERENCES} == EXAMPLES_OF.keys()
    for each in DIFFERENCES:
        assert each.stricter in {ASSAY, *each.oracles}
        assert set(each.oracles) <= set(BOTH)
        assert len(each.reason) > 10


@pytest.mark.parametrize("family", ["RSA", "P-256", "P-384", "P-521", "Ed25519", "Ed448"])
def test_a_token_without_any_change_is_granted_by_all_three(family: str) -> None:
    for algorithm in sorted(make_key(family, "fuzz").algorithms - {"Ed25519", "Ed448"}):
        plan = Plan(family, algorithm, algorithm, (algorithm,))
        token = make(plan)
        assert oracles.ours(plan, token).granted
        verdicts = [oracles.verdict(oracle, plan, token) for oracle in oracles.ORACLES]
        assert all(verdict.granted for verdict in verdicts), verdicts


@pytest.mark.parametrize(
    ("granted", "plan"),
    [
        (True, _RSA._replace(stranger=True)),
        (True, _RSA._replace(made=("flip", 9))),
        (True, _RSA._replace(named="none")),
        (True, _edit(1, "exp", str(NOW - 31))),
        (False, _RSA),
        (False, _edit(0, "x", "1")),
    ],
    ids=["stranger's key", "wrong signature", "alg none", "expired", "good", "unknown header"],
)
def test_a_difference_off_the_list_is_found(monkeypatch: pytest.MonkeyPatch, plan: Plan, *, granted: bool) -> None:
    """If Assay were to grant what both refuse, or refuse what both grant, the run would fail."""
    verdict = oracles.Verdict(granted, "the signature is wrong")
    monkeypatch.setattr(oracles, "ours", lambda _plan, _token: verdict)
    with pytest.raises(differential.Unexplained):
        differential.Tally().compare(plan)
