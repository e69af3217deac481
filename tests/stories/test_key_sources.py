"""Where a profile's keys come from: what is kept, what is refused, and what is told as a problem (decisions D7, D8)."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization

from assay import errors
from assay.key_sources import HmacSource, InlineJwksSource, JwksSource, PemSource
from assay.keys.sealing import shared_secret_purpose
from assay.model import Profile
from assay.store import Store
from assay.stories import key_sources, profiles
from assay.stories.profiles import ProfileCreate, ProfileReport, ProfileUpdate
from tests.calls import OPERATOR, Clock
from tests.issuer import IssuerKey, make_key
from tests.records import new_project
from tests.stories.attesting import ROOT_KEY, World, make_world

URL = "https://issuer.example/keys"
SIGNER = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/50dc6c495c0c9188"
SECRET = "a shared secret of more than thirty-two bytes"
RSA, EC = make_key("RSA"), make_key("P-256")


def private_pem(key: IssuerKey) -> str:
    pkcs8 = serialization.PrivateFormat.PKCS8
    return key.private_key.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption()).decode()


def source(kind: str, **members: Any) -> dict[str, Any]:
    return {"kind": kind, **members}


JWKS = source("jwks", url=URL)
PEM = source("pem", public_keys=[RSA.pem()])
INLINE = source("inline_jwks", jwks={"keys": [RSA.jwk()]})
ALB = source("alb", region="eu-west-1", signer=SIGNER)
HMAC = source("hmac", secret=SECRET)


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    return await make_world(store, clock, "b2b")


async def create(world: World, *sources: dict[str, Any], allow_problems: bool = False, **members: Any) -> ProfileReport:
    usual: dict[str, Any] = {
        "name": "P",
        "issuer": "https://issuer.example",
        "audience": "a",
        "profile_id": "p",
        "attribute_mapping": {"email": "email"},
    }
    if sources:
        usual["key_sources"] = key_sources.read(sources)
    request = ProfileCreate(**(usual | members))
    return await profiles.create_profile(
        world.ctx, world.environment_id, request, by=OPERATOR, allow_problems=allow_problems
    )


async def update(world: World, *sources: dict[str, Any], **members: Any) -> Profile:
    given = {"key_sources": key_sources.read(sources)} if sources else {}
    change = ProfileUpdate(**(given | members))
    report = await profiles.update_profile(
        world.ctx, world.environment_id, "p", change, by=OPERATOR, allow_problems=False
    )
    return report.profile


async def kept(world: World) -> Profile | None:
    return await world.ctx.store.profile(world.environment_id, "p")


async def problems(world: World, *sources: dict[str, Any], **members: Any) -> list[str]:
    """What is told as a problem; the same must keep the profile from being saved unless it is allowed."""
    found = (await create(world, *sources, allow_problems=True, **members)).problems
    if found:
        with pytest.raises(errors.TrustedTokenProfileHasProblems):
            await create(world, *sources, **(members | {"profile_id": "again"}))
    return found


async def other_environment(world: World) -> str:
    project = new_project("other", vertical="consumer")
    await world.ctx.store.write(project)
    return project.environments[1].environment_id


# ---------------------------------------------------------------- what is kept

KINDS: dict[str, dict[str, Any]] = {
    "discovery": source("discovery"),
    "discovery elsewhere": source("discovery", url="https://issuer.example/discovery"),
    "inline set": INLINE,
    "x509 map": source("x509_map", url=URL),
    "pem map": source("pem_map", url=URL),
    "load balancer": ALB,
    "load balancer elsewhere": source("alb", url="https://keys.example", signer=SIGNER),
    "load balancer in GovCloud": source(
        "alb", region="us-gov-west-1", signer=SIGNER.replace("arn:aws:", "arn:aws-us-gov:")
    ),
    "SPIFFE bundle": source("spiffe", url=URL),
}


@pytest.mark.parametrize("name", KINDS)
async def test_each_kind_of_source_is_kept_as_given(world: World, name: str) -> None:
    report = await create(world, KINDS[name])
    assert report.problems == []
    profile = await kept(world)
    assert profile is not None
    assert profile == report.profile
    assert [key_sources.view(each) for each in profile.key_sources] == [KINDS[name]]
    assert (profile.public_key_type, profile.jwks_url, profile.pem_files) == ("UNSPECIFIED", None, ())


async def test_several_sources_keep_their_order(world: World) -> None:
    profile = (await create(world, PEM, JWKS, INLINE)).profile
    assert [key_sources.view(each) for each in profile.key_sources] == [PEM, JWKS, INLINE]
    assert (profile.public_key_type, profile.jwks_url, profile.pem_files) == ("UNSPECIFIED", None, ())


async def test_one_jwks_url_is_kept_in_the_field_that_official_clients_know(world: World) -> None:
    profile = (await create(world, JWKS)).profile
    assert (profile.public_key_type, profile.jwks_url, profile.key_sources) == ("JWK", URL, ())


async def test_pem_files_are_kept_in_the_field_that_official_clients_know(world: World) -> None:
    profile = (await create(world, source("pem", public_keys=[RSA.pem(), EC.pem()]))).profile
    assert [each.public_key for each in profile.pem_files] == [RSA.pem(), EC.pem()]
    assert (profile.public_key_type, profile.jwks_url, profile.key_sources) == ("PEM", None, ())


async def test_a_private_ca_is_kept_with_its_jwks_url(world: World) -> None:
    profile = (await create(world, source("jwks", url=URL, ca_pem="CA"), allow_problems=True)).profile
    assert (profile.public_key_type, profile.jwks_url) == ("JWK", URL)
    assert profile.key_sources == (JwksSource(url=URL, ca_pem="CA"),)


async def test_the_stale_limit_is_kept_and_a_day_by_default(world: World) -> None:
    assert (await create(world, INLINE)).profile.keys_stale_limit == 86_400
    assert (await update(world, keys_stale_limit=0)).keys_stale_limit == 0
    assert (await update(world, keys_stale_limit=604_800)).keys_stale_limit == 604_800


@pytest.mark.parametrize("seconds", [-1, 604_801])
async def test_a_stale_limit_out_of_range_is_refused(world: World, seconds: int) -> None:
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest, match="keys_stale_limit"):
        await create(world, INLINE, keys_stale_limit=seconds)


# ---------------------------------------------------------------- what is refused


def too_long() -> dict[str, Any]:
    return source("inline_jwks", jwks={"keys": [RSA.jwk() | {"x5c": ["A" * 70_000]}]})


REFUSED: dict[str, tuple[tuple[dict[str, Any], ...], type[errors.Error], str]] = {
    "nine sources": (
        tuple(source("jwks", url=f"{URL}/{number}") for number in range(9)),
        errors.TrustedTokenProfileInvalidRequest,
        "at most 8",
    ),
    "one source twice": ((JWKS, PEM, JWKS), errors.TrustedTokenProfileInvalidRequest, "twice"),
    "jwks without an address": ((source("jwks", url=""),), errors.MustHaveJwksUrl, ""),
    "pem without keys": ((source("pem", public_keys=[]),), errors.MustHavePemFiles, ""),
    "pem without keys among others": ((JWKS, source("pem", public_keys=[])), errors.MustHavePemFiles, ""),
    "six keys": ((source("pem", public_keys=[RSA.pem()] * 6),), errors.TooManyPemFiles, ""),
    "six keys over two sources": (
        (source("pem", public_keys=[RSA.pem()] * 5), source("pem", public_keys=[EC.pem()])),
        errors.TooManyPemFiles,
        "",
    ),
    "private key": ((source("pem", public_keys=[private_pem(EC)]),), errors.InvalidPublicKey, ""),
    "private key among others": ((JWKS, source("pem", public_keys=[private_pem(EC)])), errors.InvalidPublicKey, ""),
    "private key in an inline set": (
        (source("inline_jwks", jwks={"keys": [EC.jwk() | {"d": "AA"}]}),),
        errors.InvalidPublicKey,
        "",
    ),
    "shared secret in an inline set": (
        (source("inline_jwks", jwks={"keys": [{"kty": "oct", "k": "AA"}]}),),
        errors.InvalidPublicKey,
        "",
    ),
    "private key as a CA": ((source("jwks", url=URL, ca_pem=private_pem(EC)),), errors.InvalidPublicKey, ""),
    "source that is too long": ((too_long(),), errors.TrustedTokenProfileInvalidRequest, "longer than 65536 bytes"),
    "load balancer without signer": (
        (ALB | {"signer": ""},),
        errors.TrustedTokenProfileInvalidRequest,
        "needs its signer",
    ),
    "load balancer without region and address": (
        (source("alb", signer=SIGNER),),
        errors.TrustedTokenProfileInvalidRequest,
        "either region or url",
    ),
    "load balancer with region and address": (
        (ALB | {"url": URL},),
        errors.TrustedTokenProfileInvalidRequest,
        "either region or url",
    ),
    "region that is a host": (
        (ALB | {"region": "evil.example/eu-west-1"},),
        errors.TrustedTokenProfileInvalidRequest,
        "AWS region",
    ),
    "project that is not there": (
        (source("project", project_id="project-test-none"),),
        errors.TrustedTokenProfileInvalidRequest,
        "no environment of this server",
    ),
}


@pytest.mark.parametrize("allow_problems", [False, True], ids=["careful", "problems allowed"])
@pytest.mark.parametrize("name", REFUSED)
async def test_a_source_that_must_not_be_kept_is_refused_and_nothing_is_stored(
    world: World, name: str, allow_problems: bool
) -> None:
    sources, error, words = REFUSED[name]
    with pytest.raises(error) as refused:
        await create(world, *sources, allow_problems=allow_problems)
    assert words in refused.value.message
    assert await kept(world) is None
    await create(world, INLINE)
    with pytest.raises(error):
        await update(world, *sources)


async def test_no_source_at_all_is_refused(world: World) -> None:
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest, match="1 to 8"):
        await create(world, key_sources=())


async def test_the_session_jwts_of_the_own_environment_are_no_source(world: World) -> None:
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest, match="another environment"):
        await create(world, source("project", project_id=world.environment_id), allow_problems=True)


@pytest.mark.parametrize("field", ["jwks_url", "pem_files"])
async def test_sources_stand_beside_no_other_field_of_keys(world: World, field: str) -> None:
    other: dict[str, Any] = {"jwks_url": URL} if field == "jwks_url" else {"pem_files": (RSA.pem(),)}
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest, match="stands alone"):
        await create(world, INLINE, **other)
    await create(world, INLINE)
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest, match="stands alone"):
        await update(world, JWKS, **other)
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest, match="has key_sources"):
        await update(world, **other)


@pytest.mark.parametrize(
    ("sources", "kind"),
    [
        pytest.param((JWKS,), "PEM", id="jwks called PEM"),
        pytest.param((INLINE,), "JWK", id="inline set called JWK"),
        pytest.param((), "UNSPECIFIED", id="nothing called unspecified"),
    ],
)
async def test_the_key_type_must_be_that_of_the_sources(
    world: World, sources: tuple[dict[str, Any], ...], kind: str
) -> None:
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest, match=r"public_key_type|UNSPECIFIED"):
        await create(world, *sources, public_key_type=kind, jwks_url=None if sources else URL)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(source("carrier pigeon"), "kind", id="unknown kind"),
        pytest.param({"url": URL}, "kind", id="no kind"),
        pytest.param(source("jwks"), "url", id="member missing"),
        pytest.param(source("jwks", url=1), "url", id="member of the wrong type"),
        pytest.param(source("jwks", url=URL, ca="CA"), "unknown field `ca`", id="member that nothing enforces"),
        pytest.param(source("x509_map", url=URL, ca_pem="CA"), "unknown field `ca_pem`", id="CA where none is used"),
        pytest.param(HMAC | {"kid": "k"}, "unknown field `kid`", id="member of hmac that nothing enforces"),
        pytest.param(source("pem", public_keys="PEM"), "public_keys", id="text in place of a list"),
    ],
)
def test_a_source_that_is_not_well_formed_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest) as refused:
        key_sources.read([given])
    assert words in refused.value.message
    assert SECRET not in refused.value.message


# ---------------------------------------------------------------- changing


async def test_new_sources_replace_whatever_there_was(world: World) -> None:
    await create(world, jwks_url=URL)
    after = await update(world, INLINE, JWKS)
    assert (after.public_key_type, after.jwks_url, len(after.key_sources)) == ("UNSPECIFIED", None, 2)
    after = await update(world, PEM)
    assert (after.public_key_type, after.jwks_url, after.key_sources) == ("PEM", None, ())
    after = await update(world, JWKS)
    assert (after.public_key_type, after.jwks_url, after.pem_files) == ("JWK", URL, ())
    assert await kept(world) == after


async def test_other_changes_leave_the_sources_alone(world: World) -> None:
    before = (await create(world, INLINE, JWKS)).profile
    after = await update(world, name="New")
    assert (after.name, after.key_sources) == ("New", before.key_sources)


async def test_the_audit_record_says_that_the_sources_changed_and_not_to_what(world: World) -> None:
    await create(world, INLINE)
    await update(world, HMAC, algorithms=("HS256",))
    [event] = await world.events("profile.updated")
    assert event.details == {"fields": ["algorithms", "key_sources"]}


# ---------------------------------------------------------------- algorithms and shared secrets


@pytest.mark.parametrize("algorithm", ["ES256K", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"])
async def test_an_algorithm_beyond_the_default_is_accepted_when_it_is_listed(world: World, algorithm: str) -> None:
    assert algorithm not in (await create(world, JWKS)).profile.algorithms
    assert (await update(world, algorithms=(algorithm,))).algorithms == (algorithm,)


@pytest.mark.parametrize("algorithms", [(), ("none",), ("RS256", "rs256"), ("HS1",)])
async def test_an_unknown_algorithm_is_refused(world: World, algorithms: tuple[str, ...]) -> None:
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest, match="algorithms must be"):
        await create(world, INLINE, algorithms=algorithms)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(HMAC, id="text"),
        pytest.param(
            source("hmac", secret_base64url=base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("=")),
            id="base64url",
        ),
    ],
)
async def test_a_shared_secret_is_kept_sealed_and_never_shown(world: World, given: dict[str, Any]) -> None:
    report = await create(world, given, algorithms=("HS256",))
    assert report.problems == []
    assert report.profile.public_key_type == "UNSPECIFIED"
    [found] = report.profile.key_sources
    assert isinstance(found, HmacSource)
    assert ROOT_KEY.open(found.sealed_secret, shared_secret_purpose(world.environment_id, "p")) == SECRET.encode()
    assert key_sources.view(found) == {"kind": "hmac"}
    everything = msgspec.json.encode([await kept(world), await world.ctx.store.events(None, 100)])
    assert SECRET.encode() not in everything
    assert base64.b64encode(SECRET.encode())[:20] not in everything


def test_a_shared_secret_is_in_no_representation_of_a_request() -> None:
    [given] = key_sources.read([HMAC])
    request = ProfileCreate(name="P", issuer="i", audience="a", key_sources=(given,))
    assert SECRET not in repr(request)


@pytest.mark.parametrize(
    ("sources", "algorithms", "words"),
    [
        pytest.param((HMAC, JWKS), ("HS256",), "no other source", id="beside a public key"),
        pytest.param((HMAC, HMAC | {"secret": SECRET * 2}), ("HS256",), "no other source", id="two secrets"),
        pytest.param((HMAC,), None, "all out of HS256", id="default algorithms"),
        pytest.param((HMAC,), ("RS256",), "all out of HS256", id="algorithm of public keys"),
        pytest.param((HMAC,), ("HS256", "RS256"), "all out of HS256", id="both kinds of algorithm"),
        pytest.param((INLINE,), ("HS256",), "need an hmac source", id="MAC with a public key"),
        pytest.param((JWKS,), ("RS256", "HS256"), "need an hmac source", id="MAC beside signatures"),
        pytest.param((HMAC,), ("HS256", "HS384"), "too short for HS384", id="too short for one of the algorithms"),
        pytest.param((HMAC | {"secret": "s" * 31},), ("HS256",), "32", id="too short"),
        pytest.param((HMAC | {"secret": ""},), ("HS256",), "32", id="empty"),
        pytest.param((HMAC | {"secret": "s" * 1025},), ("HS256",), "1024", id="too long"),
        pytest.param((HMAC | {"secret": RSA.pem()},), ("HS256",), "text of a key", id="public key as the secret"),
        pytest.param((source("hmac"),), ("HS256",), "either secret", id="no secret"),
        pytest.param((HMAC | {"secret_base64url": "AAAA"},), ("HS256",), "either secret", id="two forms"),
        pytest.param((source("hmac", secret_base64url="+/=="),), ("HS256",), "not base64url", id="not base64url"),
        pytest.param((source("hmac", secret_base64url="A"),), ("HS256",), "not base64url", id="not whole base64url"),
    ],
)
async def test_shared_secrets_and_public_keys_never_meet(
    world: World, sources: tuple[dict[str, Any], ...], algorithms: tuple[str, ...] | None, words: str
) -> None:
    given = {} if algorithms is None else {"algorithms": algorithms}
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest) as refused:
        await create(world, *sources, allow_problems=True, **given)
    assert words in refused.value.message
    assert await kept(world) is None
    assert not any(str(each.get("secret") or "-none-") in refused.value.message for each in sources)


async def test_a_profile_does_not_change_between_signatures_and_macs_by_halves(world: World) -> None:
    await create(world, HMAC, algorithms=("HS256",))
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest, match="all out of"):
        await update(world, algorithms=("RS256",))
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest, match="need an hmac"):
        await update(world, INLINE)
    assert (await update(world, INLINE, algorithms=("RS256",))).key_sources != ()
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest, match="need an hmac"):
        await update(world, algorithms=("HS256",))


async def test_another_mac_needs_the_secret_again(world: World) -> None:
    await create(world, HMAC | {"secret": SECRET * 2}, algorithms=("HS256", "HS384"))
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest, match="secret again"):
        await update(world, algorithms=("HS512",))
    assert (await update(world, algorithms=("HS384",))).algorithms == ("HS384",)
    assert (await update(world, HMAC | {"secret": SECRET * 2}, algorithms=("HS512",))).algorithms == ("HS512",)


# ---------------------------------------------------------------- problems


@pytest.mark.parametrize("kind", ["jwks", "x509_map", "pem_map", "spiffe", "discovery"])
async def test_an_address_that_is_never_fetched_is_a_problem(world: World, kind: str) -> None:
    assert await problems(world, source(kind, url="https://10.0.0.1/keys")) == [
        "The key URL points at a private or reserved address."
    ]


async def test_the_issuer_is_where_discovery_starts(world: World) -> None:
    assert await problems(world, source("discovery"), issuer="issuer.example") != []
    assert await problems(world, source("discovery"), profile_id="good") == []


async def test_the_address_of_load_balancer_keys_is_looked_at_too(world: World) -> None:
    [problem] = await problems(world, source("alb", url="http://keys.example", signer=SIGNER))
    assert "https://" in problem


@pytest.mark.parametrize(
    ("given", "algorithms", "words"),
    [
        pytest.param(source("pem", public_keys=["nothing"]), None, "PEM file 1", id="PEM that is none"),
        pytest.param(source("pem", public_keys=[RSA.pem(), "x"]), None, "PEM file 2", id="second PEM that is none"),
        pytest.param(PEM, ("ES256",), "None of the keys can verify", id="key of another family"),
        pytest.param(source("inline_jwks", jwks={}), None, "cannot be read", id="inline object that is no set"),
        pytest.param(source("inline_jwks", jwks={"keys": []}), None, "no key", id="empty inline set"),
        pytest.param(
            source("inline_jwks", jwks={"keys": [RSA.jwk(), EC.jwk() | {"x": "AA"}]}),
            None,
            "Key 2",
            id="broken key in an inline set",
        ),
        pytest.param(INLINE, ("ES256",), "None of the keys can verify", id="inline key of another family"),
        pytest.param(source("jwks", url=URL, ca_pem="CA"), None, "CA text", id="CA that is no certificate"),
        pytest.param(ALB | {"signer": "my-balancer"}, None, "not the ARN", id="signer that is no ARN"),
        pytest.param(ALB, ("RS256",), "sign with ES256", id="load balancer without ES256"),
    ],
)
async def test_a_source_that_can_never_work_is_a_problem(
    world: World, given: dict[str, Any], algorithms: tuple[str, ...] | None, words: str
) -> None:
    [problem] = await problems(world, given, **({} if algorithms is None else {"algorithms": algorithms}))
    assert words in problem


async def test_a_problem_names_its_source_when_there_are_several(world: World) -> None:
    [problem] = await problems(world, JWKS, source("pem_map", url="ftp://keys.example"))
    assert problem.startswith("Key source 2 (pem_map): The key URL")


async def test_a_project_source_needs_that_projects_issuer_audience_and_algorithm(world: World) -> None:
    project_id = await other_environment(world)
    given = source("project", project_id=project_id)
    found = await problems(world, given, algorithms=("ES384",))
    assert [word for word, problem in zip(("issuer", "audience", "RS256"), found, strict=True) if word in problem] == [
        "issuer",
        "audience",
        "RS256",
    ]
    good: dict[str, Any] = {"issuer": f"stytch.com/{project_id}", "audience": project_id, "profile_id": "good"}
    assert await problems(world, given, **good) == []


# ---------------------------------------------------------------- what the store holds


def test_a_stored_source_with_a_restriction_that_this_version_does_not_know_is_not_read_without_it() -> None:
    stored = b'{"kind": "jwks", "url": "https://issuer.example/keys", "only_on": "monday"}'
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(stored, type=JwksSource | PemSource | InlineJwksSource)
