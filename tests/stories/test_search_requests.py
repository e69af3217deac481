from __future__ import annotations

import msgspec
import pytest

from assay import errors, ids
from assay.store.filters import FILTERS, MAX_FILTERS
from assay.stories import members, organizations, search_values, users
from assay.stories.context import Call, Context
from assay.stories.searches import MemberSearchRequest, SearchRequest
from tests.stories.finding import find_members, find_organizations, find_users, join, organize, query, register


def test_every_filter_of_the_store_has_a_kind_of_value() -> None:
    assert frozenset().union(*FILTERS.values()) == search_values.KINDS.keys()


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_a_page_has_1_to_1000_records(ctx: Context, call: Call, limit: int) -> None:
    with pytest.raises(errors.InvalidSearch, match="limit"):
        await organizations.search(ctx, call, SearchRequest(limit=limit))


async def test_an_unknown_filter_is_refused_with_the_list_of_known_ones(
    ctx: Context, call: Call, consumer: Call
) -> None:
    await organize(ctx, call, "Acme")
    unknown = query(("shoe_size", 42))
    with pytest.raises(errors.OrganizationSearchFilterNotRecognized) as refusal:
        await organizations.search(ctx, call, SearchRequest(query=unknown))
    assert ", ".join(sorted(FILTERS["organizations"])) in refusal.value.message
    assert "shoe_size" not in refusal.value.message
    with pytest.raises(errors.MemberSearchFilterNotRecognized, match="member_is_breakglass"):
        await members.search(ctx, call, MemberSearchRequest(organization_ids=["acme"], query=unknown))
    with pytest.raises(errors.UserSearchFilterNotRecognized, match="full_name_fuzzy"):
        await users.search(ctx, consumer, SearchRequest(query=unknown))


@pytest.mark.parametrize("name", ["has_active_sso_connection", "sso_connection_id", "member_ids", "'; --", ""])
async def test_filters_on_what_is_not_stored_or_of_other_records_are_not_recognized(
    ctx: Context, call: Call, name: str
) -> None:
    with pytest.raises(errors.OrganizationSearchFilterNotRecognized):
        await find_organizations(ctx, call, (name, ["x"]))


BAD_VALUES = [
    ("organization_ids", "acme", "a list of at most 1000 strings"),
    ("organization_ids", None, "a list of"),
    ("organization_slugs", ["a", 1], "a list of"),
    ("organization_slugs", ["a"] * 1001, "a list of"),
    ("member_emails", ["a\x00b"], "a list of"),
    ("organization_name_fuzzy", "ab", "a string of 3 to 255 characters"),
    ("organization_name_fuzzy", ["abc"], "a string of"),
    ("organization_name_fuzzy", "x" * 256, "a string of"),
    ("member_email_fuzzy", "ab\x00c", "a string of"),
    ("member_is_breakglass", "true", "true or false"),
    ("member_is_breakglass", 1, "true or false"),
    ("statuses", ["asleep"], "a list out of pending, invited, active and deleted"),
    ("statuses", "active", "a list out of"),
    ("status", ["active"], "pending or active"),
    ("status", "deleted", "pending or active"),
    ("created_at_greater_than", 1_750_000_000, "RFC 3339"),
    ("created_at_greater_than", "yesterday", "RFC 3339"),
    ("created_at_less_than", "2025-06-15T15:06:40", "RFC 3339"),
    ("created_at_between", {"greater_than": "2025-06-15T15:06:40Z"}, "greater_than and less_than"),
    ("created_at_between", "2025-06-15T15:06:40Z", "greater_than and less_than"),
    ("created_at_between", {"greater_than": "x", "less_than": "y"}, "greater_than and less_than"),
]


@pytest.mark.parametrize(("name", "value", "expected"), BAD_VALUES)
def test_a_value_of_another_kind_is_refused_with_the_filter_and_what_it_takes(
    name: str, value: object, expected: str
) -> None:
    with pytest.raises(errors.InvalidSearch) as refusal:
        search_values.read(name, value)
    assert name in refusal.value.message
    assert expected in refusal.value.message


async def test_own_and_external_ids_do_not_mix(ctx: Context, call: Call, consumer: Call) -> None:
    await organize(ctx, call, "Acme")
    mixed = [ids.new("member", "test"), "sub|ada"]
    with pytest.raises(errors.MemberSearchMixedIds):
        await find_members(ctx, call, ["acme"], ("member_ids", mixed))
    with pytest.raises(errors.UserSearchMixedIds):
        await find_users(ctx, consumer, ("user_id", mixed))


async def test_a_search_has_a_largest_number_of_operands(ctx: Context, call: Call) -> None:
    operand = ("organization_slugs", ["acme"])
    assert await find_organizations(ctx, call, *[operand] * MAX_FILTERS, operator="OR") == []
    with pytest.raises(errors.InvalidSearch, match="at most 100 operands"):
        await find_organizations(ctx, call, *[operand] * (MAX_FILTERS + 1))


def test_a_request_of_the_wrong_type_is_named() -> None:
    for body, field in (
        ({"limit": "10"}, "limit"),
        ({"cursor": 7}, "cursor"),
        ({"query": {"operator": "XOR"}}, "operator"),
        ({"query": {"operands": [{"filter_value": 1}]}}, "filter_name"),
    ):
        with pytest.raises(msgspec.ValidationError, match=field):
            msgspec.convert(body, SearchRequest)


# ---------------------------------------------------------------- pages


async def test_pages_hold_everything_once_and_the_last_one_has_no_cursor(ctx: Context, call: Call) -> None:
    made = {(await organize(ctx, call, f"Number {number}")).organization_id for number in range(6)}
    seen: list[str] = []
    cursor = None
    for expected in (2, 2, 2):
        page = await organizations.search(ctx, call, SearchRequest(limit=2, cursor=cursor))
        assert (len(page.organizations), page.total) == (expected, 6)
        seen += [organization.organization_id for organization in page.organizations]
        cursor = page.next_cursor
    assert cursor is None
    assert len(seen) == 6
    assert set(seen) == made


async def test_members_and_users_have_pages_too_and_the_limit_may_change(
    ctx: Context, call: Call, consumer: Call
) -> None:
    acme = await organize(ctx, call, "Acme")
    for number in range(3):
        await join(ctx, call, acme, f"{number}@acme.example")
        await register(ctx, consumer, email=f"{number}@home.example")
    first = await members.search(ctx, call, MemberSearchRequest(organization_ids=["acme"], limit=1))
    rest = await members.search(ctx, call, MemberSearchRequest(organization_ids=["acme"], cursor=first.next_cursor))
    assert len({member.member_id for member in first.members + rest.members}) == 3
    assert rest.next_cursor is None
    start = await users.search(ctx, consumer, SearchRequest(limit=2))
    end = await users.search(ctx, consumer, SearchRequest(limit=2, cursor=start.next_cursor))
    assert len({user.user_id for user in start.users + end.users}) == 3
    assert end.next_cursor is None


async def test_the_largest_page_has_a_cursor_when_more_follow(ctx: Context, call: Call) -> None:
    page = await organizations.search(ctx, call, SearchRequest(limit=1000))
    assert (page.organizations, page.next_cursor, page.total) == ([], None, 0)


async def test_a_cursor_opens_only_the_search_it_was_given_out_for(
    ctx: Context, call: Call, elsewhere: Call, consumer: Call
) -> None:
    for caller in (call, elsewhere):
        for name in ("Acme", "Acme Two"):
            await organize(ctx, caller, name)
    given = query(("organization_name_fuzzy", "acme"))
    cursor = (await organizations.search(ctx, call, SearchRequest(limit=1, query=given))).next_cursor
    assert cursor is not None
    again = await organizations.search(ctx, call, SearchRequest(cursor=cursor, query=given))
    assert len(again.organizations) == 1
    stranger = msgspec.structs.replace(ctx, cursor_key=b"another key, of 32 bytes, for it")
    same = SearchRequest(cursor=cursor, query=given)
    for refused in (
        organizations.search(ctx, call, SearchRequest(cursor=cursor)),
        organizations.search(
            ctx, call, SearchRequest(cursor=cursor, query=query(("organization_name_fuzzy", "acme t")))
        ),
        organizations.search(
            ctx, call, SearchRequest(cursor=cursor, query=query(("organization_name_fuzzy", "acme"), operator="OR"))
        ),
        organizations.search(ctx, elsewhere, same),
        organizations.search(stranger, call, same),
        users.search(ctx, consumer, SearchRequest(cursor=cursor)),
        members.search(ctx, call, MemberSearchRequest(organization_ids=["acme"], cursor=cursor)),
    ):
        with pytest.raises(errors.InvalidCursor):
            await refused


async def test_a_cursor_of_members_belongs_to_its_organizations(ctx: Context, call: Call) -> None:
    for name in ("Acme", "Other"):
        of = await organize(ctx, call, name)
        for number in range(2):
            await join(ctx, call, of, f"{number}@{name}.example")
    page = await members.search(ctx, call, MemberSearchRequest(organization_ids=["acme"], limit=1))
    with pytest.raises(errors.InvalidCursor):
        await members.search(ctx, call, MemberSearchRequest(organization_ids=["other"], cursor=page.next_cursor))


async def test_a_forged_cursor_is_refused(ctx: Context, call: Call) -> None:
    for name in ("One", "Two"):
        await organize(ctx, call, name)
    cursor = (await organizations.search(ctx, call, SearchRequest(limit=1))).next_cursor
    assert cursor is not None
    flipped = "B" if cursor[-5] == "A" else "A"
    for forged in (
        "",
        "x",
        "AAAA",
        "é",
        "\x00",
        "' or 1=1;--",
        cursor[:-1],
        cursor + "A",
        cursor[4:],
        cursor[:-5] + flipped + cursor[-4:],
        "A" * 43 + cursor[43:],
        "A" * 100_000,
    ):
        with pytest.raises(errors.InvalidCursor):
            await organizations.search(ctx, call, SearchRequest(cursor=forged))
