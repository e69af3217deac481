"""Claims become an identity by literal names and a few coercions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from assay import errors
from assay.model import Profile, Vertical
from assay.rules import mapping, tokens
from assay.rules.algorithms import DEFAULT_ALGORITHMS
from tests.issuer import ABSENT, AUDIENCE, Issuer

NOW = 1_800_000_000.0
ISSUER = Issuer()


def read(
    claims: dict[str, Any], attributes: dict[str, Any], vertical: Vertical = "b2b", **members: Any
) -> mapping.Identity:
    profile = Profile(
        environment_id="project-test-1",
        profile_id="ours",
        name="Ours",
        issuer=ISSUER.url,
        audience=AUDIENCE,
        public_key_type="JWK",
        algorithms=DEFAULT_ALGORITHMS,
        attribute_mapping=attributes,
        created_at=0,
        updated_at=0,
    )
    profile = msgspec.structs.replace(profile, **members)
    unverified = tokens.read(ISSUER.mint({"jti": "t-1"} | claims, alg="ES256", now=NOW), profile, NOW)
    return mapping.read(tokens.verify(unverified, [ISSUER.key_for("ES256").verification_key()]), profile, vertical)


def refusal(claims: dict[str, Any], attributes: dict[str, Any], vertical: Vertical = "b2b") -> str:
    with pytest.raises(errors.JwtInvalidClaims) as raised:
        read(claims, attributes, vertical)
    return raised.value.detail


OWN_ID = "member-test-01a208a2-7775-7816-9c49-01fdb697237e"


@pytest.mark.parametrize(
    ("attribute", "value", "detail"),
    [
        ("token_id", {"a": 1}, "the claim for token_id is not a string: {'a': 1}"),
        ("token_id", "a\n", "the claim for token_id does not have 1 to 255 printable characters: 'a\\n'"),
        ("external_member_id", OWN_ID, f"the claim for external_member_id has the form of our own ids: '{OWN_ID}'"),
        ("email", "nobody", "the claim for email is not an email address: 'nobody'"),
        ("email", None, "the token has no claim for email, and no external id instead"),
        ("organization_name", "a\x07", "the claim for organization_name has control characters: 'a\\x07'"),
        ("role_ids", 7, "the claim for role_ids is not a list of strings: 7"),
    ],
    ids=["type", "characters", "own id", "address", "nobody", "name", "roles"],
)
def test_the_detail_tells_which_claim_and_what_came(attribute: str, value: object, detail: str) -> None:
    assert refusal({"it": value}, {"email": "email"} | {attribute: "it"}) == detail


def test_the_detail_of_an_organization_and_of_a_jti_names_them() -> None:
    with pytest.raises(errors.InvalidTokenOrganizationIdClaim) as raised:
        read({"it": ""}, {"email": "email", "organization_id": "it"})
    assert raised.value.detail == "the claim for organization_id does not have 1 to 255 printable characters: ''"
    assert refusal({"jti": "x" * 300}, {"email": "email"}).startswith("the claim for token_id does not have 1 to 255")


def test_only_spaces_stand_between_roles() -> None:
    assert read({"r": "a\tb  c"}, {"email": "email", "role_ids": "r"}).role_ids == ("a\tb", "c")


def test_a_b2b_token_with_everything() -> None:
    claims = {
        "user_email": "Ada@Example.COM",
        "verified": True,
        "uid": "u-1",
        "org": "acme",
        "name": "Acme",
        "r": ["a"],
    }
    attributes = {
        "email": "user_email",
        "email_verified": "verified",
        "external_member_id": "uid",
        "organization_id": "org",
        "organization_name": "name",
        "role_ids": "r",
        "token_id": "sub",
    }
    assert read(claims, attributes) == mapping.Identity(
        issuer=ISSUER.url,
        token_id="subject-1",
        email="ada@example.com",
        email_verified="verified",
        external_id="u-1",
        organization="acme",
        organization_name="Acme",
        role_ids=("a",),
        maps_external_id=True,
    )


def test_a_consumer_token_has_no_organization() -> None:
    attributes = {"email": "email", "external_user_id": "sub", "organization_id": "org", "organization_name": "org"}
    identity = read({"org": "acme"}, attributes, "consumer")
    assert (identity.external_id, identity.organization, identity.organization_name) == ("subject-1", None, None)


def test_the_external_id_of_the_other_vertical_is_not_read() -> None:
    assert read({}, {"email": "email", "external_user_id": "sub"}).external_id is None


@pytest.mark.parametrize("name", ["https://example.com/mail", "kubernetes.io", "a.b", "a b", "$.a", "é", "constructor"])
def test_claim_names_are_literal(name: str) -> None:
    claims = {name: "right@example.com", "a": {"b": "wrong@example.com"}}
    assert read(claims, {"email": name}).email == "right@example.com"


@pytest.mark.parametrize(
    "name", ["", "/~email", 5, None, ["email"], {}, {"from": ""}, {"cel": "claims.email."}, {"default": "x"}], ids=repr
)
@pytest.mark.parametrize("attribute", ["email", "email_verified", "external_member_id", "token_id", "role_ids"])
def test_a_mapping_that_finds_nothing_in_any_token_refuses_it(attribute: str, name: object) -> None:
    """Taken for "not mapped", such an email_verified would make every address a trusted one."""
    detail = refusal({"": "x", "/~email": "x@example.com"}, {"email": "email", attribute: name})
    assert detail.startswith(f"the profile's mapping of {attribute} is of no use: ")


def test_attributes_that_do_not_exist_are_ignored() -> None:
    assert read({}, {"email": "email", "nickname": 5}).email == "ada@example.com"


# ---------------------------------------------------------------- coercion

COERCED = {
    "string": ("a b", "a b"),
    "true": (True, "true"),
    "false": (False, "false"),
    "integer": (1234567890123456789, "1234567890123456789"),
    "zero": (0, "0"),
    "negative": (-5, "-5"),
    "float": (1.5, "1.5"),
    "whole float": (5.0, "5"),
    "large float": (1e20, "100000000000000000000"),
    "list of a string": (["a"], "a"),
    "list of a number": ([7], "7"),
}

NOT_COERCED = {
    "empty list": [],
    "list of two": ["a", "b"],
    "list in a list": [["a"]],
    "list of null": [None],
    "object": {"a": "b"},
    "list of an object": [{"a": "b"}],
}


@pytest.mark.parametrize(("value", "expected"), COERCED.values(), ids=COERCED.keys())
def test_plain_values_become_strings(value: object, expected: str) -> None:
    attributes = {"external_member_id": "v", "token_id": "v", "organization_id": "v", "organization_name": "v"}
    identity = read({"v": value, "email": ABSENT}, attributes)
    found = {identity.external_id, identity.token_id, identity.organization, identity.organization_name}
    assert found == {expected}


@pytest.mark.parametrize("value", NOT_COERCED.values(), ids=NOT_COERCED.keys())
@pytest.mark.parametrize("attribute", ["email", "external_member_id", "token_id", "organization_name"])
def test_other_values_are_refused(attribute: str, value: object) -> None:
    detail = refusal({"v": value}, {"email": "email", attribute: "v"})
    assert detail.startswith(f"the claim for {attribute} is not a string: ")


# ---------------------------------------------------------------- token id


def test_the_token_id_is_mapped_or_jti_or_the_hash() -> None:
    email = {"email": "email"}
    assert read({"sid": "s-1"}, email | {"token_id": "sid"}).token_id == "s-1"
    assert read({"jti": "j-1"}, email).token_id == "j-1"
    for jti in (ABSENT, ""):
        assert len(read({"jti": jti}, email).token_id) == 64


@pytest.mark.parametrize("value", [ABSENT, None], ids=["absent", "null"])
def test_a_mapped_token_id_must_be_there(value: object) -> None:
    assert refusal({"sid": value}, {"email": "email", "token_id": "sid"}) == "the token has no claim for token_id"


BAD_IDS = {"empty": "", "too long": "x" * 256, "line break": "a\nb", "escape": "a\x1b[0m", "direction": "a\u202eb"}


@pytest.mark.parametrize("value", BAD_IDS.values(), ids=BAD_IDS.keys())
@pytest.mark.parametrize("attribute", ["token_id", "external_member_id"])
def test_ids_have_1_to_255_printable_characters(attribute: str, value: str) -> None:
    detail = refusal({"v": value}, {"email": "email", attribute: "v"})
    assert detail.startswith(f"the claim for {attribute} does not have 1 to 255 printable characters: ")


def test_a_jti_that_is_too_long_is_refused() -> None:
    assert "token_id" in refusal({"jti": "j" * 256}, {"email": "email"})


# ---------------------------------------------------------------- email and external id


@pytest.mark.parametrize(
    "external_id",
    ["spiffe://example.org/ns/a", "system:serviceaccount:default:web", "repo:o@1/r@2:ref:refs/heads/main", "x" * 255],
)
def test_an_external_id_may_be_any_printable_text(external_id: str) -> None:
    assert read({"sub": external_id}, {"email": "email", "external_member_id": "sub"}).external_id == external_id


@pytest.mark.parametrize("value", [OWN_ID, OWN_ID.upper(), OWN_ID.replace("member-test", "user-live")])
def test_an_external_id_never_has_the_form_of_our_own_ids(value: str) -> None:
    assert "form of our own ids" in refusal({"sub": value}, {"email": "email", "external_member_id": "sub"})


@pytest.mark.parametrize("value", [ABSENT, None, ""], ids=["absent", "null", "empty"])
def test_an_email_may_be_missing_only_beside_an_external_id(value: object) -> None:
    attributes = {"email": "email", "external_member_id": "uid"}
    identity = read({"email": value, "uid": "u-1"}, attributes)
    assert (identity.email, identity.external_id) == (None, "u-1")
    for uid in (ABSENT, None):
        assert "no claim for email" in refusal({"email": value, "uid": uid}, attributes)


def test_an_email_that_is_not_mapped_is_not_read() -> None:
    assert read({}, {"external_member_id": "sub"}).email is None
    assert "no claim for email" in refusal({}, {})


@pytest.mark.parametrize("value", [ABSENT, None], ids=["absent", "null"])
def test_an_external_id_may_be_missing_beside_an_email(value: object) -> None:
    assert read({"uid": value}, {"email": "email", "external_member_id": "uid"}).external_id is None


IMPLAUSIBLE: dict[str, object] = {
    "no at": "ada",
    "no local part": "@example.com",
    "no domain": "ada@",
    "two ats": "a@b@c",
    "blank": "a da@example.com",
    "line break": "ada@example.com\n",
    "control character": "a\x07@example.com",
    "no-break space": "a\u00a0@example.com",
    "255 bytes": "a" * 251 + "@b.c",
    "256 bytes of fewer characters": "\u00e9" * 126 + "@b.c",
    "number": 5,
    "boolean": True,
    "nested list": [["ada@example.com"]],
}


@pytest.mark.parametrize("email", IMPLAUSIBLE.values(), ids=IMPLAUSIBLE.keys())
def test_an_implausible_email_is_refused_even_beside_an_external_id(email: object) -> None:
    assert "email" in refusal({"email": email}, {"email": "email", "external_member_id": "sub"})


def test_only_ascii_letters_of_an_email_are_lower_cased() -> None:
    """The Kelvin sign's lower case is k: two people's addresses must not become one."""
    assert read({"email": "\u212aIM@Example.com"}, {"email": "email"}).email == "\u212aim@example.com"


VERIFIED: dict[str, tuple[object, str]] = {
    "true": (True, "verified"),
    "text true": ("true", "verified"),
    "one": (1, "verified"),
    "text one": ("1", "verified"),
    "absent": (ABSENT, "silent"),
    "false": (False, "unverified"),
    "text false": ("false", "unverified"),
    "zero": (0, "unverified"),
    "null": (None, "unverified"),
    "empty": ("", "unverified"),
    "yes": ("yes", "unverified"),
    "True": ("True", "unverified"),
    "two": (2, "unverified"),
    "list": ([True], "unverified"),
    "object": ({"true": True}, "unverified"),
}


@pytest.mark.parametrize(("value", "expected"), VERIFIED.values(), ids=VERIFIED.keys())
def test_an_email_counts_as_verified_by_these_values_alone(value: object, expected: str) -> None:
    assert read({"email_verified": value}, {"email": "email"}).email_verified == expected
    mapped = read({"xms_edov": value, "email_verified": True}, {"email": "email", "email_verified": "xms_edov"})
    assert mapped.email_verified == expected


# ---------------------------------------------------------------- roles and organization


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ABSENT, None),
        (None, None),
        ([], ()),
        ("", ()),
        (["editor", "viewer", "editor"], ("editor", "viewer")),
        ("editor  viewer", ("editor", "viewer")),
        (["one role"], ("one role",)),
    ],
    ids=["absent", "null", "empty list", "empty text", "list", "words", "one with a space"],
)
def test_roles_are_a_list_or_words(value: object, expected: object) -> None:
    assert read({"roles": value}, {"email": "email", "role_ids": "roles"}).role_ids == expected


@pytest.mark.parametrize("value", [1, True, {"editor": True}, ["editor", 1], [None], [["editor"]]], ids=repr)
def test_roles_of_other_forms_are_refused(value: object) -> None:
    assert "role_ids" in refusal({"roles": value}, {"email": "email", "role_ids": "roles"})


@pytest.mark.parametrize("value", [ABSENT, None], ids=["absent", "null"])
def test_an_organization_may_be_missing(value: object) -> None:
    assert read({"org": value}, {"email": "email", "organization_id": "org"}).organization is None


@pytest.mark.parametrize(
    "value", [*BAD_IDS.values(), *NOT_COERCED.values()], ids=[*BAD_IDS.keys(), *NOT_COERCED.keys()]
)
def test_an_organization_of_another_form_has_its_own_error(value: object) -> None:
    with pytest.raises(errors.InvalidTokenOrganizationIdClaim) as raised:
        read({"org": value}, {"email": "email", "organization_id": "org"})
    assert "organization_id" in raised.value.detail


def test_an_organization_name_is_cut_and_may_be_empty() -> None:
    attributes = {"email": "email", "organization_name": "name"}
    assert read({"name": "n" * 500}, attributes).organization_name == "n" * 128
    assert read({"name": ""}, attributes).organization_name is None
    assert "organization_name" in refusal({"name": "a\x07"}, attributes)


# ---------------------------------------------------------------- name and metadata


@pytest.mark.parametrize(
    ("value", "expected"),
    [("Ada", "Ada"), (" Ada L. ", "Ada L."), ("a" * 300, "a" * 255), ("", None), ("  ", None), (None, None), (7, "7")],
    ids=["plain", "spaces", "long", "empty", "blank", "null", "number"],
)
def test_a_name_is_trimmed_and_cut_and_may_be_empty(value: object, expected: str | None) -> None:
    assert read({"full": value}, {"email": "email", "name": "full"}).name == expected
    assert read({}, {"email": "email"}).name is None


def test_a_name_with_control_characters_is_refused() -> None:
    assert "control characters" in refusal({"full": "a\x1b[0m"}, {"email": "email", "name": "full"})


def test_metadata_is_what_the_token_has_and_null_for_what_it_has_not() -> None:
    attributes = {"email": "email", "trusted_metadata.plan": "plan", "trusted_metadata.a.b": "/deep/0"}
    found = read({"plan": {"name": "pro"}, "deep": [True]}, attributes)
    assert found.trusted_metadata == {"plan": {"name": "pro"}, "a.b": True}
    assert read({}, attributes).trusted_metadata == {"plan": None, "a.b": None}


# ---------------------------------------------------------------- who vouches


def test_the_issuer_that_the_profile_has_proved_vouches() -> None:
    attributes = {"external_member_id": "sub"}
    assert read({}, attributes).issuer == ISSUER.url
    claims = {"tid": "t-1", "iss": "https://t-1.example/"}
    template: dict[str, Any] = {"issuer": "https://{tid}.example/", "issuer_check": "template"}
    assert read(claims, attributes, **template).issuer == "https://t-1.example/"
    unchecked: dict[str, Any] = {"issuer": "spiffe://a", "issuer_check": "none", "conditions": ("claims.tid == 't-1'",)}
    assert read(claims, attributes, **unchecked).issuer == "spiffe://a"


def test_a_silent_issuer_is_believed_only_where_the_profile_says_so() -> None:
    for claims, expected in (
        ({}, "silent"),
        ({"email_verified": True}, "verified"),
        ({"email_verified": 0}, "unverified"),
    ):
        assert read({"email_verified": ABSENT} | claims, {"email": "email"}).email_verified == expected
    assert read({"email_verified": ABSENT}, {"email": "email"}, trust_email=False).email_verified == "unverified"
    assert read({"email_verified": "true"}, {"email": "email"}, trust_email=False).email_verified == "verified"


# ---------------------------------------------------------------- mappings as they are saved

PROBLEMS: dict[str, tuple[dict[str, Any], Vertical, list[str]]] = {
    "nothing": ({}, "b2b", ["neither email nor external_member_id"]),
    "nobody": ({"token_id": "jti"}, "consumer", ["neither email nor external_user_id"]),
    "unknown attribute": ({"email": "email", "nickname": "n"}, "b2b", ["'nickname', which is no attribute"]),
    "control characters": ({"email": "email", "a\nb": "n"}, "b2b", [r"'a\nb', which is no attribute"]),
    "other vertical": ({"email": "e", "organization_id": "o"}, "consumer", ["no meaning in a consumer project"]),
    "empty name": ({"email": ""}, "b2b", ["email to something that can never work: the name of a claim is empty"]),
    "number": ({"email": 5}, "b2b", ["email to something that can never work: a claim name, a JSON pointer"]),
    "bad pointer": ({"email": "/a/~b"}, "b2b", ["in a JSON pointer ~ stands only before 0 or 1"]),
    "long pointer": ({"email": "/a" * 17}, "b2b", ["a JSON pointer has at most 16 steps"]),
    "bad expression": (
        {"email": {"cel": "claims.a +"}},
        "b2b",
        ["email to something that can never work: line 1, col"],
    ),
    "expression over nothing": ({"email": {"cel": "'a@b.example'"}}, "b2b", ["the same value for every token"]),
    "object": ({"email": {"cel": "{'a': claims.b}"}}, "b2b", ["whose value is of the type map"]),
    "truth for an address": ({"email": {"cel": "claims.a == 1"}}, "b2b", ["whose value is of the type bool"]),
    "number for an address": ({"email": {"cel": "size(claims.a)"}}, "b2b", ["whose value is of the type int"]),
    "truth for a person": ({"external_user_id": {"cel": "has(claims.a)"}}, "consumer", ["of the type bool"]),
    "list for a yes": ({"email": "e", "email_verified": {"cel": "[claims.a]"}}, "b2b", ["of the type list"]),
    "optional value": ({"email": {"cel": "claims.?email"}}, "b2b", ["its value may be absent"]),
    "address for all": ({"email": {"from": "a", "default": "a@b.example"}}, "b2b", ["the same for everybody"]),
    "person for all": ({"external_member_id": {"from": "a", "default": "x"}}, "b2b", ["the same for everybody"]),
    "token for all": ({"email": "e", "token_id": {"from": "a", "default": "x"}}, "b2b", ["the same for everybody"]),
    "default roles": ({"email": "e", "role_ids": {"from": "a", "default": [1]}}, "b2b", ["default of the wrong type"]),
    "default name": ({"email": "e", "name": {"from": "a", "default": {}}}, "b2b", ["default of the wrong type: {}"]),
    "metadata without a key": ({"email": "e", "trusted_metadata.": "a"}, "b2b", ["which is no attribute"]),
    "two faults": ({"role_ids": None, "x": 1}, "b2b", ["neither", "role_ids", "'x'"]),
}

SOUND: list[tuple[dict[str, Any], Vertical]] = [
    ({"email": "email"}, "b2b"),
    ({"external_user_id": "sub"}, "consumer"),
    (
        {"email": "https://x/y", "token_id": "sid", "external_member_id": "sub", "organization_id": "o"}
        | {"organization_name": "n", "role_ids": "r", "email_verified": "v"},
        "b2b",
    ),
    (
        {"email": "/user/mail", "role_ids": {"from": "/r/0", "default": []}, "name": {"cel": "claims.a + claims.b"}}
        | {"email_verified": {"cel": "claims.x == '1'", "default": False}, "token_id": {"from": "uti", "default": None}}
        | {"trusted_metadata.plan": {"cel": "{'name': claims.plan}"}, "trusted_metadata.a.b": "a.b"},
        "b2b",
    ),
]


@pytest.mark.parametrize(("attributes", "vertical", "expected"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_mapping_that_cannot_work_is_stored_with_its_problems(
    attributes: dict[str, Any], vertical: Vertical, expected: list[str]
) -> None:
    mapping.check(attributes, vertical)
    found = mapping.problems(attributes, vertical)
    assert len(found) == len(expected)
    for sentence, part in zip(found, expected, strict=True):
        assert part in sentence
        assert sentence.endswith(".")


@pytest.mark.parametrize(("attributes", "vertical"), SOUND)
def test_a_sound_mapping_has_no_problems(attributes: dict[str, Any], vertical: Vertical) -> None:
    mapping.check(attributes, vertical)
    assert mapping.problems(attributes, vertical) == []


def test_an_unknown_attribute_is_answered_with_those_there_are() -> None:
    known = "email, email_verified, external_user_id, name, role_ids, token_id, trusted_metadata.KEY"
    assert mapping.problems({"email": "email", "nickname": "nick"}, "consumer") == [
        f"attribute_mapping has 'nickname', which is no attribute; there are {known}."
    ]


def test_external_ids_of_both_verticals_are_refused() -> None:
    with pytest.raises(errors.MultipleExternalIds):
        mapping.check({"external_member_id": "a", "external_user_id": "b"}, "b2b")


@pytest.mark.parametrize(("attribute", "vertical"), [("external_user_id", "b2b"), ("external_member_id", "consumer")])
def test_an_external_id_of_the_other_vertical_is_refused(attribute: str, vertical: Vertical) -> None:
    with pytest.raises(errors.IncorrectExternalIdMapping):
        mapping.check({"email": "email", attribute: "sub"}, vertical)
