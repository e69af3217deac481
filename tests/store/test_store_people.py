"""Organizations, members and users: unique keys, revisions, and how each is found."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from assay import ids
from assay.model import OrganizationSettings, RetiredEmail, UserName
from assay.store import (
    Conflict,
    CreateMember,
    CreateOrganization,
    CreateUser,
    DeleteOrganization,
    DeleteUser,
    ReplaceMember,
    ReplaceOrganization,
    ReplaceUser,
    Stale,
    Store,
    UniqueKey,
    Write,
)
from tests import records
from tests.records import NOW
from tests.store.conftest import Tenant


async def refused_key(store: Store, write: Write) -> UniqueKey:
    with pytest.raises(Conflict) as refused:
        await store.write(write)
    return refused.value.key


# ---------------------------------------------------------------- organizations


async def test_an_organization_is_found_by_id_external_id_and_slug_in_its_environment_only(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    wanted = tenant.organization
    for reference in (wanted.organization_id, "customer-7", "umbrella"):
        assert await store.organization(tenant.id, reference, by_slug=True) == wanted
    assert await store.organization(tenant.id, "umbrella", by_slug=False) is None
    assert await store.organization(neighbour.id, wanted.organization_id, by_slug=True) is None
    assert await store.organization(neighbour.id, "umbrella", by_slug=True) == neighbour.organization


async def test_an_external_id_is_looked_for_before_a_slug(store: Store, tenant: Tenant) -> None:
    confusing = records.organization(tenant.id, slug="customer-7", external_id="umbrella")
    await store.write(CreateOrganization(organization=confusing))
    assert await store.organization(tenant.id, "umbrella", by_slug=True) == confusing
    assert await store.organization(tenant.id, "customer-7", by_slug=True) == tenant.organization


@pytest.mark.parametrize(
    ("field", "value", "key"),
    [("slug", "umbrella", "organization_slug"), ("external_id", "customer-7", "organization_external_id")],
)
async def test_slug_and_external_id_name_one_organization_of_an_environment(
    store: Store, tenant: Tenant, field: str, value: str, key: str
) -> None:
    other = records.organization(tenant.id)
    twin = replace(other, **{field: value})
    assert await refused_key(store, CreateOrganization(organization=twin)) == key
    await store.write(CreateOrganization(organization=other))
    assert await refused_key(store, ReplaceOrganization(organization=twin)) == key


async def test_many_organizations_have_no_external_id(store: Store, tenant: Tenant) -> None:
    for _ in range(2):
        await store.write(CreateOrganization(organization=records.organization(tenant.id, external_id=None)))


async def test_every_field_of_an_organization_can_be_replaced(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    changed = replace(
        tenant.organization,
        name="Globex",
        slug="globex",
        external_id=None,
        settings=OrganizationSettings(
            mfa_policy="REQUIRED_FOR_ALL",
            email_allowed_domains=("acme.example",),
            rbac_email_implicit_role_assignments=({"domain": "acme.example", "role_id": "admin"},),
            allowed_oauth_tenants={"slack": ["T1"]},
        ),
        trusted_metadata={"big": 2**63, "nested": {"a": [1, 2.5, None, "é"]}},
        updated_at=NOW + 60,
    )
    await store.write(ReplaceOrganization(organization=changed))
    found = await store.organization(tenant.id, changed.organization_id, by_slug=False)
    assert found == replace(changed, revision=2)
    assert await store.organization(neighbour.id, "umbrella", by_slug=True) == neighbour.organization


async def test_an_organization_that_moved_on_is_not_replaced(store: Store, tenant: Tenant) -> None:
    await store.write(ReplaceOrganization(organization=replace(tenant.organization, name="first")))
    with pytest.raises(Stale):
        await store.write(ReplaceOrganization(organization=replace(tenant.organization, name="second")))


async def test_a_deleted_organization_takes_its_members_and_their_sessions_along(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    session, other = records.session(tenant.member), records.session(neighbour.member)
    await store.write(records.start(session, tenant.secret))
    await store.write(records.start(other, neighbour.secret))
    organization_id = tenant.organization.organization_id
    delete = DeleteOrganization(environment_id=tenant.id, organization_id=organization_id)
    await store.write(delete)
    assert await store.organization(tenant.id, organization_id, by_slug=True) is None
    assert await store.member_by_id(tenant.id, tenant.member.member_id) is None
    assert await store.session(tenant.id, session.number) is None
    assert await store.session(neighbour.id, other.number) is not None
    with pytest.raises(Stale):
        await store.write(delete)


async def test_an_organization_is_not_deleted_through_another_environment(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    session = records.session(tenant.member)
    await store.write(records.start(session, tenant.secret))
    with pytest.raises(Stale):
        await store.write(
            DeleteOrganization(environment_id=neighbour.id, organization_id=tenant.organization.organization_id)
        )
    assert await store.session(tenant.id, session.number) is not None


# ---------------------------------------------------------------- members


async def test_a_member_is_found_by_id_external_id_and_address(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    member, organization_id = tenant.member, tenant.organization.organization_id
    for reference in (member.member_id, "sub|ada"):
        assert await store.member(tenant.id, organization_id, reference) == member
        assert await store.member(neighbour.id, organization_id, reference) is None
    assert await store.member_by_id(tenant.id, member.member_id) == member
    assert await store.member_by_id(neighbour.id, member.member_id) is None
    assert await store.member_by_email(tenant.id, organization_id, "ada@acme.example") == member
    assert await store.member_by_email(neighbour.id, organization_id, "ada@acme.example") is None


async def test_a_member_is_not_found_in_another_organization(store: Store, tenant: Tenant) -> None:
    other = records.organization(tenant.id)
    await store.write(CreateOrganization(organization=other))
    assert await store.member(tenant.id, other.organization_id, tenant.member.member_id) is None
    assert await store.member(tenant.id, other.organization_id, "sub|ada") is None
    assert await store.member_by_email(tenant.id, other.organization_id, "ada@acme.example") is None
    await store.write(CreateMember(member=records.member(other, email="ada@acme.example", external_id="sub|ada")))


@pytest.mark.parametrize(
    ("field", "value", "key"),
    [("email", "ada@acme.example", "member_email"), ("external_id", "sub|ada", "member_external_id")],
)
async def test_address_and_external_id_name_one_member_of_an_organization(
    store: Store, tenant: Tenant, field: str, value: str, key: str
) -> None:
    other = records.member(tenant.organization)
    twin = replace(other, **{field: value})
    assert await refused_key(store, CreateMember(member=twin)) == key
    assert await store.member_by_id(tenant.id, twin.member_id) is None
    await store.write(CreateMember(member=other))
    assert await refused_key(store, ReplaceMember(member=twin)) == key
    assert await store.member_by_id(tenant.id, twin.member_id) == other


async def test_members_without_address_do_not_meet(store: Store, tenant: Tenant) -> None:
    for subject in ("spiffe://acme/a", "spiffe://acme/b"):
        robot = records.member(tenant.organization, email=None, external_id=subject)
        await store.write(CreateMember(member=robot))
        assert await store.member(tenant.id, robot.organization_id, subject) == robot


async def test_a_member_of_an_organization_that_is_gone_is_stale(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    nowhere = replace(records.member(tenant.organization), organization_id=ids.new("organization", "test"))
    elsewhere = replace(records.member(tenant.organization), environment_id=neighbour.id)
    for member in (nowhere, elsewhere):
        with pytest.raises(Stale):
            await store.write(CreateMember(member=member))


async def test_an_address_left_behind_stays_with_its_member(store: Store, tenant: Tenant) -> None:
    moved = replace(
        tenant.member,
        email="countess@acme.example",
        retired_emails=(RetiredEmail(email_id="email-1", email_address="ada@acme.example"),),
    )
    await store.write(ReplaceMember(member=moved))
    newcomer = records.member(tenant.organization, email="ada@acme.example")
    assert await refused_key(store, CreateMember(member=newcomer)) == "member_email"
    organization_id = tenant.organization.organization_id
    for address in ("ada@acme.example", "countess@acme.example"):
        found = await store.member_by_email(tenant.id, organization_id, address)
        assert found == replace(moved, revision=2)
    # Back to the old address, which is then both current and retired: still one claim.
    await store.write(ReplaceMember(member=replace(moved, email="ada@acme.example", revision=2)))
    await store.write(CreateMember(member=records.member(tenant.organization, email="countess@acme.example")))


async def test_a_deleted_member_frees_address_and_external_id_and_claims_them_when_it_comes_back(
    store: Store, tenant: Tenant
) -> None:
    organization_id = tenant.organization.organization_id
    await store.write(ReplaceMember(member=replace(tenant.member, status="deleted")))
    gone = replace(tenant.member, status="deleted", revision=2)
    assert await store.member_candidates(tenant.id, organization_id, "sub|ada", gone.email) == (None, None)
    assert await store.member(tenant.id, organization_id, "sub|ada") is None
    assert await store.member(tenant.id, organization_id, gone.member_id) == gone
    heir = records.member(tenant.organization, email=gone.email, external_id=None)
    await store.write(CreateMember(member=heir))
    back = replace(gone, status="active")
    assert await refused_key(store, ReplaceMember(member=back)) == "member_email"
    await store.write(ReplaceMember(member=replace(heir, email=None, external_id="sub|ada")))
    assert await refused_key(store, ReplaceMember(member=back)) == "member_external_id"
    await store.write(ReplaceMember(member=replace(heir, status="deleted", revision=2)))
    await store.write(ReplaceMember(member=back))
    assert await store.member_by_email(tenant.id, organization_id, "ada@acme.example") == replace(back, revision=3)


async def test_candidates_are_found_by_external_id_of_any_issuer_and_by_address(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    other = records.member(tenant.organization, external_id="sub|other", external_id_issuer="https://issuer.example")
    await store.write(CreateMember(member=other))
    organization_id = tenant.organization.organization_id
    find = store.member_candidates
    assert await find(tenant.id, organization_id, "sub|other", "ada@acme.example") == (other, tenant.member)
    assert await find(tenant.id, organization_id, None, "ada@acme.example") == (None, tenant.member)
    assert await find(tenant.id, organization_id, "sub|other", None) == (other, None)
    assert await find(tenant.id, organization_id, None, None) == (None, None)
    assert await find(neighbour.id, organization_id, "sub|other", "ada@acme.example") == (None, None)


async def test_every_field_of_a_member_can_be_replaced(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    changed = replace(
        tenant.member,
        email="new@acme.example",
        email_verified=True,
        name="Ada",
        status="invited",
        external_id="sub|new",
        external_id_issuer="https://issuer.example",
        roles=("admin",),
        token_roles={"vercel_jwt": ("editor", "viewer")},
        is_breakglass=True,
        mfa_enrolled=True,
        mfa_phone_number="+12025550162",
        default_mfa_method="sms_otp",
        retired_emails=(RetiredEmail(email_id="email-1", email_address="old@acme.example"),),
        trusted_metadata={"plan": "pro"},
        untrusted_metadata={"theme": "dark"},
        updated_at=NOW + 60,
    )
    await store.write(ReplaceMember(member=changed))
    assert await store.member_by_id(tenant.id, changed.member_id) == replace(changed, revision=2)
    assert await store.member_by_id(neighbour.id, neighbour.member.member_id) == neighbour.member
    with pytest.raises(Stale):
        await store.write(ReplaceMember(member=changed))


async def test_members_that_are_not_deleted_are_counted(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    organization_id = tenant.organization.organization_id
    await store.write(CreateMember(member=records.member(tenant.organization, status="pending")))
    await store.write(CreateMember(member=records.member(tenant.organization, status="deleted")))
    assert await store.member_count(tenant.id, organization_id) == 2
    assert await store.member_count(neighbour.id, organization_id) == 0


# ---------------------------------------------------------------- users


async def test_a_user_is_found_by_id_and_external_id(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    for reference in (tenant.user.user_id, "sub|bob"):
        assert await store.user(tenant.id, reference) == tenant.user
    assert await store.user(neighbour.id, tenant.user.user_id) is None
    find = store.user_candidates
    assert await find(tenant.id, "sub|bob", None) == (tenant.user, None)
    assert await find(tenant.id, None, "bob@home.example") == (None, tenant.user)
    assert await find(neighbour.id, "sub|bob", "bob@home.example") == (neighbour.user, neighbour.user)


@pytest.mark.parametrize(
    ("field", "value", "key"),
    [
        ("email", "bob@home.example", "user_email"),
        ("external_id", "sub|bob", "user_external_id"),
        ("phone_number", "+12025550162", "user_phone_number"),
    ],
)
async def test_address_number_and_external_id_name_one_user(
    store: Store, tenant: Tenant, field: str, value: str, key: str
) -> None:
    await store.write(ReplaceUser(user=replace(tenant.user, phone_number="+12025550162")))
    other = records.user(tenant.id)
    twin = replace(other, **{field: value})
    assert await refused_key(store, CreateUser(user=twin)) == key
    await store.write(CreateUser(user=other))
    assert await refused_key(store, ReplaceUser(user=twin)) == key


async def test_users_without_address_and_number_do_not_meet(store: Store, tenant: Tenant) -> None:
    for _ in range(2):
        await store.write(CreateUser(user=records.user(tenant.id, email=None)))


async def test_every_field_of_a_user_can_be_replaced(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    changed = replace(
        tenant.user,
        email="new@home.example",
        email_id="email-1",
        email_verified=True,
        phone_number="+12025550162",
        phone_id="phone-1",
        name=UserName(first_name="Bob", last_name="Builder"),
        status="pending",
        external_id="sub|new",
        external_id_issuer="https://issuer.example",
        roles=("admin",),
        token_roles={"vercel_jwt": ("editor",)},
        trusted_metadata={"plan": "pro"},
        untrusted_metadata={"theme": "dark"},
        updated_at=NOW + 60,
    )
    await store.write(ReplaceUser(user=changed))
    assert await store.user(tenant.id, changed.user_id) == replace(changed, revision=2)
    assert await store.user(neighbour.id, neighbour.user.user_id) == neighbour.user
    with pytest.raises(Stale):
        await store.write(ReplaceUser(user=changed))


async def test_a_deleted_user_takes_its_sessions_along(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    session = records.session(tenant.user)
    await store.write(records.start(session, tenant.secret))
    with pytest.raises(Stale):
        await store.write(DeleteUser(environment_id=neighbour.id, user_id=tenant.user.user_id))
    assert await store.session(tenant.id, session.number) is not None
    await store.write(DeleteUser(environment_id=tenant.id, user_id=tenant.user.user_id))
    assert await store.session(tenant.id, session.number) is None
    assert await store.user(tenant.id, tenant.user.user_id) is None
    await store.write(CreateUser(user=records.user(tenant.id, email="bob@home.example", external_id="sub|bob")))


async def test_nobody_is_replaced_through_another_environment_or_organization(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    other = records.organization(tenant.id)
    await store.write(CreateOrganization(organization=other))
    for write in (
        ReplaceOrganization(organization=replace(tenant.organization, environment_id=neighbour.id)),
        ReplaceMember(member=replace(tenant.member, environment_id=neighbour.id)),
        ReplaceMember(member=replace(tenant.member, organization_id=other.organization_id)),
        ReplaceUser(user=replace(tenant.user, environment_id=neighbour.id)),
    ):
        with pytest.raises(Stale):
            await store.write(write)
    assert await store.member_by_email(tenant.id, other.organization_id, "ada@acme.example") is None


async def test_members_of_one_external_id_are_found_across_the_organizations_of_an_environment(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    """The neighbour has a member of the same external id; two found are enough to know that it names nobody."""
    assert await store.members_by_external_id(tenant.id, "sub|ada") == [tenant.member]
    for number in range(3):
        other = records.organization(tenant.id)
        await store.write(CreateOrganization(organization=other))
        status = "deleted" if number == 0 else "active"
        await store.write(CreateMember(member=records.member(other, external_id="sub|ada", status=status)))
        assert len(await store.members_by_external_id(tenant.id, "sub|ada")) == min(number + 1, 2)
    assert await store.members_by_external_id(neighbour.id, "sub|ada") == [neighbour.member]
