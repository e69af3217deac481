"""Policies and JWT templates set by the management client, and what the clients of backends make of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import requests
from stytch import B2BClient
from stytch import Client as ConsumerClient
from stytch.b2b.models.sessions import AuthorizationCheck as B2BCheck
from stytch.consumer.models.sessions import AuthorizationCheck as ConsumerCheck
from stytch.core.response_base import StytchError
from stytch.shared.rbac_local import RBACConsumerPermissionError, RBACPermissionError
from stytch_management import Client
from stytch_management.models.environments import Environment
from stytch_management.models.jwttemplates import JWTTemplateType
from stytch_management.models.rbacpolicy import DefaultRole, Permission, Policy, Resource, Role, Scope

from tests.issuer import AUDIENCE, Issuer
from tests.sdk.clients import person
from tests.sdk.managing import ManagedServer, refused

READ = Permission(resource_id="documents", actions=["read"])
WRITE = Permission(resource_id="documents", actions=["read", "write"])
ALL = Permission(resource_id="invoices", actions=["*"])
POLICY: dict[str, Any] = {
    "custom_roles": [
        Role(role_id="editor", description="May write", permissions=[WRITE]),
        Role(role_id="billing", description="", permissions=[ALL, READ]),
    ],
    "custom_resources": [
        Resource(resource_id="documents", description="Papers", available_actions=["read", "write", "burn"]),
        Resource(resource_id="invoices", description="", available_actions=["pay"]),
    ],
    "custom_scopes": [Scope(scope="documents:read", description="Reads papers", permissions=[READ])],
}
DEFAULT_ROLES = {"B2B": ["stytch_member", "stytch_admin"], "CONSUMER": ["stytch_user"]}
ACTIONS = ("read", "write", "pay", "delete", "*")
QUESTIONS = list(itertools.product(("documents", "invoices", "stytch.self", "*"), ACTIONS))


def slugs(environment: Environment) -> dict[str, Any]:
    return {"project_slug": environment.project_slug, "environment_slug": environment.environment_slug}


def vertical_of(management: Client, environment: Environment) -> str:
    vertical = management.projects.get(environment.project_slug).project.vertical
    assert vertical is not None
    return str(vertical.value)


class Backend(NamedTuple):
    """A backend of an environment that has the policy, and whom its issuer can log in."""

    client: Any
    issuer: Issuer
    vertical: str
    organization_id: str
    profile_id: str

    def log_in(self, claims: dict[str, Any], **arguments: Any) -> Any:
        where: dict[str, Any] = {"session_duration_minutes": 30}
        if self.vertical == "B2B":
            where = {"organization_id": self.organization_id}
        token = self.issuer.mint(claims)
        return self.client.sessions.attest(profile_id=self.profile_id, token=token, **where | arguments)

    def check(self, resource_id: str, action: str) -> Any:
        if self.vertical == "B2B":
            return B2BCheck(organization_id=self.organization_id, resource_id=resource_id, action=action)
        return ConsumerCheck(resource_id=resource_id, action=action)


@pytest.fixture
def backend(
    management: Client, environment: Environment, managed_server: ManagedServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Backend]:
    issuer, vertical = Issuer(), vertical_of(management, environment)
    mapping = {"email": "email", "role_ids": "roles"}
    mapping |= {"external_member_id" if vertical == "B2B" else "external_user_id": "sub"}
    profile = management.trusted_token_profiles.create(
        **slugs(environment),
        name="Issuer",
        issuer=issuer.url,
        audience=AUDIENCE,
        public_key_type="PEM",
        pem_files=[issuer.key_for("RS256").pem()],
        attribute_mapping=mapping,
        can_jit_provision=True,
    ).profile
    management.rbac_policy.set(**slugs(environment), **POLICY)
    secret = management.secrets.create(**slugs(environment)).secret.secret
    # The library that fetches the keys of session JWTs trusts by this variable.
    monkeypatch.setenv("SSL_CERT_FILE", str(managed_server.files.authority))
    with requests.Session() as session:
        kind: Any = B2BClient if vertical == "B2B" else ConsumerClient
        client = kind(environment.project_id, secret, environment=f"{managed_server.server.url}/", sync_session=session)
        organization_id = ""
        if vertical == "B2B":
            organization_id = client.organizations.create(organization_name="Acme").organization.organization_id
        yield Backend(client, issuer, vertical, organization_id, profile.profile_id)


# ---------------------------------------------------------------- the policy


def test_a_policy_is_set_and_read_as_it_was_set(management: Client, environment: Environment) -> None:
    vertical = vertical_of(management, environment)
    mine: dict[str, Any] = {role: DefaultRole(permissions=[READ]) for role in DEFAULT_ROLES[vertical]}
    made = management.rbac_policy.set(**slugs(environment), **POLICY, **mine).policy
    found = management.rbac_policy.get(**slugs(environment)).policy
    assert found == made
    assert found.dict() | mine == found.dict() | {name: getattr(found, name) for name in mine}
    assert {name: getattr(found, name) for name in POLICY} == POLICY
    assert {each.resource_id for each in found.stytch_resources} >= {"stytch.self"}
    others = {"stytch_member", "stytch_admin", "stytch_user"} - set(DEFAULT_ROLES[vertical])
    assert [getattr(found, name) for name in others] == [None] * len(others)


def test_a_policy_without_parts_is_the_one_an_environment_begins_with(
    management: Client, environment: Environment
) -> None:
    first: Policy = management.rbac_policy.get(**slugs(environment)).policy
    assert (first.custom_roles, first.custom_resources, first.custom_scopes) == ([], [], [])
    management.rbac_policy.set(**slugs(environment), **POLICY)
    assert management.rbac_policy.set(**slugs(environment)).policy == first


def test_a_default_role_of_the_other_vertical_and_faults_are_refused(
    management: Client, environment: Environment
) -> None:
    vertical = vertical_of(management, environment)
    [other] = {"B2B", "CONSUMER"} - {vertical}
    with refused("invalid_role_for_vertical", 400):
        wrong: dict[str, Any] = {DEFAULT_ROLES[other][0]: DefaultRole(permissions=[])}
        management.rbac_policy.set(**slugs(environment), **wrong)
    with refused("invalid_permission_resource", 400):
        management.rbac_policy.set(**slugs(environment), custom_roles=POLICY["custom_roles"])
    assert management.rbac_policy.get(**slugs(environment)).policy.custom_roles == []


# ---------------------------------------------------------------- what it permits


def test_the_client_and_the_server_decide_alike_whatever_is_asked_and_wherever_roles_come_from(
    backend: Backend,
) -> None:
    plain, of_token, explicit = person(), person(roles=["editor"]), person(roles=["billing"])
    backend.log_in(explicit)
    logins = {
        "default": (backend.log_in(plain), set()),
        "token": (backend.log_in(of_token), {"editor"}),
        "both": (_given(backend, explicit, "editor"), {"editor", "billing"}),
    }
    permitted = set()
    for who, (login, held) in logins.items():
        roles = set(_session(backend, login).roles)
        assert roles == {DEFAULT_ROLES[backend.vertical][0], *held}
        for question in QUESTIONS:
            granting = _asked_of_the_server(backend, login, question)
            assert _asked_of_the_client(backend, login, question) == bool(granting), (who, question)
            assert set(granting) <= roles
            permitted |= {(who, *question, role) for role in granting}
    default = DEFAULT_ROLES[backend.vertical][0]
    assert {each for each in permitted if each[0] == "default"} == {
        ("default", "stytch.self", action, default) for action in ACTIONS
    }
    assert {each for each in permitted if each[:2] == ("both", "documents")} == {
        ("both", "documents", "read", "editor"),
        ("both", "documents", "read", "billing"),
        ("both", "documents", "write", "editor"),
    }


def _given(backend: Backend, claims: dict[str, Any], role_id: str) -> Any:
    """A login of somebody who has been given a role."""
    if backend.vertical == "B2B":
        backend.client.organizations.members.update(
            organization_id=backend.organization_id, member_id=claims["sub"], roles=[role_id]
        )
    else:
        backend.client.users.update(user_id=claims["sub"], roles=[role_id])
    return backend.log_in(claims)


def _session(backend: Backend, answer: Any) -> Any:
    return answer.member_session if backend.vertical == "B2B" else answer.session


def _asked_of_the_server(backend: Backend, login: Any, question: tuple[str, str]) -> list[str]:
    """The roles that permit it."""
    try:
        answer = backend.client.sessions.authenticate(
            session_token=login.session_token, authorization_check=backend.check(*question)
        )
    except StytchError as refusal:
        if refusal.details.status_code != requests.codes.forbidden:
            raise
        return []
    assert answer.verdict.authorized
    return list(answer.verdict.granting_roles)


def _asked_of_the_client(backend: Backend, login: Any, question: tuple[str, str]) -> bool:
    try:
        found = backend.client.sessions.authenticate_jwt_local(
            session_jwt=login.session_jwt, authorization_check=backend.check(*question)
        )
    except (RBACPermissionError, RBACConsumerPermissionError):
        return False
    assert found is not None
    return True


# ---------------------------------------------------------------- JWT templates


def test_templates_are_set_and_read_as_they_were_set(management: Client, environment: Environment) -> None:
    calls, where = management.jwt_templates, slugs(environment)
    person_ = "member" if vertical_of(management, environment) == "B2B" else "user"
    contents = {
        "SESSION": '{ "role": {{ ' + person_ + ".trusted_metadata.role }} }",
        "M2M": '{"tier": {{ client.trusted_metadata.subscription_tier }}}',
    }
    for template_type, content in contents.items():
        unset = calls.get(**where, jwt_template_type=template_type).jwt_template
        assert (unset.template_content, unset.custom_audience) == ("{}", "")
        made = calls.set(
            **where, template_content=content, custom_audience="audience", jwt_template_type=template_type
        ).jwt_template
        assert (made.template_content, made.custom_audience) == (content, "audience")
        assert made.jwt_template_type == JWTTemplateType(template_type)
        assert calls.get(**where, jwt_template_type=template_type).jwt_template == made
    with refused("invalid_jwt_template", 400):
        calls.set(**where, template_content="{", custom_audience="", jwt_template_type="SESSION")
    with refused("reserved_claims_in_custom_claims", 400):
        calls.set(**where, template_content='{"sub": 1}', custom_audience="", jwt_template_type="SESSION")
    with refused("bad_request", 400):
        calls.get(**where, jwt_template_type="ID_TOKEN")


def test_a_shaped_session_jwt_is_verified_by_the_client_which_sees_its_claims(
    management: Client, environment: Environment, backend: Backend
) -> None:
    person_ = "member" if backend.vertical == "B2B" else "user"
    content = (
        '{"plan": "free", "deep": {"id": {{ P.P_id }}}, "roles": {{ P.rbac.roles }},'
        ' "no": {{ P.trusted_metadata.absent }}}'
    )
    management.jwt_templates.set(
        **slugs(environment),
        template_content=content.replace("P.", f"{person_}.").replace("P_id", f"{person_}_id"),
        custom_audience="https://api.example",
        jwt_template_type="SESSION",
    )
    login = backend.log_in(person(roles=["editor"]), session_custom_claims={"plan": "pro", "n": 1})
    assert _session(backend, login).custom_claims == {"plan": "pro", "n": 1}
    local = backend.client.sessions.authenticate_jwt_local(session_jwt=login.session_jwt)
    assert local is not None
    found = _session(backend, backend.client.sessions.authenticate_jwt(session_jwt=login.session_jwt))
    assert found.custom_claims == {
        "plan": "pro",
        "n": 1,
        "deep": {"id": login.member_id if backend.vertical == "B2B" else login.user_id},
        "roles": [DEFAULT_ROLES[backend.vertical][0], "editor"],
    }
    again = backend.client.sessions.authenticate(session_jwt=login.session_jwt)
    assert _session(backend, again).custom_claims == {"plan": "pro", "n": 1}
