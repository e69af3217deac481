"""What each write does: the statements it stands for, in order."""

from __future__ import annotations

from assay import store
from assay.model import Attempt, Member, Profile, ReplayMark
from assay.store import (
    dashboard_plans,  # noqa: F401 - once it is imported, ``steps`` knows its plans
    operator_plans,  # noqa: F401 - as above
    rows,
)
from assay.store.rows import Parameters, json_text
from assay.store.steps import Plan, Step, fields, step, steps


def plan(write: store.Write) -> Plan:
    """All steps of a write, its attempt and its events last. Raises TypeError for a write that nobody planned."""
    planned = steps(write)
    if isinstance(write, store.ErasePerson):
        # First: were the newest events gone before, the tombstone would get the number of one of them again, and
        # whoever follows the events by number would never see it.
        return [*(step("record_event", rows.EVENT.parameters(event)) for event in write.events), *planned]
    attempt: Attempt | None = getattr(write, "attempt", None)
    if attempt is not None:
        planned.append(_recorded(attempt, write.guard if isinstance(write, store.RecordAttempt) else None))
    planned.extend(step("record_event", rows.EVENT.parameters(event)) for event in write.events)
    return planned


def _recorded(attempt: Attempt, guard: store.Guard | None) -> Step:
    """The record of an attempt. That of a session write needs no guard: the session before it had one."""
    if guard is None:
        return step("record_attempt", rows.ATTEMPT.parameters(attempt))
    return step("record_guarded_attempt", {**_guard(guard), **rows.ATTEMPT.parameters(attempt)}, "stale")


# ---------------------------------------------------------------- trust


@steps.register
def _create_profile(write: store.CreateProfile) -> Plan:
    return [
        step("create_profile", rows.PROFILE.parameters(write.profile)),
        step("continue_deleted_profile", fields(write.profile, "environment_id", "profile_id")),
        *_pem_files(write.profile),
    ]


@steps.register
def _replace_profile(write: store.ReplaceProfile) -> Plan:
    return [
        step("replace_profile", rows.PROFILE.parameters(write.profile), "stale"),
        step("delete_pem_files", fields(write.profile, "environment_id", "profile_id")),
        *_pem_files(write.profile),
    ]


@steps.register
def _delete_profile(write: store.DeleteProfile) -> Plan:
    key = fields(write, "environment_id", "profile_id")
    return [step("remember_deleted_profile", key), step("delete_profile", key, "stale")]


@steps.register
def _lease_keys(write: store.LeaseKeys) -> Plan:
    return [step("lease_keys", fields(write, "environment_id", "profile_id", "source", "now", "until"), "stale")]


@steps.register
def _keep_keys(write: store.KeepKeys) -> Plan:
    others = fields(write.kept, "environment_id", "profile_id", "source")
    return [
        step("keep_keys", rows.KEPT_KEYS.parameters(write.kept)),
        step("forget_kept_keys", {**others, "forgotten_before": write.forgotten_before}),
    ]


def _pem_files(profile: Profile) -> Plan:
    key = fields(profile, "environment_id", "profile_id")
    return [
        step("create_pem_file", {**rows.PEM_FILE.parameters(file), **key, "position": position})
        for position, file in enumerate(profile.pem_files)
    ]


# ---------------------------------------------------------------- people


@steps.register
def _create_organization(write: store.CreateOrganization) -> Plan:
    return [step("create_organization", rows.ORGANIZATION.parameters(write.organization))]


@steps.register
def _replace_organization(write: store.ReplaceOrganization) -> Plan:
    return [step("replace_organization", rows.ORGANIZATION.parameters(write.organization), "stale")]


@steps.register
def _delete_organization(write: store.DeleteOrganization) -> Plan:
    # Sessions first: whose they are is known only as long as the members are there.
    key = fields(write, "environment_id", "organization_id")
    return [step("delete_sessions_of_organization", key), step("delete_organization", key, "stale")]


@steps.register
def _create_member(write: store.CreateMember) -> Plan:
    member = write.member
    return [step("create_member", rows.MEMBER.parameters(member), "stale"), *_claimed_addresses(member)]


@steps.register
def _replace_member(write: store.ReplaceMember) -> Plan:
    member = write.member
    planned = [
        step("replace_member", rows.MEMBER.parameters(member), "stale"),
        step("release_member_emails", {"member_id": member.member_id}),
        *_claimed_addresses(member),
    ]
    if write.revoke_sessions_at is not None:
        sessions = {
            "environment_id": member.environment_id,
            "subject_kind": "member",
            "subject_id": member.member_id,
            "revoked_at": write.revoke_sessions_at,
        }
        planned.append(step("revoke_sessions_of", sessions))
    return planned


def _claimed_addresses(member: Member) -> Plan:
    """Current and retired addresses are kept from everybody else; a deleted member keeps none (decisions D4)."""
    if member.status == "deleted":
        return []
    addresses = dict.fromkeys([member.email, *(retired.email_address for retired in member.retired_emails)])
    return [
        step("claim_member_email", {**fields(member, "organization_id", "member_id"), "email": address})
        for address in addresses
        if address is not None
    ]


@steps.register
def _create_user(write: store.CreateUser) -> Plan:
    return [step("create_user", rows.USER.parameters(write.user))]


@steps.register
def _replace_user(write: store.ReplaceUser) -> Plan:
    return [step("replace_user", rows.USER.parameters(write.user), "stale")]


@steps.register
def _delete_user(write: store.DeleteUser) -> Plan:
    key = fields(write, "environment_id", "user_id")
    return [step("delete_user", key, "stale"), step("delete_sessions_of_user", key)]


# ---------------------------------------------------------------- sessions


@steps.register
def _start_session(write: store.StartSession) -> Plan:
    # The session's own environment is the one the guard is checked in: a guard of another tenant never holds.
    parameters = _guard(write.guard) | rows.SESSION.parameters(write.session)
    return [*_marked(write.replay), step("start_session", parameters, "stale")]


@steps.register
def _update_session(write: store.UpdateSession) -> Plan:
    # What others may have decided upon (factors, claims) moves the revision; the time of the last access does not.
    decided = any(value is not None for value in (write.revision, write.factors, write.custom_claims, write.token_hash))
    parameters = {
        **_guard(write.guard),
        **fields(write, "number", "revision", "last_accessed_at", "expires_at", "token_hash"),
        "factors": None if write.factors is None else json_text(write.factors),
        "custom_claims": None if write.custom_claims is None else json_text(write.custom_claims),
        "revision_step": int(decided),
    }
    return [*_marked(write.replay), step("update_session", parameters, "stale")]


@steps.register
def _note_accesses(write: store.NoteAccesses) -> Plan:
    return [step("note_access", {"number": number, "accessed_at": at}) for number, at in write.accesses.items()]


@steps.register
def _revoke_session(write: store.RevokeSession) -> Plan:
    return [step("revoke_session", fields(write, "environment_id", "number", "revoked_at"), "stop")]


@steps.register
def _revoke_sessions_of(write: store.RevokeSessionsOf) -> Plan:
    names = ("environment_id", "subject_kind", "subject_id", "revoked_at")
    return [step("revoke_sessions_of", fields(write, *names))]


@steps.register
def _record_attempt(write: store.RecordAttempt) -> Plan:
    return _marked(write.replay)


@steps.register
def _observe(write: store.Observe) -> Plan:
    known = write.observations.revision
    seen = {**rows.OBSERVATIONS.parameters(write.observations), "known": known, "revision": known + 1}
    return [step("observe", seen, "stale")]


@steps.register
def _forget(write: store.Forget) -> Plan:
    what = fields(write, "attempts_before", "now", "limit")
    return [step("forget_attempts", what), step("forget_replay_marks", what)]


@steps.register
def _forget_sessions(write: store.ForgetSessions) -> Plan:
    what = fields(write, "upto", "ended_before", "limit")
    return [step("forget_sessions", {**what, "after_number": write.after})]


def _marked(mark: ReplayMark | None) -> Plan:
    return [] if mark is None else [step("mark_token", rows.REPLAY_MARK.parameters(mark), "replayed")]


def _guard(guard: store.Guard) -> Parameters:
    revisions = guard.profile_revisions
    return {
        "environment_id": guard.environment_id,
        "secret_id": guard.secret_id,
        "profile_id": guard.profile_id,
        "profile_revision": guard.profile_revision,
        "profile_revisions": None if revisions is None else json_text(revisions),
        "session_number": guard.session_number,
        "now": guard.now,
    }
