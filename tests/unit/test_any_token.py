"""Whatever claims, mapping and conditions there are, nothing but our own errors comes out (no crash, no surprise)."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay import errors
from assay.model import Profile
from assay.rules import conditions, mapping, profile_fields, syntax_trees, tokens
from assay.rules.expressions import BadExpression, ExpressionFault, compile_expression
from assay.rules.tokens import Claims
from tests.issuer import sign
from tests.unit.claimed import ISSUER, NOW, SECRET, claims, profile

bounded = settings(max_examples=150, deadline=None)

NAMES = ["email", "sub", "jti", "a", "a.b", "/x", "email_verified", "tid", "roles", "https://x.example/y", ""]
names = st.sampled_from(NAMES) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
texts = st.sampled_from(
    ["a@b.example", "true", "1", "", " ", '{"a": ["b"]}', "[[[[", '"', "eyJh.b.c", "claims.a", "{tid}", "a\nb", "🙂"]
) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | texts
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0, 1, 2**53, 2**63, 2**64, -(2**63) - 1, 1e300, -0.0])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
tokens_claims = st.dictionaries(names, values, max_size=8)

FRAGMENTS = """claims header .a .email ['a'] .?a .orValue('') == 'a' 1 && || ! has( ) ( [ ] { } : , ? + - true null 1.5
-1 // 🙂 .map(x,x) .exists(x,x==1) .all(y,y.a) .matches('a+') .split('@') .replace('a','b') .size() string(
int( timestamp(
optional.of( .optMap(v,v) '%s'.format([ ]) 2u b'a'"""
SENSIBLE = """claims.a == 'b'
claims.email
claims.roles.map(x, x)
claims.?a.orValue('')
has(claims.a)
claims.a.b
claims.a + claims.a
claims
header
{'a': claims}
[claims.a, header.kid]
claims.sub.split('@')[0]
claims.a.matches('^a+$')
size(claims.a) > 1
claims.roles.exists(r, r == 'a')
int(claims.a) / 0"""
fragments = st.sampled_from([*FRAGMENTS.split(), " in ", "\n"])
sensible = st.sampled_from(SENSIBLE.splitlines())
cel = sensible | st.lists(fragments, min_size=1, max_size=8).map("".join) | st.text(max_size=30)

ATTRIBUTES = ["email", "email_verified", "token_id", "role_ids", "name", "external_member_id", "organization_id"]
attributes = st.sampled_from([*ATTRIBUTES, "organization_name", "trusted_metadata.a", "trusted_metadata.", "x"])
places = (
    names
    | st.sampled_from(["/a", "/a/0/b", "/~", "/", "/a.b"])
    | st.fixed_dictionaries({"from": names | scalars}, optional={"default": values})
    | st.fixed_dictionaries({"cel": cel}, optional={"default": values})
    | values
)
mappings = st.dictionaries(attributes, places, max_size=6)


def claims_of(values: dict[str, Any]) -> Claims | None:
    try:
        return claims(values)
    except errors.Error:
        return None


@bounded
@given(values=tokens_claims, made=mappings)
def test_a_mapping_makes_an_identity_or_refuses(values: dict[str, Any], made: dict[str, Any]) -> None:
    mapping.problems(made, "b2b")
    held = claims_of(values)
    if held is None:
        return
    try:
        identity = mapping.read(held, profile(attribute_mapping=made), "b2b")
    except errors.Error as refused:
        assert refused.kind == "invalid"  # noqa: PT017 - either is right
        return
    assert identity.email is not None or identity.external_id is not None
    assert identity.token_id
    msgspec.json.encode(identity)


@bounded
@given(values=tokens_claims, texts=st.lists(cel, max_size=4))
def test_conditions_are_met_or_refuse(values: dict[str, Any], texts: list[str]) -> None:
    made = profile(conditions=tuple(texts))
    found = conditions.problems(made)
    held = claims_of(values)
    if held is None:
        return
    try:
        conditions.check(held, made)
    except errors.JwtInvalidClaims as refused:
        assert refused.detail.startswith("the condition ")  # noqa: PT017 - either is right
    else:
        # What cannot be compiled lets nobody in.
        assert not any("cannot be compiled" in problem for problem in found)


@bounded
@given(text=cel, values=tokens_claims)
def test_an_expression_has_a_json_value_or_a_fault(text: str, values: dict[str, Any]) -> None:
    try:
        found = compile_expression(text).value(values, {"alg": "RS256"})
    except (BadExpression, ExpressionFault) as fault:
        assert str(fault)  # noqa: PT017 - either is right
    else:
        msgspec.json.encode(found)


profiles = st.builds(
    profile,
    issuer=st.sampled_from([ISSUER, "https://i.example/{tid}", "{a}{b}", "{", "{iss}"]),
    issuer_check=st.sampled_from(["exact", "template", "none"]),
    audience_claim=st.sampled_from(["aud", "none", "/a/0", "/a.b", "header:kid", "header:typ", "sub", "a.b"]),
    additional_audiences=st.lists(texts, max_size=2).map(tuple),
    single_audience=st.booleans(),
    typ=st.sampled_from([("absent",), ("JWT",), ("application/at+jwt", "absent")]),
    max_age_seconds=st.none() | st.integers(1, 100),
    max_lifetime_seconds=st.integers(1, 2**40),
    require_exp=st.booleans(),
    conditions=st.just(("claims.a == 'b'",)) | st.just(()),
    leeway_seconds=st.integers(0, 300),
)
headers = st.fixed_dictionaries(
    {"alg": st.just("HS256")}, optional={"typ": texts, "kid": texts, "client": values, "crit": values, "b64": values}
)
registered = st.fixed_dictionaries(
    {},
    optional={
        "iss": st.just(ISSUER) | values,
        "aud": st.just("assay") | values,
        "exp": st.just(NOW + 60) | values,
        "iat": st.just(NOW) | values,
        "nbf": values,
        "sub": values,
        "tid": values,
    },
)


@bounded
@given(made=profiles, base=registered, more=tokens_claims, header=headers)
def test_a_token_is_read_or_refused(
    made: Profile, base: dict[str, Any], more: dict[str, Any], header: dict[str, Any]
) -> None:
    profile_fields.problems(made)
    token = sign(header, more | base, "HS256", SECRET)
    try:
        read = tokens.read(token, made, NOW)
    except errors.Error as refused:
        assert (refused.kind, bool(refused.detail)) == ("invalid", True)  # noqa: PT017 - either is right
        return
    assert made.issuer_check != "exact" or read.unverified_claims["iss"] == made.issuer
    assert made.issuer_check == "exact" or made.conditions or made.issuer_check == "template"


@bounded
@given(raw=st.binary(max_size=60))
def test_what_is_no_checked_expression_is_said_not_to_be(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        syntax_trees.read(raw)


WIDEST: dict[str, Any] = {"a": ["x"] * 1_000, "b": "y" * 4_000, "roles": [{"a": "z"}] * 100}
loops = st.recursive(
    st.sampled_from(["claims.a", "claims.b.split('')", "claims.b.split('y', 50)", "[claims.b]", "x", "claims.roles"]),
    lambda inner: st.builds(
        "{0}.{1}(x, {2})".format,
        inner,
        st.sampled_from(["map", "filter", "exists", "all"]),
        st.builds("{0} + {0}".format, inner) | inner | st.sampled_from(["x + x", "[x, x]", "true", "x == 'q'"]),
    ),
    max_leaves=4,
)


@bounded
@given(text=loops)
def test_what_loops_in_loops_is_refused_when_saved_or_ends_soon(text: str) -> None:
    """The bound is generous, for a busy machine."""
    started = time.perf_counter()
    with contextlib.suppress(BadExpression, ExpressionFault):
        compile_expression(text).value(WIDEST, {})
    assert time.perf_counter() - started < 5
