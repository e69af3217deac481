"""What a write holds still while it is decided and committed.

SQLite has one writer at a time. PostgreSQL has many, and a condition of a statement sees what was committed when the
statement began: a profile that another process is disabling just now still looks as it was. So a write names what it
rests on, and shares it with others that only rest on it; a write that changes such a thing has it alone, from before
its first statement until after its commit. The names are locks in the server's memory (advisory locks), taken all at
once and in one order, so that nobody waits in a circle; nothing is written for them.

Rows that two writes change at once need no name here: the second one waits for the row and looks at it again. Nor do
unique keys and foreign keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch
from typing import NamedTuple

from assay import store
from assay.model import Member, SubjectKind


class Names(NamedTuple):
    """What a write shares with others, and what it has alone."""

    shared: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()


@singledispatch
def names(write: store.Write) -> Names:
    """The names of one write; none for those that keys and conditions on their own rows decide."""
    del write
    return Names()


def merged(all_names: Iterable[Names]) -> dict[str, bool]:
    """Every name of several writes in one transaction, and whether it is had alone."""
    found: dict[str, bool] = {}
    for each in all_names:
        for name in each.shared:
            found.setdefault(name, False)
        for name in each.alone:
            found[name] = True
    return found


def environment(environment_id: str) -> str:
    """All that is in an environment: nothing may be left of a deleted one."""
    return f"environment {environment_id}"


def _secret(environment_id: str, secret_id: str) -> str:
    return f"secret {environment_id} {secret_id}"


def _profile(environment_id: str, profile_id: str) -> str:
    return f"profile {environment_id} {profile_id}"


def _organization(organization_id: str | None) -> str:
    return f"organization {organization_id}"


def _subject(kind: SubjectKind, subject_id: str) -> str:
    return f"{kind} {subject_id}"


_SIGNING_KEYS = "signing keys"


def _guarded(guard: store.Guard | None) -> tuple[str, ...]:
    """What a guard looks at. A session passed in is none of it: what ends that one ends no other."""
    if guard is None:
        return ()
    profiles = [*([guard.profile_id] if guard.profile_id is not None else ()), *(guard.profile_revisions or ())]
    return (
        environment(guard.environment_id),
        _secret(guard.environment_id, guard.secret_id),
        *(_profile(guard.environment_id, one) for one in profiles),
    )


# ---------------------------------------------------------------- the hot ones


@names.register
def _start_session(write: store.StartSession) -> Names:
    session = write.session
    whose = _subject(session.subject_kind, session.subject_id)
    within = () if session.organization_id is None else (_organization(session.organization_id),)
    here = environment(session.environment_id)
    return Names(shared=(here, *_guarded(write.guard), *_marked(write), *within, whose))


@names.register
def _update_session(write: store.UpdateSession) -> Names:
    return Names(shared=(*_guarded(write.guard), *_marked(write)))


@names.register
def _record_attempt(write: store.RecordAttempt) -> Names:
    here = environment(write.attempt.environment_id)
    return Names(shared=(here, *_guarded(write.guard), *_marked(write)))


def _marked(write: store.StartSession | store.UpdateSession | store.RecordAttempt) -> tuple[str, ...]:
    """A mark goes with its profile, and no foreign key sees to it (see the migration)."""
    mark = write.replay
    return () if mark is None else (_profile(mark.environment_id, mark.profile_id),)


# ---------------------------------------------------------------- what those rest on


@names.register
def _revoke_secret(write: store.RevokeSecret) -> Names:
    return Names(alone=(_secret(write.environment_id, write.secret_id),))


@names.register
def _create_profile(write: store.CreateProfile) -> Names:
    return Names(alone=(_profile(write.profile.environment_id, write.profile.profile_id),))


@names.register
def _replace_profile(write: store.ReplaceProfile) -> Names:
    return Names(alone=(_profile(write.profile.environment_id, write.profile.profile_id),))


@names.register
def _delete_profile(write: store.DeleteProfile) -> Names:
    return Names(alone=(_profile(write.environment_id, write.profile_id),))


@names.register
def _create_member(write: store.CreateMember) -> Names:
    return Names(shared=(_organization(write.member.organization_id),))


@names.register
def _replace_member(write: store.ReplaceMember) -> Names:
    return _changed_member(write.member, is_ended=write.revoke_sessions_at is not None)


def _changed_member(member: Member, *, is_ended: bool) -> Names:
    """Alone only when sessions end with it: at a login, roles of a token change what no other login rests on."""
    within, whose = _organization(member.organization_id), _subject("member", member.member_id)
    return Names(shared=(within,), alone=(whose,)) if is_ended or member.status != "active" else Names((within, whose))


@names.register
def _delete_organization(write: store.DeleteOrganization) -> Names:
    return Names(alone=(_organization(write.organization_id),))


@names.register
def _delete_user(write: store.DeleteUser) -> Names:
    return Names(alone=(_subject("user", write.user_id),))


@names.register
def _erase_person(write: store.ErasePerson) -> Names:
    return Names(alone=(_subject(write.subject_kind, write.subject_id),))


@names.register
def _delete_environment(write: store.DeleteEnvironment) -> Names:
    return Names(alone=(environment(write.environment_id),))


# ---------------------------------------------------------------- what rests on other rows


@names.register
def _delete_public_token(write: store.DeletePublicToken) -> Names:
    return Names(alone=(f"public tokens {write.environment_id}",))  # one must stay, whichever


@names.register
def _create_signing_keys(write: store.CreateSigningKeys) -> Names:
    del write
    return Names(shared=(_SIGNING_KEYS,))


@names.register
def _rotate_signing_keys(write: store.RotateSigningKeys) -> Names:
    del write
    return Names(shared=(_SIGNING_KEYS,))


@names.register
def _rewrap_signing_keys(write: store.RewrapSigningKeys) -> Names:
    del write
    return Names(alone=(_SIGNING_KEYS,))


@names.register
def _use_operator_link(write: store.UseOperatorLink) -> Names:
    return Names(alone=(_subject("user", write.user.user_id),))


@names.register
def _replace_operator_password(write: store.ReplaceOperatorPassword) -> Names:
    return Names(alone=(_subject("user", write.password.user_id),))


@names.register
def _replace_operator(write: store.ReplaceOperator) -> Names:
    return _operator(write.user.environment_id, write.user.user_id)


@names.register
def _delete_operator(write: store.DeleteOperator) -> Names:
    return _operator(write.environment_id, write.user_id)


def _operator(environment_id: str, user_id: str) -> Names:
    """Two owners who remove each other would both find that there is another one."""
    return Names(alone=(f"owners {environment_id}", _subject("user", user_id)))
