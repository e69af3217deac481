"""What the official Python client is told when a request cannot be fulfilled: the type, the status, and no change."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from stytch import B2BClient, Client

from tests.sdk.clients import Credentials, Sdk, Service, connected, person, refused, unique

Arguments = Callable[["Scene"], dict[str, Any]]


class Scene(NamedTuple):
    """What the arguments of a call are made from."""

    sdk: Sdk
    organization: Any
    member: Any
    login: Any


class Refusal(NamedTuple):
    """A call, its arguments, and what it is refused with."""

    call: str
    arguments: Arguments
    error_type: str
    status: int = 400


@pytest.fixture
async def scene(b2b: Sdk, organization: Any, member: Any) -> Scene:
    claims = person(sub=member.external_id, email=member.email_address, org_id=organization.organization_id)
    return Scene(b2b, organization, member, await b2b.login(claims))


def _attest(error_type: str, claims: dict[str, Any] | None = None, status: int = 400, **arguments: Any) -> Refusal:
    """An attest of a token with these claims, in the scene's organization unless they say otherwise."""

    def made(scene: Scene) -> dict[str, Any]:
        token = scene.sdk.service.issuer.mint(person(org_id=scene.organization.organization_id) | (claims or {}))
        return {"profile_id": "open", "token": token} | arguments

    return Refusal("sessions.attest", made, error_type, status)


def _authenticate(error_type: str, status: int = 400, **arguments: Any) -> Refusal:
    return Refusal(
        "sessions.authenticate",
        lambda scene: {"session_token": scene.login.session_token} | arguments,
        error_type,
        status,
    )


def _nobody(scene: Scene) -> dict[str, Any]:
    return {"organization_id": scene.organization.organization_id, "member_id": f"member-test-{uuid.uuid4()}"}


def _create_member(scene: Scene, **arguments: Any) -> dict[str, Any]:
    address = f"{unique('new')}@example.com"
    return {"organization_id": scene.organization.organization_id, "email_address": address} | arguments


ABSENT_ID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
LARGE = {"a": "x" * 4096}

REFUSALS = {
    "unknown profile": _attest("trusted_token_profile_not_found", status=404, profile_id="no-such-profile"),
    "unknown organization": _attest("organization_not_found", status=404, organization_id="no-such-organization"),
    "no organization at all": Refusal(
        "sessions.attest",
        lambda scene: {"profile_id": "open", "token": scene.sdk.service.issuer.mint(person())},
        "token_missing_organization_id_claim",
    ),
    "organization of our own form": _attest(
        "invalid_token_organization_id_claim", {"org_id": f"organization-test-{ABSENT_ID}"}
    ),
    "organization claim that is no text": _attest("invalid_token_organization_id_claim", {"org_id": ["a", "b"]}),
    "two organizations": Refusal(
        "sessions.attest",
        lambda scene: {
            "profile_id": "open",
            "token": scene.sdk.service.issuer.mint(person(org_id=unique("other"))),
            "organization_id": scene.organization.organization_id,
        },
        "invalid_token_organization_id_claim",
    ),
    "nobody, and no provisioning": Refusal(
        "sessions.attest",
        lambda scene: {
            "profile_id": "closed",
            "token": scene.sdk.service.issuer.mint(person()),
            "organization_id": scene.organization.organization_id,
        },
        "member_not_found",
        404,
    ),
    "no claim for the address or the external id": Refusal(
        "sessions.attest",
        lambda scene: {
            "profile_id": "closed",
            "token": scene.sdk.service.issuer.mint({"email": ""}),
            "organization_id": scene.organization.organization_id,
        },
        "jwt_invalid_claims",
    ),
    "attest: duration too short": _attest("invalid_session_duration_minutes", session_duration_minutes=4),
    "attest: duration too long": _attest("invalid_session_duration_minutes", session_duration_minutes=527041),
    "attest: reserved claim": _attest("reserved_claims_in_custom_claims", session_custom_claims={"sub": "x"}),
    "attest: our own claim": _attest(
        "stytch_claims_in_custom_claims", session_custom_claims={"https://stytch.com/session": {}}
    ),
    "attest: claims too large": _attest("custom_claims_too_large", session_custom_claims=LARGE),
    "attest: malformed session token": _attest("invalid_session_token", session_token="short"),
    "attest: malformed session JWT": _attest("unable_to_parse_session_jwt", session_jwt="a.b.c"),
    "attest: unknown session": _attest("session_not_found", status=404, session_token="A" * 44),
    "attest: two sessions": Refusal(
        "sessions.attest",
        lambda scene: {
            "profile_id": "open",
            "token": "unread",
            "session_token": scene.login.session_token,
            "session_jwt": scene.login.session_jwt,
        },
        "too_many_session_arguments",
    ),
    "authenticate: two sessions": Refusal(
        "sessions.authenticate",
        lambda scene: {"session_token": scene.login.session_token, "session_jwt": scene.login.session_jwt},
        "too_many_session_arguments",
    ),
    "authenticate: no session": Refusal("sessions.authenticate", lambda _scene: {}, "no_session_arguments"),
    "authenticate: unknown session": _authenticate("session_not_found", 404, session_token="A" * 44),
    "authenticate: malformed token": _authenticate("invalid_session_token", session_token="%' OR 1=1"),
    "authenticate: duration too short": _authenticate("invalid_session_duration_minutes", session_duration_minutes=0),
    "authenticate: duration too long": _authenticate(
        "invalid_session_duration_minutes", session_duration_minutes=527041
    ),
    "authenticate: reserved claim": _authenticate("reserved_claims_in_custom_claims", session_custom_claims={"iat": 1}),
    "authenticate: our own claim": _authenticate(
        "stytch_claims_in_custom_claims", session_custom_claims={"https://stytch.com/organization": None}
    ),
    "authenticate: claims too large": _authenticate("custom_claims_too_large", session_custom_claims=LARGE),
    "revoke: nothing": Refusal("sessions.revoke", lambda _scene: {}, "no_session_revoke_arguments"),
    "revoke: two ways": Refusal(
        "sessions.revoke",
        lambda scene: {"session_token": scene.login.session_token, "member_id": scene.login.member_id},
        "too_many_session_revoke_arguments",
    ),
    "revoke: malformed id": Refusal(
        "sessions.revoke", lambda _scene: {"member_session_id": "session-1"}, "invalid_session_id"
    ),
    "revoke: unknown member": Refusal(
        "sessions.revoke", lambda scene: {"member_id": _nobody(scene)["member_id"]}, "member_not_found", 404
    ),
    "get sessions: unknown member": Refusal("sessions.get", _nobody, "member_not_found", 404),
    "exchange: unknown organization": Refusal(
        "sessions.exchange",
        lambda scene: {"organization_id": "nowhere", "session_token": scene.login.session_token},
        "organization_not_found",
        404,
    ),
    "JWKS of nobody": Refusal(
        "sessions.get_jwks", lambda _scene: {"project_id": f"project-test-{ABSENT_ID}"}, "project_not_found", 404
    ),
    "organization: slug taken": Refusal(
        "organizations.create",
        lambda scene: {"organization_name": "Twin", "organization_slug": scene.organization.organization_slug},
        "organization_slug_already_used",
    ),
    "organization: external id taken": Refusal(
        "organizations.create",
        lambda scene: {
            "organization_name": "Twin",
            "organization_external_id": scene.organization.organization_external_id,
        },
        "organization_external_id_already_used",
    ),
    "organization: external id of our own form": Refusal(
        "organizations.create",
        lambda scene: {"organization_name": "Twin", "organization_external_id": scene.organization.organization_id},
        "external_organization_id_same_as_organization_id",
    ),
    "organization: no name": Refusal(
        "organizations.create", lambda _scene: {"organization_name": ""}, "invalid_organization_name"
    ),
    "organization: slug with a space": Refusal(
        "organizations.create",
        lambda _scene: {"organization_name": "Spaced", "organization_slug": "a b"},
        "invalid_organization_slug",
    ),
    "organization: unknown setting": Refusal(
        "organizations.create", lambda _scene: {"organization_name": "Odd", "mfa_policy": "SOMETIMES"}, "bad_request"
    ),
    "organization search: unknown filter": Refusal(
        "organizations.search",
        lambda _scene: {"query": {"operator": "AND", "operands": [{"filter_name": "color", "filter_value": "red"}]}},
        "organization_search_filter_name_not_recognized",
    ),
    "member: address taken": Refusal(
        "organizations.members.create",
        lambda scene: _create_member(scene, email_address=scene.member.email_address.upper()),
        "duplicate_member_email",
    ),
    "member: external id taken": Refusal(
        "organizations.members.create",
        lambda scene: _create_member(scene, external_id=scene.member.external_id),
        "duplicate_member_external_id",
    ),
    "member: no address": Refusal(
        "organizations.members.create", lambda scene: _create_member(scene, email_address="ada"), "invalid_email"
    ),
    "member: unknown role": Refusal(
        "organizations.members.create",
        lambda scene: _create_member(scene, roles=["king"]),
        "invalid_rbac_role_assignment",
    ),
    "member: default role": Refusal(
        "organizations.members.create",
        lambda scene: _create_member(scene, roles=["stytch_member"]),
        "cannot_assign_default_rbac_role_id",
    ),
    "member: metadata too large": Refusal(
        "organizations.members.create",
        lambda scene: _create_member(scene, trusted_metadata=LARGE),
        "metadata_too_large",
    ),
    "member: metadata with too many keys": Refusal(
        "organizations.members.create",
        lambda scene: _create_member(scene, untrusted_metadata={str(number): 1 for number in range(21)}),
        "metadata_too_many_keys",
    ),
    "member get: by nothing": Refusal(
        "organizations.members.get",
        lambda scene: {"organization_id": scene.organization.organization_id},
        "invalid_member_get_fields",
    ),
    "member get: unknown": Refusal("organizations.members.get", _nobody, "member_not_found", 404),
    "member delete: unknown": Refusal("organizations.members.delete", _nobody, "member_not_found", 404),
    "member reactivate: alive": Refusal(
        "organizations.members.reactivate",
        lambda scene: {"organization_id": scene.organization.organization_id, "member_id": scene.member.member_id},
        "no_deleted_member_found_for_reactivation",
        404,
    ),
    "member search: unknown filter": Refusal(
        "organizations.members.search",
        lambda scene: {
            "organization_ids": [scene.organization.organization_id],
            "query": {"operator": "AND", "operands": [{"filter_name": "color", "filter_value": "red"}]},
        },
        "member_search_filter_name_not_recognized",
    ),
    "member search: ids of both kinds": Refusal(
        "organizations.members.search",
        lambda scene: {
            "organization_ids": [scene.organization.organization_id],
            "query": {
                "operator": "AND",
                "operands": [
                    {"filter_name": "member_ids", "filter_value": [scene.member.member_id, scene.member.external_id]}
                ],
            },
        },
        "member_search_cannot_mix_internal_and_external_member_ids",
    ),
    "a call that Assay does not have": Refusal(
        "magic_links.email.login_or_signup",
        lambda scene: {"organization_id": scene.organization.organization_id, "email_address": "ada@example.com"},
        "route_not_found",
        404,
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_a_b2b_call_is_refused_and_changes_nothing(scene: Scene, refusal: Refusal) -> None:
    at = {"organization_id": scene.organization.organization_id}
    with refused(refusal.error_type, refusal.status) as found:
        await scene.sdk(refusal.call, **refusal.arguments(scene))
    if refusal.error_type == "route_not_found":
        assert "/v1/b2b/magic_links/email/login_or_signup" in found[0].error_message
    assert (await scene.sdk("organizations.metrics", **at)).member_count == 1
    sessions = (await scene.sdk("sessions.get", **at, member_id=scene.member.member_id)).member_sessions
    assert [session.member_session_id for session in sessions] == [scene.login.member_session.member_session_id]
    assert sessions[0].expires_at == scene.login.member_session.expires_at
    assert sessions[0].custom_claims == {}


CONSUMER_REFUSALS = {
    "unknown profile": (
        "sessions.attest",
        {"profile_id": "none", "token": "a.b.c"},
        "trusted_token_profile_not_found",
        404,
    ),
    "attest: duration too short": (
        "sessions.attest",
        {"profile_id": "open", "token": "unread", "session_duration_minutes": 1},
        "invalid_session_duration_minutes",
        400,
    ),
    "authenticate: no session": ("sessions.authenticate", {}, "no_session_arguments", 400),
    "authenticate: unknown session": ("sessions.authenticate", {"session_token": "A" * 44}, "session_not_found", 404),
    "revoke: nothing": ("sessions.revoke", {}, "no_session_revoke_arguments", 400),
    "revoke: malformed id": ("sessions.revoke", {"session_id": "session-1"}, "invalid_session_id", 400),
    "get sessions: unknown user": ("sessions.get", {"user_id": f"user-test-{ABSENT_ID}"}, "user_not_found", 404),
    "create: neither address nor number": ("users.create", {"external_id": "x"}, "invalid_create_user_request", 400),
    "create: no address": ("users.create", {"email": "ada"}, "invalid_email", 400),
    "create: no number": ("users.create", {"phone_number": "12"}, "invalid_phone_number", 400),
    "update: unknown user": ("users.update", {"user_id": "nobody"}, "user_not_found", 404),
    "delete: unknown user": ("users.delete", {"user_id": "nobody"}, "user_not_found", 404),
    "search: unknown filter": (
        "users.search",
        {"query": {"operator": "AND", "operands": [{"filter_name": "color", "filter_value": "red"}]}},
        "user_search_filter_name_not_recognized",
        400,
    ),
    "a call that Assay does not have": ("magic_links.email.send", {"email": "ada@example.com"}, "route_not_found", 404),
}


@pytest.mark.parametrize(
    ("call", "arguments", "error_type", "status"), CONSUMER_REFUSALS.values(), ids=CONSUMER_REFUSALS
)
async def test_a_consumer_call_is_refused_and_changes_nothing(
    consumer: Sdk, call: str, arguments: dict[str, Any], error_type: str, status: int
) -> None:
    before = (await consumer("users.search", limit=1)).results_metadata.total
    with refused(error_type, status):
        await consumer(call, **arguments)
    assert (await consumer("users.search", limit=1)).results_metadata.total == before


async def test_an_address_or_an_external_id_belongs_to_one_user(consumer: Sdk, user: Any) -> None:
    with refused("duplicate_email", 400):
        await consumer("users.create", email=user.emails[0].email.upper())
    with refused("duplicate_user_external_id", 400):
        await consumer("users.create", email=f"{unique('new')}@example.com", external_id=user.external_id)


async def test_a_token_never_names_an_organization_by_its_slug(b2b: Sdk, organization: Any) -> None:
    """An organization can change its slug, and could take one under which another's first logins arrive."""
    made = await b2b.login(person(org_id=organization.organization_slug))
    assert made.organization.organization_id != organization.organization_id


CREDENTIALS: dict[str, Callable[[Service], Credentials]] = {
    "wrong secret": lambda service: Credentials(service.b2b.project_id, "secret-test-wrong"),
    "unknown project": lambda service: Credentials(f"project-test-{ABSENT_ID}", service.b2b.secret),
    "another project's secret": lambda service: Credentials(service.b2b.project_id, service.consumer.secret),
}


@pytest.mark.parametrize("credentials", CREDENTIALS.values(), ids=CREDENTIALS)
async def test_wrong_credentials_are_refused_alike_before_the_body_is_judged(
    service: Service, credentials: Callable[[Service], Credentials]
) -> None:
    async with connected(B2BClient, credentials(service), service) as wrong:
        with refused("unauthorized_credentials", 401) as found:
            await wrong("sessions.attest", profile_id="none", token="none", session_duration_minutes=-1)
        with refused("unauthorized_credentials", 401):
            await wrong("debug.whoami")
    assert found[0].error_message == "The project id or the secret is wrong. Send both as HTTP Basic credentials."


async def test_a_client_of_the_other_vertical_is_told_so(service: Service) -> None:
    async with connected(B2BClient, service.consumer, service) as sdk:
        with refused("invalid_b2b_endpoint", 400):
            await sdk("organizations.search")
    async with connected(Client, service.b2b, service) as sdk:
        with refused("invalid_consumer_endpoint", 400):
            await sdk("users.search")
