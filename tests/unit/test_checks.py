"""Every variant of the checks before the signature (decisions D8), and what somebody could send to get past them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from assay import errors
from assay.keys import admission
from assay.model import Profile
from assay.rules import checks, tokens
from tests.issuer import sign
from tests.unit.claimed import ISSUER, NOW, SECRET, profile

DAY = 86_400
SECOND = int(NOW)
Refused = type[errors.Error]
BASE: dict[str, Any] = {"iss": ISSUER, "aud": "assay", "exp": SECOND + 60, "iat": SECOND}
GONE: Any = msgspec.UNSET


def judge(made: Profile, values: dict[str, Any], header: dict[str, Any] | None = None) -> None:
    claims = {name: value for name, value in (BASE | values).items() if value is not GONE}
    tokens.read(sign({"alg": "HS256"} | (header or {}), claims, "HS256", SECRET), made, NOW)


def refusal(error: Refused, made: Profile, values: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    with pytest.raises(error) as refused:
        judge(made, values, header)
    return refused.value.detail


# ---------------------------------------------------------------- typ

TYPES_TAKEN: dict[str, tuple[tuple[str, ...], str | None]] = {
    "one of the list": (("JWT", "at+jwt"), "at+jwt"),
    "other case": (("at+jwt",), "AT+JWT"),
    "other case in the profile": (("AT+JWT",), "at+jwt"),
    "with application": (("at+jwt",), "application/at+jwt"),
    "with Application": (("at+jwt",), "Application/AT+jwt"),
    "with application in the profile": (("application/at+jwt",), "at+jwt"),
    "absent": (("absent", "at+jwt"), None),
    "absent alone": (("absent",), None),
    "another media type": (("text/jwt",), "text/jwt"),
}
TYPES_REFUSED: dict[str, tuple[tuple[str, ...], str | None]] = {
    "absent that is not listed": (("JWT",), None),
    "not listed": (("at+jwt",), "JWT"),
    "logout token": (("absent", "JWT"), "logout+jwt"),
    "one that calls itself absent": (("absent",), "absent"),
    "application twice": (("JWT",), "application/application/jwt"),
    "application alone": (("absent", "JWT"), "application/"),
    "empty": (("absent", "JWT"), ""),
    "blank before": (("JWT",), " JWT"),
    "look-alike letter": (("JWT",), "J\u0174T"),
    "other media type": (("JWT",), "text/jwt"),
    "part of one": (("at+jwt",), "jwt"),
}


@pytest.mark.parametrize(("listed", "typ"), TYPES_TAKEN.values(), ids=TYPES_TAKEN.keys())
def test_a_type_on_the_list_is_taken(listed: tuple[str, ...], typ: str | None) -> None:
    judge(profile(typ=listed), {}, {} if typ is None else {"typ": typ})


@pytest.mark.parametrize(("listed", "typ"), TYPES_REFUSED.values(), ids=TYPES_REFUSED.keys())
def test_another_type_is_refused(listed: tuple[str, ...], typ: str | None) -> None:
    detail = refusal(errors.InvalidTrustedAuthToken, profile(typ=listed), {}, {} if typ is None else {"typ": typ})
    assert "typ" in detail


# ---------------------------------------------------------------- issuer

TENANT = "11111111-2222-3333-4444-555555555555"
TEMPLATE = "https://login.example/{tid}/v2.0"
PINNED = ("claims.tid == 'x'",)


def template(issuer: str = TEMPLATE) -> Profile:
    return profile(issuer=issuer, issuer_check="template", conditions=PINNED)


@pytest.mark.parametrize("tenant", [TENANT, "acme", "a.b_c~d-e", "A" * 128, "..."])
def test_a_template_is_filled_with_the_tenants_claim(tenant: str) -> None:
    judge(template(), {"tid": tenant, "iss": f"https://login.example/{tenant}/v2.0"})


TENANTS: dict[str, tuple[Any, Any]] = {
    "another tenant in the issuer": (TENANT, "https://login.example/other/v2.0"),
    "no tenant in the token": (GONE, f"https://login.example/{TENANT}/v2.0"),
    "the placeholder itself": ("{tid}", TEMPLATE),
    "the placeholder unfilled": (TENANT, TEMPLATE),
    "an empty tenant": ("", "https://login.example//v2.0"),
    "a slash": ("a/b", "https://login.example/a/b/v2.0"),
    "an escape from the path": ("x/../../evil", "https://login.example/x/../../evil/v2.0"),
    "a host of its own": ("@evil.example", "https://login.example/@evil.example/v2.0"),
    "a query": ("a?b=", "https://login.example/a?b=/v2.0"),
    "a fragment": ("a#b", "https://login.example/a#b/v2.0"),
    "a percent sign": ("a%2Fb", "https://login.example/a%2Fb/v2.0"),
    "a blank": ("a b", "https://login.example/a b/v2.0"),
    "a line break": ("a\n", "https://login.example/a\n/v2.0"),
    "a colon": ("a:b", "https://login.example/a:b/v2.0"),
    "a backslash": ("a\\b", "https://login.example/a\\b/v2.0"),
    "letters of another script": ("\u0430cme", "https://login.example/\u0430cme/v2.0"),
    "a group of the pattern": ("\\1", "https://login.example/\\1/v2.0"),
    "too long": ("a" * 129, f"https://login.example/{'a' * 129}/v2.0"),
    "a number": (7, "https://login.example/7/v2.0"),
    "a list": ([TENANT], f"https://login.example/{TENANT}/v2.0"),
    "null": (None, "https://login.example/None/v2.0"),
    "true": (True, "https://login.example/True/v2.0"),
    "a slash at the end": (TENANT, f"https://login.example/{TENANT}/v2.0/"),
    "other case": ("ACME", "https://login.example/acme/v2.0"),
    "no issuer": (TENANT, GONE),
    "a list of issuers": (TENANT, [f"https://login.example/{TENANT}/v2.0"]),
}


@pytest.mark.parametrize(("tenant", "issuer"), TENANTS.values(), ids=TENANTS.keys())
def test_an_odd_tenant_fills_no_template(tenant: Any, issuer: Any) -> None:
    refusal(errors.JwtInvalidIssuer, template(), {"tid": tenant, "iss": issuer})


BAD_TEMPLATES = [
    "https://login.example/",
    "https://{a}.example/{b}",
    "https://{}/",
    "https://{a",
    "https://a}/{b}",
    "{{a}}",
]


@pytest.mark.parametrize("issuer", BAD_TEMPLATES)
def test_a_template_without_exactly_one_placeholder_takes_no_token(issuer: str) -> None:
    assert checks.placeholder(issuer) is None
    values = {"a": "x", "b": "x", "": "x", "iss": issuer.replace("{a}", "x").replace("{b}", "x").replace("{}", "x")}
    refusal(errors.JwtInvalidIssuer, template(issuer), values)


def test_a_placeholder_is_only_filled_where_the_profile_says_so() -> None:
    refusal(errors.JwtInvalidIssuer, profile(issuer=TEMPLATE), {"tid": "a", "iss": "https://login.example/a/v2.0"})
    judge(profile(issuer=TEMPLATE), {"tid": "a", "iss": TEMPLATE})


KEY_ISSUERS: dict[str, tuple[str | None, bool]] = {
    "no issuer of its own": (None, True),
    "the same placeholder": (TEMPLATE, True),
    "a placeholder of another name": ("https://login.example/{tenantid}/v2.0", True),
    "this tenant": (f"https://login.example/{TENANT}/v2.0", True),
    "another tenant": ("https://login.example/other/v2.0", False),
    "another host": ("https://sts.example/{tenantid}/", False),
    "empty": ("", False),
}


@pytest.mark.parametrize(("key_issuer", "fits"), KEY_ISSUERS.values(), ids=KEY_ISSUERS.keys())
def test_a_key_that_says_whose_it_is_signs_for_nobody_else(key_issuer: str | None, fits: bool) -> None:
    claims = {"iss": f"https://login.example/{TENANT}/v2.0", "tid": TENANT}
    assert checks.key_is_of_issuer(key_issuer, template(), claims) is fits
    assert checks.key_is_of_issuer(key_issuer, profile(), claims)


def test_the_key_of_another_tenant_verifies_nothing() -> None:
    made = template()
    values = BASE | {"iss": f"https://login.example/{TENANT}/v2.0", "tid": TENANT}
    unverified = tokens.read(sign({"alg": "HS256"}, values, "HS256", SECRET), made, NOW)
    key = admission.shared_secret(SECRET)
    assert tokens.verify(unverified, [key]).values["tid"] == TENANT
    with pytest.raises(errors.InvalidTrustedAuthToken):
        tokens.verify(unverified, [msgspec.structs.replace(key, issuer="https://login.example/other/v2.0")])


@pytest.mark.parametrize("issuer", [GONE, "anything", None, 7, ["a"]], ids=["absent", "text", "null", "number", "list"])
def test_an_issuer_is_not_looked_at_where_a_condition_stands_in(issuer: Any) -> None:
    judge(profile(issuer_check="none", conditions=PINNED), {"iss": issuer})


def test_without_a_condition_an_unchecked_issuer_or_audience_takes_no_token() -> None:
    assert "no condition instead" in refusal(errors.JwtInvalidIssuer, profile(issuer_check="none"), {})
    assert "no condition instead" in refusal(errors.JwtInvalidAudience, profile(audience_claim="none"), {})


def test_who_vouches_is_what_the_profile_has_proved_and_never_the_tokens_word() -> None:
    values = {"iss": "https://other.example", "tid": "t"}
    assert checks.issuer_of(profile(), values) == ISSUER
    assert checks.issuer_of(profile(issuer_check="none", conditions=PINNED), values) == ISSUER
    assert checks.issuer_of(template(), values) == "https://login.example/t/v2.0"


# ---------------------------------------------------------------- audience

AUDIENCES_TAKEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "additional": ({"additional_audiences": ("b", "c")}, {"aud": "c"}),
    "additional in a list": ({"additional_audiences": ("b",)}, {"aud": ["x", "b"]}),
    "the first beside additional ones": ({"additional_audiences": ("b",)}, {"aud": "assay"}),
    "single": ({"single_audience": True}, {"aud": "assay"}),
    "single in a list": ({"single_audience": True}, {"aud": ["assay"]}),
    "azp": ({"audience_claim": "azp"}, {"aud": GONE, "azp": "assay"}),
    "client_id": ({"audience_claim": "client_id"}, {"aud": GONE, "client_id": "assay"}),
    "a URL as name": ({"audience_claim": "https://x.example/for"}, {"aud": GONE, "https://x.example/for": "assay"}),
    "a pointer": ({"audience_claim": "/authz/0/for"}, {"aud": GONE, "authz": [{"for": ["assay"]}]}),
    "a pointer into text": ({"audience_claim": "/ctx/for"}, {"aud": GONE, "ctx": '{"for": "assay"}'}),
    "a pointer to a claim called none": ({"audience_claim": "/none"}, {"aud": GONE, "none": "assay"}),
    "none": ({"audience_claim": "none", "conditions": PINNED}, {"aud": GONE}),
    "none, whatever there is": ({"audience_claim": "none", "conditions": PINNED}, {"aud": {"x": 1}}),
}
AUDIENCES_REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "aud where azp is looked at": ({"audience_claim": "azp"}, {"aud": "assay"}),
    "another azp": ({"audience_claim": "azp"}, {"azp": "other"}),
    "none of the additional ones": ({"additional_audiences": ("b",)}, {"aud": "c"}),
    "part of an additional one": ({"additional_audiences": ("bcd",)}, {"aud": "b"}),
    "two where one is wanted": ({"single_audience": True}, {"aud": ["assay", "other"]}),
    "two of ours where one is wanted": (
        {"single_audience": True, "additional_audiences": ("b",)},
        {"aud": ["assay", "b"]},
    ),
    "the same twice where one is wanted": ({"single_audience": True}, {"aud": ["assay", "assay"]}),
    "words in a text": ({}, {"aud": "assay other"}),
    "a list with a number": ({}, {"aud": ["assay", 1]}),
    "an object with the name": ({}, {"aud": {"assay": True}}),
    "a pointer to nothing": ({"audience_claim": "/authz/for"}, {"authz": {}}),
    "a pointer to an object": ({"audience_claim": "/authz"}, {"authz": {"for": "assay"}}),
    "a pointer that is a name": ({"audience_claim": "/a/b"}, {"/a/b": "assay"}),
    "a name with a dot that is no path": ({"audience_claim": "a.b"}, {"a": {"b": "assay"}}),
    "a claim for a header": ({"audience_claim": "header:client"}, {"client": "assay", "header:client": "assay"}),
}


@pytest.mark.parametrize(("members", "values"), AUDIENCES_TAKEN.values(), ids=AUDIENCES_TAKEN.keys())
def test_an_audience_is_found_where_the_profile_looks(members: dict[str, Any], values: dict[str, Any]) -> None:
    judge(profile(**members), values)


@pytest.mark.parametrize(("members", "values"), AUDIENCES_REFUSED.values(), ids=AUDIENCES_REFUSED.keys())
def test_an_audience_elsewhere_or_of_another_form_is_refused(members: dict[str, Any], values: dict[str, Any]) -> None:
    assert "but it is" in refusal(errors.JwtInvalidAudience, profile(**members), values) or "there is none" in refusal(
        errors.JwtInvalidAudience, profile(**members), values
    )


def test_an_audience_may_stand_in_the_header() -> None:
    made = profile(audience_claim="header:client")
    judge(made, {"aud": GONE}, {"client": "assay"})
    assert refusal(errors.JwtInvalidAudience, made, {}, {"client": "other"}) == (
        "header:client must contain 'assay', but it is 'other'"
    )
    assert refusal(errors.JwtInvalidAudience, made, {}) == "header:client must contain 'assay', but there is none"
    refusal(errors.JwtInvalidAudience, made, {}, {"client": {"assay": 1}})


def test_the_detail_names_every_audience_that_is_accepted() -> None:
    made = profile(additional_audiences=("b",), audience_claim="azp")
    detail = refusal(errors.JwtInvalidAudience, made, {"azp": "c"})
    assert detail == "azp must contain 'assay' or 'b', but it is 'c'"


# ---------------------------------------------------------------- times

TIMES_TAKEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as old as it may be": ({"max_age_seconds": 100}, {"iat": SECOND - 130}),
    "as old as it may be without leeway": ({"max_age_seconds": 100, "leeway_seconds": 0}, {"iat": SECOND - 100}),
    "no exp": ({"max_age_seconds": 100, "require_exp": False}, {"exp": GONE}),
    "exp where none is required": ({"max_age_seconds": 100, "require_exp": False}, {}),
    "as long a life as it may have": ({"max_lifetime_seconds": 3600}, {"exp": SECOND + 3600}),
    "a long life from now without iat": ({"max_lifetime_seconds": 3600}, {"iat": GONE, "exp": SECOND + 3600}),
    "a longer life than is usual": ({"max_lifetime_seconds": 3650 * DAY}, {"exp": SECOND + 3000 * DAY}),
}
TIMES_REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "too old": ({"max_age_seconds": 100}, {"iat": SECOND - 131}, "the token is too old: iat is"),
    "too old though it lives": ({"max_age_seconds": 1}, {"iat": SECOND - 60, "exp": SECOND + 60}, "too old"),
    "age that nobody can tell": ({"max_age_seconds": 100}, {"iat": GONE}, "iat is missing, and the profile limits"),
    "age of null": ({"max_age_seconds": 100}, {"iat": None}, "iat must be a number"),
    "iat ahead": ({"max_age_seconds": 100}, {"iat": SECOND + 31}, "not yet valid: iat"),
    "no exp where one is required": ({"max_age_seconds": 100}, {"exp": GONE}, "exp is missing"),
    "no exp and no age": ({"require_exp": False}, {"exp": GONE}, "exp is missing"),
    "no exp and no iat": (
        {"max_age_seconds": 100, "require_exp": False},
        {"exp": GONE, "iat": GONE},
        "iat is missing, and the profile limits",
    ),
    "no exp and too old": ({"max_age_seconds": 9, "require_exp": False}, {"exp": GONE, "iat": SECOND - 99}, "too old"),
    "null for exp where none is required": (
        {"max_age_seconds": 100, "require_exp": False},
        {"exp": None},
        "exp must be a number",
    ),
    "expired where exp is not required": (
        {"max_age_seconds": DAY, "require_exp": False},
        {"exp": SECOND - 60, "iat": SECOND - 90},
        "expired",
    ),
    "too long a life": ({"max_lifetime_seconds": 3600}, {"exp": SECOND + 3601}, "lives longer than 3600 seconds"),
    "too long a life from now": ({"max_lifetime_seconds": 60}, {"iat": GONE, "exp": SECOND + 61}, "lives longer"),
    "backdated to look old": ({"max_lifetime_seconds": 600}, {"iat": SECOND - 900, "exp": SECOND + 60}, "lives longer"),
}


@pytest.mark.parametrize(("members", "values"), TIMES_TAKEN.values(), ids=TIMES_TAKEN.keys())
def test_a_token_of_the_right_age_is_taken(members: dict[str, Any], values: dict[str, Any]) -> None:
    judge(profile(**members), values)


@pytest.mark.parametrize(("members", "values", "words"), TIMES_REFUSED.values(), ids=TIMES_REFUSED.keys())
def test_a_token_of_the_wrong_age_is_refused(members: dict[str, Any], values: dict[str, Any], words: str) -> None:
    assert words in refusal(errors.JwtInvalidClaims, profile(**members), values)


@pytest.mark.parametrize(
    ("members", "values", "end"),
    [
        ({}, {"exp": NOW + 60.9}, SECOND + 60),
        ({"max_age_seconds": 30}, {"exp": SECOND + 60, "iat": SECOND}, SECOND + 30),
        ({"max_age_seconds": 90}, {"exp": SECOND + 60, "iat": SECOND}, SECOND + 60),
        ({"max_age_seconds": 90, "require_exp": False}, {"iat": SECOND}, SECOND + 90),
    ],
    ids=["exp", "age before exp", "exp before age", "age alone"],
)
def test_a_token_ends_at_its_exp_or_its_age_whichever_is_first(
    members: dict[str, Any], values: dict[str, Any], end: int
) -> None:
    assert checks.ends_at(values, profile(**members)) == end
