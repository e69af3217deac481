"""Conditions of a profile: CEL over the claims and the header of a verified token, all of them true (decisions D8).

They are what tells one customer of a shared issuer from all others, so their faults are looked for when they are
saved: one that cannot be compiled, one that every token meets, and one that a stranger's token would meet.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from assay import errors
from assay.key_sources import DiscoverySource, JwksSource, PemMapSource, X509MapSource
from assay.model import Profile
from assay.rules import checks
from assay.rules.expressions import (
    VARIABLES,
    BadExpression,
    Expression,
    ExpressionFault,
    compile_expression,
    data_of,
)
from assay.rules.jws import shown
from assay.rules.tokens import Claims

if TYPE_CHECKING:
    from assay.rules.expressions import Data

MOST_CONDITIONS = 20


class SharedIssuer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An issuer whose tokens anybody can have. ``stranger`` are the claims of somebody else's token.

    ``issuers`` are its names; one with a placeholder stands for a name per tenant, which is shared only where the
    profile does not compare it exactly. ``key_urls`` are the beginnings of its key URLs.
    """

    name: str
    issuers: tuple[str, ...]
    key_urls: tuple[str, ...] = ()
    why: str
    pin: str
    stranger: dict[str, Any]


def _shared() -> tuple[SharedIssuer, ...]:
    text = resources.files("assay.rules").joinpath("shared_issuers.toml").read_text(encoding="utf-8")
    return tuple(msgspec.convert(tomllib.loads(text)["issuer"], list[SharedIssuer]))


SHARED_ISSUERS = _shared()
_STRANGERS_HEADER = {"alg": "RS256", "kid": "stranger", "typ": "JWT"}


def check(claims: Claims, profile: Profile) -> None:
    """Refuse a token that does not meet every condition; one that has no value is not met (decisions D8).

    Raises errors.JwtInvalidClaims.
    """
    if not profile.conditions:
        return
    data = data_of(claims.values, claims.header)
    for text in profile.conditions:
        fault = _fault(text, data)
        if fault is not None:
            raise errors.JwtInvalidClaims(detail=f"the condition {shown(text)} {fault}")


def problems(profile: Profile) -> list[str]:
    """What is wrong with the conditions of a profile, or with having none, a sentence each (decisions D7, D8)."""
    found = []
    for position, text in enumerate(profile.conditions, start=1):
        found += [f"Condition {position} {fault}." for fault in _static_faults(text)]
    if not profile.conditions:
        found += _wanting(profile)
    if profile.issuer_check == "template":
        found += _template_faults(profile)
    return found + _met_by_strangers(profile)


def _fault(text: str, data: Data) -> str | None:
    """Why the condition is not exactly true, or None when it is."""
    try:
        value = compile_expression(text).value_over(data)
    except BadExpression as fault:
        return f"is of no use: {fault}"
    except ExpressionFault as fault:
        return f"has no value: {fault}"
    return None if value is True else f"is {shown(value)}"


def _static_faults(text: str) -> list[str]:
    try:
        expression = compile_expression(text)
    except BadExpression as fault:
        return [f"cannot be compiled: {fault}"]
    if expression.kind not in {"BOOL", "DYN"}:
        return [f"has a value of the type {expression.kind.lower()}, so it is never true"]
    if not expression.reads_token or _is_constant(expression):
        return ["has the same value for every token"]
    return []


def _is_constant(expression: Expression) -> bool:
    """Whether it says the same of tokens that have nothing it asks for, something else, or what it compares with.

    CEL's ``||`` and ``&&`` ignore a fault on one side, so ``claims.a == "b" || true`` reads a claim and is constant,
    while ``!has(claims.a) || claims.a != "b"`` is not: it is false of a token that has just ``b`` there.
    """
    constants = expression.constants()
    texts = {each for each in constants if isinstance(each, str)}  # "a" in claims names a claim too
    claims, header = (expression.members_read(variable) | texts for variable in VARIABLES)
    values = (_NOBODYS_VALUES[0], *constants)
    tokens = [({}, {}), *((dict.fromkeys(claims, each), dict.fromkeys(header, each)) for each in values)]
    try:
        found = [expression.value(*token) for token in tokens]
    except ExpressionFault:
        return False
    return all(value is True for value in found) or all(value is False for value in found)


_NOBODYS_VALUES = ("\x00 nobody has this value", "stranger", "00000000-0000-0000-0000-000000000001", "1")


def _wanting(profile: Profile) -> list[str]:
    """The checks that may be left out only when a condition stands in for them (decisions D8)."""
    found = []
    if profile.issuer_check == "none":
        found.append("issuer_check none needs a condition that says whose token it is.")
    if profile.audience_claim == checks.NO_AUDIENCE:
        found.append("audience_claim none needs a condition that says whom the token is for.")
    return found


def _template_faults(profile: Profile) -> list[str]:
    name = checks.placeholder(profile.issuer)
    if name is None:
        return ["With issuer_check template the issuer holds exactly one {claim}."]
    if not any(_tells_apart(text, name) for text in profile.conditions):
        return [f"With issuer_check template a condition must say which values of {name} may log in."]
    return []


def _tells_apart(text: str, name: str) -> bool:
    """Whether the condition reads this claim and is true of none of the values that a stranger's token could have."""
    try:
        named = name in compile_expression(text).members_read("claims")
    except BadExpression:
        return True  # which is a problem of its own, and lets nobody in
    return named and all(_fault(text, data_of({name: value}, _STRANGERS_HEADER)) for value in _NOBODYS_VALUES)


def _met_by_strangers(profile: Profile) -> list[str]:
    """Whether the conditions would let in another customer of a shared issuer, tried with such a token."""
    shared = next((each for each in SHARED_ISSUERS if _is_shared(profile, each)), None)
    if shared is None:
        return []
    stranger = data_of(shared.stranger, _STRANGERS_HEADER)
    if any(_fault(text, stranger) is not None for text in profile.conditions):
        return []
    return [f"{shared.why} No condition tells yours from theirs: add one such as {shared.pin}"]


def _is_shared(profile: Profile, shared: SharedIssuer) -> bool:
    if profile.issuer.rstrip("/") in shared.issuers:
        return True
    if profile.issuer_check == "exact":
        return False
    by_url = any(url.startswith(shared.key_urls) for url in _key_urls(profile)) if shared.key_urls else False
    return by_url or any(
        checks.placeholder(issuer) and _outline(issuer) == _outline(profile.issuer) for issuer in shared.issuers
    )


def _outline(template: str) -> str:
    name = checks.placeholder(template)
    return template.replace("{" + name + "}", "{}").rstrip("/") if name else template


def _key_urls(profile: Profile) -> list[str]:
    named = (JwksSource, DiscoverySource, X509MapSource, PemMapSource)
    urls = [source.url or "" for source in profile.key_sources if isinstance(source, named)]
    return [*urls, profile.jwks_url or ""]
