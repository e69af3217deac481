"""Pages about organizations, members and users: finding them, making, changing and deleting them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote

import httpx
import pytest

from assay.model import Member, Organization, User
from assay.stories import members, organizations, users
from assay.stories.context import Call
from assay.stories.members import MemberCreate
from assay.stories.organizations import OrganizationCreate
from assay.stories.users import NameFields, UserCreate
from tests.dashboard.browsing import Visitor, signed_in, text_of
from tests.world import Tenant, World

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
async def editor(world: World) -> AsyncIterator[Visitor]:
    visitor = await signed_in(world, "editor")
    yield visitor
    await visitor.client.aclose()


@pytest.fixture
async def viewer(world: World) -> AsyncIterator[Visitor]:
    visitor = await signed_in(world, "viewer")
    yield visitor
    await visitor.client.aclose()


@pytest.fixture
async def umbrella(world: World) -> Organization:
    request = OrganizationCreate(
        organization_name="Umbrella",
        organization_slug="umbrella",
        organization_external_id="customer-7",
        trusted_metadata={"plan": "gold", "seats": 3},
    )
    return await organizations.create(world.context, call_of(world.b2b), request)


@pytest.fixture
async def ada(world: World, umbrella: Organization) -> Member:
    request = MemberCreate(
        organization_id=umbrella.organization_id,
        email_address="ada@umbrella.example",
        name="Ada",
        external_id="idp|ada",
        trusted_metadata={"team": "one", "desk": 4},
    )
    return (await members.create(world.context, call_of(world.b2b), request)).member


@pytest.fixture
async def bob(world: World) -> User:
    request = UserCreate(email="bob@home.example", name=NameFields(first_name="Bob"), external_id="idp|bob")
    return await users.create(world.context, call_of(world.consumer), request)


def call_of(tenant: Tenant) -> Call:
    return Call(caller=tenant.caller, request_id="request-id-test-1")


async def member_now(world: World, member: Member) -> Member:
    found = await world.context.store.member_by_id(member.environment_id, member.member_id)
    assert found is not None
    return found


async def organization_now(world: World, organization: Organization) -> Organization:
    found = await world.context.store.organization(
        organization.environment_id, organization.organization_id, by_slug=False
    )
    assert found is not None
    return found


async def user_now(world: World, user: User) -> User:
    found = await world.context.store.user(user.environment_id, user.user_id)
    assert found is not None
    return found


def went_on(answer: httpx.Response) -> str:
    """Where a post that was accepted leads."""
    assert answer.status_code == 303, text_of(answer)
    return unquote(answer.headers["location"])


# ---------------------------------------------------------------- finding


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("", True),
        ("mbrell", True),
        ("customer-7", True),
        ("umbrella", True),
        ("ada@umbrella", True),
        ("um", False),
        ("nobody", False),
    ],
    ids=["all", "part of the name", "external id", "slug", "address of a member", "too short", "unknown"],
)
async def test_organizations_are_found_by_what_is_known_of_them(
    editor: Visitor, umbrella: Organization, ada: Member, text: str, is_found: bool
) -> None:
    del ada
    page = await editor.get(f"{editor.place}/organizations", q=text)
    assert page.status_code == 200
    assert (umbrella.organization_id in page.text) is is_found


@pytest.mark.parametrize(
    ("arguments", "is_found"),
    [
        ({}, True),
        ({"q": "ada@"}, True),
        ({"q": "idp|ada"}, True),
        ({"q": "someone else"}, False),
        ({"organization": "umbrella", "q": "umbrella.example"}, True),
        ({"organization": "customer-7"}, True),
        ({"organization": "unknown"}, False),
        ({"status": "active"}, True),
        ({"status": "deleted"}, False),
        ({"status": "active", "q": "ada"}, True),
        ({"cursor": "nonsense"}, False),
    ],
    ids=str,
)
async def test_members_are_found_by_what_is_known_of_them(
    editor: Visitor, ada: Member, arguments: dict[str, str], is_found: bool
) -> None:
    page = await editor.get(f"{editor.place}/members", **arguments)
    assert page.status_code == 200
    assert (ada.member_id in page.text) is is_found


@pytest.mark.parametrize(
    ("text", "is_found"),
    [("", True), ("bob@home", True), ("Bob", True), ("idp|bob", True), ("bo", False), ("carol", False)],
)
async def test_users_are_found_by_what_is_known_of_them(editor: Visitor, bob: User, text: str, is_found: bool) -> None:
    page = await editor.get(f"{editor.consumer_place}/users", q=text)
    assert page.status_code == 200
    assert (bob.user_id in page.text) is is_found


async def test_a_long_list_goes_on_on_the_next_page(world: World, editor: Visitor, umbrella: Organization) -> None:
    made: set[str] = set()
    for number in range(51):
        request = MemberCreate(organization_id=umbrella.organization_id, email_address=f"m{number}@umbrella.example")
        made.add((await members.create(world.context, call_of(world.b2b), request)).member.member_id)
    first = await editor.get(f"{editor.place}/members")
    assert "51 members" in text_of(first)
    (last,) = (member_id for member_id in made if member_id not in first.text)
    links = [part.partition('"')[0] for part in first.text.split('href="')]
    link = next(each for each in links if "cursor=" in each)
    second = await editor.client.get(link.replace("&amp;", "&"))
    assert last in second.text


async def test_what_callers_wrote_is_shown_and_not_run(world: World, editor: Visitor) -> None:
    request = OrganizationCreate(
        organization_name=HOSTILE, organization_slug="hostile", trusted_metadata={"</pre>": HOSTILE}
    )
    made = await organizations.create(world.context, call_of(world.b2b), request)
    for path in (
        "organizations",
        f"organizations/{made.organization_id}",
        f"organizations/{made.organization_id}/edit",
    ):
        page = await editor.get(f"{editor.place}/{path}")
        assert page.status_code == 200
        assert HOSTILE not in page.text
        assert HOSTILE in text_of(page) or "&lt;script&gt;" in page.text


# ---------------------------------------------------------------- organizations


async def test_an_organization_is_created(world: World, editor: Visitor) -> None:
    fields = {"name": "Globex", "slug": "", "external_id": "customer-9", "mfa_policy": "REQUIRED_FOR_ALL"}
    answer = await editor.post(f"{editor.place}/organizations/new", **fields, trusted_metadata='{"plan": "free"}')
    organization_id = went_on(answer).rpartition("/")[2]
    found = await world.context.store.organization(world.b2b.project_id, organization_id, by_slug=False)
    assert found is not None
    assert (found.name, found.slug, found.external_id) == ("Globex", "globex", "customer-9")
    assert found.settings.mfa_policy == "REQUIRED_FOR_ALL"
    assert found.trusted_metadata == {"plan": "free"}
    page = await editor.get(f"{editor.place}/organizations/{organization_id}")
    assert "required for all" in text_of(page)


async def test_an_organization_is_changed(world: World, editor: Visitor, umbrella: Organization) -> None:
    path = f"{editor.place}/organizations/{umbrella.organization_id}"
    fields = {"name": "Umbrella Two", "slug": "umbrella-2", "external_id": "", "mfa_policy": "REQUIRED_FOR_ALL"}
    answer = await editor.post(f"{path}/edit", **fields, trusted_metadata='{"plan": "silver"}')
    assert went_on(answer) == f"/dashboard/{path}"
    found = await organization_now(world, umbrella)
    assert (found.name, found.slug, found.external_id) == ("Umbrella Two", "umbrella-2", None)
    assert found.settings.mfa_policy == "REQUIRED_FOR_ALL"
    assert found.trusted_metadata == {"plan": "silver"}


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("slug", "Not a slug!", "slug"),
        ("slug", "globex", "slug"),
        ("name", "", "name"),
        ("trusted_metadata", "{", "This cannot be used"),
        ("trusted_metadata", "[1]", "has to be a JSON object"),
        ("trusted_metadata", '{"a": 1, "a": 2}', "This cannot be used"),
    ],
    ids=["no slug", "slug of another", "no name", "no JSON", "no object", "repeated member"],
)
async def test_a_fault_is_told_beside_what_was_typed(
    world: World, editor: Visitor, umbrella: Organization, field: str, value: str, told: str
) -> None:
    request = OrganizationCreate(organization_name="Globex", organization_slug="globex")
    await organizations.create(world.context, call_of(world.b2b), request)
    fields = {"name": "Kept name", "slug": "umbrella", "external_id": "", "trusted_metadata": "{}", field: value}
    answer = await editor.post(f"{editor.place}/organizations/{umbrella.organization_id}/edit", **fields)
    assert answer.status_code == 400
    assert f'id="{field}-fault"' in answer.text
    assert told in text_of(answer)
    assert field == "name" or "Kept name" in answer.text
    assert await organization_now(world, umbrella) == umbrella


async def test_an_organization_is_deleted_once_its_slug_was_typed(
    world: World, editor: Visitor, umbrella: Organization, ada: Member
) -> None:
    path = f"{editor.place}/organizations/{umbrella.organization_id}/delete"
    assert "1 member " in text_of(await editor.get(path))
    assert (await editor.post(path, slug="something else")).status_code == 400
    assert await organization_now(world, umbrella) == umbrella
    went_on(await editor.post(path, slug="umbrella"))
    assert await world.context.store.member_by_id(ada.environment_id, ada.member_id) is None


# ---------------------------------------------------------------- members


async def test_a_member_is_created_in_the_organization_that_is_named(
    world: World, editor: Visitor, umbrella: Organization
) -> None:
    path = f"{editor.place}/members/new"
    assert "Everybody" not in text_of(await editor.get(path, organization="umbrella"))
    fields = {"organization": "umbrella", "email": "Eve@Umbrella.example", "name": "Eve", "roles": "stytch_admin"}
    answer = await editor.post(path, **fields, external_id="idp|eve", trusted_metadata="", untrusted_metadata='{"a":1}')
    found = await world.context.store.member_by_id(world.b2b.project_id, went_on(answer).rpartition("/")[2])
    assert found is not None
    assert (found.organization_id, found.email, found.external_id) == (
        umbrella.organization_id,
        "eve@umbrella.example",
        "idp|eve",
    )
    assert found.roles == ("stytch_admin",)
    assert (found.trusted_metadata, found.untrusted_metadata) == ({}, {"a": 1})


async def test_a_member_is_changed_as_the_form_says(world: World, editor: Visitor, ada: Member) -> None:
    path = f"{editor.place}/members/{ada.member_id}"
    fields = {
        "email": "countess@umbrella.example",
        "name": "",
        "external_id": "",
        "roles": "stytch_admin",
        "trusted_metadata": '{"desk": 5}',
        "untrusted_metadata": '{"theme": "dark"}',
    }
    went_on(await editor.post(f"{path}/edit", **fields))
    found = await member_now(world, ada)
    assert (found.email, found.name, found.external_id) == ("countess@umbrella.example", "", None)
    assert found.roles == ("stytch_admin",)
    assert (found.trusted_metadata, found.untrusted_metadata) == ({"desk": 5}, {"theme": "dark"})
    del fields["roles"]
    went_on(await editor.post(f"{path}/edit", **fields))
    assert (await member_now(world, ada)).roles == ()
    events = await world.context.store.events(ada.environment_id, 5)
    assert (events[0].action, events[0].actor) == ("member.updated", "editor@example.com")


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "no address"), ("email", "taken@umbrella.example"), ("email", ""), ("untrusted_metadata", "nonsense")],
)
async def test_a_fault_of_a_member_is_told_beside_its_field(
    world: World, editor: Visitor, umbrella: Organization, ada: Member, field: str, value: str
) -> None:
    request = MemberCreate(organization_id=umbrella.organization_id, email_address="taken@umbrella.example")
    await members.create(world.context, call_of(world.b2b), request)
    fields = {"email": "ada@umbrella.example", "external_id": "idp|ada", "name": "New", field: value}
    answer = await editor.post(f"{editor.place}/members/{ada.member_id}/edit", **fields)
    assert answer.status_code == 400
    assert f'id="{field}-fault"' in answer.text
    assert await member_now(world, ada) == ada


async def test_a_role_that_the_policy_does_not_know_is_refused(world: World, editor: Visitor, ada: Member) -> None:
    fields = {"email": "ada@umbrella.example", "external_id": "idp|ada", "name": "Ada", "roles": "made_up"}
    answer = await editor.post(f"{editor.place}/members/{ada.member_id}/edit", **fields)
    assert answer.status_code == 400
    assert "made_up" in text_of(answer)
    assert await member_now(world, ada) == ada


async def test_a_deleted_member_is_shown_and_reactivated(world: World, editor: Visitor, ada: Member) -> None:
    path = f"{editor.place}/members/{ada.member_id}"
    went_on(await editor.post(f"{path}/delete"))
    assert (await member_now(world, ada)).status == "deleted"
    page = await editor.get(path)
    assert "Reactivate" in text_of(page)
    assert ada.member_id in (await editor.get(f"{editor.place}/members", status="deleted")).text
    went_on(await editor.post(f"{path}/reactivate"))
    assert (await member_now(world, ada)).status == "active"


async def test_a_member_whose_address_was_taken_stays_deleted(
    world: World, editor: Visitor, umbrella: Organization, ada: Member
) -> None:
    path = f"{editor.place}/members/{ada.member_id}"
    went_on(await editor.post(f"{path}/delete"))
    request = MemberCreate(organization_id=umbrella.organization_id, email_address="ada@umbrella.example")
    await members.create(world.context, call_of(world.b2b), request)
    went_on(await editor.post(f"{path}/reactivate"))
    assert (await member_now(world, ada)).status == "deleted"


# ---------------------------------------------------------------- users


async def test_a_user_is_created_changed_and_deleted(world: World, editor: Visitor) -> None:
    place = f"{editor.consumer_place}/users"
    answer = await editor.post(f"{place}/new", email="eve@home.example", first_name="Eve", external_id="idp|eve")
    user_id = went_on(answer).rpartition("/")[2]
    made = await world.context.store.user(world.consumer.project_id, user_id)
    assert made is not None
    assert (made.email, made.name.first_name, made.external_id) == ("eve@home.example", "Eve", "idp|eve")
    went_on(await editor.post(f"{place}/{user_id}/edit", last_name="Moneypenny", trusted_metadata='{"vip": true}'))
    changed = await user_now(world, made)
    assert (changed.name.first_name, changed.name.last_name, changed.external_id) == ("", "Moneypenny", None)
    assert changed.trusted_metadata == {"vip": True}
    went_on(await editor.post(f"{place}/{user_id}/delete"))
    assert await world.context.store.user(world.consumer.project_id, user_id) is None


async def test_a_user_needs_an_address_or_a_phone_number(editor: Visitor) -> None:
    answer = await editor.post(f"{editor.consumer_place}/users/new", first_name="Nobody")
    assert answer.status_code == 400
    assert "Nobody" in answer.text


async def test_operators_are_no_users_to_look_at_or_to_change(world: World) -> None:
    owner = await signed_in(world, "owner")
    path = f"_assay/operators/users/{owner.operator_id}"
    assert (await owner.get(path)).status_code == 404
    for post in ("delete", "edit"):
        assert (await owner.post(f"{path}/{post}", first_name="X")).status_code == 404
    assert (await owner.get("operators")).status_code == 200
    await owner.client.aclose()


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize(
    "path",
    [
        "organizations/new",
        "organizations/{organization}/edit",
        "organizations/{organization}/delete",
        "members/new",
        "members/{member}/edit",
        "members/{member}/delete",
        "members/{member}/reactivate",
    ],
)
async def test_a_viewer_changes_nothing(
    world: World, viewer: Visitor, umbrella: Organization, ada: Member, path: str
) -> None:
    there = path.format(organization=umbrella.organization_id, member=ada.member_id)
    fields = {"name": "X", "slug": "umbrella", "email": "x@umbrella.example", "organization": "umbrella"}
    assert (await viewer.post(f"{viewer.place}/{there}", **fields)).status_code == 403
    assert (await viewer.get(f"{viewer.place}/{there}")).status_code in {403, 405}
    assert await organization_now(world, umbrella) == umbrella
    assert await member_now(world, ada) == ada


async def test_a_viewer_is_shown_nothing_to_change(viewer: Visitor, umbrella: Organization, ada: Member) -> None:
    for path in (
        "organizations",
        f"organizations/{umbrella.organization_id}",
        "members",
        f"members/{ada.member_id}",
        "sessions",
    ):
        page = await viewer.get(f"{viewer.place}/{path}")
        assert page.status_code == 200
        assert not any(word in page.text for word in ("/edit", "/new", "/delete", "sessions-revoke"))


async def test_records_of_another_project_are_not_found(editor: Visitor, ada: Member, bob: User) -> None:
    assert (await editor.get(f"{editor.consumer_place}/members/{ada.member_id}")).status_code == 404
    assert (await editor.get(f"{editor.place}/users/{bob.user_id}")).status_code == 404
