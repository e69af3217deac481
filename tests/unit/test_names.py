from __future__ import annotations

from collections.abc import Callable

import pytest

from assay import errors, ids
from assay.rules import names

OWN_ID = "member-live-01a208a2-7775-7816-9c49-01fdb697237e"
HOSTILE = ("%", "_", "\\", "'", '"', ";--", "a/b", "a b", "ü", "a\x00b", "a\nb", "")


@pytest.mark.parametrize("text", ["a", "A-Z.9_|", "x" * 128, "auth0|123", "...", "-1"])
def test_an_external_id_is_kept_as_it_is(text: str) -> None:
    assert names.external_id(text) == text


@pytest.mark.parametrize("text", ["x" * 129, ".", "..", "a\n", OWN_ID, OWN_ID.upper(), *HOSTILE[:1], *HOSTILE[2:]])
def test_an_external_id_of_another_alphabet_or_of_our_own_form_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidExternalId):
        names.external_id(text)


def test_an_organization_cannot_take_the_form_of_our_own_ids_as_external_id() -> None:
    with pytest.raises(errors.ExternalOrganizationIdSame):
        names.organization_external_id(ids.new("organization", "test"))
    assert names.organization_external_id("customer-7") == "customer-7"


@pytest.mark.parametrize("text", ["ab", "A.b_c~d-9", "x" * 128])
def test_a_slug_is_kept_as_it_is(text: str) -> None:
    assert names.slug(text) == text


@pytest.mark.parametrize("text", ["a", "x" * 129, "a|b", "..", "ab\n", OWN_ID, *HOSTILE])
def test_a_slug_of_another_alphabet_length_or_form_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidOrganizationSlug):
        names.slug(text)


@pytest.mark.parametrize("text", ["A", "x" * 128, "Müller & Söhne", "Robert'); drop table organizations;--", "100%_\\"])
def test_an_organization_name_may_be_any_text(text: str) -> None:
    assert names.organization_name(text) == text


@pytest.mark.parametrize("text", ["", "x" * 129, "a\x00b", "a\tb", "\ud800"])
def test_an_organization_name_is_neither_empty_nor_long_nor_full_of_control_characters(text: str) -> None:
    with pytest.raises(errors.InvalidOrganizationName):
        names.organization_name(text)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("o'hara+%_\\@example.com", "o'hara+%_\\@example.com"),
        ("JÖRG@example.com", "jÖrg@example.com"),
        ("\u212aelvin@example.com", "\u212aelvin@example.com"),
        ("x" * 242 + "@example.com", "x" * 242 + "@example.com"),
    ],
    ids=["upper case", "punctuation", "only ASCII is lower-cased", "the Kelvin sign is not k", "254 bytes"],
)
def test_an_address_is_lower_cased_in_ascii_only(given: str, kept: str) -> None:
    assert names.email(given) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "a@b@c",
        "a b@example.com",
        "a@exa\x00mple.com",
        "a@b.c\n",
        "\ud800@b.c",
        "x" * 243 + "@example.com",
        "ü" * 122 + "@example.com",
        "a\u200b@example.com",
    ],
)
def test_what_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidEmail):
        names.email(text)


@pytest.mark.parametrize("text", ["+1234567", "+123456789012345", "+12025550162"])
def test_a_phone_number_in_e164_form_is_kept(text: str) -> None:
    assert names.phone_number(text) == text


@pytest.mark.parametrize(
    "text", ["", "12025550162", "+123456", "+1234567890123456", "+0123456789", "+1 202 5550162", "+1202555016२"]
)
def test_other_phone_numbers_are_refused(text: str) -> None:
    with pytest.raises(errors.InvalidPhoneNumber):
        names.phone_number(text)


def test_a_label_is_named_when_it_is_refused() -> None:
    assert names.label("name", "Ada 'the' %_\\ Countess;--") == "Ada 'the' %_\\ Countess;--"
    assert names.label("name", "x" * 2048) == "x" * 2048
    for text in ("a\x00b", "x" * 2049):
        with pytest.raises(errors.BadRequest, match="name must be text"):
            names.label("name", text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Acme Inc.", "acme-inc"),
        ("  Crème  Brûlée  ", "creme-brulee"),
        ("100%_\\';--", "100"),
        ("東京", "organization"),
        ("x", "organization"),
        (OWN_ID, "organization"),
        ("abc " * 100, "abc-" * 31 + "abc"),
    ],
)
def test_a_slug_made_from_a_name_reads_like_it_and_is_valid(name: str, expected: str) -> None:
    made = names.slug_from(name)
    assert made == expected
    assert names.slug(made) == made


@pytest.mark.parametrize("name", ["Acme Inc.", "x" * 300, "東京", "ab " * 100])
def test_a_unique_slug_ends_with_its_suffix_and_is_valid(name: str) -> None:
    made = names.unique_slug(name, "0123abcd")
    assert made.endswith("-0123abcd")
    assert made != names.unique_slug(name, "0123abce")
    assert names.slug(made) == made


def test_a_slug_of_two_characters_is_long_enough() -> None:
    assert names.slug_from("Io") == "io"


def test_a_unique_slug_is_as_long_as_a_slug_may_be() -> None:
    assert names.unique_slug("a" * 200, "0123abcd") == "a" * 119 + "-0123abcd"
    assert names.unique_slug("a" * 118 + " b", "0123abcd") == "a" * 118 + "-0123abcd"


@pytest.mark.parametrize("check", [names.external_id, names.slug, names.phone_number, names.email])
def test_a_trailing_line_break_never_passes(check: Callable[[str], str]) -> None:
    with pytest.raises(errors.Error):
        check("+12025550162@x\n")
