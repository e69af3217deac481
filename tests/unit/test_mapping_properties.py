"""Whatever an issuer sends and an operator maps: an identity comes out, or one of our refusals (decisions D9)."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from assay import errors, ids
from assay.model import Profile, Vertical
from assay.rules import conditions, mapping, tokens
from tests.issuer import AUDIENCE, Issuer, make_key

NOW = 1_800_000_000.0
KEY = make_key("Ed25519")
ISSUER = Issuer(keys=[KEY])
REFUSALS = (errors.JwtInvalidClaims, errors.InvalidTokenOrganizationIdClaim, errors.InvalidTrustedAuthToken)

NAMES = ("sub", "email", "a", "b", "https://x.example/a", "a.b")
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
    | st.sampled_from(["ada@acme.example", '{"a": ["x"]}', "member-test-01a208a2-7775-7816-9c49-01fdb697237e", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "0"]), inner, max_size=3),
    max_leaves=6,
)
expressions = st.sampled_from(
    ["claims.a", "claims.a.b", "claims.a + claims.b", "claims['a'][0]", "size(claims.a)", "header.kid", "claims"]
) | st.sampled_from(
    ["1 / 0", "string(claims.a)", "claims.a.map(x, x.b)", "has(claims.a) ? claims.a : claims.b", "claims.a == 1", "("]
)
places = (
    st.sampled_from(NAMES)
    | st.sampled_from(["/a", "/a/0", "/a/b", "/a/a/0", "/", "/~2", "/b/-"])
    | st.builds(lambda name, value: {"from": name, "default": value}, st.sampled_from(["a", "/a/b"]), json_values)
    | st.builds(lambda text: {"cel": text}, expressions)
    | json_values
)
attributes = st.sampled_from(
    ["email", "email_verified", "token_id", "role_ids", "name", "organization_id", "organization_name"]
) | st.sampled_from(["external_member_id", "external_user_id", "trusted_metadata.a", "trusted_metadata.", "nothing"])
mappings = st.dictionaries(attributes, places, max_size=6)
verticals: st.SearchStrategy[Vertical] = st.sampled_from(["b2b", "consumer"])

PROFILE = Profile(
    environment_id="project-test-1",
    profile_id="ours",
    name="Ours",
    issuer=ISSUER.url,
    audience=AUDIENCE,
    public_key_type="JWK",
    algorithms=("EdDSA",),
    created_at=0,
    updated_at=0,
)


def verified(claims: dict[str, Any], profile: Profile) -> tokens.Claims:
    unverified = tokens.read(ISSUER.mint(claims, alg="EdDSA", now=NOW), profile, NOW)
    return tokens.verify(unverified, [KEY.verification_key()])


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES[1:]), json_values), mappings, verticals, st.booleans())
def test_a_mapping_gives_an_identity_or_a_refusal(
    said: dict[str, Any], mapped: dict[str, Any], vertical: Vertical, trust_email: bool
) -> None:
    profile = msgspec.structs.replace(PROFILE, attribute_mapping=mapped, trust_email=trust_email)
    assert all(isinstance(problem, str) for problem in mapping.problems(mapped, vertical))
    try:
        found = mapping.read(verified(said, profile), profile, vertical)
    except REFUSALS:
        return
    assert found.issuer == ISSUER.url
    assert found.email is not None or found.external_id is not None
    assert found.token_id
    for text in (found.external_id, found.organization):
        assert text is None or (0 < len(text) <= 255 and text.isprintable() and not ids.is_own_form(text))
    assert found.email is None or (found.email.count("@") == 1 and found.email.isprintable())
    assert found.email_verified != "silent" or trust_email


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES[1:]), json_values), st.lists(expressions, max_size=2))
def test_a_condition_is_true_or_refuses(said: dict[str, Any], texts: list[str]) -> None:
    profile = msgspec.structs.replace(PROFILE, conditions=tuple(texts))
    claims = verified(said, PROFILE)
    try:
        conditions.check(claims, profile)
    except REFUSALS:
        return
    # No other of the expressions can be true of anything.
    held = {"claims.a == 1": said.get("a") == 1, "claims.a": said.get("a") is True}
    assert all(held[text] for text in texts)
