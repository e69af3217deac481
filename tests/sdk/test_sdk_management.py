"""The official Python management client: projects, environments, secrets, public tokens, over https."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from stytch import B2BClient
from stytch_management import Client
from stytch_management.models.environments import Environment

from tests.process import Server
from tests.sdk.clients import unique
from tests.sdk.managing import ManagedServer, new_environment, refused

SETTINGS: dict[str, Any] = {
    "cross_org_passwords_enabled": True,
    "user_impersonation_enabled": True,
    "zero_downtime_session_migration_url": "https://example.com/migration",
    "user_lock_self_serve_enabled": True,
    "user_lock_threshold": 5,
    "user_lock_ttl": 600,
    "idp_authorization_url": "https://example.com/idp",
    "idp_dynamic_client_registration_enabled": True,
    "idp_dynamic_client_registration_access_token_template_content": '{"field": {{ user.user_id }} }',
}
DEFAULTS: dict[str, Any] = {
    "cross_org_passwords_enabled": False,
    "user_impersonation_enabled": False,
    "zero_downtime_session_migration_url": "",
    "use_custom_domain_in_magic_link_emails": False,
    "user_lock_self_serve_enabled": False,
    "user_lock_threshold": 10,
    "user_lock_ttl": 3600,
    "idp_authorization_url": "",
    "idp_dynamic_client_registration_enabled": False,
    "idp_dynamic_client_registration_access_token_template_content": "",
}


def slugs(environment: Environment) -> dict[str, Any]:
    """The arguments that name an environment in every call."""
    return {"project_slug": environment.project_slug, "environment_slug": environment.environment_slug}


def settings(environment: Environment) -> dict[str, Any]:
    return {name: getattr(environment, name) for name in DEFAULTS}


# ---------------------------------------------------------------- projects


@pytest.mark.parametrize("vertical", ["CONSUMER", "B2B"])
def test_a_project_is_made_read_listed_renamed_and_deleted(management: Client, vertical: str) -> None:
    made = management.projects.create(name="Acme Shop", vertical=vertical).project
    assert (made.name, made.vertical) == ("Acme Shop", vertical)
    assert made.project_slug.startswith("acme-shop-")
    assert management.projects.get(made.project_slug).project == made
    assert made in management.projects.get_all().projects
    assert management.environments.get_all(made.project_slug).environments == []
    renamed = management.projects.update(made.project_slug, name="Acme Store").project
    assert (renamed.name, renamed.project_slug) == ("Acme Store", made.project_slug)
    assert management.projects.update(made.project_slug).project == renamed
    assert management.projects.delete(made.project_slug).status_code == 200
    with refused("project_not_found", 404):
        management.projects.get(made.project_slug)


def test_a_project_slug_can_be_chosen_once(management: Client) -> None:
    slug = unique("chosen")
    assert management.projects.create(name="A", vertical="B2B", project_slug=slug).project.project_slug == slug
    with refused("project_slug_already_used", 400):
        management.projects.create(name="A", vertical="CONSUMER", project_slug=slug)


def test_two_projects_may_share_a_name(management: Client) -> None:
    one, other = (management.projects.create(name="Same", vertical="B2B").project for _ in range(2))
    assert one.project_slug != other.project_slug


def test_a_project_of_both_verticals_is_refused_with_what_to_do_instead(management: Client) -> None:
    with refused("invalid_project_vertical", 400) as found:
        management.projects.create(name="Both", vertical="ALL")
    assert "CONSUMER or B2B" in found[0].error_message


# ---------------------------------------------------------------- environments


def test_an_environment_has_the_defaults_of_the_hosted_service(environment: Environment) -> None:
    assert settings(environment) == DEFAULTS
    assert environment.type == "TEST"
    assert environment.project_id.startswith("project-test-")


@pytest.mark.parametrize("environment", ["B2B"], indirect=True)
def test_an_environment_keeps_its_settings_byte_for_byte(management: Client, environment: Environment) -> None:
    made = management.environments.create(environment.project_slug, name="Another", type="TEST", **SETTINGS).environment
    assert settings(made) == DEFAULTS | SETTINGS
    assert management.environments.get(**slugs(made)).environment == made
    listed = management.environments.get_all(made.project_slug).environments
    assert [each.type for each in listed] == ["LIVE", "TEST", "TEST"]
    assert listed[1:] == [environment, made]


@pytest.mark.parametrize("environment", ["CONSUMER"], indirect=True)
def test_an_update_leaves_what_it_does_not_name(management: Client, environment: Environment) -> None:
    first = management.environments.update(**slugs(environment), **SETTINGS).environment
    assert settings(first) == DEFAULTS | SETTINGS
    second = management.environments.update(
        **slugs(environment), name="Renamed", use_custom_domain_in_magic_link_emails=True, user_lock_threshold=0
    ).environment
    assert second.name == "Renamed"
    changed = {"use_custom_domain_in_magic_link_emails": True, "user_lock_threshold": 0}
    assert settings(second) == DEFAULTS | SETTINGS | changed
    assert management.environments.update(**slugs(environment)).environment == second


def test_the_live_environment_comes_first_alone_and_goes_last(management: Client) -> None:
    project_slug = management.projects.create(name="Order", vertical="B2B").project.project_slug
    with refused("live_environment_required", 400):
        management.environments.create(project_slug, name="Test", type="TEST")
    live = management.environments.create(project_slug, name="Live", type="LIVE").environment
    with refused("live_environment_already_exists", 400):
        management.environments.create(project_slug, name="Live too", type="LIVE")
    with refused("unable_to_delete_live_environment", 400):
        management.environments.delete(**slugs(live))
    assert management.environments.get(**slugs(live)).environment == live


def test_a_test_environment_is_deleted_alone(management: Client, environment: Environment) -> None:
    assert management.environments.delete(**slugs(environment)).status_code == 200
    with refused("environment_not_found", 404):
        management.environments.get(**slugs(environment))
    [left] = management.environments.get_all(environment.project_slug).environments
    assert left.type == "LIVE"


@pytest.mark.parametrize("environment", ["B2B"], indirect=True)
def test_metrics_count_what_the_server_api_makes(
    management: Client, managed_server: ManagedServer, environment: Environment
) -> None:
    before = management.environments.get_metrics(**slugs(environment)).metrics
    assert before.dict() == {"user_count": 0, "organization_count": 0, "member_count": 0, "m2m_client_count": 0}
    secret = management.secrets.create(**slugs(environment)).secret.secret
    with requests.Session() as session:
        backend = _backend(managed_server.server, environment, secret, session)
        organization = backend.organizations.create(organization_name="Acme").organization
        backend.organizations.members.create(
            organization_id=organization.organization_id, email_address="ada@example.com"
        )
    after = management.environments.get_metrics(**slugs(environment)).metrics
    assert (after.organization_count, after.member_count) == (1, 1)


# ---------------------------------------------------------------- secrets


@pytest.mark.parametrize("environment", ["B2B"], indirect=True)
def test_secrets_rotate_without_a_gap_and_show_their_last_use(
    management: Client, managed_server: ManagedServer, environment: Environment
) -> None:
    where, server = slugs(environment), managed_server.server
    assert management.secrets.get_all(**where).secrets == []
    old, new = (management.secrets.create(**where).secret for _ in range(2))
    shown = management.secrets.get(**where, secret_id=old.secret_id).secret
    assert (shown.created_at, shown.last_four, shown.used_at) == (old.created_at, old.secret[-4:], None)
    with requests.Session() as session:
        for each in (old, new):
            assert _backend(server, environment, each.secret, session).organizations.search().status_code == 200
        used = management.secrets.get_all(**where).secrets
        assert [each.secret_id for each in used] == [old.secret_id, new.secret_id]
        assert all(each.used_at and each.created_at and each.used_at >= each.created_at for each in used)
        management.secrets.delete(**where, secret_id=old.secret_id)
        with pytest.raises(Exception, match="unauthorized_credentials"):
            _backend(server, environment, old.secret, session).organizations.search()
        assert _backend(server, environment, new.secret, session).organizations.search().status_code == 200
    assert [each.secret_id for each in management.secrets.get_all(**where).secrets] == [new.secret_id]
    for call in (management.secrets.get, management.secrets.delete):
        with refused("secret_not_found", 404):
            call(**where, secret_id=old.secret_id)


# ---------------------------------------------------------------- public tokens


def test_an_environment_comes_with_a_public_token_and_never_loses_the_last(
    management: Client, environment: Environment
) -> None:
    where = slugs(environment)
    [first] = management.public_tokens.get_all(**where).public_tokens
    with refused("unable_to_delete_last_public_token", 400):
        management.public_tokens.delete(**where, public_token=first.public_token)
    second = management.public_tokens.create(**where).public_token
    assert second.public_token.startswith("public-token-test-")
    assert management.public_tokens.get(**where, public_token=second.public_token).public_token == second
    assert management.public_tokens.get_all(**where).public_tokens == [first, second]
    assert management.public_tokens.delete(**where, public_token=first.public_token).status_code == 200
    assert management.public_tokens.get_all(**where).public_tokens == [second]
    with refused("public_token_not_found", 404):
        management.public_tokens.delete(**where, public_token=first.public_token)


# ---------------------------------------------------------------- who may call


def test_a_project_secret_does_not_open_the_management_api(management: Client, managed_server: ManagedServer) -> None:
    environment = new_environment(management, "B2B")
    secret = management.secrets.create(**slugs(environment)).secret.secret
    with requests.Session() as session, refused("unauthorized_credentials", 401):
        Client(environment.project_id, secret, managed_server.server.url, session=session).projects.get_all()


def test_a_workspace_key_does_not_open_the_server_api(management: Client, managed_server: ManagedServer) -> None:
    assert management.projects.get_all().status_code == 200
    with requests.Session() as session:
        key = managed_server.workspace_key_id, managed_server.workspace_key_secret
        backend = B2BClient(*key, environment=f"{managed_server.server.url}/", sync_session=session)
        with pytest.raises(Exception, match="unauthorized_credentials"):
            backend.organizations.search()


def test_a_revoked_workspace_key_opens_nothing_from_then_on(management: Client, managed_server: ManagedServer) -> None:
    assay, server = managed_server.assay, managed_server.server
    assert management.projects.get_all().status_code == 200
    key = assay.run("workspace-key", "create")
    with requests.Session() as session:
        client = Client(key["workspace_key_id"], key["workspace_key_secret"], server.url, session=session)
        assert client.projects.get_all().status_code == 200
        assay.run("workspace-key", "revoke", key["workspace_key_id"])
        with refused("unauthorized_credentials", 401):
            client.projects.get_all()


def _backend(server: Server, environment: Environment, secret: str, session: requests.Session) -> B2BClient:
    """The client of a backend that uses the secret, over the same https."""
    return B2BClient(environment.project_id, secret, environment=f"{server.url}/", sync_session=session)
