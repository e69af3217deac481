"""Attest with keys of every kind of source (decisions D8): what each lets in, and what it does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay.rules.algorithms import DEFAULT_ALGORITHMS
from assay.stories import key_sources, profiles
from tests.calls import OPERATOR
from tests.certificates import certificate
from tests.issuer import AUDIENCE, Issuer, IssuerKey, make_key, serving, sign
from tests.world import World, open_world

SECRET = "a shared secret of more than thirty-two bytes"
OLD, NEW = make_key("RSA", "old"), make_key("P-256", "new")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """As ever, and key URLs may point at this machine."""
    async with open_world(tmp_path, {"ASSAY_ALLOW_LOOPBACK_KEY_URLS": "1"}) as opened:
        yield opened


@pytest.fixture
def remote() -> Iterator[Issuer]:
    """An issuer that serves documents on loopback."""
    with serving([OLD, NEW]) as issuer:
        yield issuer


def source(kind: str, **members: Any) -> dict[str, Any]:
    return {"kind": kind, **members}


def inline(*keys: IssuerKey) -> dict[str, Any]:
    return source("inline_jwks", jwks={"keys": [key.jwk() for key in keys]})


async def trust(world: World, *sources: dict[str, Any], issuer: str = "https://issuer.example", **members: Any) -> None:
    """Register the profile ``p`` with these sources in the B2B project."""
    usual: dict[str, Any] = {
        "issuer": issuer,
        "audience": AUDIENCE,
        "algorithms": DEFAULT_ALGORITHMS,
        "attribute_mapping": {"email": "email", "token_id": "jti"},
    }
    request = profiles.ProfileCreate(
        profile_id="p",
        name="P",
        key_sources=key_sources.read(sources),
        can_jit_provision=True,
        **(usual | members),
    )
    await profiles.create_profile(world.context, world.b2b.project_id, request, by=OPERATOR, allow_problems=False)


async def attest(world: World, token: str) -> httpx.Response:
    body = {"profile_id": "p", "token": token, "organization_id": "acme"}
    async with world.client(world.b2b) as client:
        return await client.post("/v1/b2b/sessions/attest", json=body)


async def verdict(world: World, token: str) -> str:
    """``granted`` or the code of the refusal."""
    answer = await attest(world, token)
    return "granted" if answer.status_code == 200 else str(answer.json()["error_type"])


def minted(world: World, key: IssuerKey, alg: str, issuer: str = "https://issuer.example", **header: Any) -> str:
    claims = {"email": "ada@example.com", "email_verified": True}
    return Issuer(issuer, [key]).mint(claims, now=world.clock.now, alg=alg, header=header)


def forged(world: World, key: IssuerKey, alg: str, issuer: str = "https://issuer.example") -> str:
    """As good as :func:`minted`, under the same kid, but signed with another key of the family."""
    other = make_key({"RS256": "RSA", "ES256": "P-256"}[alg], "forger")
    return minted(world, other, alg, issuer, kid=key.kid)


# ---------------------------------------------------------------- keys without network


async def test_an_inline_set_lets_in_what_its_keys_signed(world: World) -> None:
    await trust(world, inline(NEW))
    assert await verdict(world, minted(world, NEW, "ES256")) == "granted"
    assert await verdict(world, forged(world, NEW, "ES256")) == "invalid_trusted_auth_token"
    assert await verdict(world, minted(world, OLD, "RS256")) == "invalid_trusted_auth_token"


async def test_during_a_migration_keys_of_either_source_verify(world: World) -> None:
    await trust(world, source("pem", public_keys=[OLD.pem()]), inline(NEW))
    assert await verdict(world, minted(world, OLD, "RS256")) == "granted"
    assert await verdict(world, minted(world, NEW, "ES256")) == "granted"
    assert await verdict(world, forged(world, OLD, "RS256")) == "invalid_trusted_auth_token"
    after = profiles.ProfileUpdate(key_sources=key_sources.read([inline(NEW)]))
    await profiles.update_profile(world.context, world.b2b.project_id, "p", after, by=OPERATOR, allow_problems=False)
    assert await verdict(world, minted(world, OLD, "RS256")) == "invalid_trusted_auth_token"
    assert await verdict(world, minted(world, NEW, "ES256")) == "granted"


async def test_a_source_that_is_away_does_not_hide_the_keys_of_another(world: World, remote: Issuer) -> None:
    remote.failing = 500
    await trust(world, source("jwks", url=remote.jwks_url), inline(NEW))
    assert await verdict(world, minted(world, NEW, "ES256")) == "granted"
    assert await verdict(world, minted(world, OLD, "RS256")) == "trusted_token_keys_unavailable"


# ---------------------------------------------------------------- the session JWT of another environment


async def shop_jwt(world: World) -> str:
    """A session JWT of the consumer project that says who it is in custom claims."""
    claims = {"email": "ada@example.com", "email_verified": True}
    body = world.consumer_attest_body(session_custom_claims=claims)
    async with world.client(world.consumer) as client:
        answer = await client.post("/v1/sessions/attest", json=body)
    return str(answer.json()["session_jwt"])


async def test_a_session_jwt_is_accepted_by_a_profile_with_its_project_as_a_source(world: World) -> None:
    project_id = world.consumer.project_id
    whom: dict[str, Any] = {"issuer": f"stytch.com/{project_id}", "audience": project_id, "algorithms": ("RS256",)}
    await trust(world, source("project", project_id=project_id), attribute_mapping={"email": "email"}, **whom)
    assert await verdict(world, await shop_jwt(world)) == "granted"


async def test_a_session_jwt_is_refused_without_that_source_even_when_its_keys_are_given(world: World) -> None:
    project_id = world.consumer.project_id
    token = await shop_jwt(world)
    async with world.client() as client:
        jwks = (await client.get(f"/v1/sessions/jwks/{project_id}")).json()["keys"]
    whom: dict[str, Any] = {"issuer": f"stytch.com/{project_id}", "audience": project_id}
    await trust(world, source("inline_jwks", jwks={"keys": jwks}), attribute_mapping={"email": "email"}, **whom)
    assert await verdict(world, token) == "invalid_trusted_auth_token"


# ---------------------------------------------------------------- algorithms by opt-in


def mac(world: World, alg: str, secret: bytes = SECRET.encode()) -> str:
    claims = Issuer().claims(world.clock.now) | {"email": "ada@example.com"}
    return sign({"alg": alg, "typ": "JWT"}, claims, alg, secret)


async def test_a_shared_secret_lets_in_what_was_made_with_it(world: World) -> None:
    await trust(world, source("hmac", secret=SECRET), algorithms=("HS256",))
    assert await verdict(world, mac(world, "HS256")) == "granted"
    assert await verdict(world, mac(world, "HS384")) == "invalid_trusted_auth_token"
    assert await verdict(world, mac(world, "HS256", SECRET.encode()[:-1])) == "invalid_trusted_auth_token"
    assert await verdict(world, minted(world, OLD, "RS256")) == "invalid_trusted_auth_token"
    assert SECRET.encode() not in world.log_bytes()


async def test_a_mac_is_refused_by_every_profile_without_a_shared_secret(world: World) -> None:
    await trust(world, source("pem", public_keys=[OLD.pem()]))
    for secret in (SECRET.encode(), OLD.pem().encode(), b""):
        assert await verdict(world, mac(world, "HS256", secret)) == "invalid_trusted_auth_token"


OPT_IN = [
    ("ES256K", "secp256k1"),
    ("ML-DSA-44", "ML-DSA-44"),
    ("ML-DSA-65", "ML-DSA-65"),
    ("ML-DSA-87", "ML-DSA-87"),
]


@pytest.mark.parametrize(("algorithm", "family"), OPT_IN, ids=[algorithm for algorithm, _ in OPT_IN])
async def test_an_algorithm_beyond_the_default_is_accepted_by_opt_in_alone(
    world: World, algorithm: str, family: str
) -> None:
    key = make_key(family, "opt-in")
    await trust(world, inline(key, NEW))
    assert await verdict(world, minted(world, key, algorithm)) == "invalid_trusted_auth_token"
    change = profiles.ProfileUpdate(algorithms=(*DEFAULT_ALGORITHMS, algorithm))
    await profiles.update_profile(world.context, world.b2b.project_id, "p", change, by=OPERATOR, allow_problems=False)
    assert await verdict(world, minted(world, key, algorithm)) == "granted"
    assert await verdict(world, minted(world, NEW, "ES256")) == "granted"


# ---------------------------------------------------------------- documents that are fetched


def documents(remote: Issuer) -> dict[str, tuple[dict[str, Any], Any]]:
    """Kind → its source, and the document at ``/keys``."""
    url = f"{remote.url}/keys"
    signature_keys = [key.jwk() | {"use": "jwt-svid"} for key in (OLD, NEW)]
    return {
        "jwks": (source("jwks", url=url), remote.jwks()),
        "x509_map": (source("x509_map", url=url), {key.kid: certificate(key) for key in (OLD, NEW)}),
        "pem_map": (source("pem_map", url=url), {key.kid: key.pem() for key in (OLD, NEW)}),
        "spiffe": (source("spiffe", url=url), {"keys": signature_keys, "spiffe_sequence": 1}),
        "discovery": (source("discovery", url=url), {"issuer": remote.url, "jwks_uri": remote.jwks_url}),
    }


KINDS = ("jwks", "x509_map", "pem_map", "spiffe", "discovery")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_fetched_document_lets_in_what_its_keys_signed(world: World, remote: Issuer, kind: str) -> None:
    given, remote.documents["/keys"] = documents(remote)[kind]
    await trust(world, given, issuer=remote.url)
    for key, alg in ((OLD, "RS256"), (NEW, "ES256")):
        assert await verdict(world, minted(world, key, alg, remote.url)) == "granted"
        assert await verdict(world, forged(world, key, alg, remote.url)) == "invalid_trusted_auth_token"
    assert set(remote.paths) <= {"/keys", "/.well-known/jwks.json"}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_document_of_another_kind_lets_nothing_in(world: World, remote: Issuer, kind: str) -> None:
    given, _ = documents(remote)[kind]
    remote.documents["/keys"] = [{"html": "<html>"}]
    await trust(world, given, issuer=remote.url)
    assert await verdict(world, minted(world, OLD, "RS256", remote.url)) == "trusted_token_keys_unavailable"


async def test_discovery_starts_below_the_issuer(world: World, remote: Issuer) -> None:
    remote.documents["/.well-known/openid-configuration"] = {"issuer": remote.url, "jwks_uri": remote.jwks_url}
    await trust(world, source("discovery"), issuer=remote.url)
    assert await verdict(world, minted(world, OLD, "RS256", remote.url)) == "granted"


async def test_the_discovery_document_of_another_issuer_lets_nothing_in(world: World, remote: Issuer) -> None:
    remote.documents["/.well-known/openid-configuration"] = {
        "issuer": "https://other.example",
        "jwks_uri": remote.jwks_url,
    }
    await trust(world, source("discovery"), issuer=remote.url)
    assert await verdict(world, minted(world, OLD, "RS256", remote.url)) == "trusted_token_keys_unavailable"
    assert remote.paths == ["/.well-known/openid-configuration"]


async def test_a_spiffe_bundle_uses_its_keys_for_tokens_alone(world: World, remote: Issuer) -> None:
    remote.documents["/keys"] = {"keys": [NEW.jwk() | {"use": "jwt-svid"}, OLD.jwk() | {"use": "x509-svid"}]}
    await trust(world, source("spiffe", url=f"{remote.url}/keys"), issuer=remote.url)
    assert await verdict(world, minted(world, NEW, "ES256", remote.url)) == "granted"
    assert await verdict(world, minted(world, OLD, "RS256", remote.url)) == "invalid_trusted_auth_token"


SIGNER = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/50dc6c495c0c9188"
KID = "a3f1c2d4-0000-4000-8000-1234567890ab"


async def test_a_load_balancers_key_is_fetched_by_its_kid_for_our_load_balancer_alone(
    world: World, remote: Issuer
) -> None:
    remote.documents[f"/{KID}"] = NEW.pem()
    await trust(world, source("alb", url=remote.url, signer=SIGNER), algorithms=("ES256",))
    theirs = {"kid": KID, "signer": SIGNER.replace("123456789012", "210987654321")}
    for header in (theirs, {"kid": KID}, {"kid": "../keys", "signer": SIGNER}):
        assert await verdict(world, minted(world, NEW, "ES256", **header)) == "invalid_trusted_auth_token"
    assert remote.paths == []
    assert await verdict(world, minted(world, NEW, "ES256", kid=KID, signer=SIGNER)) == "granted"
    assert remote.paths == [f"/{KID}"]


# ---------------------------------------------------------------- health


async def health(world: World, profile_id: str = "p") -> httpx.Response:
    async with world.client(world.b2b) as client:
        return await client.get(f"/v1/trusted_token_profiles/{profile_id}/keys")


async def test_the_health_of_load_balancer_keys_is_that_of_those_met(world: World, remote: Issuer) -> None:
    remote.documents[f"/{KID}"] = NEW.pem()
    await trust(world, source("alb", url=remote.url, signer=SIGNER), algorithms=("ES256",))
    assert await verdict(world, minted(world, NEW, "ES256", kid=KID, signer=SIGNER)) == "granted"
    [state] = (await health(world)).json()["key_sets"]
    assert (state["kind"], state["kids"], state["usable_keys"], state["problems"]) == ("alb", [KID], 1, [])


async def test_a_backend_sees_how_the_key_sets_are_doing(world: World, remote: Issuer) -> None:
    await trust(world, source("jwks", url=remote.jwks_url), inline(NEW), issuer=remote.url)
    before = (await health(world)).json()
    assert remote.paths == []
    assert await verdict(world, minted(world, OLD, "RS256", remote.url)) == "granted"
    world.clock.turn(60)
    answer = await health(world)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status_code"], body["profile_id"]) == (200, "p")
    assert body["request_id"].startswith("request-id-test-")
    fetched, given = body["key_sets"]
    assert before["key_sets"][0]["last_fetched_at"] is None
    assert (fetched["kind"], fetched["url"], fetched["kids"]) == ("jwks", remote.jwks_url, ["old", "new"])
    assert (fetched["failures_in_a_row"], fetched["age_seconds"], fetched["problems"]) == (0, 60, [])
    assert fetched["last_fetched_at"] < fetched["next_fetch_at"]
    assert fetched["last_fetched_at"].endswith("Z")
    assert (given["kind"], given["kids"], given["usable_keys"]) == ("inline_jwks", ["new"], 1)
    assert "url" not in given


async def test_the_health_tells_of_failures_and_keys_that_are_not_used(world: World, remote: Issuer) -> None:
    remote.documents["/keys"] = {"new": NEW.pem(), "odd": "no key"}
    await trust(world, source("pem_map", url=f"{remote.url}/keys"), issuer=remote.url)
    assert await verdict(world, minted(world, NEW, "ES256", remote.url)) == "granted"
    [state] = (await health(world)).json()["key_sets"]
    assert state["kids"] == ["new"]
    assert "'odd'" in state["problems"][0]
    remote.failing = 503
    world.clock.turn(24 * 3600)
    assert await verdict(world, minted(world, NEW, "ES256", remote.url)) == "trusted_token_keys_unavailable"
    [state] = (await health(world)).json()["key_sets"]
    assert (state["failures_in_a_row"], state["kids"]) == (1, [])
    assert any("503" in problem for problem in state["problems"])


async def test_the_health_of_a_shared_secret_says_nothing_of_it(world: World) -> None:
    await trust(world, source("hmac", secret=SECRET), algorithms=("HS256",))
    answer = await health(world)
    [state] = answer.json()["key_sets"]
    assert (state["kind"], state["usable_keys"], state["problems"]) == ("hmac", 1, [])
    assert SECRET not in answer.text


async def test_the_keys_of_another_tenants_profile_are_not_found(world: World) -> None:
    await trust(world, inline(NEW))
    async with world.client(world.consumer) as client:
        refused = await client.get("/v1/trusted_token_profiles/p/keys")
        own = await client.get("/v1/trusted_token_profiles/idp/keys")
    assert (refused.status_code, refused.json()["error_type"]) == (404, "trusted_token_profile_not_found")
    assert own.status_code == 200


async def test_key_health_takes_no_member_session_and_no_stranger(world: World) -> None:
    async with world.client(world.b2b) as client:
        refused = await client.get(
            "/v1/trusted_token_profiles/idp/keys", headers={"X-Stytch-Member-SessionJWT": "any.thing.here"}
        )
    async with world.client() as client:
        unknown = await client.get("/v1/trusted_token_profiles/idp/keys")
    assert (refused.status_code, unknown.status_code) == (400, 401)
