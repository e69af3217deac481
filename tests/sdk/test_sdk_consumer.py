"""A consumer project through the official Python client: attest, sessions, users, policy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from stytch.consumer.models.sessions import AuthorizationCheck
from stytch.consumer.models.users import SearchUsersQuery, SearchUsersQueryOperator
from stytch.shared.rbac_local import RBACConsumerPermissionError

from tests.sdk.clients import Sdk, jwt_of_ten_minutes_ago, person, refused, unique

Named = Callable[[Any], dict[str, Any]]

OWN = AuthorizationCheck(resource_id="stytch.self", action="update.info.name")
OTHERS = AuthorizationCheck(resource_id="documents", action="read")


@pytest.fixture
async def login(consumer: Sdk) -> Any:
    """Somebody new, logged in for an hour."""
    return await consumer.login(person(), session_duration_minutes=60)


async def total(consumer: Sdk) -> int:
    found: int = (await consumer("users.search", limit=1)).results_metadata.total
    return found


async def test_attest_without_a_duration_says_who_it_is_and_starts_no_session(consumer: Sdk) -> None:
    claims = person()
    made = await consumer.login(claims)
    assert (made.session, made.session_token, made.session_jwt) == (None, "", "")
    assert made.user_id == made.user.user_id
    assert [(email.email, email.verified) for email in made.user.emails] == [(claims["email"], True)]
    assert (made.user.status, made.user.external_id) == ("active", claims["sub"])
    assert (await consumer("sessions.get", user_id=made.user_id)).sessions == []
    assert (await consumer.login(claims)).user_id == made.user_id


async def test_attest_with_a_duration_starts_a_session(consumer: Sdk) -> None:
    token_id = unique("token")
    made = await consumer.login(
        person(jti=token_id), session_duration_minutes=45, session_custom_claims={"cart": {"items": 2}}
    )
    session = made.session
    assert session.user_id == made.user_id
    assert session.session_id.startswith("session-test-")
    assert session.expires_at - session.started_at == timedelta(minutes=45)
    assert session.custom_claims == {"cart": {"items": 2}}
    assert session.roles == made.user.roles == ["stytch_user"]
    (factor,) = session.authentication_factors
    assert (factor.type, factor.delivery_method) == ("trusted_auth_token", "trusted_token_exchange")
    assert factor.trusted_auth_token_factor.token_id == token_id


async def test_a_profile_that_may_not_provision_finds_users_by_email_only(consumer: Sdk, user: Any) -> None:
    mint = consumer.service.issuer.mint
    found = await consumer(
        "sessions.attest", profile_id="closed", token=mint({"email": user.emails[0].email}), session_duration_minutes=5
    )
    assert found.user_id == user.user_id
    before = await total(consumer)
    with refused("user_not_found", 404):
        await consumer("sessions.attest", profile_id="closed", token=mint({"email": person()["email"]}))
    assert await total(consumer) == before


@pytest.mark.parametrize("passed", ["session_token", "session_jwt"])
async def test_a_second_token_adds_a_factor_to_the_session_passed_in(consumer: Sdk, passed: str) -> None:
    claims = person()
    first = await consumer.login(claims, session_duration_minutes=60)
    both = await consumer(
        "sessions.attest",
        profile_id="partner",
        token=consumer.service.partner.mint({"email": claims["email"]}),
        **{passed: getattr(first, passed)},
    )
    assert both.session.session_id == first.session.session_id
    assert both.session.expires_at == first.session.expires_at
    assert len(both.session.authentication_factors) == 2
    with refused("user_id_mismatch", 400):
        await consumer.login(person(), session_token=first.session_token)


async def test_a_session_authenticates_by_token_and_by_jwt(consumer: Sdk, login: Any) -> None:
    by_token = await consumer("sessions.authenticate", session_token=login.session_token)
    by_jwt = await consumer("sessions.authenticate", session_jwt=login.session_jwt)
    assert by_token.session.session_id == by_jwt.session.session_id == login.session.session_id
    assert by_token.session_token == by_jwt.session_token == login.session_token
    assert by_token.user == login.user
    assert by_token.session.expires_at == login.session.expires_at
    longer = await consumer(
        "sessions.authenticate",
        session_token=login.session_token,
        session_duration_minutes=500,
        session_custom_claims={"seen": [1]},
    )
    assert longer.session.expires_at - longer.session.last_accessed_at == timedelta(minutes=500)
    assert longer.session.custom_claims == {"seen": [1]}


async def test_permissions_are_checked_by_the_server(consumer: Sdk, login: Any) -> None:
    passed = await consumer("sessions.authenticate", session_token=login.session_token, authorization_check=OWN)
    assert (passed.verdict.authorized, passed.verdict.granting_roles) == (True, ["stytch_user"])
    with refused("consumer_session_authorization_error", 403):
        await consumer("sessions.authenticate", session_token=login.session_token, authorization_check=OTHERS)


async def test_sessions_of_a_user_are_listed_by_id_and_external_id(consumer: Sdk, login: Any) -> None:
    for user_id in (login.user_id, login.user.external_id):
        found = await consumer("sessions.get", user_id=user_id)
        assert [session.session_id for session in found.sessions] == [login.session.session_id]


REVOKES: dict[str, Named] = {
    "id": lambda login: {"session_id": login.session.session_id},
    "token": lambda login: {"session_token": login.session_token},
    "jwt": lambda login: {"session_jwt": login.session_jwt},
}


@pytest.mark.parametrize("named", REVOKES.values(), ids=REVOKES)
async def test_revoke_ends_the_session_at_once(consumer: Sdk, login: Any, named: Named) -> None:
    assert (await consumer("sessions.revoke", **named(login))).status_code == 200
    with refused("session_not_found", 404):
        await consumer("sessions.authenticate", session_token=login.session_token)
    with refused("session_not_found", 404):
        await consumer.login(person(), session_token=login.session_token)
    assert (await consumer("sessions.revoke", **named(login))).status_code == 200


async def test_the_client_verifies_a_session_jwt_without_asking_the_server(consumer: Sdk, login: Any) -> None:
    await consumer("sessions.revoke", session_token=login.session_token)
    found = await consumer("sessions.authenticate_jwt", session_jwt=login.session_jwt)
    for field in ("session_id", "user_id", "started_at", "last_accessed_at", "expires_at", "roles", "custom_claims"):
        assert getattr(found.session, field) == getattr(login.session, field), field
    with refused("session_not_found", 404):
        await consumer("sessions.authenticate_jwt", session_jwt=login.session_jwt, max_token_age_seconds=0)


async def test_the_client_checks_permissions_locally_by_the_policy_of_the_server(consumer: Sdk, login: Any) -> None:
    passed = await consumer("sessions.authenticate_jwt_local", session_jwt=login.session_jwt, authorization_check=OWN)
    assert passed.user_id == login.user_id
    with pytest.raises(RBACConsumerPermissionError):
        await consumer("sessions.authenticate_jwt_local", session_jwt=login.session_jwt, authorization_check=OTHERS)


async def test_an_expired_jwt_is_renewed_while_its_session_lives(consumer: Sdk, login: Any) -> None:
    expired = await jwt_of_ten_minutes_ago(consumer.service, "/v1/sessions/authenticate", login.session_token)
    assert await consumer("sessions.authenticate_jwt_local", session_jwt=expired) is None
    found = await consumer("sessions.authenticate_jwt", session_jwt=expired)
    assert found.session.session_id == login.session.session_id
    assert found.session_jwt != expired


async def test_jwks_hold_the_key_that_signed(consumer: Sdk, login: Any) -> None:
    found = await consumer("sessions.get_jwks", project_id=consumer.service.consumer.project_id)
    assert jwt.get_unverified_header(login.session_jwt)["kid"] in [key.kid for key in found.keys]


async def test_a_user_keeps_what_it_is_created_with_and_what_it_is_changed_to(consumer: Sdk) -> None:
    name = unique("full")
    made = await consumer(
        "users.create",
        email=f"{name}@Example.com",
        phone_number=f"+1202555{1000 + sum(map(ord, name))}",
        name={"first_name": "Ada", "last_name": "Lovelace"},
        trusted_metadata={"a": {"x": 1}, "b": 1},
        untrusted_metadata={"theme": "dark"},
        external_id=f"ext|{name}",
    )
    assert (made.status, made.user.status) == ("active", "active")
    assert [email.email_id for email in made.user.emails] == [made.email_id]
    assert [phone.phone_id for phone in made.user.phone_numbers] == [made.phone_id]
    changed = await consumer(
        "users.update",
        user_id=f"ext|{name}",
        name={"first_name": "Augusta"},
        trusted_metadata={"a": {"y": 2}, "b": None},
        external_id=f"other|{name}",
    )
    assert changed.user_id == made.user_id
    assert (changed.user.name.first_name, changed.user.name.last_name) == ("Augusta", "Lovelace")
    assert changed.user.trusted_metadata == {"a": {"y": 2}}
    assert changed.user.untrusted_metadata == {"theme": "dark"}
    assert changed.emails == changed.user.emails == made.user.emails
    with refused("user_not_found", 404):
        await consumer("users.get", user_id=f"ext|{name}")


async def test_a_user_without_address_or_as_pending_has_empty_ids(consumer: Sdk) -> None:
    pending = await consumer("users.create", email=f"{unique('pending')}@example.com", create_user_as_pending=True)
    assert (pending.status, pending.phone_id, pending.user.phone_numbers) == ("pending", "", [])
    assert pending.user.external_id is None


@pytest.mark.parametrize("named", ["user_id", "external_id"])
async def test_a_user_answers_to_its_id_and_its_external_id(consumer: Sdk, user: Any, named: str) -> None:
    reference = getattr(user, named)
    shown = await consumer("users.get", user_id=reference)
    assert (shown.user_id, shown.emails, shown.external_id) == (user.user_id, user.emails, user.external_id)
    assert shown.created_at == user.created_at
    dropped = await consumer("users.delete_external_id", user_id=reference)
    assert (dropped.user_id, dropped.user.external_id) == (user.user_id, None)
    await consumer("users.update", user_id=user.user_id, external_id=user.external_id)
    assert (await consumer("users.delete", user_id=reference)).user_id == user.user_id
    with refused("user_not_found", 404):
        await consumer("users.get", user_id=user.user_id)


async def test_deleting_a_user_ends_its_sessions(consumer: Sdk, login: Any) -> None:
    await consumer("users.delete", user_id=login.user_id)
    with refused("session_not_found", 404):
        await consumer("sessions.authenticate", session_token=login.session_token)


async def test_users_are_found_by_filters_and_page_by_page(consumer: Sdk) -> None:
    marker = unique("found")
    made = [
        (await consumer("users.create", email=f"{marker}-{number}@example.com", external_id=f"{marker}|{number}")).user
        for number in range(3)
    ]
    query = {"operator": "AND", "operands": [{"filter_name": "email_address_fuzzy", "filter_value": f"{marker}-"}]}
    first = await consumer("users.search", limit=2, query=query)
    assert (len(first.results), first.results_metadata.total) == (2, 3)
    last = await consumer("users.search", limit=2, query=query, cursor=first.results_metadata.next_cursor)
    assert sorted(user.user_id for user in first.results + last.results) == sorted(user.user_id for user in made)
    one = {"operator": "AND", "operands": [{"filter_name": "user_id", "filter_value": [made[1].external_id]}]}
    assert [user.user_id for user in (await consumer("users.search", query=one)).results] == [made[1].user_id]


async def test_search_all_walks_through_all_pages(consumer: Sdk) -> None:
    marker = unique("walked")
    for number in range(3):
        await consumer("users.create", email=f"{marker}-{number}@example.com")
    named = {"filter_name": "email_address_fuzzy", "filter_value": f"{marker}-"}
    query = SearchUsersQuery(operator=SearchUsersQueryOperator.AND, operands=[named])
    users: Any = consumer.client.users  # type: ignore[union-attr]  # the fixture is a consumer client
    if consumer.way == "sync":
        pages = list(users.search_all(limit=2, query=query))
    else:
        pages = [page async for page in users.search_all_async(limit=2, query=query)]
    assert [len(page.results) for page in pages] == [2, 1]


async def test_the_policy_has_the_default_role_and_whoami_names_the_project(consumer: Sdk) -> None:
    policy = (await consumer("rbac.policy")).policy
    assert [role.role_id for role in policy.roles] == ["stytch_user"]
    assert (await consumer("debug.whoami")).project_id == consumer.service.consumer.project_id
