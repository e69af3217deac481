"""What the writes of operators do: statements for projects, environments, credentials, and ending many things."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from assay import store
from assay.model import JwtTemplate, RedirectUrl, SigningKey
from assay.store import rows
from assay.store.rows import Parameters, json_text
from assay.store.steps import Plan, fields, step, steps

# ---------------------------------------------------------------- projects and environments


@steps.register
def _create_project(write: store.CreateProject) -> Plan:
    return [
        step("create_project", rows.PROJECT.parameters(write.project)),
        *(step("create_environment", rows.ENVIRONMENT.parameters(one)) for one in write.environments),
        *(step("create_secret", rows.SECRET.parameters(one)) for one in write.secrets),
        *(step("create_public_token", rows.PUBLIC_TOKEN.parameters(one)) for one in write.public_tokens),
    ]


@steps.register
def _rename_project(write: store.RenameProject) -> Plan:
    return [step("rename_project", fields(write, "project_id", "name"), "stale")]


@steps.register
def _delete_project(write: store.DeleteProject) -> Plan:
    which: Parameters = {"environment_id": None, "project_id": write.project_id}
    return [*_everything_of(which), step("delete_environments", which), step("delete_project", which, "stale")]


@steps.register
def _create_environment(write: store.CreateEnvironment) -> Plan:
    return [
        step("create_environment", rows.ENVIRONMENT.parameters(write.environment)),
        *(step("create_secret", rows.SECRET.parameters(one)) for one in write.secrets),
        *(step("create_public_token", rows.PUBLIC_TOKEN.parameters(one)) for one in write.public_tokens),
    ]


@steps.register
def _configure_environment(write: store.ConfigureEnvironment) -> Plan:
    environment_id = write.environment.environment_id
    planned = [step("configure_environment", rows.ENVIRONMENT.parameters(write.environment), "stale")]
    if write.policy is not None:
        policy = {"environment_id": environment_id, "policy": json_text(write.policy)}
        planned.append(step("set_rbac_policy", policy))
    if write.jwt_templates is not None:
        planned.extend(_jwt_templates(environment_id, write.jwt_templates))
    if write.redirect_urls is not None:
        planned.extend(_redirect_urls(environment_id, write.redirect_urls))
    if write.signing_keys is not None:
        planned.extend(_signing_keys(environment_id, write.signing_keys))
    return planned


def _jwt_templates(environment_id: str, templates: tuple[JwtTemplate, ...]) -> Plan:
    key: Parameters = {"environment_id": environment_id}
    return [
        step("delete_jwt_templates", key),
        *(step("create_jwt_template", {**key, **rows.JWT_TEMPLATE.parameters(one)}) for one in templates),
    ]


def _redirect_urls(environment_id: str, urls: tuple[RedirectUrl, ...]) -> Plan:
    key: Parameters = {"environment_id": environment_id}
    return [
        step("delete_redirect_urls", key),
        *(
            step("create_redirect_url", {**key, **rows.REDIRECT_URL.parameters(one), "position": position})
            for position, one in enumerate(urls)
        ),
    ]


def _signing_keys(environment_id: str, keys: tuple[SigningKey, SigningKey]) -> Plan:
    rotation: Parameters = {"environment_id": environment_id, "rotated_at": keys[0].created_at}
    return [
        step("retire_signing_keys", rotation),
        *(step("create_signing_key", rows.SIGNING_KEY.parameters(one)) for one in keys),
    ]


@steps.register
def _delete_environment(write: store.DeleteEnvironment) -> Plan:
    which: Parameters = {"environment_id": write.environment_id, "project_id": None}
    return [*_everything_of(which), step("delete_environments", which, "stale")]


# What refers to something goes before it; members, PEM files and kept keys go with what they belong to.
_EVERYTHING = (
    "delete_all_sessions",
    "delete_all_attempts",
    "delete_all_organizations",
    "delete_all_users",
    "delete_all_profiles",
    "delete_all_deleted_profiles",
    "delete_all_signing_keys",
    "delete_all_secrets",
    "delete_all_public_tokens",
    "delete_all_rbac_policies",
    "delete_all_jwt_templates",
    "delete_all_redirect_urls",
)


def _everything_of(which: Parameters) -> Plan:
    return [step(name, which) for name in _EVERYTHING]


# ---------------------------------------------------------------- credentials


@steps.register
def _create_secret(write: store.CreateSecret) -> Plan:
    return [step("create_secret", rows.SECRET.parameters(write.secret))]


@steps.register
def _touch_secret(write: store.TouchSecret) -> Plan:
    return [step("touch_secret", fields(write, "environment_id", "secret_id", "used_at"), "stop")]


@steps.register
def _revoke_secret(write: store.RevokeSecret) -> Plan:
    return [step("revoke_secret", fields(write, "environment_id", "secret_id", "revoked_at"), "stale")]


@steps.register
def _create_workspace_key(write: store.CreateWorkspaceKey) -> Plan:
    return [step("create_workspace_key", rows.WORKSPACE_KEY.parameters(write.key))]


@steps.register
def _touch_workspace_key(write: store.TouchWorkspaceKey) -> Plan:
    return [step("touch_workspace_key", fields(write, "workspace_key_id", "used_at"), "stop")]


@steps.register
def _revoke_workspace_key(write: store.RevokeWorkspaceKey) -> Plan:
    return [step("revoke_workspace_key", fields(write, "workspace_key_id", "revoked_at"), "stale")]


@steps.register
def _create_public_token(write: store.CreatePublicToken) -> Plan:
    return [step("create_public_token", rows.PUBLIC_TOKEN.parameters(write.public_token))]


@steps.register
def _delete_public_token(write: store.DeletePublicToken) -> Plan:
    return [step("delete_public_token", fields(write, "environment_id", "public_token"), "stale")]


# ---------------------------------------------------------------- keys of our own


@steps.register
def _create_signing_keys(write: store.CreateSigningKeys) -> Plan:
    return [step("create_signing_key", rows.SIGNING_KEY.parameters(key)) for key in write.keys]


@steps.register
def _rotate_signing_keys(write: store.RotateSigningKeys) -> Plan:
    # The active one goes first: there is at most one of each state at any moment.
    rotation = {
        "environment_id": write.environment_id,
        "kid": write.promoted_kid,
        "rotated_at": write.rotated_at,
    }
    return [
        step("retire_active_signing_key", rotation),
        step("promote_signing_key", rotation, "stale"),
        step("create_signing_key", rows.SIGNING_KEY.parameters(write.new_next)),
    ]


@steps.register
def _rewrap_signing_keys(write: store.RewrapSigningKeys) -> Plan:
    check = {"root_key_check": write.root_key_check, "kids": json_text(list(write.sealed))}
    return [
        *(
            step("rewrap_signing_key", {"kid": kid, "sealed_private_key": sealed}, "stale")
            for kid, sealed in write.sealed.items()
        ),
        step("replace_root_key_check", check, "stale"),
    ]


@steps.register
def _set_root_key_check(write: store.SetRootKeyCheck) -> Plan:
    return [step("set_root_key_check", {"root_key_check": write.root_key_check}, "stop")]


# ---------------------------------------------------------------- what ends many things at once


@steps.register
def _revoke_sessions_where(write: store.RevokeSessionsWhere) -> Plan:
    name = "revoke_sessions_of_environment" if write.organization_id is None else "revoke_sessions_of_organization"
    return [step(name, fields(write, "environment_id", "organization_id", "profile_id", "revoked_at"))]


class SearchedErasure(store.ErasePerson, frozen=True, kw_only=True):
    """An erasure with what was found before it: subjects, numbers of attempts and events, each as a JSON list.

    Looking through all of them takes seconds in a large environment, and whoever writes keeps everybody else from
    writing. So that is done before, and the write itself looks only at what came later.
    """

    subjects: str
    attempts: str
    attempts_seen: int
    events_found: str
    events_seen: int


async def searched(write: store.ErasePerson, read: Callable[..., Awaitable[list[Any]]]) -> SearchedErasure:
    """The erasure with all that is found now; ``read`` runs a statement by its name, beside everything else."""
    telling = {**traces_of(write), "tombstones": 0}
    ((telling["subjects"],),) = await read("find_erased_subjects", **telling)
    ((attempts_seen, attempts),) = await read("find_erased_attempts", **telling)
    ((events_seen, events),) = await read("find_erased_events", **telling)
    return SearchedErasure(
        **{name: getattr(write, name) for name in write.__struct_fields__},
        subjects=telling["subjects"],
        attempts=attempts,
        attempts_seen=attempts_seen,
        events_found=events,
        events_seen=events_seen,
    )


@steps.register
def _erase_person(write: store.ErasePerson) -> Plan:
    everything = {"subjects": "[]", "attempts": "[]", "attempts_seen": 0, "events": "[]", "events_seen": 0}
    return _erasure(write, everything)


@steps.register
def _searched_erasure(write: SearchedErasure) -> Plan:
    # Numbers of deleted rows can come back as those of new ones, so the latest are looked at again.
    found = {
        "subjects": write.subjects,
        "attempts": write.attempts,
        "attempts_seen": write.attempts_seen - _LOOKED_AT_AGAIN,
        "events": write.events_found,
        "events_seen": write.events_seen - _LOOKED_AT_AGAIN,
    }
    return _erasure(write, found)


_LOOKED_AT_AGAIN = 1_000


def _erasure(write: store.ErasePerson, found: Parameters) -> Plan:
    # Sessions last: their ids are what some attempts and events are found by.
    telling = {**traces_of(write), **found, "tombstones": len(write.events)}
    return [
        step("erase_member" if write.subject_kind == "member" else "erase_user", telling, "stale"),
        step("erase_attempts", telling),
        step("erase_events", telling),
        step("erase_sessions", telling),
    ]


def traces_of(write: store.ErasePerson) -> Parameters:
    """What the person's attempts, events and sessions are found by."""
    key = fields(write, "environment_id", "subject_kind", "subject_id")
    return {**key, "traces": json_text((write.subject_id, *write.traces))}


@steps.register
def _record_events(_write: store.RecordEvents) -> Plan:
    return []
