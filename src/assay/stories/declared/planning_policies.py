"""Steps for the RBAC policy of an environment: its roles, resources and scopes are entries, and one write sets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from assay.model import Vertical
from assay.rules import policies
from assay.rules.permissions import DEFAULT_POLICY, Permission, Policy, Resource, Role, Scope
from assay.rules.policies import PolicyParts
from assay.stories.declared import showing
from assay.stories.declared.steps import Action, Change, FieldChange, SetPolicy, Step
from assay.stories.declared.wanted import WantedEnvironment

DEFAULT_ROLES = ("stytch_member", "stytch_admin", "stytch_user")

_HELD = "Whoever holds it keeps the name and loses what it permits."

_KINDS = ("resource", "role", "scope")

_Entry = Role | Resource | Scope
_Kind = Literal["role", "resource", "scope"]
_Entries = dict[tuple[_Kind, str], _Entry]


def steps(
    wanted: WantedEnvironment, vertical: Vertical, kept: Policy | None, names: Mapping[str, str], *, prune: bool
) -> Iterator[Step]:
    """The one step that sets the policy, if anything in it changes."""
    usual = _entries(policies.parts_of(vertical, None))
    before = _entries(policies.parts_of(vertical, kept))
    after = (usual if prune else before) | _named(wanted)
    changes = tuple(_changes(vertical, before, after, tuple(names.values())))
    if changes:
        yield SetPolicy(changes=changes, **names, before=kept, parts=_parts(after, usual))


def entry_fields(entry: _Entry) -> dict[str, Any]:
    """What is said of a role, resource or scope beside its name, as a file says it."""
    if isinstance(entry, Resource):
        return {"description": entry.description, "actions": list(entry.actions)}
    return {"description": entry.description, "permissions": showing.permissions(entry.permissions)}


def default_roles_said(vertical: Vertical, kept: Policy | None) -> dict[str, tuple[Permission, ...]]:
    """The default roles that permit something else than usual."""
    usual = {role.role_id: role.permissions for role in DEFAULT_POLICY[vertical].roles}
    found = policies.parts_of(vertical, kept).default_roles()
    return {role_id: permissions for role_id, permissions in found.items() if permissions != usual.get(role_id)}


def _entries(parts: PolicyParts) -> _Entries:
    found: _Entries = {("resource", each.resource_id): each for each in parts.custom_resources}
    for role_id, permissions in parts.default_roles().items():
        found["role", role_id] = Role(role_id, "", permissions)
    found |= {("role", each.role_id): each for each in parts.custom_roles}
    return found | {("scope", each.scope): each for each in parts.custom_scopes}


def _named(wanted: WantedEnvironment) -> _Entries:
    found: _Entries = {("resource", each.resource_id): each for each in wanted.resources}
    found |= {("role", each.role_id): each for each in wanted.roles}
    return found | {("scope", each.scope): each for each in wanted.scopes}


def _parts(entries: _Entries, usual: _Entries) -> PolicyParts:
    roles = [each for name, each in entries.items() if isinstance(each, Role) and each != usual.get(name)]
    return PolicyParts(
        **{each.role_id: each.permissions for each in roles if each.role_id in DEFAULT_ROLES},
        custom_roles=tuple(each for each in roles if each.role_id not in DEFAULT_ROLES),
        custom_resources=tuple(each for each in entries.values() if isinstance(each, Resource)),
        custom_scopes=tuple(each for each in entries.values() if isinstance(each, Scope)),
    )


def _changes(vertical: Vertical, before: _Entries, after: _Entries, place: tuple[str, ...]) -> Iterator[Change]:
    for name in sorted(before | after, key=lambda name: _KINDS.index(name[0])):
        old, new = _fields(vertical, before.get(name)), _fields(vertical, after.get(name))
        fields = tuple(
            FieldChange(field, showing.short(old.get(field)), showing.short(new.get(field)))
            for field in old | new
            if old.get(field) != new.get(field)
        )
        if fields or (name in before) != (name in after):
            kind, word = name
            action = _action(name, before, after)
            yield Change(action=action, kind=kind, place=(*place, word), fields=fields, notes=_notes(name, after))


def _fields(vertical: Vertical, entry: _Entry | None) -> dict[str, Any]:
    if entry is None:
        return {}
    fields = entry_fields(_effective(vertical, entry) if isinstance(entry, Role) else entry)
    return {name: value for name, value in fields.items() if value}


def _effective(vertical: Vertical, role: Role) -> Role:
    """A default role with all that it permits: on default resources it may permit more than was written."""
    if role.role_id not in DEFAULT_POLICY[vertical].role_ids():
        return role
    whole = policies.effective(vertical, Policy((role,)))
    permissions = next(each.permissions for each in whole.roles if each.role_id == role.role_id)
    return Role(role.role_id, "", permissions)


def _action(name: tuple[_Kind, str], before: _Entries, after: _Entries) -> Action:
    if name not in after:
        return "delete"
    return "change" if name in before else "create"


def _notes(name: tuple[_Kind, str], after: _Entries) -> tuple[str, ...]:
    return () if name in after or name[0] != "role" else (_HELD,)
