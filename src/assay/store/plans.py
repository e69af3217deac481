"""What each write does: the statements it stands for, in order.

A plan is data, so that one commit can carry the plans of many requests, and every database the same ones.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any, Literal, NamedTuple

from assay import store
from assay.model import Attempt, Member, Profile
from assay.store import rows
from assay.store.rows import Parameters, json_text
from assay.store.statements import STATEMENTS

Otherwise = Literal["stale", "stop", "go on"]


class Step(NamedTuple):
    """One statement. ``otherwise`` says what it means when the statement changes no row.

    ``stale``: the write fails as a whole. ``stop``: there was nothing to do, so the steps after it are left out.
    """

    sql: str
    parameters: Parameters
    otherwise: Otherwise = "go on"


Plan = list[Step]


def plan(write: store.Write) -> Plan:
    """All steps of a write, its attempt and its events last. Raises TypeError for a write that nobody planned."""
    steps = _steps(write)
    attempt: Attempt | None = getattr(write, "attempt", None)
    if attempt is not None:
        steps.append(_step("record_attempt", rows.ATTEMPT.parameters(attempt)))
    steps.extend(_step("record_event", rows.EVENT.parameters(event)) for event in write.events)
    return steps


def _step(name: str, parameters: Parameters, otherwise: Otherwise = "go on") -> Step:
    return Step(STATEMENTS[name], parameters, otherwise)


@singledispatch
def _steps(write: store.Write) -> Plan:
    raise TypeError(f"no plan for {type(write).__name__}")


# ---------------------------------------------------------------- tenancy


@_steps.register
def _create_project(write: store.CreateProject) -> Plan:
    return [
        _step("create_project", rows.PROJECT.parameters(write.project)),
        *(_step("create_environment", rows.ENVIRONMENT.parameters(one)) for one in write.environments),
        *(_step("create_secret", rows.SECRET.parameters(one)) for one in write.secrets),
        *(_step("create_public_token", rows.PUBLIC_TOKEN.parameters(one)) for one in write.public_tokens),
    ]


@_steps.register
def _create_secret(write: store.CreateSecret) -> Plan:
    return [_step("create_secret", rows.SECRET.parameters(write.secret))]


@_steps.register
def _revoke_secret(write: store.RevokeSecret) -> Plan:
    return [_step("revoke_secret", _fields(write, "environment_id", "secret_id", "revoked_at"), "stale")]


@_steps.register
def _create_signing_keys(write: store.CreateSigningKeys) -> Plan:
    return [_step("create_signing_key", rows.SIGNING_KEY.parameters(key)) for key in write.keys]


@_steps.register
def _rotate_signing_keys(write: store.RotateSigningKeys) -> Plan:
    # The active one goes first: there is at most one of each state at any moment.
    rotation = {
        "environment_id": write.environment_id,
        "kid": write.promoted_kid,
        "rotated_at": write.rotated_at,
    }
    return [
        _step("retire_active_signing_key", rotation),
        _step("promote_signing_key", rotation, "stale"),
        _step("create_signing_key", rows.SIGNING_KEY.parameters(write.new_next)),
    ]


@_steps.register
def _rewrap_signing_keys(write: store.RewrapSigningKeys) -> Plan:
    check = {"root_key_check": write.root_key_check, "kids": json_text(list(write.sealed))}
    return [
        *(
            _step("rewrap_signing_key", {"kid": kid, "sealed_private_key": sealed}, "stale")
            for kid, sealed in write.sealed.items()
        ),
        _step("replace_root_key_check", check, "stale"),
    ]


@_steps.register
def _set_root_key_check(write: store.SetRootKeyCheck) -> Plan:
    return [_step("set_root_key_check", {"root_key_check": write.root_key_check}, "stop")]


# ---------------------------------------------------------------- trust


@_steps.register
def _create_profile(write: store.CreateProfile) -> Plan:
    return [
        _step("create_profile", rows.PROFILE.parameters(write.profile)),
        _step("continue_deleted_profile", _fields(write.profile, "environment_id", "profile_id")),
        *_pem_files(write.profile),
    ]


@_steps.register
def _replace_profile(write: store.ReplaceProfile) -> Plan:
    return [
        _step("replace_profile", rows.PROFILE.parameters(write.profile), "stale"),
        _step("delete_pem_files", _fields(write.profile, "environment_id", "profile_id")),
        *_pem_files(write.profile),
    ]


@_steps.register
def _delete_profile(write: store.DeleteProfile) -> Plan:
    key = _fields(write, "environment_id", "profile_id")
    return [_step("remember_deleted_profile", key), _step("delete_profile", key, "stale")]


@_steps.register
def _lease_keys(write: store.LeaseKeys) -> Plan:
    return [_step("lease_keys", _fields(write, "environment_id", "profile_id", "source", "now", "until"), "stale")]


@_steps.register
def _keep_keys(write: store.KeepKeys) -> Plan:
    others = _fields(write.kept, "environment_id", "profile_id", "source")
    return [
        _step("keep_keys", rows.KEPT_KEYS.parameters(write.kept)),
        _step("forget_kept_keys", {**others, "forgotten_before": write.forgotten_before}),
    ]


def _pem_files(profile: Profile) -> Plan:
    key = _fields(profile, "environment_id", "profile_id")
    return [
        _step("create_pem_file", {**rows.PEM_FILE.parameters(file), **key, "position": position})
        for position, file in enumerate(profile.pem_files)
    ]


# ---------------------------------------------------------------- people


@_steps.register
def _create_organization(write: store.CreateOrganization) -> Plan:
    return [_step("create_organization", rows.ORGANIZATION.parameters(write.organization))]


@_steps.register
def _replace_organization(write: store.ReplaceOrganization) -> Plan:
    return [_step("replace_organization", rows.ORGANIZATION.parameters(write.organization), "stale")]


@_steps.register
def _delete_organization(write: store.DeleteOrganization) -> Plan:
    # Sessions first: whose they are is known only as long as the members are there.
    key = _fields(write, "environment_id", "organization_id")
    return [_step("delete_sessions_of_organization", key), _step("delete_organization", key, "stale")]


@_steps.register
def _create_member(write: store.CreateMember) -> Plan:
    member = write.member
    return [_step("create_member", rows.MEMBER.parameters(member), "stale"), *_claimed_addresses(member)]


@_steps.register
def _replace_member(write: store.ReplaceMember) -> Plan:
    member = write.member
    steps = [
        _step("replace_member", rows.MEMBER.parameters(member), "stale"),
        _step("release_member_emails", {"member_id": member.member_id}),
        *_claimed_addresses(member),
    ]
    if write.revoke_sessions_at is not None:
        sessions = {
            "environment_id": member.environment_id,
            "subject_kind": "member",
            "subject_id": member.member_id,
            "revoked_at": write.revoke_sessions_at,
        }
        steps.append(_step("revoke_sessions_of", sessions))
    return steps


def _claimed_addresses(member: Member) -> Plan:
    """Current and retired addresses are kept from everybody else; a deleted member keeps none (decisions D4)."""
    if member.status == "deleted":
        return []
    addresses = dict.fromkeys([member.email, *(retired.email_address for retired in member.retired_emails)])
    return [
        _step("claim_member_email", {**_fields(member, "organization_id", "member_id"), "email": address})
        for address in addresses
        if address is not None
    ]


@_steps.register
def _create_user(write: store.CreateUser) -> Plan:
    return [_step("create_user", rows.USER.parameters(write.user))]


@_steps.register
def _replace_user(write: store.ReplaceUser) -> Plan:
    return [_step("replace_user", rows.USER.parameters(write.user), "stale")]


@_steps.register
def _delete_user(write: store.DeleteUser) -> Plan:
    key = _fields(write, "environment_id", "user_id")
    return [_step("delete_user", key, "stale"), _step("delete_sessions_of_user", key)]


# ---------------------------------------------------------------- sessions


@_steps.register
def _start_session(write: store.StartSession) -> Plan:
    # The session's own environment is the one the guard is checked in: a guard of another tenant never holds.
    parameters = {**_guard(write.guard), **rows.SESSION.parameters(write.session)}
    return [_step("start_session", parameters, "stale")]


@_steps.register
def _update_session(write: store.UpdateSession) -> Plan:
    # What others may have decided upon (factors, claims) moves the revision; the time of the last access does not.
    decided = write.revision is not None or write.factors is not None or write.custom_claims is not None
    parameters = {
        **_guard(write.guard),
        **_fields(write, "number", "revision", "last_accessed_at", "expires_at"),
        "factors": None if write.factors is None else json_text(write.factors),
        "custom_claims": None if write.custom_claims is None else json_text(write.custom_claims),
        "revision_step": int(decided),
    }
    return [_step("update_session", parameters, "stale")]


@_steps.register
def _revoke_session(write: store.RevokeSession) -> Plan:
    return [_step("revoke_session", _fields(write, "environment_id", "number", "revoked_at"), "stop")]


@_steps.register
def _revoke_sessions_of(write: store.RevokeSessionsOf) -> Plan:
    names = ("environment_id", "subject_kind", "subject_id", "revoked_at")
    return [_step("revoke_sessions_of", _fields(write, *names))]


@_steps.register
def _record_attempt(_write: store.RecordAttempt) -> Plan:
    return []


_GUARD = ("environment_id", "secret_id", "profile_id", "profile_revision", "session_number", "now")


def _guard(guard: store.Guard) -> Parameters:
    return _fields(guard, *_GUARD)


def _fields(record: Any, *names: str) -> Parameters:  # noqa: ANN401 - any Struct; mypy knows the Structs, not the names
    return {name: getattr(record, name) for name in names}
