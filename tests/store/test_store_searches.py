"""Searches: each filter finds what it says, pages follow the ids, and no character of a value is a command."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from assay.model import Member, Organization, OrganizationSettings, RetiredEmail, User, UserName
from assay.store import (
    CreateMember,
    CreateOrganization,
    CreateUser,
    Filter,
    ReplaceMember,
    Search,
    Store,
)
from assay.store.filters import FILTERS, MAX_FILTERS
from tests import records
from tests.records import NOW
from tests.store.conftest import Tenant


class Crowd(msgspec.Struct, frozen=True):
    """Three of each, by a short name."""

    tenant: Tenant
    organizations: dict[str, Organization]
    members: dict[str, Member]
    users: dict[str, User]

    async def found(self, store: Store, target: str, *filters: tuple[str, object], any_of: bool = False) -> set[str]:
        """Short names of what a search finds; its total must say the same."""
        asked = Search(environment_id=self.tenant.id, filters=tuple(Filter(*one) for one in filters), any_of=any_of)
        if target == "organizations":
            found, total = await store.search_organizations(asked)
        elif target == "members":
            ids = tuple(one.organization_id for one in self.organizations.values())
            found, total = await store.search_members(asked, ids)  # type: ignore[assignment]
        else:
            found, total = await store.search_users(asked)  # type: ignore[assignment]
        assert total == len(found)
        names = {record_id(one): name for name, one in getattr(self, target).items()}
        return {names[record_id(one)] for one in found}


def record_id(record: Organization | Member | User) -> str:
    if isinstance(record, Member):
        return record.member_id
    return record.user_id if isinstance(record, User) else record.organization_id


@pytest.fixture
async def crowd(store: Store, tenant: Tenant, neighbour: Tenant) -> Crowd:
    del neighbour  # is there so that every search could find too much
    domains = OrganizationSettings(
        email_allowed_domains=("Globex.example", "hammer.example"), claimed_email_domains=("claimed.example",)
    )
    organizations = {
        "umbrella": tenant.organization,
        "globex": records.organization(tenant.id, name="GLOBEX Élan", slug="globex_1", settings=domains),
        "percent": records.organization(tenant.id, name="100% \\o/", slug="globex-1", external_id="pct"),
    }
    members = {
        "ada": tenant.member,
        "bea": records.member(
            organizations["globex"],
            email="bea@globex.example",
            external_id="sub|bea",
            status="invited",
            roles=("admin", "editor"),
            is_breakglass=True,
            mfa_phone_number="+12025550162",
            retired_emails=(RetiredEmail(email_id="e", email_address="beatrix@globex.example"),),
        ),
        "gone": records.member(organizations["globex"], email="gone@globex.example", status="deleted"),
    }
    users = {
        "bob": tenant.user,
        "cleo": records.user(
            tenant.id,
            email="cleo@home.example",
            email_id="email-c",
            email_verified=True,
            phone_number="+12025550162",
            phone_id="phone-c",
            name=UserName(first_name="Cleo", last_name="de Mérode"),
            created_at=NOW + 100,
        ),
        "dan": records.user(
            tenant.id,
            email=None,
            external_id="sub|dan",
            status="pending",
            name=UserName(first_name="Dan", middle_name="D.", last_name="Dover"),
            created_at=NOW + 200,
        ),
    }
    for one in (organizations["globex"], organizations["percent"]):
        await store.write(CreateOrganization(organization=one))
    for member in (members["bea"], members["gone"]):
        await store.write(CreateMember(member=member))
    for user in (users["cleo"], users["dan"]):
        await store.write(CreateUser(user=user))
    return Crowd(tenant=tenant, organizations=organizations, members=members, users=users)


ID = "the id of "  # stands in the tables below for an id that is only known at run time

CASES: list[tuple[str, str, object, set[str]]] = [
    ("organizations", "organization_ids", [ID + "globex", "pct"], {"globex", "percent"}),
    ("organizations", "organization_slugs", ["umbrella", "nobody"], {"umbrella"}),
    ("organizations", "organization_name_fuzzy", "bex él", {"globex"}),
    ("organizations", "organization_slug_fuzzy", "GLOBEX", {"globex", "percent"}),
    ("organizations", "member_emails", ["Ada@ACME.example", "gone@globex.example"], {"umbrella"}),
    ("organizations", "member_email_fuzzy", "@GLOBEX", {"globex"}),
    ("organizations", "member_email_fuzzy", "gone@", set()),
    ("organizations", "allowed_domains", ["globex.example"], {"globex"}),
    ("organizations", "allowed_domain_fuzzy", "HAMM", {"globex"}),
    ("organizations", "claimed_email_domains", ["Claimed.example"], {"globex"}),
    ("members", "member_ids", [ID + "ada", "sub|bea"], {"ada", "bea"}),
    ("members", "member_emails", ["BEA@globex.example", "beatrix@globex.example"], {"bea"}),
    ("members", "member_email_fuzzy", "ACME", {"ada"}),
    ("members", "member_is_breakglass", True, {"bea"}),
    ("members", "member_is_breakglass", False, {"ada"}),
    ("members", "statuses", ["invited"], {"bea"}),
    ("members", "statuses", ["deleted", "active"], {"ada", "gone"}),
    ("members", "member_mfa_phone_numbers", ["+12025550162"], {"bea"}),
    ("members", "member_mfa_phone_number_fuzzy", "5550", {"bea"}),
    ("members", "member_phone_numbers", ["+12025550162"], {"bea"}),
    ("members", "member_phone_number_fuzzy", "5550", {"bea"}),
    ("members", "member_roles", ["editor", "owner"], {"bea"}),
    ("members", "member_roles", ["stytch_member"], {"ada", "bea"}),
    ("users", "created_at_greater_than", NOW + 100, {"dan"}),
    ("users", "created_at_less_than", NOW + 100, {"bob"}),
    ("users", "created_at_between", {"greater_than": NOW, "less_than": NOW + 200}, {"cleo"}),
    ("users", "status", "pending", {"dan"}),
    ("users", "user_id", [ID + "cleo", "sub|dan"], {"cleo", "dan"}),
    ("users", "full_name_fuzzy", "cleo de MÉR", {"cleo"}),
    ("users", "full_name_fuzzy", "dan d. dover", {"dan"}),
    ("users", "phone_number", ["+12025550162"], {"cleo"}),
    ("users", "phone_id", ["phone-c"], {"cleo"}),
    ("users", "phone_number_fuzzy", "+1202", {"cleo"}),
    ("users", "email_address", ["CLEO@home.example"], {"cleo"}),
    ("users", "email_id", ["email-c"], {"cleo"}),
    ("users", "email_verified", True, {"cleo"}),
    ("users", "email_verified", False, {"bob"}),
    ("users", "email_address_fuzzy", "@HOME", {"bob", "cleo"}),
]


@pytest.mark.parametrize(
    ("target", "name", "value", "expected"),
    CASES,
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value)[:40],
)
async def test_each_filter_finds_what_it_says(
    store: Store, crowd: Crowd, target: str, name: str, value: object, expected: set[str]
) -> None:
    if isinstance(value, list):
        known = getattr(crowd, target)
        value = [record_id(known[one.removeprefix(ID)]) if one.startswith(ID) else one for one in value]
    assert await crowd.found(store, target, (name, value)) == expected


def test_every_filter_has_a_case() -> None:
    assert {(target, name) for target, name, _, _ in CASES} == {
        (target, name) for target, names in FILTERS.items() for name in names
    }


LISTS = sorted({(target, name) for target, name, value, _ in CASES if isinstance(value, list)})


@pytest.mark.parametrize(("target", "name"), LISTS)
async def test_an_empty_list_finds_nothing(store: Store, crowd: Crowd, target: str, name: str) -> None:
    assert await crowd.found(store, target, (name, [])) == set()


TEXTS = sorted({(target, name) for target, name, value, _ in CASES if isinstance(value, str)})


@pytest.mark.parametrize(("target", "name"), TEXTS)
@pytest.mark.parametrize(
    "value",
    ["_______", "%%%", "x%", "' or 1=1 --", '" or ""="', "\\", "\\%", ":value_0", "{conditions}", "é" * 60_000],
    ids=lambda value: value[:12],
)
async def test_no_character_of_a_text_is_a_pattern_or_a_statement(
    store: Store, crowd: Crowd, target: str, name: str, value: str
) -> None:
    expected = {"percent"} if name == "organization_name_fuzzy" and value == "\\" else set()
    assert await crowd.found(store, target, (name, value)) == expected


async def test_pattern_characters_are_found_as_themselves(store: Store, crowd: Crowd) -> None:
    assert await crowd.found(store, "organizations", ("organization_name_fuzzy", "00% \\")) == {"percent"}
    assert await crowd.found(store, "organizations", ("organization_slug_fuzzy", "x_1")) == {"globex"}


async def test_a_search_without_filters_finds_all_but_deleted_members(store: Store, crowd: Crowd) -> None:
    assert await crowd.found(store, "organizations") == {"umbrella", "globex", "percent"}
    assert await crowd.found(store, "members") == {"ada", "bea"}
    assert await crowd.found(store, "users", any_of=True) == {"bob", "cleo", "dan"}


async def test_filters_join_by_and_or_by_or(store: Store, crowd: Crowd) -> None:
    filters = (("full_name_fuzzy", "dan"), ("email_address_fuzzy", "cleo"), ("full_name_fuzzy", "cleo"))
    assert await crowd.found(store, "users", *filters) == set()
    assert await crowd.found(store, "users", *filters[1:]) == {"cleo"}
    assert await crowd.found(store, "users", *filters, any_of=True) == {"cleo", "dan"}


async def test_or_widens_neither_the_tenant_nor_the_organizations_nor_to_deleted_members(
    store: Store, crowd: Crowd
) -> None:
    filters = (("member_is_breakglass", True), ("member_is_breakglass", False))
    assert await crowd.found(store, "members", *filters, any_of=True) == {"ada", "bea"}
    search = Search(environment_id=crowd.tenant.id, filters=tuple(Filter(*one) for one in filters), any_of=True)
    found = await store.search_members(search, (crowd.organizations["umbrella"].organization_id,))
    assert found == ([crowd.members["ada"]], 1)
    assert await store.search_members(search, ()) == ([], 0)


async def test_members_of_another_environment_are_not_searched(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    search = Search(environment_id=tenant.id)
    assert await store.search_members(search, (neighbour.organization.organization_id,)) == ([], 0)


async def test_without_organizations_all_members_of_the_environment_are_searched(
    store: Store, crowd: Crowd, neighbour: Tenant
) -> None:
    search = Search(environment_id=crowd.tenant.id)
    found, total = await store.search_members(search, None)
    present = [member for member in crowd.members.values() if member.status != "deleted"]
    assert {member.member_id for member in found} >= {member.member_id for member in present}
    assert neighbour.member.member_id not in {member.member_id for member in found}
    assert total == len(found)
    deleted = replace(search, filters=(Filter("statuses", ("deleted",)),))
    gone = [member for member in crowd.members.values() if member.status == "deleted"]
    assert await store.search_members(deleted, None) == (gone, len(gone))
    assert await store.search_members(replace(search, limit=1), None) == (found[:1], total)
    assert (await store.search_members(replace(search, after=found[0].member_id), None))[0] == found[1:]


async def test_pages_follow_the_ids_and_each_knows_the_total(store: Store, crowd: Crowd) -> None:
    expected = sorted(crowd.users.values(), key=record_id)
    search = Search(environment_id=crowd.tenant.id, limit=2)
    first, total = await store.search_users(search)
    assert (first, total) == (expected[:2], 3)
    rest, total = await store.search_users(replace(search, after=first[-1].user_id))
    assert (rest, total) == (expected[2:], 3)


async def test_a_deleted_member_is_seen_only_by_a_search_that_names_it(store: Store, crowd: Crowd) -> None:
    await store.write(ReplaceMember(member=replace(crowd.members["bea"], status="deleted")))
    by_mail = ("member_emails", ["bea@globex.example"])
    assert await crowd.found(store, "members", by_mail) == set()
    assert await crowd.found(store, "members", by_mail, ("statuses", ["deleted"])) == {"bea"}


async def test_as_many_filters_as_are_allowed_can_be_asked_at_once(store: Store, crowd: Crowd) -> None:
    many = [("full_name_fuzzy", "dan")] * MAX_FILTERS
    assert await crowd.found(store, "users", *many) == {"dan"}
    with pytest.raises(ValueError, match="at most"):
        await crowd.found(store, "users", *many, many[0])
