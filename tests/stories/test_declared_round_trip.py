"""Whatever can be configured: applied, exported, applied again, here and in an empty database, it stays the same."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any, get_args

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.key_sources import (
    AlbSource,
    DiscoverySource,
    InlineJwksSource,
    JwksSource,
    PemMapSource,
    PemSource,
    SpiffeSource,
    X509MapSource,
)
from assay.model import EnvironmentSettings, JwtTemplate, RedirectUrl, RedirectUrlType, RedirectUse
from assay.rules.algorithms import DEFAULT_ALGORITHMS, HMAC_ALGORITHMS, OPT_IN_ALGORITHMS
from assay.rules.permissions import Permission, Resource, Role, Scope
from assay.stories.declared.wanted import (
    ProjectReference,
    SharedSecret,
    Wanted,
    WantedEnvironment,
    WantedProfile,
    WantedProject,
    WantedSource,
)
from assay.stories.key_sources import GivenSource
from tests.stories import declaring

EXAMPLES = 12
SECRET = bytes(range(1, 65))

# Quotes, backslashes, line breaks of every kind, controls, characters that cannot be printed, and beyond the BMP.
TRICKY = "ab\"'\\#[]{}=.,\n\r\t\x07\x1b\x7f\x85\x9b\u200b\u2028\ufeff äß中🙂"
texts = st.one_of(
    st.text(alphabet=TRICKY, min_size=1, max_size=30),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20),
)
blocks = st.lists(texts, min_size=1, max_size=4).flatmap(
    lambda each: st.sampled_from(["\n", "\r\n"]).map(lambda end: end.join(each))
)
names = st.text(alphabet="Aä \"'\\.", min_size=1, max_size=12).filter(lambda text: bool(text.strip()))
words = st.text(alphabet="abcXY.:_-\"'ä/", min_size=1, max_size=10)
slugs = st.text(alphabet="ab1-", min_size=1, max_size=8)
urls = st.text(alphabet="abc/.?=&%'\"\\", max_size=12).map(lambda text: f"https://a.example/{text}")

scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(-1e9, 1e9), texts)
json_values = st.recursive(
    scalars, lambda each: st.one_of(st.lists(each, max_size=3), st.dictionaries(texts, each, max_size=3)), max_leaves=6
)
claim_names = st.one_of(
    texts.filter(lambda text: not text.startswith("/")),
    scalars.filter(lambda value: not isinstance(value, str)),
    st.lists(scalars, max_size=3),
    st.sampled_from(["/a/b", {"from": "/a", "default": None}, {"cel": 'claims.a + "b"', "default": ["x"]}]),
)
mappings = st.dictionaries(
    st.one_of(st.sampled_from(["email", "email_verified", "token_id", "role_ids", "external_member_id"]), words),
    claim_names,
    max_size=4,
).filter(lambda mapping: "external_user_id" not in mapping)

sources: st.SearchStrategy[WantedSource] = st.one_of(
    st.builds(JwksSource, url=urls, ca_pem=st.none() | blocks),
    st.builds(DiscoverySource, url=st.none() | urls, ca_pem=st.none() | blocks),
    st.builds(PemSource, public_keys=st.lists(blocks, min_size=1, max_size=2).map(tuple)),
    st.builds(InlineJwksSource, jwks=st.dictionaries(texts, json_values, max_size=3)),
    st.builds(X509MapSource, url=urls),
    st.builds(PemMapSource, url=urls),
    st.builds(AlbSource, signer=texts, region=st.just("eu-west-1")),
    st.builds(AlbSource, signer=texts, url=urls),
    st.builds(SpiffeSource, url=urls, ca_pem=st.none() | blocks),
    st.just(ProjectReference("acme", "live")),
)


def _distinct(found: list[WantedSource]) -> bool:
    return len({msgspec.json.encode(each, order="sorted") for each in found}) == len(found)


few_texts = st.lists(texts, max_size=2).map(tuple)
judging: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"max_age_seconds": st.integers(1, 86_400)},
    optional={
        "max_lifetime_seconds": st.integers(1, 86_400),
        "require_exp": st.booleans(),
        "additional_audiences": few_texts,
        "single_audience": st.booleans(),
        "audience_claim": st.sampled_from(["azp", "none", "/a/b", "header:x"]),
        "issuer_check": st.sampled_from(["template", "none"]),
        "typ": st.just(("JWT",)),
        "conditions": few_texts,
        "replay": st.sampled_from(["token_id", "fingerprint"]),
        "trust_email": st.booleans(),
        "organizations": few_texts,
        "session_ends_with_token": st.booleans(),
        "rotate_session_token": st.booleans(),
        "enabled": st.booleans(),
        "kept_claims": few_texts,
    },
)


@st.composite
def profiles(draw: st.DrawFn) -> WantedProfile:
    shared = draw(st.booleans())
    plain = [*DEFAULT_ALGORITHMS, *(name for name in OPT_IN_ALGORITHMS if name not in HMAC_ALGORITHMS)]
    algorithms = st.lists(st.sampled_from(HMAC_ALGORITHMS if shared else plain), min_size=1, max_size=3, unique=True)
    found: list[WantedSource] = (
        [SharedSecret("the test", SECRET)]
        if shared
        else draw(st.lists(sources, min_size=1, max_size=2).filter(_distinct))
    )
    follows = len(found) == 1 and isinstance(found[0], ProjectReference) and draw(st.booleans())
    return WantedProfile(
        profile_id=draw(st.text(alphabet="abAB_-", min_size=1, max_size=6)),
        name=draw(texts),
        issuer=None if follows else draw(texts),
        audience=None if follows else draw(texts),
        sources=tuple(found),
        attribute_mapping=draw(mappings),
        can_jit_provision=draw(st.booleans()),
        algorithms=tuple(draw(algorithms)) if shared else draw(st.just(DEFAULT_ALGORITHMS) | algorithms.map(tuple)),
        leeway_seconds=draw(st.integers(0, 300)),
        keys_stale_limit=draw(st.integers(0, 604_800)),
        **draw(judging),
    )


ACTIONS = ("read", "write", "share.all")
permissions = st.lists(
    st.one_of(st.just(("*",)), st.lists(st.sampled_from(ACTIONS), min_size=1, unique=True).map(tuple)).map(
        lambda actions: Permission("documents", actions)
    ),
    min_size=1,
    max_size=1,
).map(tuple)
roles = st.one_of(
    st.builds(Role, role_id=words, description=words, permissions=permissions),
    st.builds(
        Role,
        role_id=st.sampled_from(["stytch_member", "stytch_admin"]),
        description=st.just(""),
        permissions=permissions,
    ),
)
scopes = st.builds(Scope, scope=words, description=words, permissions=permissions)
uses = st.lists(st.sampled_from(get_args(RedirectUse)), unique=True).flatmap(
    lambda found: st.lists(st.booleans(), min_size=len(found), max_size=len(found)).map(
        lambda flags: tuple(RedirectUrlType(type=use, is_default=flag) for use, flag in zip(found, flags, strict=True))
    )
)
redirect_urls = st.builds(RedirectUrl, url=st.just("https://a.example/cb?x=\"'"), valid_types=uses)
templates = st.builds(
    JwtTemplate,
    template_type=st.just("SESSION"),
    template_content=st.sampled_from(['{"a": "{{ member.name }}"}', '{\r\n\t"b": 1\r\n}', '{"c": "ä\\u0085\\\\"}']),
    custom_audience=st.sampled_from(["", "api"]),
)
environment_settings = st.builds(
    EnvironmentSettings,
    session_jwt_algorithm=st.sampled_from(["RS256", "ES256", "EdDSA"]),
    user_lock_threshold=st.integers(0, 100),
    user_impersonation_enabled=st.booleans(),
    idp_authorization_url=st.just("") | texts,
)


@st.composite
def configurations(draw: st.DrawFn) -> Wanted:
    live = WantedEnvironment(slug="live", kind="live", name=draw(names))
    test = WantedEnvironment(
        slug=draw(slugs.filter(lambda slug: slug != "live")),
        kind="test",
        name=draw(names),
        settings=draw(environment_settings),
        profiles=tuple(draw(st.lists(profiles(), max_size=3, unique_by=lambda each: each.profile_id))),
        roles=tuple(draw(st.lists(roles, max_size=3, unique_by=lambda each: each.role_id))),
        resources=(Resource("documents", draw(words), ACTIONS),),
        scopes=tuple(draw(st.lists(scopes, max_size=2, unique_by=lambda each: each.scope))),
        redirect_urls=tuple(draw(st.lists(redirect_urls, max_size=1))),
        jwt_templates=tuple(draw(st.lists(templates, max_size=1))),
    )
    return Wanted((WantedProject(slug="acme", name=draw(names), vertical="b2b", environments=(live, test)),))


async def round_trip(found: Wanted) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        async with declaring.opened(Path(one)) as ctx, declaring.opened(Path(other)) as empty:
            done = await declaring.apply(ctx, found, allow_problems=True)
            assert done.fault is None
            assert (await declaring.prepare(ctx, found, prune=True)).plan.steps == ()
            for beside in (False, True):
                made = await declaring.export(ctx, beside=beside)
                again = declaring.wanted(made.text, made.files)
                assert (await declaring.prepare(ctx, again, prune=True)).plan.steps == ()
            recreated = declaring.wanted(made.text, made.files, _Secrets())
            assert (await declaring.apply(empty, recreated, allow_problems=True)).fault is None
            remade = await declaring.export(empty, beside=True)
            assert (_sorted(remade.text), sorted(remade.files.values())) == (
                _sorted(made.text),
                sorted(made.files.values()),
            )


def _sorted(text: str) -> Any:
    """Profiles of one second stand in the order of their making only by chance."""
    return sorted(text.split("\n["))


class _Secrets(dict[str, str]):
    """Every variable that an export names holds the secret."""

    def get(self, _name: str, _default: Any = None) -> Any:
        return SECRET.decode()


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(found=configurations())
def test_a_configuration_survives_export_and_apply(found: Wanted) -> None:
    asyncio.run(round_trip(found))


def test_the_examples_may_have_every_kind_of_source() -> None:
    kinds = {str(kind.__struct_config__.tag) for kind in get_args(GivenSource)}
    assert kinds == {
        *("jwks", "discovery", "pem", "inline_jwks", "x509_map", "pem_map", "alb", "spiffe"),
        *("project", "hmac"),
    }
