"""What the writes about operators of the dashboard do."""

from __future__ import annotations

from assay import store
from assay.store import rows
from assay.store.steps import Plan, Step, fields, step, steps


@steps.register
def _create_operator_link(write: store.CreateOperatorLink) -> Plan:
    return [
        *([step("create_user", rows.USER.parameters(write.new))] if write.new else []),
        step("delete_operator_links", fields(write.link, "user_id")),
        step("create_operator_link", rows.OPERATOR_LINK.parameters(write.link)),
    ]


@steps.register
def _use_operator_link(write: store.UseOperatorLink) -> Plan:
    user = rows.USER.parameters(write.user)
    return [
        step("use_operator_link", fields(write, "token_hash", "now"), "stale"),
        step("create_user", user) if write.is_new else step("replace_user", user, "stale"),
        step("set_operator_password", rows.OPERATOR_PASSWORD.parameters(write.password)),
        step("delete_operator_links", {"user_id": write.user.user_id}),
        _end_sessions(write.user.environment_id, write.user.user_id, write.now),
    ]


@steps.register
def _replace_operator_password(write: store.ReplaceOperatorPassword) -> Plan:
    password = rows.OPERATOR_PASSWORD.parameters(write.password)
    return [
        step("replace_operator_password", {**password, "expected_hash": write.expected_hash}, "stale"),
        _end_sessions(write.environment_id, write.password.user_id, write.password.changed_at),
    ]


@steps.register
def _replace_operator(write: store.ReplaceOperator) -> Plan:
    user = write.user
    return [
        *(_keep_an_owner(user.environment_id, user.user_id) if write.needs_another_owner else []),
        step("replace_user", rows.USER.parameters(user), "stale"),
        _end_sessions(user.environment_id, user.user_id, write.now),
    ]


@steps.register
def _delete_operator(write: store.DeleteOperator) -> Plan:
    key = fields(write, "environment_id", "user_id")
    return [
        *(_keep_an_owner(write.environment_id, write.user_id) if write.needs_another_owner else []),
        step("delete_user", key, "stale"),
        step("delete_sessions_of_user", key),
    ]


@steps.register
def _count_sign_in(write: store.CountSignIn) -> Plan:
    names = ("name", "now", "free", "longest", "forgotten_before")
    oldest = min((count.forgotten_before for count in write.counts), default=0)
    return [
        step("forget_old_sign_ins", {"forgotten_before": oldest}),
        *(step("count_sign_in", fields(count, *names), "stale") for count in write.counts),
    ]


@steps.register
def _forget_sign_ins(write: store.ForgetSignIns) -> Plan:
    return [step("forget_sign_ins", {"name": name}) for name in write.names]


def _keep_an_owner(environment_id: str, user_id: str) -> Plan:
    return [step("keep_an_owner", {"environment_id": environment_id, "user_id": user_id}, "stale")]


def _end_sessions(environment_id: str, user_id: str, now: int) -> Step:
    whose = {"environment_id": environment_id, "subject_kind": "user", "subject_id": user_id}
    return step("revoke_sessions_of", {**whose, "revoked_at": now})
