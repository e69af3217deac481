"""JWT templates: what they may say, and which claims they make of a session (contract §3.6)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import errors
from assay.model import JwtTemplateType, SessionView, UserName, Vertical
from assay.rules import templates
from assay.rules.permissions import DEFAULT_POLICY
from assay.rules.templates import Values
from tests import records

ACME = records.organization(
    "project-test-1", slug="acme", name="Acme", external_id="acme-1", trusted_metadata={"plan": {"tier": "gold"}}
)
ADA = records.member(
    ACME,
    email="ada@acme.example",
    email_verified=True,
    name='Ada "the" \\ first',
    trusted_metadata={"level": 7, "flag": False, "tags": ["a", "b"], "nothing": None, "deep": {"x": {"y": "z"}}},
    untrusted_metadata={"theme": "dark"},
)
EVE = records.user("project-test-1", email=None, name=UserName(first_name="Eve"), trusted_metadata={"role": "buyer"})


def values(*, roles: tuple[str, ...] = ("stytch_member",), **view: Any) -> Values:
    view = view or {"member": ADA, "organization": ACME}
    person = view.get("member") or view["user"]
    policy = DEFAULT_POLICY["b2b" if "member" in view else "consumer"]
    return Values(view=SessionView(session=records.session(person), **view), roles=roles, policy=policy)


def made(content: str, **changes: Any) -> dict[str, Any]:
    given = values(**changes)
    vertical: Vertical = "b2b" if given.view.member else "consumer"
    return templates.render(templates.compiled(vertical, "SESSION", content), given)


@pytest.mark.parametrize(
    ("content", "claims"),
    [
        ('{"a": {{ member.trusted_metadata.level }}}', {"a": 7}),
        ('{"a":{{member.trusted_metadata.level}}}', {"a": 7}),
        ('{"a": {{ member.trusted_metadata.flag }}}', {"a": False}),
        (
            '{"a": {{ member.email_address_verified }}, "b": "{{ member.email_address_verified }}"}',
            {"a": True, "b": "true"},
        ),
        ('{"a": {{ member.trusted_metadata.tags }}}', {"a": ["a", "b"]}),
        ('{"a": {{ member.trusted_metadata.deep }}}', {"a": {"x": {"y": "z"}}}),
        ('{"a": {{ member.trusted_metadata.deep.x.y }}}', {"a": "z"}),
        ('{"a": {{ member.name }}}', {"a": 'Ada "the" \\ first'}),
        ('{"a": {"b": [{{ member.member_id }}, 1, null]}}', {"a": {"b": [ADA.member_id, 1, None]}}),
        ('{"a": {{ member.untrusted_metadata.theme }}, "b": "c"}', {"a": "dark", "b": "c"}),
        ('{"a": {{ organization.trusted_metadata.plan.tier }}}', {"a": "gold"}),
        (
            '{"a": {{ organization.organization_id }}, "b": {{ organization.organization_slug }}}',
            {"a": ACME.organization_id, "b": "acme"},
        ),
        (
            '{"a": {{ organization.organization_name }}, "b": {{ organization.organization_external_id }}}',
            {"a": "Acme", "b": "acme-1"},
        ),
        ('{"a": {{ member.rbac.roles }}}', {"a": ["stytch_member"]}),
        ('{"a": {{ member.rbac.stytch.sso.actions }}}', {"a": []}),
        (
            '{"https://hasura.io/jwt": {"x-hasura-id": "{{ member.member_id }}"}}',
            {"https://hasura.io/jwt": {"x-hasura-id": ADA.member_id}},
        ),
        (
            '{"a": "{{ member.email_address }} of {{organization.organization_slug}}"}',
            {"a": "ada@acme.example of acme"},
        ),
        ('{"a": "{{ member.name }}"}', {"a": 'Ada "the" \\ first'}),
        ('{"a": "level {{ member.trusted_metadata.level }}"}', {"a": "level 7"}),
        ('{"a": "{{ member.trusted_metadata.tags }}"}', {"a": '["a","b"]'}),
        ('{"a": "}} and } stay, \\" too"}', {"a": '}} and } stay, " too'}),
        ('{"a": "say \\"{{ member.member_id }}\\""}', {"a": f'say "{ADA.member_id}"'}),
        ("{}", {}),
        ("", {}),
        (" \n ", {}),
        ('{"custom": "plain", "n": 1.5, "t": true}', {"custom": "plain", "n": 1.5, "t": True}),
    ],
)
def test_a_template_makes_claims_of_the_session(content: str, claims: dict[str, Any]) -> None:
    assert made(content) == claims


@pytest.mark.parametrize(
    "variable",
    [
        "member.trusted_metadata.absent",
        "member.trusted_metadata.nothing",
        "member.trusted_metadata.level.deeper",
        "member.trusted_metadata.tags.0",
        "member.external_id",
        "member.rbac.no.such.resource.actions",
        "organization.trusted_metadata.absent.deeper",
    ],
)
def test_a_value_that_is_null_or_not_there_leaves_its_claim_out_and_is_empty_in_a_string(variable: str) -> None:
    content = '{"a": {{ V }}, "b": {"c": {{ V }}, "d": 1}, "e": [{{ V }}, 2], "f": "<{{ V }}>"}'
    assert made(content.replace("V", variable)) == {"b": {"d": 1}, "e": [2], "f": "<>"}


def test_the_variables_of_consumers() -> None:
    content = '{"a": {{ user.user_id }}, "b": "{{ user.name.first_name }} {{ user.name.last_name }}", "c": {{ user.trusted_metadata.role }}, "d": {{ user.email }}, "v": {{ user.email_verified }}, "e": {{ user.rbac.stytch.self.actions }}}'  # noqa: E501 - one template
    actions = list(DEFAULT_POLICY["consumer"].resources[0].actions)
    claims = made(content, user=EVE, roles=("stytch_user",))
    assert claims == {"a": EVE.user_id, "b": "Eve ", "c": "buyer", "v": False, "e": actions}


@pytest.mark.parametrize("vertical", ["b2b", "consumer"])
def test_every_variable_that_is_listed_can_be_used(vertical: Vertical) -> None:
    for variable in templates.SESSION_VARIABLES[vertical]:
        named = variable.replace("KEY", "some.key").replace("RESOURCE_ID", "stytch.self")
        content = f'{{"a": {{{{ {named} }}}}}}'
        template = templates.compiled(vertical, "SESSION", content)
        view = {"user": EVE} if vertical == "consumer" else {"member": ADA, "organization": ACME}
        assert templates.render(template, values(**view)).keys() <= {"a"}


@pytest.mark.parametrize(
    "content",
    [
        '{"a": {{ member.password }}}',
        '{"a": {{ user.user_id }}}',
        '{"a": {{ member }}}',
        '{"a": {{ member.trusted_metadata. }}}',
        '{"a": {{ member..trusted_metadata }}}',
        '{"a": {{ member.member_id.x }}}',
        '{"a": {{ member.rbac.actions }}}',
        '{"a": {{ client.x }}}',
        '{"a": "{{ nobody }}"}',
    ],
)
def test_an_unknown_variable_is_refused_with_a_list_of_those_there_are(content: str) -> None:
    with pytest.raises(
        errors.InvalidJwtTemplate, match=r"no variable .* There are member\.member_id, .*roles"
    ) as caught:
        templates.compiled("b2b", "SESSION", content)
    assert "organization.trusted_metadata.KEY" in caught.value.message


@pytest.mark.parametrize(
    "content",
    [
        "null",
        "[]",
        '"text"',
        "{{ member.member_id }}",
        '{"a": }',
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '{"{{ member.member_id }}": 1}',
        '{"x {{ member.member_id }}": 1}',
        "{ {{ member.member_id }}: 1}",
        '{"a": {"{{": "member.member_id"}}',
        '{"a": {"\\u007b{": "member.member_id"}}',
        '{"a": "{{ member.member_id"}',
        '{"a": "{{ member member_id }}"}',
        '{"a": "{{}}"}',
        '{"a": {{}}}',
        '{"a": {{ "member.member_id" }}}',
        '{"a": {{ member.member_id }',
        '{"a": "unclosed {{ member.member_id }}',
        '{"a": {{ member.member_id }} {{ member.member_id }}}',
        '{"a": "b{{ member.member_id }}"{{ member.member_id }}}',
        '{"a": ' + "[" * 40 + "]" * 40 + "}",
        '{"a": "' + "x" * 4096 + '"}',
    ],
    ids=lambda content: content[:40],
)
def test_what_is_not_a_json_object_with_variables_as_values_is_refused(content: str) -> None:
    with pytest.raises(errors.InvalidJwtTemplate):
        templates.compiled("b2b", "SESSION", content)


@pytest.mark.parametrize("template_type", ["SESSION", "M2M"])
@pytest.mark.parametrize(
    ("name", "refusal"),
    [(name, errors.ReservedClaims) for name in ("iss", "sub", "aud", "exp", "nbf", "iat", "jti")]
    + [("https://stytch.com/session", errors.StytchClaims), ("https://stytch.com/x", errors.StytchClaims)],
)
def test_a_template_cannot_make_claims_that_are_the_jwts_own(
    template_type: JwtTemplateType, name: str, refusal: type[errors.Error]
) -> None:
    for value in ('"x"', "{{ member.member_id }}" if template_type == "SESSION" else "{{ client.id }}"):
        with pytest.raises(refusal):
            templates.compiled("b2b", template_type, f'{{"{name}": {value}}}')
    spelled_otherwise = "".join(f"\\u{ord(letter):04x}" for letter in name)
    with pytest.raises(refusal):
        templates.compiled("b2b", template_type, f'{{"{spelled_otherwise}": 1}}')


def test_below_the_top_every_name_is_free() -> None:
    assert made('{"a": {"iss": 1, "https://stytch.com/session": {{ member.member_id }}}}') == {
        "a": {"iss": 1, "https://stytch.com/session": ADA.member_id}
    }


def test_a_template_of_machines_has_variables_of_its_own() -> None:
    for vertical in ("b2b", "consumer"):
        templates.compiled(vertical, "M2M", '{"t": {{ client.trusted_metadata.tier }}, "u": {{ request.user_id }}}')
    with pytest.raises(errors.InvalidJwtTemplate, match=r"client\.KEY"):
        templates.compiled("b2b", "M2M", '{"t": {{ member.member_id }}}')


def test_claims_that_are_too_large_are_refused_with_their_size() -> None:
    content = '{"a": {{ member.trusted_metadata }}, "b": {{ organization.trusted_metadata }}}'
    ada, acme = (
        msgspec.structs.replace(record, trusted_metadata={"x": "y" * length})
        for record, length in ((ADA, 2000), (ACME, 2069))
    )
    assert len(json.dumps(made(content, member=ada, organization=acme), separators=(",", ":"))) == 4096
    acme = msgspec.structs.replace(acme, trusted_metadata={"x": "y" * 2070})
    with pytest.raises(errors.CustomClaimsTooLarge, match=r"template.* 4097 bytes"):
        made(content, member=ada, organization=acme)


TEXT = st.text(max_size=30).map(lambda text: text.replace("{{", "{"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXT.map("c".__add__), JSON, max_size=3))
def test_json_without_variables_comes_out_as_it_went_in(claims: dict[str, Any]) -> None:
    written = json.dumps(claims)
    if "\\u0000" in written or "\\ud" in written or len(written.encode()) > templates.MAX_TEMPLATE_BYTES:
        return  # the reader of JSON refuses these, and has tests of its own
    assert made(written) == claims


@given(JSON, TEXT)
def test_whatever_stands_in_metadata_stays_a_value(value: Any, text: str) -> None:
    """Metadata never becomes a name of a claim, more claims, or another variable."""
    ada = msgspec.structs.replace(ADA, trusted_metadata={"v": value, "t": text + '", "exp": 0, "{{ member.name }}'})
    claims = made(
        '{"a": {{ member.trusted_metadata.v }}, "b": "{{ member.trusted_metadata.t }}"}', member=ada, organization=ACME
    )
    assert claims.get("a") == value
    assert claims["b"] == ada.trusted_metadata["t"]
    assert set(claims) <= {"a", "b"}
