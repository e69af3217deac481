"""RBAC policies as operators write them: what is refused, what is kept, and what is in force."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import errors
from assay.model import Vertical
from assay.rules import policies
from assay.rules.permissions import DEFAULT_POLICY, Permission, Policy, Resource, Role, Scope, granting_roles
from assay.rules.policies import PolicyParts

READ = Permission("documents", ("read",))
DOCUMENTS = Resource("documents", "Papers", ("read", "write"))
READER = Role("reader", "May read", (READ,))
PARTS = PolicyParts(
    stytch_member=(READ,),
    custom_roles=(READER, Role("editor", "", (Permission("documents", ("*",)),))),
    custom_resources=(DOCUMENTS,),
    custom_scopes=(Scope("documents:read", "", (READ,)),),
)


def with_role(**changes: Any) -> PolicyParts:
    return msgspec.structs.replace(PARTS, custom_roles=(msgspec.structs.replace(READER, **changes),))


def with_resource(*more: Resource, **changes: Any) -> PolicyParts:
    changed = msgspec.structs.replace(DOCUMENTS, **{"resource_id": "invoices"} | changes)
    return msgspec.structs.replace(PARTS, custom_resources=(DOCUMENTS, changed, *more))


def with_scope(**changes: Any) -> PolicyParts:
    return msgspec.structs.replace(PARTS, custom_scopes=(msgspec.structs.replace(PARTS.custom_scopes[0], **changes),))


def permitting(*actions: str, resource_id: str = "documents") -> PolicyParts:
    return with_role(permissions=(Permission(resource_id, actions),))


FAULTS = {
    "role without an id": (with_role(role_id=""), errors.EmptyRbacRoleId),
    "role id too long": (with_role(role_id="r" * 129), errors.RbacRoleIdTooLong),
    "a default role among the custom ones": (with_role(role_id="stytch_admin"), errors.InvalidRbacStytchRoleEdit),
    "role id kept for later": (with_role(role_id="stytch_owner"), errors.InvalidRbacStytchRoleEdit),
    "role without permissions": (with_role(permissions=()), errors.RbacRoleMissingPermissions),
    "two roles with one id": (
        msgspec.structs.replace(PARTS, custom_roles=(READER, READER)),
        errors.RbacRoleDuplicate,
    ),
    "role with a long description": (with_role(description="d" * 2049), errors.RbacDescriptionTooLong),
    "control characters in a role id": (with_role(role_id="a\nb"), errors.BadRequest),
    "control characters in a description": (with_role(description="a\x00b"), errors.BadRequest),
    "resource without an id": (with_resource(resource_id=""), errors.EmptyRbacResourceId),
    "resource id too long": (with_resource(resource_id="r" * 129), errors.RbacResourceIdTooLong),
    "default resource": (with_resource(resource_id="stytch.member"), errors.InvalidStytchPrefixedResource),
    "resource of the reserved name": (with_resource(resource_id="stytchy"), errors.InvalidStytchPrefixedResource),
    "resource without actions": (with_resource(actions=()), errors.RbacResourceMissingActions),
    "resource with an empty action": (with_resource(actions=("",)), errors.RbacResourceMissingActions),
    "resource with a wildcard": (with_resource(actions=("read", "*")), errors.InvalidWildcardAction),
    "resource with an action twice": (with_resource(actions=("read", "read")), errors.RbacActionDuplicate),
    "action too long": (with_resource(actions=("a" * 129,)), errors.RbacActionTooLong),
    "two resources with one id": (with_resource(DOCUMENTS), errors.RbacResourceDuplicate),
    "resource with a long description": (with_resource(description="d" * 2049), errors.RbacDescriptionTooLong),
    "scope without a name": (with_scope(scope=""), errors.EmptyRbacScope),
    "scope too long": (with_scope(scope="s" * 129), errors.RbacScopeTooLong),
    "scope of OpenID Connect": (with_scope(scope="openid"), errors.RbacReservedScope),
    "scope with a blank": (with_scope(scope="a b"), errors.BadRequest),
    "scope without permissions": (with_scope(permissions=()), errors.RbacScopeMissingPermissions),
    "scope on an unknown resource": (
        with_scope(permissions=(Permission("x", ("*",)),)),
        errors.InvalidPermissionResource,
    ),
    "two scopes with one name": (
        msgspec.structs.replace(PARTS, custom_scopes=PARTS.custom_scopes * 2),
        errors.RbacScopeDuplicate,
    ),
    "permission on an unknown resource": (permitting("read", resource_id="papers"), errors.InvalidPermissionResource),
    "permission without a resource": (permitting("read", resource_id=""), errors.InvalidPermissionResource),
    "permission without actions": (permitting(), errors.RbacPermissionMissingActions),
    "permission with an unknown action": (permitting("burn"), errors.InvalidPermissionAction),
    "permission with an action twice": (permitting("read", "read"), errors.RbacActionDuplicate),
    "wildcard beside others": (permitting("*", "read"), errors.WildcardWithOtherActions),
    "default role on an unknown resource": (
        msgspec.structs.replace(PARTS, stytch_admin=(Permission("papers", ("*",)),)),
        errors.InvalidPermissionResource,
    ),
    "role of the other vertical": (msgspec.structs.replace(PARTS, stytch_user=()), errors.InvalidRoleForVertical),
    "too large in all": (
        msgspec.structs.replace(PARTS, custom_roles=tuple(Role(f"r{n}", "d" * 2048, (READ,)) for n in range(130))),
        errors.BadRequest,
    ),
}


@pytest.mark.parametrize(("parts", "refusal"), FAULTS.values(), ids=FAULTS)
def test_a_policy_with_a_fault_is_refused_by_its_name(parts: PolicyParts, refusal: type[errors.Error]) -> None:
    with pytest.raises(refusal) as caught:
        policies.stored("b2b", parts)
    assert type(caught.value) is refusal


def test_every_kind_of_fault_has_a_case() -> None:
    tested = {refusal for _, refusal in FAULTS.values()}
    assert set(errors.InvalidPolicy.__subclasses__()) <= tested


@pytest.mark.parametrize("role", ["stytch_member", "stytch_admin"])
def test_consumer_projects_have_no_b2b_roles(role: str) -> None:
    parts: dict[str, Any] = {role: ()}
    with pytest.raises(errors.InvalidRoleForVertical):
        policies.stored("consumer", PolicyParts(**parts))


def test_a_refusal_says_what_there_is() -> None:
    with pytest.raises(errors.InvalidPermissionAction, match=r"'reader', on 'documents'.*'burn'.*read, write"):
        policies.stored("b2b", permitting("burn"))
    with pytest.raises(errors.InvalidPermissionResource, match=r"'papers'.*stytch\.self, documents"):
        policies.stored("b2b", permitting("read", resource_id="papers"))


def test_operators_read_what_they_wrote_and_the_usual_permissions_of_other_default_roles() -> None:
    read = policies.parts_of("b2b", policies.stored("b2b", PARTS))
    admin = DEFAULT_POLICY["b2b"].roles[1]
    assert read == msgspec.structs.replace(PARTS, stytch_admin=admin.permissions)


@pytest.mark.parametrize("vertical", get_args(Vertical))
def test_without_a_policy_the_default_one_is_in_force(vertical: Vertical) -> None:
    for kept in (
        None,
        policies.stored(vertical, PolicyParts()),
        policies.stored(vertical, policies.parts_of(vertical, None)),
    ):
        assert policies.effective(vertical, kept) == DEFAULT_POLICY[vertical]
        assert policies.parts_of(vertical, kept) == policies.parts_of(vertical, None)


def test_the_defaults_stand_before_what_the_operator_added() -> None:
    policy = policies.effective("b2b", policies.stored("b2b", PARTS))
    assert [role.role_id for role in policy.roles] == ["stytch_member", "stytch_admin", "reader", "editor"]
    assert policy.resources == (*DEFAULT_POLICY["b2b"].resources, DOCUMENTS)
    assert policy.scopes == PARTS.custom_scopes


@pytest.mark.parametrize(
    ("permissions", "itself", "read"),
    [
        ((), True, False),
        ((READ,), True, True),
        ((Permission("stytch.self", ("delete",)),), False, False),
        ((READ, Permission("stytch.self", ("*",))), True, True),
    ],
    ids=["nothing written", "silent about a default resource", "a default resource narrowed", "both written"],
)
def test_a_default_role_permits_on_a_default_resource_what_was_written_about_it_else_the_usual(
    permissions: tuple[Permission, ...], *, itself: bool, read: bool
) -> None:
    kept = policies.stored("b2b", msgspec.structs.replace(PARTS, stytch_member=permissions))
    policy = policies.effective("b2b", kept)
    assert bool(granting_roles(policy, ["stytch_member"], "stytch.self", "update.info.name")) is itself
    assert bool(granting_roles(policy, ["stytch_member"], "stytch.self", "delete"))
    assert bool(granting_roles(policy, ["stytch_member"], "documents", "read")) is read


NAMES = st.text("abc.:-é", min_size=1, max_size=6)
ACTIONS = st.lists(NAMES, min_size=1, max_size=4, unique=True).map(tuple)


@st.composite
def parts_of_a_vertical(draw: st.DrawFn) -> tuple[Vertical, PolicyParts]:
    """Policies that have no fault."""
    vertical = draw(st.sampled_from(get_args(Vertical)))
    ids = draw(st.lists(NAMES.map("r:".__add__), max_size=3, unique=True))
    custom = tuple(Resource(resource_id, draw(NAMES), draw(ACTIONS)) for resource_id in ids)
    available = (*DEFAULT_POLICY[vertical].resources, *custom)

    def permissions(least: int) -> tuple[Permission, ...]:
        wanted = draw(st.lists(st.sampled_from(available), min_size=least, max_size=3))
        actions = (
            st.just(("*",)) | st.lists(st.sampled_from(each.actions), min_size=1, unique=True) for each in wanted
        )
        return tuple(
            Permission(each.resource_id, tuple(draw(some))) for each, some in zip(wanted, actions, strict=True)
        )

    roles = draw(st.lists(NAMES, max_size=3, unique=True))
    scopes = draw(st.lists(NAMES, max_size=2, unique=True))
    defaults = draw(st.sets(st.sampled_from(sorted(DEFAULT_POLICY[vertical].role_ids()))))
    return vertical, PolicyParts(
        **{role_id: permissions(0) for role_id in sorted(defaults)},
        custom_roles=tuple(Role(role_id, "", permissions(1)) for role_id in roles),
        custom_resources=custom,
        custom_scopes=tuple(Scope(scope, "", permissions(1)) for scope in scopes),
    )


@given(parts_of_a_vertical())
def test_what_is_read_can_be_set_again_and_changes_nothing(drawn: tuple[Vertical, PolicyParts]) -> None:
    vertical, parts = drawn
    kept = policies.stored(vertical, parts)
    read = policies.parts_of(vertical, kept)
    assert {**read.default_roles(), **parts.default_roles()} == read.default_roles()
    again = policies.stored(vertical, read)
    assert policies.parts_of(vertical, again) == read
    assert policies.effective(vertical, again) == policies.effective(vertical, kept)
    assert msgspec.json.decode(msgspec.json.encode(kept), type=Policy) == kept


@given(parts_of_a_vertical())
def test_every_permission_of_a_policy_in_force_is_on_something_it_has(drawn: tuple[Vertical, PolicyParts]) -> None:
    vertical, parts = drawn
    policy = policies.effective(vertical, policies.stored(vertical, parts))
    actions = {resource.resource_id: {"*", *resource.actions} for resource in policy.resources}
    granted: list[Role | Scope] = [*policy.roles, *policy.scopes]
    for permission in (permission for each in granted for permission in each.permissions):
        assert set(permission.actions) <= actions[permission.resource_id]
    assert DEFAULT_POLICY[vertical].role_ids() <= policy.role_ids()
