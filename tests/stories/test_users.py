from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from assay import errors, ids
from assay import store as stores
from assay.model import User, UserName
from assay.stories import users
from assay.stories.context import Call, Context
from assay.stories.users import NameFields, UserCreate, UserRef, UserUpdate
from tests import records
from tests.calls import Clock


async def new(ctx: Context, call: Call, **fields: Any) -> User:
    return await users.create(ctx, call, UserCreate(**fields))


async def change(ctx: Context, call: Call, reference: str, **fields: Any) -> User:
    return await users.update(ctx, call, UserUpdate(user_id=reference, **fields))


async def get(ctx: Context, call: Call, reference: str) -> User:
    return await users.get(ctx, call, UserRef(user_id=reference))


async def actions(ctx: Context, call: Call) -> list[tuple[str, str, Any]]:
    """What the audit record says, oldest first."""
    events = await ctx.store.events(call.environment.environment_id, 100)
    return [(event.action, event.target, event.details.get("fields")) for event in reversed(events)]


@pytest.fixture
async def bob(ctx: Context, consumer: Call) -> User:
    return await new(ctx, consumer, email="bob@home.example", external_id="sub|bob")


async def test_a_new_user_is_active_and_can_be_read_by_id_and_external_id(ctx: Context, consumer: Call) -> None:
    made = await new(
        ctx,
        consumer,
        email="Bob@Home.Example",
        phone_number="+12025550162",
        name=NameFields(first_name="Bob", last_name="Roe"),
        external_id="sub|bob",
        trusted_metadata={"a": 1, "gone": None},
        untrusted_metadata={"b": 2},
        roles=[],
    )
    assert made.user_id.startswith("user-test-")
    assert (made.email_id or "").startswith("email-test-")
    assert (made.phone_id or "").startswith("phone-number-test-")
    assert made == User(
        environment_id=consumer.environment.environment_id,
        user_id=made.user_id,
        email="bob@home.example",
        email_id=made.email_id,
        phone_number="+12025550162",
        phone_id=made.phone_id,
        name=UserName(first_name="Bob", last_name="Roe"),
        external_id="sub|bob",
        trusted_metadata={"a": 1},
        untrusted_metadata={"b": 2},
        created_at=records.NOW,
        updated_at=records.NOW,
    )
    assert await get(ctx, consumer, made.user_id) == made == await get(ctx, consumer, "sub|bob")
    assert await actions(ctx, consumer) == [("user.created", made.user_id, None)]


async def test_a_user_has_no_id_for_what_it_does_not_have(ctx: Context, consumer: Call) -> None:
    by_mail, by_phone = (
        await new(ctx, consumer, email="a@b.example"),
        await new(ctx, consumer, phone_number="+1202555016"),
    )
    assert (by_mail.phone_number, by_mail.phone_id) == (None, None)
    assert (by_phone.email, by_phone.email_id) == (None, None)


async def test_a_user_can_be_created_as_pending(ctx: Context, consumer: Call) -> None:
    assert (await new(ctx, consumer, email="a@b.example", create_user_as_pending=True)).status == "pending"


async def test_a_user_needs_an_address_or_a_phone_number(ctx: Context, consumer: Call) -> None:
    with pytest.raises(errors.InvalidCreateUserRequest):
        await new(ctx, consumer, external_id="sub|bob")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"email": "nobody"}, errors.InvalidEmail),
        ({"phone_number": "2025550162"}, errors.InvalidPhoneNumber),
        ({"external_id": "a/b"}, errors.InvalidExternalId),
        ({"external_id": ids.new("user", "test")}, errors.InvalidExternalId),
        ({"roles": ["stytch_admin"]}, errors.InvalidRole),
        ({"roles": ["stytch_user"]}, errors.CannotAssignDefaultRole),
        ({"name": NameFields(last_name="a\x00b")}, errors.BadRequest),
        ({"trusted_metadata": {"a": "x" * 4096}}, errors.MetadataTooLarge),
        ({"untrusted_metadata": {str(number): 1 for number in range(21)}}, errors.MetadataTooManyKeys),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value.__name__,
)
async def test_a_wrong_field_is_refused_and_nothing_is_changed(
    ctx: Context, consumer: Call, bob: User, fields: dict[str, Any], error: type[errors.Error]
) -> None:
    with pytest.raises(error):
        await new(ctx, consumer, **{"email": "new@home.example"} | fields)
    if not {"email", "phone_number"} & fields.keys():
        with pytest.raises(error):
            await change(ctx, consumer, bob.user_id, **fields)
    assert await get(ctx, consumer, bob.user_id) == bob
    assert len(await actions(ctx, consumer)) == 1


async def test_address_phone_number_and_external_id_are_unique_in_the_environment_only(
    ctx: Context, consumer: Call, consumer_elsewhere: Call, bob: User
) -> None:
    await new(ctx, consumer, phone_number="+12025550162")
    with pytest.raises(errors.DuplicateEmail):
        await new(ctx, consumer, email="BOB@home.example")
    with pytest.raises(errors.DuplicatePhoneNumber):
        await new(ctx, consumer, phone_number="+12025550162")
    with pytest.raises(errors.DuplicateUserExternalId):
        await new(ctx, consumer, email="c@home.example", external_id="sub|bob")
    carol = await new(ctx, consumer, email="carol@home.example")
    with pytest.raises(errors.DuplicateUserExternalId):
        await change(ctx, consumer, carol.user_id, external_id="sub|bob")
    twin = await new(
        ctx, consumer_elsewhere, email="bob@home.example", phone_number="+12025550162", external_id="sub|bob"
    )
    assert await get(ctx, consumer_elsewhere, "sub|bob") == twin
    assert await get(ctx, consumer, "sub|bob") == bob


async def test_two_of_one_address_made_at_once_become_one(ctx: Context, consumer: Call) -> None:
    made = await asyncio.gather(*(new(ctx, consumer, email="a@b.example") for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(one, User) for one in made) == 1
    assert sum(isinstance(one, errors.DuplicateEmail) for one in made) == 3


async def test_an_update_changes_what_is_given_and_names_it_in_the_audit_record(
    ctx: Context, consumer: Call, clock: Clock
) -> None:
    made = await new(
        ctx, consumer, email="a@b.example", name=NameFields(first_name="Ann", last_name="Roe"),
        trusted_metadata={"a": {"x": 1}, "b": 2},
    )  # fmt: skip
    clock.turn(60)
    after = await change(
        ctx, consumer, made.user_id, name=NameFields(first_name="", middle_name="B."), external_id="sub|ann",
        trusted_metadata={"a": {"y": 1}, "b": None}, untrusted_metadata={"c": 3},
    )  # fmt: skip
    assert after == msgspec.structs.replace(
        made,
        name=UserName(first_name="", middle_name="B.", last_name="Roe"),
        external_id="sub|ann",
        trusted_metadata={"a": {"y": 1}},
        untrusted_metadata={"c": 3},
        updated_at=records.NOW + 60,
        revision=2,
    )
    assert await get(ctx, consumer, "sub|ann") == after
    changed = ["name", "external_id", "trusted_metadata", "untrusted_metadata"]
    assert (await actions(ctx, consumer))[1:] == [("user.updated", made.user_id, changed)]


async def test_an_update_that_changes_nothing_writes_nothing(
    ctx: Context, consumer: Call, bob: User, clock: Clock
) -> None:
    clock.turn(60)
    assert await change(ctx, consumer, "sub|bob", external_id="sub|bob", roles=[]) == bob
    assert len(await actions(ctx, consumer)) == 1


async def test_concurrent_updates_all_survive(ctx: Context, consumer: Call, bob: User) -> None:
    await asyncio.gather(
        *(change(ctx, consumer, bob.user_id, trusted_metadata={str(number): number}) for number in range(10))
    )
    after = await get(ctx, consumer, bob.user_id)
    assert after.trusted_metadata == {str(number): number for number in range(10)}


async def test_an_external_id_given_by_a_caller_matches_tokens_of_any_issuer(ctx: Context, consumer: Call) -> None:
    attached = records.user(
        consumer.environment.environment_id, external_id="sub|1", external_id_issuer="https://issuer.example"
    )
    await ctx.store.write(stores.CreateUser(user=attached))
    assert (await change(ctx, consumer, "sub|1", external_id="sub|1")).external_id_issuer is None


async def test_a_dropped_external_id_resolves_nothing_and_is_free(ctx: Context, consumer: Call, bob: User) -> None:
    after = await users.drop_external_id(ctx, consumer, UserRef(user_id="sub|bob"))
    assert (after.user_id, after.external_id) == (bob.user_id, None)
    with pytest.raises(errors.UserNotFound):
        await get(ctx, consumer, "sub|bob")
    assert (await new(ctx, consumer, email="c@home.example", external_id="sub|bob")).external_id == "sub|bob"


async def test_a_deleted_user_is_gone_with_its_sessions_and_frees_its_names(
    ctx: Context, consumer: Call, bob: User
) -> None:
    await ctx.store.write(records.start(records.session(bob), consumer.caller.secret))
    assert await users.delete(ctx, consumer, UserRef(user_id="sub|bob")) == bob.user_id
    for refused in (
        get(ctx, consumer, bob.user_id),
        change(ctx, consumer, bob.user_id, name=NameFields(first_name="Ghost")),
        users.delete(ctx, consumer, UserRef(user_id=bob.user_id)),
        users.drop_external_id(ctx, consumer, UserRef(user_id=bob.user_id)),
    ):
        with pytest.raises(errors.UserNotFound):
            await refused
    assert await ctx.store.sessions_of(bob.environment_id, "user", bob.user_id, records.NOW) == []
    await new(ctx, consumer, email="bob@home.example", external_id="sub|bob")
    assert ("user.deleted", bob.user_id, None) in await actions(ctx, consumer)


async def test_another_tenant_gets_the_same_answer_as_for_what_never_existed(
    ctx: Context, consumer: Call, consumer_elsewhere: Call, bob: User
) -> None:
    for reference in (bob.user_id, "sub|bob", "never-existed"):
        for refused in (
            get(ctx, consumer_elsewhere, reference),
            change(ctx, consumer_elsewhere, reference, name=NameFields(first_name="Mine")),
            users.delete(ctx, consumer_elsewhere, UserRef(user_id=reference)),
            users.drop_external_id(ctx, consumer_elsewhere, UserRef(user_id=reference)),
        ):
            with pytest.raises(errors.UserNotFound) as refusal:
                await refused
            assert refusal.value.message == errors.UserNotFound.default_message
    assert await get(ctx, consumer, "sub|bob") == bob


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", '"', "'; drop table users;--", "../..", "100%_\\'\""])
async def test_hostile_names_are_kept_as_text_and_find_nothing(
    ctx: Context, consumer: Call, bob: User, text: str
) -> None:
    made = await new(ctx, consumer, phone_number="+12025550162", name=NameFields(first_name=text))
    assert (await get(ctx, consumer, made.user_id)).name.first_name == text
    for reference in (text, text + "\x00", "sub|bob\x00"):
        with pytest.raises(errors.UserNotFound):
            await get(ctx, consumer, reference)
        with pytest.raises(errors.UserNotFound):
            await users.delete(ctx, consumer, UserRef(user_id=reference))
    assert await get(ctx, consumer, bob.user_id) == bob
