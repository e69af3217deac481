"""The official Python management client: profiles with their PEM files and redirect URLs, and tokens judged by them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from stytch import B2BClient
from stytch import Client as ConsumerClient
from stytch_management import Client
from stytch_management.models.environments import Environment
from stytch_management.models.redirecturls import RedirectURLType, URLType
from stytch_management.models.trustedtokenprofiles import PublicKeyType, TrustedTokenProfile

from tests.issuer import AUDIENCE, Issuer, make_key, serving
from tests.sdk.clients import person
from tests.sdk.managing import ManagedServer, refused

# What the hosted service's own tests send: nothing that any library could read as a key.
PEM = "-----BEGIN PUBLIC KEY-----\r\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A 1234567890abcdef\n-----END PUBLIC KEY-----"
JWKS_URL = "https://example.com/.well-known/jwks.json"
ID_OF_SOMEBODY = {"B2B": "external_member_id", "CONSUMER": "external_user_id"}


def slugs(environment: Environment) -> dict[str, Any]:
    return {"project_slug": environment.project_slug, "environment_slug": environment.environment_slug}


def vertical_of(management: Client, environment: Environment) -> str:
    vertical = management.projects.get(environment.project_slug).project.vertical
    assert vertical is not None
    return str(vertical.value)


def create(management: Client, environment: Environment, **members: Any) -> TrustedTokenProfile:
    usual: dict[str, Any] = {
        "name": "Partner",
        "audience": "test-audience",
        "issuer": "test-issuer",
        "can_jit_provision": True,
    }
    keys = {"pem_files": [], "jwks_url": JWKS_URL, "public_key_type": PublicKeyType.JWK}
    return management.trusted_token_profiles.create(**slugs(environment), **(usual | keys | members)).profile


def create_pem(management: Client, environment: Environment, *texts: str, **members: Any) -> TrustedTokenProfile:
    keys = {"pem_files": list(texts), "jwks_url": None, "public_key_type": PublicKeyType.PEM}
    return create(management, environment, **(keys | members))


# ---------------------------------------------------------------- profiles


def test_a_jwk_profile_is_made_read_changed_and_deleted(management: Client, environment: Environment) -> None:
    calls, where = management.trusted_token_profiles, slugs(environment)
    assert calls.get_all(**where).profiles == []
    made = create(management, environment, attribute_mapping={"user_id": "sub", "email": "https://a.example/mail"})
    assert made.profile_id.startswith("trusted-auth-token-profile-test-")
    assert made.dict() == {
        "profile_id": made.profile_id,
        "name": "Partner",
        "audience": "test-audience",
        "issuer": "test-issuer",
        "pem_files": [],
        "can_jit_provision": True,
        "jwks_url": JWKS_URL,
        "attribute_mapping": {"user_id": "sub", "email": "https://a.example/mail"},
        "public_key_type": PublicKeyType.JWK,
    }
    assert calls.get(**where, profile_id=made.profile_id).profile == made
    assert calls.get_all(**where).profiles == [made]
    updated = calls.update(**where, profile_id=made.profile_id, name="New", can_jit_provision=False).profile
    assert updated == made.model_copy(update={"name": "New", "can_jit_provision": False})
    assert calls.update(**where, profile_id=made.profile_id).profile == updated
    assert calls.delete(**where, profile_id=made.profile_id).status_code == 200
    for call in (calls.get, calls.update, calls.delete):
        with refused("trusted_token_profile_not_found", 404):
            call(**where, profile_id=made.profile_id)
    assert calls.get_all(**where).profiles == []


def test_a_mapping_is_replaced_by_a_new_one_and_cleared_by_an_empty_one(
    management: Client, environment: Environment
) -> None:
    calls, where = management.trusted_token_profiles, slugs(environment)
    made = create(management, environment)
    assert made.attribute_mapping is None
    for mapping, after in (({"email": "mail"}, {"email": "mail"}), ({"email": "upn"}, {"email": "upn"}), ({}, None)):
        updated = calls.update(**where, profile_id=made.profile_id, attribute_mapping=mapping).profile
        assert updated == made.model_copy(update={"attribute_mapping": after})


def test_two_profiles_of_one_environment_are_listed_in_the_order_of_their_making(
    management: Client, environment: Environment
) -> None:
    made = [create(management, environment), create_pem(management, environment, PEM, name="Other", issuer="other")]
    assert management.trusted_token_profiles.get_all(**slugs(environment)).profiles == made


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "jwk without url": ({"jwks_url": None}, "must_have_jwks_url_for_trusted_token_profile_with_type_jwk"),
    "jwk with an empty url": ({"jwks_url": ""}, "must_have_jwks_url_for_trusted_token_profile_with_type_jwk"),
    "pem without files": (
        {"public_key_type": "PEM", "jwks_url": None},
        "must_have_pem_files_for_trusted_token_profile_with_type_pem",
    ),
    "six pem files": (
        {"public_key_type": "PEM", "jwks_url": None, "pem_files": [PEM] * 6},
        "too_many_pem_files_for_trusted_token_profile",
    ),
    "pem file of a jwk profile": ({"pem_files": [PEM]}, "cannot_add_pem_file_to_non_pem_trusted_token_profile"),
    "private key": (
        {
            "public_key_type": "PEM",
            "jwks_url": None,
            "pem_files": ["-----BEGIN RSA PRIVATE KEY-----\nAA==\n-----END RSA PRIVATE KEY-----"],
        },
        "invalid_public_key",
    ),
    "two external ids": (
        {"attribute_mapping": {"external_member_id": "sub", "external_user_id": "sub"}},
        "trusted_token_profile_cannot_have_multiple_external_ids",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("environment", ["B2B"], indirect=True)
def test_what_must_not_be_stored_is_refused(management: Client, environment: Environment, name: str) -> None:
    members, error_type = REFUSED[name]
    with refused(error_type, 400):
        create(management, environment, **members)
    assert management.trusted_token_profiles.get_all(**slugs(environment)).profiles == []


def test_the_external_id_of_the_other_vertical_is_refused(management: Client, environment: Environment) -> None:
    own = vertical_of(management, environment)
    other = next(attribute for vertical, attribute in ID_OF_SOMEBODY.items() if vertical != own)
    with refused("trusted_token_profile_incorrect_external_id_mapping", 400):
        create(management, environment, attribute_mapping={other: "sub"})


# ---------------------------------------------------------------- PEM files


def test_pem_files_come_and_go_byte_for_byte(management: Client, environment: Environment) -> None:
    calls, where = management.trusted_token_profiles, slugs(environment)
    made = create_pem(management, environment, PEM)
    named = {**where, "profile_id": made.profile_id}
    [first] = made.pem_files
    assert first.public_key == PEM
    second = calls.create_pem_file(**named, public_key=PEM).pem_file
    assert (second.public_key, second.pem_file_id != first.pem_file_id) == (PEM, True)
    assert calls.get_pem_file(**named, pem_file_id=second.pem_file_id).pem_file == second
    assert calls.get(**named).profile.pem_files == [first, second]
    assert calls.delete_pem_file(**named, pem_file_id=first.pem_file_id).status_code == 200
    assert calls.get(**named).profile.pem_files == [second]
    for call in (calls.get_pem_file, calls.delete_pem_file):
        with refused("pem_file_not_found", 404):
            call(**named, pem_file_id=first.pem_file_id)


@pytest.mark.parametrize("environment", ["B2B"], indirect=True)
def test_a_pem_file_is_not_added_to_a_jwk_profile_nor_to_none(management: Client, environment: Environment) -> None:
    calls, where = management.trusted_token_profiles, slugs(environment)
    jwk = create(management, environment)
    with refused("cannot_add_pem_file_to_non_pem_trusted_token_profile", 400):
        calls.create_pem_file(**where, profile_id=jwk.profile_id, public_key=PEM)
    with refused("trusted_token_profile_not_found", 404):
        calls.create_pem_file(**where, profile_id="non-existent-profile-id", public_key=PEM)
    with refused("pem_file_not_found", 404):
        calls.get_pem_file(**where, profile_id=jwk.profile_id, pem_file_id="non-existent-pem-file-id")


# ---------------------------------------------------------------- tokens, judged by what the client made


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with serving([make_key("RSA", "key-1")]) as running:
        yield running


class Backend:
    """The server API of one environment, through the official client of its vertical."""

    def __init__(self, server: ManagedServer, environment: Environment, vertical: str, secret: str) -> None:
        self.session = requests.Session()
        self.vertical = vertical
        kind: Any = B2BClient if vertical == "B2B" else ConsumerClient
        self.client = kind(
            environment.project_id, secret, environment=f"{server.server.url}/", sync_session=self.session
        )

    def attest(self, profile: TrustedTokenProfile, token: str) -> Any:
        more: dict[str, Any] = {"session_duration_minutes": 60}
        if self.vertical == "B2B":
            more["organization_id"] = self._organization()
        return self.client.sessions.attest(profile_id=profile.profile_id, token=token, **more)

    def _organization(self) -> str:
        found = self.client.organizations.search().organizations
        made = found[0] if found else self.client.organizations.create(organization_name="Acme").organization
        return str(made.organization_id)


@pytest.fixture
def backend(management: Client, managed_server: ManagedServer, environment: Environment) -> Iterator[Backend]:
    secret = management.secrets.create(**slugs(environment)).secret.secret
    made = Backend(managed_server, environment, vertical_of(management, environment), secret)
    with made.session:
        yield made


def believing(issuer: Issuer, backend: Backend) -> dict[str, Any]:
    """The members of a profile that believes the issuer."""
    mapping = {"email": "email", "token_id": "jti", ID_OF_SOMEBODY[backend.vertical]: "sub"}
    return {"issuer": issuer.url, "audience": AUDIENCE, "attribute_mapping": mapping}


def test_tokens_are_judged_by_a_profile_from_the_moment_it_is_made_until_it_is_deleted(
    management: Client, environment: Environment, backend: Backend, issuer: Issuer
) -> None:
    calls, where = management.trusted_token_profiles, slugs(environment)
    profile = create(management, environment, jwks_url=issuer.jwks_url, **believing(issuer, backend))
    named = {**where, "profile_id": profile.profile_id}
    somebody = person()
    granted = backend.attest(profile, issuer.mint(somebody))
    assert granted.status_code == 200
    assert backend.client.sessions.authenticate(session_token=granted.session_token).status_code == 200
    calls.update(**named, audience="somebody-else")
    with pytest.raises(Exception, match="jwt_invalid_audience"):
        backend.attest(profile, issuer.mint(somebody))
    calls.update(**named, audience=AUDIENCE)
    assert backend.attest(profile, issuer.mint(somebody)).status_code == 200
    calls.delete(**named)
    with pytest.raises(Exception, match="trusted_token_profile_not_found"):
        backend.attest(profile, issuer.mint(somebody))


def test_a_static_key_is_changed_without_a_gap(management: Client, environment: Environment, backend: Backend) -> None:
    calls, where = management.trusted_token_profiles, slugs(environment)
    old, new = (Issuer(keys=[make_key("RSA", name)]) for name in ("old", "new"))
    profile = create_pem(management, environment, old.keys[0].pem(), **believing(old, backend))
    named = {**where, "profile_id": profile.profile_id}
    assert backend.attest(profile, old.mint(person())).status_code == 200
    with pytest.raises(Exception, match="invalid_trusted_auth_token"):
        backend.attest(profile, new.mint(person()))
    calls.create_pem_file(**named, public_key=new.keys[0].pem())
    for each in (old, new):
        assert backend.attest(profile, each.mint(person())).status_code == 200
    calls.delete_pem_file(**named, pem_file_id=profile.pem_files[0].pem_file_id)
    with pytest.raises(Exception, match="invalid_trusted_auth_token"):
        backend.attest(profile, old.mint(person()))
    assert backend.attest(profile, new.mint(person())).status_code == 200


# ---------------------------------------------------------------- redirect URLs


def test_redirect_urls_are_made_merged_changed_and_deleted(management: Client, environment: Environment) -> None:
    calls, where = management.redirect_urls, slugs(environment)
    url = "https://localhost:3002/login?expires_at={}&x=a+b%20c#ü"
    login, signup = (URLType(type=use, is_default=False) for use in (RedirectURLType.LOGIN, RedirectURLType.SIGNUP))
    assert calls.get_all(**where).redirect_urls == []
    made = calls.create(**where, url=url, valid_types=[login]).redirect_url
    assert made.dict() == {"url": url, "valid_types": [{"type": RedirectURLType.LOGIN, "is_default": True}]}
    calls.create(**where, url=url, valid_types=[signup], do_not_promote_defaults=True)
    found = calls.get(**where, url=url).redirect_url
    assert found.valid_types == [URLType(type=RedirectURLType.LOGIN, is_default=True), signup]
    assert calls.get_all(**where).redirect_urls == [found]
    updated = calls.update(**where, url=url, valid_types=[signup], do_not_promote_defaults=True).redirect_url
    assert (updated.url, updated.valid_types) == (url, [signup])
    assert calls.update(**where, url=url).redirect_url.valid_types == [
        URLType(type=RedirectURLType.SIGNUP, is_default=True)
    ]
    assert calls.delete(**where, url=url).status_code == 200
    for call in (calls.get, calls.update, calls.delete):
        with refused("redirect_url_not_found", 404):
            call(**where, url=url)


@pytest.mark.parametrize(("keep", "promoted"), [(True, False), (False, True), (None, True)])
@pytest.mark.parametrize("environment", ["B2B"], indirect=True)
def test_a_default_goes_to_the_next_unless_told_otherwise(
    management: Client, environment: Environment, *, keep: bool | None, promoted: bool
) -> None:
    calls, where = management.redirect_urls, slugs(environment)
    one, two = "https://app.example/one", "https://app.example/two"
    for url in (one, two):
        calls.create(**where, url=url, valid_types=[{"type": "DISCOVERY", "is_default": url == one}])
    calls.delete(**where, url=one, do_not_promote_defaults=keep)
    [left] = calls.get_all(**where).redirect_urls
    assert (left.url, left.valid_types[0].is_default) == (two, promoted)


@pytest.mark.parametrize("environment", ["B2B"], indirect=True)
def test_a_redirect_url_that_is_none_is_refused(management: Client, environment: Environment) -> None:
    with refused("invalid_redirect_url", 400):
        management.redirect_urls.create(**slugs(environment), url="javascript:alert(1)", valid_types=[])
    with refused("bad_request", 400) as found:
        management.redirect_urls.create(
            **slugs(environment), url="https://app.example", valid_types=[{"type": "OTHER", "is_default": False}]
        )
    assert "DISCOVERY" in found[0].error_message
