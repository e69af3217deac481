"""Configuration files: what they say, and every fault with its place."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.key_sources import (
    AlbSource,
    DiscoverySource,
    InlineJwksSource,
    JwksSource,
    PemMapSource,
    PemSource,
    ProjectSource,
    SpiffeSource,
    X509MapSource,
)
from assay.model import EnvironmentSettings, JwtTemplate, RedirectUrl, RedirectUrlType
from assay.rules.algorithms import DEFAULT_ALGORITHMS
from assay.rules.permissions import Permission, Resource, Role, Scope
from assay.stories.declared import format as forms
from assay.stories.declared.parsing import parse
from assay.stories.declared.surroundings import Surroundings, Unreadable
from assay.stories.declared.wanted import PLAIN_FIELDS, ProjectReference, SharedSecret, WantedEnvironment, WantedProfile
from assay.stories.key_sources import GivenSource
from assay.stories.profiles import ProfileCreate

SECRET = "correct horse battery staple and some more"
FILES = {
    "key.pem": b"-----BEGIN PUBLIC KEY-----\r\nA\r\n",
    "ca.pem": b"CA\n",
    "jwks.json": b'{"keys": [null]}',
    "secret.txt": SECRET.encode() + b"\r\n",
    "secret.bin": b"\xff\x00\n",
    "der": b"\x30\x82\xff",
}
ENVIRON = {"SHOP": SECRET, "SHOP_BYTES": base64.urlsafe_b64encode(b"\x00\xff" * 16).decode(), "BAD": "!!", "EMPTY": ""}


def read(path: str) -> bytes:
    if path == "locked":
        raise Unreadable("the file locked cannot be read: Permission denied")
    if path not in FILES:
        raise FileNotFoundError(path)
    return FILES[path]


AROUND = Surroundings(read=read, environ=ENVIRON)

HEAD = """
[projects.acme]
name = "Acme"
vertical = "b2b"
[projects.acme.environments.test]
type = "test"
name = "Test"
"""
AT = "projects.acme.environments.test"
PROFILE = """
[projects.acme.environments.test.profiles.p]
name = "P"
issuer = "https://i.example"
audience = "a"
"""


def environment(text: str) -> WantedEnvironment:
    [project] = parse((HEAD + text).encode(), AROUND).projects
    return project.environments[0]


def profile(text: str) -> WantedProfile:
    return environment(PROFILE + text).profiles[0]


def sources(text: str) -> tuple[Any, ...]:
    return profile(f"key_sources = [{text}]").sources


# ---------------------------------------------------------------- what a file says


def test_an_empty_file_wants_nothing() -> None:
    assert parse(b"", AROUND).projects == ()


def test_what_is_left_out_has_its_default() -> None:
    found = profile('jwks_url = "https://i.example/jwks"')
    assert found == WantedProfile(
        profile_id="p",
        name="P",
        issuer="https://i.example",
        audience="a",
        sources=(JwksSource(url="https://i.example/jwks"),),
    )
    assert (found.algorithms, found.leeway_seconds, found.keys_stale_limit) == (DEFAULT_ALGORITHMS, 30, 86_400)
    made = ProfileCreate(name="P", issuer="https://i.example", audience="a")
    fields = (name for name in PLAIN_FIELDS if name != "attribute_mapping")
    assert {name: getattr(found, name) for name in fields if getattr(found, name) != getattr(made, name)} == {}
    assert environment("").settings is None


def test_every_field_of_a_profile_is_taken() -> None:
    found = profile("""
        jwks_url = "https://i.example/jwks"
        public_key_type = "JWK"
        can_jit_provision = true
        algorithms = ["ES256"]
        leeway_seconds = 0
        keys_stale_limit = 1
        attribute_mapping = { email = "a.b", "https://x" = 7, role_ids = { from = "/r", default = [] } }
        max_age_seconds = 60
        max_lifetime_seconds = 3600
        require_exp = false
        additional_audiences = ["b"]
        single_audience = true
        audience_claim = "azp"
        issuer_check = "template"
        typ = ["JWT"]
        conditions = ['claims.tid == "t"']
        replay = "token_id"
        trust_email = false
        organizations = ["acme"]
        session_ends_with_token = true
        rotate_session_token = true
        enabled = false
        kept_claims = ["tid"]
    """)
    usual = profile('jwks_url = "https://i.example/jwks"')
    same = [name for name in WantedProfile.__struct_fields__ if getattr(found, name) == getattr(usual, name)]
    assert same == ["profile_id", "name", "issuer", "audience", "sources"]
    assert (found.max_age_seconds, found.typ, found.conditions) == (60, ("JWT",), ('claims.tid == "t"',))
    assert (found.public_key_type, found.can_jit_provision, found.algorithms) == ("JWK", True, ("ES256",))
    assert (found.leeway_seconds, found.keys_stale_limit) == (0, 1)
    assert found.attribute_mapping == {"email": "a.b", "https://x": 7, "role_ids": {"from": "/r", "default": []}}


def test_a_file_can_say_every_field_that_a_profile_has() -> None:
    fields = set(ProfileCreate.__struct_fields__) - {"profile_id"}
    assert fields <= {key.name for key in forms.PROFILE.keys}


def test_every_kind_of_key_source_can_be_said() -> None:
    kinds = {str(kind.__struct_config__.tag) for kind in GivenSource.__args__}
    assert kinds == set(forms.SOURCES)


def test_every_setting_can_be_said() -> None:
    text = "\n".join(f"{key.name} = {_toml(_other(key))}" for key in forms.SETTINGS.keys)
    found = environment(f"[{AT}.settings]\n{text}").settings
    assert found is not None
    usual = EnvironmentSettings()
    assert all(getattr(found, name) != getattr(usual, name) for name in EnvironmentSettings.__struct_fields__)
    assert environment(f"[{AT}.settings]").settings == usual


def _other(key: forms.Key) -> Any:
    value = key.default
    if key.choices:
        return next(choice for choice in key.choices if choice != value)
    return not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else "other"


def _toml(value: Any) -> str:
    return msgspec.json.encode(value).decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{kind = "jwks", url = "u"}', JwksSource(url="u"), id="jwks"),
        pytest.param(
            '{kind = "jwks", url = "u", ca_pem = "CA"}', JwksSource(url="u", ca_pem="CA"), id="jwks with its own CA"
        ),
        pytest.param(
            '{kind = "jwks", url = "u", ca_pem_file = "ca.pem"}',
            JwksSource(url="u", ca_pem="CA\n"),
            id="a CA in a file",
        ),
        pytest.param('{kind = "discovery"}', DiscoverySource(), id="discovery below the issuer"),
        pytest.param('{kind = "discovery", url = "u"}', DiscoverySource(url="u"), id="discovery elsewhere"),
        pytest.param('{kind = "pem", public_keys = ["A"]}', PemSource(public_keys=("A",)), id="pem"),
        pytest.param(
            '{kind = "pem", public_key_files = ["key.pem"]}',
            PemSource(public_keys=("-----BEGIN PUBLIC KEY-----\r\nA\r\n",)),
            id="pem files byte for byte",
        ),
        pytest.param(
            """{kind = "inline_jwks", jwks = '{"keys": []}'}""", InlineJwksSource(jwks={"keys": []}), id="inline_jwks"
        ),
        pytest.param(
            '{kind = "inline_jwks", jwks_file = "jwks.json"}', InlineJwksSource(jwks={"keys": [None]}), id="jwks file"
        ),
        pytest.param('{kind = "x509_map", url = "u"}', X509MapSource(url="u"), id="x509_map"),
        pytest.param('{kind = "pem_map", url = "u"}', PemMapSource(url="u"), id="pem_map"),
        pytest.param('{kind = "alb", signer = "s", region = "r"}', AlbSource(signer="s", region="r"), id="alb"),
        pytest.param('{kind = "alb", signer = "s", url = "u"}', AlbSource(signer="s", url="u"), id="alb elsewhere"),
        pytest.param('{kind = "spiffe", url = "u"}', SpiffeSource(url="u"), id="spiffe"),
        pytest.param(
            '{kind = "project", project_slug = "acme", environment_slug = "live"}',
            ProjectReference("acme", "live"),
            id="project by slugs",
        ),
        pytest.param(
            '{kind = "project", project_id = "project-test-1"}', ProjectSource(project_id="project-test-1"), id="by id"
        ),
    ],
)
def test_a_key_source_is_read(text: str, expected: Any) -> None:
    assert sources(text) == (expected,)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        pytest.param('secret_env = "SHOP"', SECRET.encode(), id="a variable that holds text"),
        pytest.param('secret_base64url_env = "SHOP_BYTES"', b"\x00\xff" * 16, id="a variable that holds base64url"),
        pytest.param('secret_file = "secret.txt"', SECRET.encode(), id="a text file without its line break"),
        pytest.param('secret_file = "secret.bin"', b"\xff\x00\n", id="a file of bytes, all of them"),
        pytest.param('secret_env = "NOWHERE"', None, id="a variable that is not set"),
        pytest.param('secret_env = "EMPTY"', None, id="a variable that is empty"),
        pytest.param('secret_file = "nowhere"', None, id="a file that is not there"),
    ],
)
def test_a_shared_secret_comes_from_outside_the_file(text: str, secret: bytes | None) -> None:
    [found] = sources(f'{{kind = "hmac", {text}}}')
    assert isinstance(found, SharedSecret)
    assert found.secret == secret
    assert SECRET not in repr(found)


def test_issuer_and_audience_may_follow_from_a_project_source() -> None:
    text = f"""
        [{AT}.profiles.p]
        name = "P"
        key_sources = [{{ kind = "project", project_slug = "acme", environment_slug = "live" }}]
    """
    assert environment(text).profiles[0].issuer is None


def test_a_mapping_that_toml_cannot_hold_is_json_text() -> None:
    found = profile("""jwks_url = "u"\nattribute_mapping = '{"email": null}'""")
    assert found.attribute_mapping == {"email": None}


def test_the_policy_the_redirect_urls_and_the_templates_are_read() -> None:
    found = environment(f"""
        [{AT}.resources.documents]
        description = "D"
        actions = ["read"]
        [{AT}.roles.editor]
        permissions = {{ documents = ["*"] }}
        [{AT}.scopes."read:documents"]
        description = "S"
        permissions = {{ documents = ["read"] }}
        [{AT}.redirect_urls."https://a.example/cb"]
        types = ["LOGIN", "SIGNUP"]
        default_for = ["SIGNUP"]
        [{AT}.jwt_templates.session]
        template_content = "{{}}"
        [{AT}.jwt_templates.m2m]
        template_content = "{{}}"
        custom_audience = "x"
    """)
    assert found.resources == (Resource("documents", "D", ("read",)),)
    assert found.roles == (Role("editor", "", (Permission("documents", ("*",)),)),)
    assert found.scopes == (Scope("read:documents", "S", (Permission("documents", ("read",)),)),)
    types = (RedirectUrlType(type="LOGIN", is_default=False), RedirectUrlType(type="SIGNUP", is_default=True))
    assert found.redirect_urls == (RedirectUrl(url="https://a.example/cb", valid_types=types),)
    assert found.jwt_templates == (
        JwtTemplate(template_type="SESSION", template_content="{}", custom_audience=""),
        JwtTemplate(template_type="M2M", template_content="{}", custom_audience="x"),
    )


# ---------------------------------------------------------------- what is wrong with a file


def test_every_key_and_every_table_is_described() -> None:
    for section in forms.SECTIONS:
        assert section.meaning.endswith(".")
        assert all(key.meaning.endswith(".") for key in section.keys), section.name
        assert len({key.name for key in section.keys}) == len(section.keys)


P = f"{AT}.profiles.p"

FAULTS = [
    pytest.param("project = 1", "project: a file has no key of this name; did you mean projects?", id="top"),
    pytest.param("projects = 1", "projects: projects must be tables", id="projects of the wrong form"),
    pytest.param("[projects.acme]", "projects.acme: name is missing\nprojects.acme: vertical is missing", id="bare"),
    pytest.param(
        '[projects.a]\nname = "A"\nvertical = "B2B"',
        "projects.a.vertical: vertical must be b2b or consumer",
        id="choice",
    ),
    pytest.param(
        '[projects.a]\nname = 1\nvertical = "b2b"', "projects.a.name: name must be a text in quotes", id="name"
    ),
    pytest.param(
        '[projects."a.b"]\nname = 1\nvertical = "b2b"', 'projects."a.b".name: name must be', id="a quoted place"
    ),
    pytest.param(
        HEAD + '[projects.acme]\nname = "Again"',
        "The same name is given twice (at line 8, column 15).",
        id="a table twice",
    ),
    pytest.param(HEAD + 'name = "A"\n', "The same name is given twice", id="a key twice"),
    pytest.param("[projects", "It is not TOML: ", id="no TOML"),
    pytest.param(
        HEAD + f"{PROFILE}name2 = 1", f"{P}.name2: a profile has no key of this name; did you mean name?", id="2"
    ),
    pytest.param(HEAD + f"{PROFILE}zzz = 1", "there are name, issuer, audience", id="unlike any key"),
    pytest.param(
        HEAD + f'{PROFILE}jwks_url = "u"\nleeway_seconds = true',
        f"{P}.leeway_seconds: leeway_seconds must be a whole",
        id="b",
    ),
    pytest.param(
        HEAD + f'{PROFILE}jwks_url = "u"\ncan_jit_provision = 1',
        "can_jit_provision must be true or false",
        id="no boolean",
    ),
    pytest.param(
        HEAD + f'{PROFILE}jwks_url = "u"\nalgorithms = "ES256"', "algorithms must be a list of texts", id="no list"
    ),
    pytest.param(HEAD + PROFILE, f"{P}: its keys come from one of jwks_url", id="no keys"),
    pytest.param(
        HEAD + f'{PROFILE}jwks_url = "u"\npem_files = []', "there is jwks_url and pem_files", id="keys twice over"
    ),
    pytest.param(HEAD + f'{PROFILE}pem_files = ["x.pem"]', f"{P}.pem_files: there is no file x.pem", id="no such file"),
    pytest.param(HEAD + f'{PROFILE}pem_files = ["der"]', "convert the key to PEM first", id="DER"),
    pytest.param(HEAD + f'{PROFILE}pem_files = ["locked"]', "Permission denied", id="unreadable"),
    pytest.param(
        HEAD + f'{PROFILE}key_sources = [{{ kind = "jwk" }}]', "source 1 is a table whose kind is one of", id="k"
    ),
    pytest.param(HEAD + f"{PROFILE}key_sources = [1]", "source 1 is a table", id="a source that is no table"),
    pytest.param(
        HEAD + f'{PROFILE}key_sources = [{{ kind = "jwks", uri = "u" }}]',
        f"{P}.key_sources.1.uri: a jwks source has no key of this name; did you mean url?\n{P}.key_sources.1: url is",
        id="an unknown member of a source",
    ),
    pytest.param(
        HEAD + f'{PROFILE}key_sources = [{{ kind = "jwks", url = "u", ca_pem = "a", ca_pem_file = "ca.pem" }}]',
        "there is ca_pem and ca_pem_file",
        id="a CA twice over",
    ),
    pytest.param(
        HEAD + f'{PROFILE}key_sources = [{{ kind = "inline_jwks", jwks = "[]" }}]',
        "it is not a JSON object",
        id="no JWKS",
    ),
    pytest.param(
        HEAD + f'{PROFILE}key_sources = [{{ kind = "pem" }}]', "it needs public_keys or public_key_files", id="no PEM"
    ),
    pytest.param(HEAD + f'{PROFILE}key_sources = [{{ kind = "project" }}]', "names an environment by", id="no project"),
    pytest.param(
        HEAD + f'{PROFILE}key_sources = [{{ kind = "project", project_id = "p", project_slug = "q" }}]',
        "names an environment by",
        id="a project twice over",
    ),
    pytest.param(HEAD + f'{PROFILE}key_sources = [{{ kind = "hmac" }}]', "it needs secret_env or", id="no secret"),
    pytest.param(
        HEAD + f'{PROFILE}key_sources = [{{ kind = "hmac", secret_base64url_env = "BAD" }}]',
        "not hold base64url",
        id="b64",
    ),
    pytest.param(
        HEAD + f'{PROFILE}key_sources = [{{ kind = "hmac", secret = "{SECRET}" }}]',
        f"{P}.key_sources.1.secret: a secret must not stand in this file",
        id="a secret in the file",
    ),
    pytest.param(
        HEAD + f'{PROFILE}key_sources = [{{ kind = "hmac", secret_base64url = "{SECRET}" }}]',
        "a secret must not stand in this file",
        id="a secret in the file as base64url",
    ),
    pytest.param(
        HEAD + f"{PROFILE}jwks_url = 'u'\nattribute_mapping = {{ email = 2025-01-01 }}",
        "attribute_mapping",
        id="a date",
    ),
    pytest.param(
        HEAD + f"{PROFILE}jwks_url = 'u'\nattribute_mapping = '[]'",
        f"{P}.attribute_mapping: it is a table",
        id="JSON list",
    ),
    pytest.param(
        HEAD + f'[{AT}.roles.r]\npermissions = {{ d = "read" }}',
        f"{AT}.roles.r.permissions.d: the actions",
        id="actions",
    ),
    pytest.param(
        HEAD + f'[{AT}.roles.stytch_member]\ndescription = "x"', "description of a default role", id="default role"
    ),
    pytest.param(
        HEAD + f"[{AT}.resources.d]", f"{AT}.resources.d: actions is missing", id="a resource without actions"
    ),
    pytest.param(
        HEAD + f'[{AT}.redirect_urls."u"]\ntypes = ["LOGIN", "LOGIN"]',
        "types names the same one twice",
        id="a use twice",
    ),
    pytest.param(
        HEAD + f'[{AT}.redirect_urls."u"]\ntypes = ["LOGON"]', "types must be a list out of LOGIN", id="no use"
    ),
    pytest.param(
        HEAD + f'[{AT}.redirect_urls."u"]\ntypes = []\ndefault_for = ["LOGIN"]',
        "not among its types",
        id="not valid for it",
    ),
    pytest.param(
        HEAD
        + f'[{AT}.redirect_urls]\nu = {{ types = ["LOGIN"], default_for = ["LOGIN"] }}\n'
        + 'v = { types = ["LOGIN"], default_for = ["LOGIN"] }',
        f"{AT}.redirect_urls: 2 redirect URLs are the default for LOGIN",
        id="two defaults",
    ),
    pytest.param(
        HEAD + f'[{AT}.jwt_templates.machine]\ntemplate_content = "{{}}"', "templates session and m2m", id="no template"
    ),
    pytest.param('[projects.a]\nname = "\\u0000"\nvertical = "b2b"', "the character NUL", id="NUL"),
]


@pytest.mark.parametrize(("text", "words"), FAULTS)
def test_what_is_wrong_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(errors.ConfigurationFileInvalid) as caught:
        parse(text.encode(), AROUND)
    assert words in caught.value.message
    assert SECRET not in caught.value.message


def test_a_project_has_one_live_environment() -> None:
    live = '[projects.acme.environments.{}]\ntype = "live"\nname = "L"\n'
    with pytest.raises(errors.ConfigurationFileInvalid, match="at most one live environment"):
        parse((HEAD + live.format("a") + live.format("b")).encode(), AROUND)


def test_all_faults_are_told_at_once() -> None:
    text = HEAD + PROFILE + f'issuerr = "x"\n[{AT}.settings]\nuser_lock_ttl = "1"\n'
    with pytest.raises(errors.ConfigurationFileInvalid) as caught:
        parse(text.encode(), AROUND)
    places = [line.partition(":")[0] for line in caught.value.message.splitlines()]
    assert places == [f"{AT}.settings.user_lock_ttl", f"{P}.issuerr", P]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b"a = " + b"[" * 100_000, id="nested too deeply"),
    ],
)
def test_what_is_no_text_of_a_file_is_refused(raw: bytes) -> None:
    with pytest.raises(errors.ConfigurationFileInvalid):
        parse(raw, AROUND)
