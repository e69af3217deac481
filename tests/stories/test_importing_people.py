"""Importing people: what a row becomes, what is refused, what a second run does, what stands in the audit record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.model import Member, User, UserName
from assay.stories import members, users
from assay.stories.context import Call
from assay.stories.import_job import BATCH, FAULTS_KEPT, Fault, Summary, Watcher
from assay.stories.members import MemberCreate, MemberGet
from tests.stories.importing import Given, import_rows
from tests.world import NOW, World

ADA: Given = {"email_address": "ada@acme.example"}

# As the hosted service shows a member (contract §6.2).
HOSTED_MEMBER: Given = {
    "organization_id": "organization-live-07971b06-ac8b-4cdb-9c15-63b17e653931",
    "member_id": "member-live-32fc5024-9c09-4da3-bd2e-c9ce4da9375f",
    "email_address": "Ada@Acme.example",
    "email_address_verified": True,
    "name": "Ada",
    "status": "active",
    "external_id": "user-1",
    "is_admin": True,
    "is_breakglass": False,
    "is_locked": False,
    "mfa_enrolled": False,
    "mfa_phone_number": "",
    "mfa_phone_number_verified": False,
    "member_password_id": "",
    "default_mfa_method": "",
    "totp_registration_id": "",
    "retired_email_addresses": [],
    "oauth_registrations": [],
    "sso_registrations": [{"connection_id": "saml-1", "external_id": "x", "registration_id": "r"}],
    "roles": [
        {"role_id": "stytch_member", "sources": [{"type": "direct_assignment"}]},
        {"role_id": "stytch_admin", "sources": [{"type": "direct_assignment"}]},
        {"role_id": "from_sso", "sources": [{"type": "sso_connection"}]},
    ],
    "trusted_metadata": {"plan": "pro"},
    "untrusted_metadata": {},
    "created_at": "2024-01-01T00:00:00Z",
    "updated_at": "2024-01-01T00:00:00Z",
    "lock_created_at": None,
    "scim_registration": None,
}
# And a user (contract §6.3).
HOSTED_USER: Given = {
    "user_id": "user-live-16d9ba61-97a1-4ba4-9720-b03761dc50c6",
    "emails": [
        {"email_id": "email-live-1", "email": "old@home.example", "verified": False},
        {"email_id": "email-live-2", "email": "ada@home.example", "verified": True},
    ],
    "phone_numbers": [{"phone_id": "phone-number-live-1", "phone_number": "+12025550162", "verified": True}],
    "name": {"first_name": "Ada", "middle_name": "", "last_name": "Lovelace"},
    "status": "active",
    "roles": ["stytch_user"],
    "providers": [],
    "webauthn_registrations": [],
    "password": None,
    "is_locked": False,
    "trusted_metadata": {},
    "untrusted_metadata": {"theme": "dark"},
    "created_at": "2024-01-01T00:00:00Z",
}


def call(world: World) -> Call:
    return Call(caller=world.b2b.caller, request_id="test")


async def member(world: World, email: str = "ada@acme.example") -> Member:
    wanted = MemberGet(organization_id="acme", email_address=email)
    return (await members.get(world.context, call(world), wanted)).member


async def only_user(world: World, reference: str) -> User:
    return await users.get(
        world.context, Call(caller=world.consumer.caller, request_id="test"), users.UserRef(user_id=reference)
    )


def counts(found: Summary) -> dict[str, Any]:
    """What there is to count, without what is zero."""
    names = ("new", "same", "different", "left_out", "faulty", "created", "updated", "organizations_created")
    return {name: getattr(found, name) for name in names if getattr(found, name)}


async def test_a_member_of_the_hosted_service_becomes_a_member_here(world: World, tmp_path: Path) -> None:
    found = await import_rows(world, tmp_path, HOSTED_MEMBER)
    assert counts(found) == {"new": 1, "created": 1}
    made = await member(world)
    assert msgspec.structs.replace(made, member_id="") == Member(
        environment_id=world.b2b.project_id,
        organization_id=world.acme.organization_id,
        member_id="",
        email="ada@acme.example",
        email_verified=True,
        name="Ada",
        external_id="user-1",
        roles=("stytch_admin",),
        trusted_metadata={"plan": "pro"},
        created_at=NOW,
        updated_at=NOW,
    )
    assert made.member_id != HOSTED_MEMBER["member_id"]
    assert found.unused == {"sso_registrations": 1}


async def test_a_user_of_the_hosted_service_becomes_a_user_here(world: World, tmp_path: Path) -> None:
    found = await import_rows(world, tmp_path, HOSTED_USER | {"external_id": "user-1"}, people="users")
    assert counts(found) == {"new": 1, "created": 1}
    made = await only_user(world, "user-1")
    assert (made.email, made.email_verified, made.phone_number) == ("ada@home.example", True, "+12025550162")
    assert made.name == UserName(first_name="Ada", last_name="Lovelace")
    assert (made.roles, made.untrusted_metadata) == ((), {"theme": "dark"})
    assert made.email_id
    assert made.phone_id
    assert [count for note, count in found.notes.items() if "more than one address" in note] == [1]


async def test_an_imported_member_logs_in_with_a_token(world: World, tmp_path: Path) -> None:
    await import_rows(world, tmp_path, {"email_address": "ada@example.com", "email_address_verified": True})
    imported = await member(world, "ada@example.com")
    async with world.client(world.b2b) as client:
        body = world.attest_body(token=world.token(email="ada@example.com"))
        answer = (await client.post("/v1/b2b/sessions/attest", json=body)).json()
    assert answer["member_id"] == imported.member_id


MEMBER_FAULTS = [
    pytest.param({}, "a member needs an email_address or an external_id", id="nobody"),
    pytest.param({"email_address": "ada"}, "email_address: The email address is not valid.", id="address"),
    pytest.param({"email_address": 7}, "email_address: expected str | null, got int", id="type"),
    pytest.param(ADA | {"status": "asleep"}, "status: invalid enum value 'asleep'", id="status"),
    pytest.param(ADA | {"external_id": "a b"}, "external_id", id="external id"),
    pytest.param(ADA | {"external_id": HOSTED_MEMBER["member_id"]}, "external_id", id="external id of our own form"),
    pytest.param(ADA | {"roles": ["king"]}, "the RBAC policy has no role 'king'", id="role"),
    pytest.param(ADA | {"mfa_phone_number": "0123"}, "E.164", id="phone number"),
    pytest.param(ADA | {"trusted_metadata": {"a": "x" * 5_000}}, "4096 bytes", id="metadata"),
    pytest.param(ADA | {"trusted_metadata": "pro"}, "trusted_metadata must be JSON", id="metadata as text"),
    pytest.param(ADA | {"mfa_enrolled": "maybe"}, "mfa_enrolled must be true or false", id="flag as text"),
]


@pytest.mark.parametrize(("row", "says"), MEMBER_FAULTS)
async def test_a_faulty_member_is_told_and_nothing_is_written(
    world: World, tmp_path: Path, row: Given, says: str
) -> None:
    found = await import_rows(world, tmp_path, {"email_address": "bob@acme.example"}, row)
    assert counts(found) == {"new": 1, "faulty": 1}
    assert not found.written
    assert found.faults[0].line == 2
    assert says in found.faults[0].problem
    with pytest.raises(errors.MemberNotFound):
        await member(world, "bob@acme.example")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        pytest.param({}, "a user needs an email, a phone_number or an external_id", id="nobody"),
        pytest.param({"email": "ada"}, "The email address is not valid.", id="address"),
        pytest.param({"emails": [{"email": "ada"}]}, "The email address is not valid.", id="address in the list"),
        pytest.param({"external_id": "u", "name": "Ada Lovelace"}, "name must be an object", id="name"),
        pytest.param({"external_id": "u", "status": "invited"}, "invalid enum value 'invited'", id="status"),
    ],
)
async def test_a_faulty_user_is_told(world: World, tmp_path: Path, row: Given, says: str) -> None:
    found = await import_rows(world, tmp_path, row, people="users")
    assert counts(found) == {"faulty": 1}
    assert says in found.faults[0].problem


@pytest.mark.parametrize("kind", ["email_address", "external_id"])
async def test_two_rows_for_one_member_are_told_by_line(world: World, tmp_path: Path, kind: str) -> None:
    rows = [{"external_id": f"user-{number}", "email_address": f"p{number}@acme.example"} for number in range(3)]
    rows[2][kind] = rows[0][kind]
    found = await import_rows(world, tmp_path, *rows)
    assert [fault.line for fault in found.faults] == [3]
    assert "stands in line 1 already" in found.faults[0].problem


async def test_two_rows_for_one_phone_number_are_told(world: World, tmp_path: Path) -> None:
    rows = [{"external_id": f"user-{number}", "phone_number": "+12025550162"} for number in range(2)]
    found = await import_rows(world, tmp_path, *rows, people="users")
    assert [(fault.line, "phone_number" in fault.problem) for fault in found.faults] == [(2, True)]


async def test_the_same_person_may_be_in_two_organizations(world: World, tmp_path: Path) -> None:
    rows = [ADA | {"organization_slug": slug} for slug in ("acme", "globex")]
    found = await import_rows(world, tmp_path, *rows, organization=None, create_organizations=True)
    assert counts(found) == {"new": 2, "created": 2, "organizations_created": 1}


async def test_faulty_rows_can_be_left_out(world: World, tmp_path: Path) -> None:
    found = await import_rows(world, tmp_path, {"email_address": "x"}, ADA, ADA, skip_faulty=True)
    assert counts(found) == {"new": 1, "faulty": 2, "created": 1}
    assert (await member(world)).email == "ada@acme.example"


async def test_the_first_faults_are_kept_and_all_are_told(world: World, tmp_path: Path) -> None:
    told: list[Fault] = []
    rows = [{"email_address": "x"}] * (FAULTS_KEPT + 10)
    found = await import_rows(world, tmp_path, *rows, watcher=Watcher(fault=told.append))
    assert (len(found.faults), found.faulty, len(told)) == (FAULTS_KEPT, FAULTS_KEPT + 10, FAULTS_KEPT + 10)


async def test_a_second_run_changes_nothing(world: World, tmp_path: Path) -> None:
    rows = (HOSTED_MEMBER, {"email_address": "bob@acme.example", "name": "Bob"})
    await import_rows(world, tmp_path, *rows)
    before = await member(world)
    world.clock.turn(60)
    assert counts(await import_rows(world, tmp_path, *rows)) == {"same": 2}
    assert await member(world) == before


async def test_an_interrupted_import_is_completed_by_running_it_again(world: World, tmp_path: Path) -> None:
    rows = [{"email_address": f"p{number}@acme.example"} for number in range(BATCH + 20)]

    def stop(phase: str, _rows: int) -> None:
        if phase == "written":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await import_rows(world, tmp_path, *rows, watcher=Watcher(tell=stop))
    written = await world.context.store.member_count(world.b2b.project_id, world.acme.organization_id)
    assert written == BATCH
    assert counts(await import_rows(world, tmp_path, *rows)) == {"new": 20, "same": BATCH, "created": 20}


CHANGES = [
    pytest.param({"name": "Countess"}, {"name": "Countess"}, id="name"),
    pytest.param({"trusted_metadata": {"plan": "free"}}, {"trusted_metadata": {"plan": "free"}}, id="metadata"),
    pytest.param({"roles": []}, {"roles": ()}, id="roles"),
    pytest.param({"status": "pending"}, {"status": "pending"}, id="status"),
    pytest.param({"external_id": "user-2"}, {"external_id": "user-2", "external_id_issuer": None}, id="external id"),
]


@pytest.mark.parametrize(("row", "change"), CHANGES)
async def test_who_is_different_is_left_alone_unless_told_otherwise(
    world: World, tmp_path: Path, row: Given, change: dict[str, Any]
) -> None:
    await import_rows(world, tmp_path, HOSTED_MEMBER)
    before = await member(world)
    world.clock.turn(60)
    given = ADA | row
    assert counts(await import_rows(world, tmp_path, given)) == {"different": 1}
    assert await member(world) == before
    assert counts(await import_rows(world, tmp_path, given, update=True)) == {"different": 1, "updated": 1}
    after = await member(world)
    assert after == msgspec.structs.replace(before, **change, updated_at=NOW + 60, revision=before.revision + 1), (
        "and what the row does not give stays"
    )


async def test_a_changed_address_stays_the_members_own(world: World, tmp_path: Path) -> None:
    await import_rows(world, tmp_path, HOSTED_MEMBER)
    await import_rows(world, tmp_path, {"external_id": "user-1", "email_address": "new@acme.example"}, update=True)
    after = await member(world, "new@acme.example")
    assert [item.email_address for item in after.retired_emails] == ["ada@acme.example"]
    assert not after.email_verified, "the new address was not verified by anybody"


async def test_a_user_gets_a_new_address(world: World, tmp_path: Path) -> None:
    await import_rows(world, tmp_path, {"external_id": "u", "email": "a@home.example"}, people="users")
    before = await only_user(world, "u")
    await import_rows(world, tmp_path, {"external_id": "u", "email": "b@home.example"}, people="users", update=True)
    after = await only_user(world, "u")
    assert (after.email, after.user_id) == ("b@home.example", before.user_id)
    assert after.email_id != before.email_id


async def test_a_row_that_names_two_people_is_a_fault(world: World, tmp_path: Path) -> None:
    await import_rows(world, tmp_path, ADA | {"external_id": "user-1"}, {"email_address": "bob@acme.example"})
    found = await import_rows(world, tmp_path, {"external_id": "user-1", "email_address": "bob@acme.example"})
    assert counts(found) == {"faulty": 1}
    assert "another one's" in found.faults[0].problem


async def test_a_user_who_has_the_phone_number_is_found(world: World, tmp_path: Path) -> None:
    row = {"external_id": "u", "phone_number": "+12025550162"}
    await import_rows(world, tmp_path, row, people="users")
    found = await import_rows(world, tmp_path, {"phone_number": "+12025550162"}, people="users")
    assert counts(found) == {"same": 1}
    other = await import_rows(world, tmp_path, row | {"external_id": "v"}, people="users")
    assert counts(other) == {"different": 1}


async def test_deleted_people_are_left_out(world: World, tmp_path: Path) -> None:
    assert counts(await import_rows(world, tmp_path, HOSTED_MEMBER | {"status": "deleted"})) == {"left_out": 1}


async def test_a_check_writes_nothing(world: World, tmp_path: Path) -> None:
    found = await import_rows(world, tmp_path, ADA, check_only=True)
    assert (counts(found), found.written) == ({"new": 1}, False)
    with pytest.raises(errors.MemberNotFound):
        await member(world)


# ---------------------------------------------------------------- organizations


PLACES = [
    pytest.param({"organization_slug": "acme"}, None, id="slug"),
    pytest.param({"organization_name": "Acme"}, None, id="name"),
    pytest.param({"organization_id": "acme"}, None, id="slug as id"),
    pytest.param({"organization_external_id": "customer-1", "organization_slug": "acme"}, None, id="slug as well"),
    pytest.param({}, "it names no organization", id="none"),
    pytest.param({"organization_slug": "globex"}, "there is no such organization", id="unknown slug"),
    pytest.param({"organization_id": "organization-live-07971b06-ac8b-4cdb-9c15-63b17e653931"},
                 "organization_id is that of another system", id="id of the hosted service"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "says"), PLACES)
async def test_rows_name_their_organization(world: World, tmp_path: Path, place: Given, says: str | None) -> None:
    found = await import_rows(world, tmp_path, ADA | place, organization=None)
    if says is None:
        assert counts(found) == {"new": 1, "created": 1}
        assert (await member(world)).organization_id == world.acme.organization_id
    else:
        assert says in found.faults[0].problem


async def test_organizations_are_made_once_and_found_again(world: World, tmp_path: Path) -> None:
    places: list[Given] = [
        {"organization_external_id": "customer-1", "organization_name": "Globex"},
        {"organization_slug": "initech", "organization_name": "Initech"},
        {"organization_name": "Hooli Inc"},
        {"organization_external_id": "customer-2", "organization_name": "Globex"},
    ]
    rows = [{"email_address": f"p{number}@x.example"} | place for number in range(2) for place in places]
    options: dict[str, Any] = {"organization": None, "create_organizations": True}
    found = await import_rows(world, tmp_path, *rows, **options)
    assert counts(found) == {"new": 8, "created": 8, "organizations_created": 4}
    stored = [await world.context.store.organization(world.b2b.project_id, name, by_slug=True)
              for name in ("customer-1", "initech", "hooli-inc", "customer-2")]  # fmt: skip
    assert [each and each.name for each in stored] == ["Globex", "Initech", "Hooli Inc", "Globex"]
    assert counts(await import_rows(world, tmp_path, *rows, **options)) == {"same": 8}


@pytest.mark.parametrize(
    ("places", "says"),
    [
        pytest.param(
            [{"organization_slug": "acme", "organization_name": "X"}, {"organization_name": "acme!"}],
            "another organization has the slug of this name",
            id="a name that reads like another organization's",
        ),
        pytest.param(
            [{"organization_slug": "new", "organization_external_id": "c-1"},
             {"organization_slug": "new", "organization_external_id": "c-2"}],
            "two organizations of this file want the same slug",
            id="one slug for two",
        ),
        pytest.param(
            [{"organization_slug": "acme"}, {"organization_slug": "a b"}],
            "organization_slug must have",
            id="a slug that cannot be one",
        ),
    ],
)  # fmt: skip
async def test_organizations_that_cannot_be_made_are_faults(
    world: World, tmp_path: Path, places: list[Given], says: str
) -> None:
    rows = [{"email_address": f"p{number}@x.example"} | place for number, place in enumerate(places)]
    found = await import_rows(world, tmp_path, *rows, organization=None, create_organizations=True)
    assert [(fault.line, says in fault.problem) for fault in found.faults] == [(2, True)]


async def test_a_slug_whose_organization_has_another_external_id_is_a_fault(world: World, tmp_path: Path) -> None:
    options: dict[str, Any] = {"organization": None, "create_organizations": True}
    place = {"organization_slug": "globex", "organization_external_id": "customer-1"}
    await import_rows(world, tmp_path, ADA | place, **options)
    found = await import_rows(world, tmp_path, ADA | place | {"organization_external_id": "customer-9"}, **options)
    assert "another external id" in found.faults[0].problem


# ---------------------------------------------------------------- ids of the other system


@pytest.mark.parametrize(
    ("old_id", "external_id", "note"),
    [
        pytest.param("auth0|5f7c8ec7", "auth0|5f7c8ec7", "", id="an id that can be one"),
        pytest.param(HOSTED_MEMBER["member_id"], None, "Assay's own ids", id="an id of our own form"),
        pytest.param("a/b", None, "alphabet", id="an id with other characters"),
    ],
)
async def test_the_other_systems_id_is_kept_where_it_can_be(
    world: World, tmp_path: Path, old_id: str, external_id: str | None, note: str
) -> None:
    found = await import_rows(world, tmp_path, ADA | {"member_id": old_id}, keep_ids=True)
    assert (await member(world)).external_id == external_id
    assert note in "".join(found.notes)
    assert len(found.notes) == bool(note)


async def test_the_other_systems_id_is_not_kept_unless_told(world: World, tmp_path: Path) -> None:
    await import_rows(world, tmp_path, ADA | {"member_id": "auth0|1"})
    assert (await member(world)).external_id is None


# ---------------------------------------------------------------- what others do meanwhile, and the record


async def test_a_person_that_somebody_makes_meanwhile_is_found(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check sees nobody, and the write finds that the API made both: one as the file says, one otherwise."""
    rows: list[Given] = [
        {"email_address": "same@acme.example", "name": "S"},
        {"email_address": "other@acme.example", "name": "O"},
    ]
    for row in (rows[0], rows[1] | {"name": "P"}):
        await members.create(world.context, call(world), MemberCreate(organization_id="acme", **row))
    look, looks = world.context.store.member_candidates, []

    async def look_late(*arguments: Any) -> tuple[Member | None, Member | None]:
        looks.append(arguments)
        return (None, None) if len(looks) <= len(rows) else await look(*arguments)

    monkeypatch.setattr(world.context.store, "member_candidates", look_late)
    found = await import_rows(world, tmp_path, *rows)
    assert counts(found) == {"new": 2, "same": 1, "faulty": 1}
    assert (found.faults[0].line, "changed by somebody else" in found.faults[0].problem) == (2, True)


async def test_a_file_that_changes_meanwhile_is_refused(world: World, tmp_path: Path) -> None:
    def tell(_phase: str, _done: int) -> None:
        with (tmp_path / "people.jsonl").open("a") as file:
            file.write("{}\n")

    with pytest.raises(errors.PeopleFileChanged):
        await import_rows(world, tmp_path, ADA, watcher=Watcher(tell=tell))
    with pytest.raises(errors.MemberNotFound):
        await member(world)


async def test_each_person_and_the_import_are_audit_events(world: World, tmp_path: Path) -> None:
    found = await import_rows(world, tmp_path, ADA, {"email_address": "bob@acme.example"})
    await import_rows(world, tmp_path, ADA | {"name": "Ada"}, update=True)
    last, changed, imported, *created = (await world.context.store.events(world.b2b.project_id, 5))[:5]
    assert [event.action for event in created] == ["member.created", "member.created"]
    assert created[1].details == {"organization_id": world.acme.organization_id, "by": "import"}
    assert imported.action == last.action == "members.imported"
    assert imported.details["sha256"] == found.digest
    assert (imported.details["rows"], imported.details["created"], last.details["updated"]) == (2, 2, 1)
    assert (changed.action, changed.details) == ("member.updated", {"fields": ["name"], "by": "import"})
    assert "acme.example" not in str([imported, last, changed, *created]), "no personal data"


@pytest.mark.parametrize(("people", "wrong"), [("members", "consumer"), ("users", "b2b")])
async def test_people_of_the_other_kind_are_refused(world: World, tmp_path: Path, people: Any, wrong: str) -> None:
    other = msgspec.structs.replace(world, b2b=world.consumer, consumer=world.b2b)
    with pytest.raises(errors.WrongVertical, match=wrong):
        await import_rows(other, tmp_path, ADA, people=people, organization=None)


async def test_an_unknown_organization_for_all_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(errors.OrganizationNotFound):
        await import_rows(world, tmp_path, ADA, organization="globex")
