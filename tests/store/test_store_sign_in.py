"""What the dashboard's operators have in the store: passwords, one-time links, and tries that are counted."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from assay.model import OperatorLink, OperatorPassword, User
from assay.store import (
    Conflict,
    CountSignIn,
    CreateOperatorLink,
    DeleteOperator,
    ForgetSignIns,
    ReplaceOperator,
    ReplaceOperatorPassword,
    SignInCount,
    Stale,
    Store,
    UseOperatorLink,
)
from tests.records import NOW
from tests.store.conftest import Tenant

HASH = b"h" * 32


def a_link(user_id: str | None, token_hash: bytes = HASH) -> OperatorLink:
    return OperatorLink(token_hash=token_hash, user_id=user_id, created_at=NOW, expires_at=NOW + 60)


def a_password(user_id: str, text: str = "$argon2id$one") -> OperatorPassword:
    return OperatorPassword(user_id=user_id, password_hash=text, changed_at=NOW)


def using(user: User, token_hash: bytes = HASH, now: int = NOW) -> UseOperatorLink:
    return UseOperatorLink(token_hash=token_hash, user=user, is_new=False, password=a_password(user.user_id), now=now)


def counting(*names: bytes, now: int = NOW) -> CountSignIn:
    counts = [SignInCount(name=name, now=now, free=1, longest=8, forgotten_before=now - 100) for name in names]
    return CountSignIn(counts=tuple(counts))


async def test_of_two_who_follow_a_link_one_comes_in(store: Store, tenant: Tenant) -> None:
    await store.write(CreateOperatorLink(link=a_link(tenant.user.user_id)))
    outcomes = await asyncio.gather(*(store.write(using(tenant.user)) for _ in range(2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome] == [Stale]
    assert await store.operator_password(tenant.user.user_id) == a_password(tenant.user.user_id)
    assert await store.operator_link(HASH, NOW) is None


async def test_a_link_that_is_over_changes_nothing(store: Store, tenant: Tenant) -> None:
    await store.write(CreateOperatorLink(link=a_link(tenant.user.user_id)))
    assert await store.operator_link(HASH, NOW + 59) is not None
    assert await store.operator_link(HASH, NOW + 60) is None
    with pytest.raises(Stale):
        await store.write(using(tenant.user, now=NOW + 60))
    assert await store.operator_password(tenant.user.user_id) is None


@pytest.mark.parametrize("first_of_all", [True, False])
async def test_a_link_takes_the_place_of_the_one_before(store: Store, tenant: Tenant, first_of_all: bool) -> None:
    whose = None if first_of_all else tenant.user.user_id
    other = tenant.user.user_id if first_of_all else None
    await store.write(CreateOperatorLink(link=a_link(other, b"other")))
    await store.write(CreateOperatorLink(link=a_link(whose, b"old")))
    await store.write(CreateOperatorLink(link=a_link(whose, b"new")))
    found = [await store.operator_link(name, NOW) is not None for name in (b"other", b"old", b"new")]
    assert found == [True, False, True]


async def test_an_address_is_invited_once(store: Store, tenant: Tenant) -> None:
    twin = replace(tenant.user, user_id="user-test-another")
    with pytest.raises(Conflict):
        await store.write(CreateOperatorLink(link=a_link(twin.user_id), new=twin))
    assert await store.operator_link(HASH, NOW) is None


async def test_a_password_is_changed_only_from_the_one_that_was_checked(store: Store, tenant: Tenant) -> None:
    user_id = tenant.user.user_id
    await store.write(CreateOperatorLink(link=a_link(user_id)))
    await store.write(using(tenant.user))
    change = ReplaceOperatorPassword(
        environment_id=tenant.id, password=a_password(user_id, "$argon2id$two"), expected_hash="$argon2id$one"
    )
    await store.write(change)
    with pytest.raises(Stale):
        await store.write(change)
    assert await store.operator_password(user_id) == change.password


async def test_of_two_owners_who_remove_each_other_one_stays(store: Store, tenant: Tenant) -> None:
    one = replace(tenant.user, roles=("owner",))
    two = replace(one, user_id="user-test-two", email="two@example.com", external_id=None, phone_number=None)
    await store.write(ReplaceOperator(user=one, now=NOW, needs_another_owner=False))
    await store.write(CreateOperatorLink(link=a_link(two.user_id), new=two))
    removals = [
        DeleteOperator(environment_id=tenant.id, user_id=each.user_id, needs_another_owner=True) for each in (one, two)
    ]
    outcomes = await asyncio.gather(*map(store.write, removals), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome] == [Stale]


async def test_somebody_invited_is_no_other_owner(store: Store, tenant: Tenant) -> None:
    invited = replace(
        tenant.user,
        user_id="user-test-two",
        email="two@example.com",
        status="pending",
        roles=("owner",),
        external_id=None,
        phone_number=None,
    )
    await store.write(CreateOperatorLink(link=a_link(invited.user_id), new=invited))
    with pytest.raises(Stale):
        await store.write(
            DeleteOperator(environment_id=tenant.id, user_id=tenant.user.user_id, needs_another_owner=True)
        )


async def test_tries_block_for_longer_and_longer(store: Store) -> None:
    now, waits = NOW, []
    for _ in range(7):
        start = now
        while await _is_blocked(store, now):  # the look that is let through is the next try
            now += 1
        waits.append(now - start)
    assert waits == [0, 0, 2, 4, 8, 8, 8]


async def _is_blocked(store: Store, now: int) -> bool:
    try:
        await store.write(counting(b"account", now=now))
    except Stale:
        return True
    return False


async def test_while_one_name_is_blocked_nothing_is_counted_under_the_other(store: Store) -> None:
    for _ in range(2):
        await store.write(counting(b"blocked"))
    for _ in range(5):
        with pytest.raises(Stale):
            await store.write(counting(b"free", b"blocked"))
    await store.write(counting(b"free"))
    await store.write(counting(b"free"))
    with pytest.raises(Stale):
        await store.write(counting(b"free"))


async def test_tries_are_forgotten(store: Store) -> None:
    for _ in range(2):
        await store.write(counting(b"account"))
    await store.write(ForgetSignIns(names=(b"account",)))
    for _ in range(2):
        await store.write(counting(b"account"))
    for _ in range(2):
        await store.write(counting(b"account", now=NOW + 200))
