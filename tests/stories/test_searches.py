from __future__ import annotations

from typing import Any

import msgspec
import pytest

from assay import errors, ids
from assay.stories import members, organizations
from assay.stories.context import Call, Context
from assay.stories.searches import MemberSearchRequest, SearchRequest
from assay.stories.users import NameFields
from tests.calls import Clock
from tests.stories.finding import find_members, find_organizations, find_users, join, organize, register

TRICKY = ["100%", "10_0", "back\\slash", "o'hara", 'quo"te', "'; drop table organizations;--", "École"]


@pytest.mark.parametrize("body", [{}, {"query": None}, {"query": {}}, {"query": {"operator": "OR", "operands": []}}])
async def test_an_empty_query_finds_everything_of_the_environment(
    ctx: Context, call: Call, elsewhere: Call, body: dict[str, Any]
) -> None:
    await organize(ctx, elsewhere, "Theirs")
    names = {(await organize(ctx, call, name)).name for name in ("One", "Two")}
    page = await organizations.search(ctx, call, msgspec.convert(body, SearchRequest))
    assert ({organization.name for organization in page.organizations}, page.total) == (names, 2)


async def test_organizations_are_found_by_every_filter(ctx: Context, call: Call, elsewhere: Call) -> None:
    acme = await organize(
        ctx, call, "Acme", organization_slug="Acme-Inc", organization_external_id="customer-7",
        email_allowed_domains=["Acme.Example"], claimed_email_domains=["acme.example"],
    )  # fmt: skip
    other = await organize(ctx, call, "Other", email_allowed_domains=["other.example"])
    await organize(ctx, elsewhere, "Acme", organization_slug="Acme-Inc", organization_external_id="customer-7")
    await join(ctx, call, acme, "ada@acme.example")
    gone = await join(ctx, call, other, "gone@acme.example")
    await members.delete(ctx, call, members.MemberRef(organization_id=other.organization_id, member_id=gone.member_id))
    for name, value in (
        ("organization_ids", [acme.organization_id, ids.new("organization", "test")]),
        ("organization_ids", ["customer-7"]),
        ("organization_slugs", ["Acme-Inc", "nobody"]),
        ("organization_name_fuzzy", "CME"),
        ("organization_slug_fuzzy", "acme-I"),
        ("member_emails", ["ADA@acme.example", "gone@acme.example"]),
        ("member_email_fuzzy", "DA@acme"),
        ("allowed_domains", ["ACME.example"]),
        ("allowed_domain_fuzzy", "acme."),
        ("claimed_email_domains", ["acme.example"]),
    ):
        assert await find_organizations(ctx, call, (name, value)) == ["Acme"], name
    assert await find_organizations(ctx, call, ("member_email_fuzzy", "gone@")) == []
    assert await find_organizations(ctx, call, ("organization_slugs", [])) == []


async def test_operands_are_joined_by_and_or_by_or(ctx: Context, call: Call) -> None:
    for name in ("One", "Two", "Three"):
        await organize(ctx, call, name)
    operands = (("organization_slugs", ["one", "two"]), ("organization_name_fuzzy", "two"))
    assert await find_organizations(ctx, call, *operands) == ["Two"]
    assert await find_organizations(ctx, call, *operands, operator="OR") == ["One", "Two"]


@pytest.mark.parametrize("name", TRICKY)
async def test_pattern_and_sql_characters_find_only_themselves(ctx: Context, call: Call, name: str) -> None:
    for every in [*TRICKY, "100 percent", "1010", "backslash", "ohara", "anything"]:
        await organize(ctx, call, every)
    assert await find_organizations(ctx, call, ("organization_name_fuzzy", name)) == [name]


@pytest.mark.parametrize("value", ["%%%", "___", "%_%", "\\\\\\", "' or 1=1;--", "*?*", "[a-z]"])
async def test_patterns_are_not_understood(ctx: Context, call: Call, consumer: Call, value: str) -> None:
    acme = await organize(ctx, call, "Acme")
    await join(ctx, call, acme, "ada@acme.example")
    await register(ctx, consumer, email="bob@home.example", phone_number="+12025550162")
    assert await find_organizations(ctx, call, ("organization_name_fuzzy", value)) == []
    assert await find_organizations(ctx, call, ("member_emails", [value])) == []
    assert await find_members(ctx, call, ["acme"], ("member_email_fuzzy", value)) == []
    assert await find_members(ctx, call, ["acme"], ("member_ids", [value])) == []
    assert await find_users(ctx, consumer, ("full_name_fuzzy", value)) == []
    assert await find_users(ctx, consumer, ("phone_number_fuzzy", value)) == []
    assert await find_users(ctx, consumer, ("user_id", [value])) == []


async def test_members_are_found_by_every_filter(ctx: Context, call: Call) -> None:
    acme = await organize(ctx, call, "Acme")
    ada = await join(
        ctx, call, acme, "Ada@acme.example", external_id="sub|ada", is_breakglass=True, roles=["stytch_admin"],
        mfa_phone_number="+12025550162", create_member_as_pending=True,
    )  # fmt: skip
    await join(ctx, call, acme, "bob@home.example")
    for name, value in (
        ("member_ids", [ada.member_id]),
        ("member_ids", ["sub|ada", "sub|nobody"]),
        ("member_emails", ["ADA@acme.example"]),
        ("member_email_fuzzy", "Acme"),
        ("member_is_breakglass", True),
        ("statuses", ["pending", "invited"]),
        ("member_mfa_phone_numbers", ["+12025550162"]),
        ("member_mfa_phone_number_fuzzy", "5550"),
        ("member_phone_numbers", ["+12025550162"]),
        ("member_phone_number_fuzzy", "5550"),
        ("member_roles", ["stytch_admin"]),
    ):
        assert await find_members(ctx, call, ["acme"], (name, value)) == ["ada@acme.example"], name
    assert await find_members(ctx, call, ["acme"], ("member_is_breakglass", False)) == ["bob@home.example"]


async def test_deleted_members_are_found_only_when_they_are_asked_for(ctx: Context, call: Call) -> None:
    acme = await organize(ctx, call, "Acme")
    await join(ctx, call, acme, "ada@acme.example")
    gone = await join(ctx, call, acme, "gone@acme.example")
    await members.delete(ctx, call, members.MemberRef(organization_id="acme", member_id=gone.member_id))
    assert await find_members(ctx, call, ["acme"]) == ["ada@acme.example"]
    assert await find_members(ctx, call, ["acme"], ("member_emails", ["gone@acme.example"])) == []
    assert await find_members(ctx, call, ["acme"], ("statuses", ["deleted"])) == ["gone@acme.example"]
    assert len(await find_members(ctx, call, ["acme"], ("statuses", ["deleted", "active"]))) == 2


async def test_members_are_searched_within_the_organizations_named(ctx: Context, call: Call, elsewhere: Call) -> None:
    acme = await organize(ctx, call, "Acme")
    other = await organize(ctx, call, "Other", organization_external_id="customer-8")
    third = await organize(ctx, call, "Third")
    theirs = await organize(ctx, elsewhere, "Theirs")
    for of in (acme, other, third):
        await join(ctx, call, of, f"ada@{of.slug}.example")
    await join(ctx, elsewhere, theirs, "ada@theirs.example")
    request = MemberSearchRequest(organization_ids=[acme.organization_id, "acme", "customer-8"])
    page = await members.search(ctx, call, request)
    assert sorted(member.email or "" for member in page.members) == ["ada@acme.example", "ada@other.example"]
    assert page.organizations == {acme.organization_id: acme, other.organization_id: other}
    for unknown in (theirs.organization_id, "theirs", "never-existed"):
        with pytest.raises(errors.OrganizationNotFound):
            await find_members(ctx, call, ["acme", unknown])


@pytest.mark.parametrize("organization_ids", [[], ["acme"] * 1001])
async def test_a_search_of_members_needs_organizations_but_not_too_many(
    ctx: Context, call: Call, organization_ids: list[str]
) -> None:
    await organize(ctx, call, "Acme")
    with pytest.raises(errors.InvalidSearch, match="organization_ids"):
        await find_members(ctx, call, organization_ids)


async def test_users_are_found_by_every_filter(ctx: Context, consumer: Call, clock: Clock) -> None:
    ann = await register(
        ctx, consumer, email="Ann@home.example", phone_number="+12025550162", external_id="sub|ann",
        name=NameFields(first_name="Ann", last_name="Roe"), create_user_as_pending=True,
    )  # fmt: skip
    clock.turn(100)
    await register(ctx, consumer, email="bob@work.example")
    for name, value in (
        ("created_at_less_than", "2025-06-15T15:07:00Z"),
        ("created_at_between", {"greater_than": "2025-06-15T15:06:39Z", "less_than": "2025-06-15T17:06:41+02:00"}),
        ("status", "pending"),
        ("user_id", [ann.user_id]),
        ("user_id", ["sub|ann"]),
        ("full_name_fuzzy", "ann roe"),
        ("phone_number", ["+12025550162"]),
        ("phone_id", [ann.phone_id]),
        ("phone_number_fuzzy", "5550"),
        ("email_address", ["ANN@home.example"]),
        ("email_id", [ann.email_id]),
        ("email_address_fuzzy", "nn@HOME"),
    ):
        assert await find_users(ctx, consumer, (name, value)) == ["ann@home.example"], name
    assert await find_users(ctx, consumer, ("created_at_greater_than", "2025-06-15T15:07:00Z")) == ["bob@work.example"]
    assert await find_users(ctx, consumer, ("email_verified", True)) == []
    assert len(await find_users(ctx, consumer, ("email_verified", False))) == 2


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("created_at_greater_than", "2025-06-15T15:06:40Z", False),
        ("created_at_greater_than", "2025-06-15T15:06:39.999Z", True),
        ("created_at_greater_than", "2025-06-15T15:06:40.5Z", False),
        ("created_at_less_than", "2025-06-15T15:06:40Z", False),
        ("created_at_less_than", "2025-06-15T15:06:40.5Z", True),
    ],
)
async def test_times_are_compared_to_the_fraction_of_a_second(
    ctx: Context, consumer: Call, name: str, value: str, *, found: bool
) -> None:
    await register(ctx, consumer, email="a@b.example")
    assert bool(await find_users(ctx, consumer, (name, value))) is found
