"""Small valid records for tests; every argument changes one field."""

from __future__ import annotations

import hashlib
import itertools
from typing import TypeVar

import msgspec

from assay import ids
from assay.model import (
    Attempt,
    Environment,
    Event,
    Factor,
    Member,
    Observations,
    Organization,
    PemFile,
    Profile,
    Project,
    PublicToken,
    ReplayMark,
    Secret,
    Session,
    SigningKey,
    SubjectKind,
    User,
    Vertical,
)
from assay.store import CreateProject, ErasePerson, Forget, Guard, RevokeSession, StartSession, UpdateSession

NOW = 1_750_000_000

_numbers = itertools.count(1 << 50)
_R = TypeVar("_R", bound=msgspec.Struct)


def _changed(record: _R, changes: dict[str, object]) -> _R:
    return msgspec.structs.replace(record, **changes)


def new_project(slug: str = "acme", *, vertical: Vertical = "b2b") -> CreateProject:
    """A project with a LIVE and a TEST environment, each with one secret and one public token."""
    project = Project(
        project_id=ids.new("project", "test"), slug=slug, name=slug.title(), vertical=vertical, created_at=NOW
    )
    live, test = (
        Environment(
            environment_id=ids.new("project", kind),
            project_id=project.project_id,
            slug=kind,
            kind=kind,
            name=kind.title(),
            vertical=vertical,
            created_at=NOW,
        )
        for kind in ("live", "test")
    )
    tokens = [
        PublicToken(public_token=ids.new("public-token", one.kind), environment_id=one.environment_id, created_at=NOW)
        for one in (live, test)
    ]
    return CreateProject(
        project=project,
        environments=(live, test),
        secrets=(secret(live.environment_id), secret(test.environment_id)),
        public_tokens=tuple(tokens),
    )


def secret(environment_id: str, **changes: object) -> Secret:
    secret_id = ids.new("secret", "test")
    record = Secret(
        secret_id=secret_id,
        environment_id=environment_id,
        secret_hash=hashlib.sha256(secret_id.encode()).digest(),
        last_four=secret_id[-4:],
        created_at=NOW,
    )
    return _changed(record, changes)


def signing_key(environment_id: str, **changes: object) -> SigningKey:
    kid = ids.new("jwk", "test")
    record = SigningKey(
        environment_id=environment_id,
        kid=kid,
        state="active",
        algorithm="RS256",
        public_jwk={"kty": "RSA", "kid": kid, "key_ops": ["verify"]},
        sealed_private_key=b"sealed " + kid.encode(),
        created_at=NOW,
    )
    return _changed(record, changes)


def profile(environment_id: str, **changes: object) -> Profile:
    record = Profile(
        environment_id=environment_id,
        profile_id="vercel_jwt",
        name="Vercel",
        issuer="https://oidc.vercel.example",
        audience="https://acme.example",
        public_key_type="JWK",
        jwks_url="https://oidc.vercel.example/.well-known/jwks",
        attribute_mapping={"email": "email", "external_member_id": "sub"},
        algorithms=("RS256", "ES256"),
        created_at=NOW,
        updated_at=NOW,
    )
    return _changed(record, changes)


def pem_file(text: str = "-----BEGIN PUBLIC KEY-----\n…\n-----END PUBLIC KEY-----\n") -> PemFile:
    return PemFile(pem_file_id=ids.new("pem-file", "test"), public_key=text)


def organization(environment_id: str, **changes: object) -> Organization:
    organization_id = ids.new("organization", "test")
    record = Organization(
        environment_id=environment_id,
        organization_id=organization_id,
        name="Umbrella",
        slug=f"umbrella-{organization_id[-12:]}",
        created_at=NOW,
        updated_at=NOW,
    )
    return _changed(record, changes)


def member(of: Organization, **changes: object) -> Member:
    member_id = ids.new("member", "test")
    record = Member(
        environment_id=of.environment_id,
        organization_id=of.organization_id,
        member_id=member_id,
        email=f"{member_id[-12:]}@acme.example",
        created_at=NOW,
        updated_at=NOW,
    )
    return _changed(record, changes)


def user(environment_id: str, **changes: object) -> User:
    user_id = ids.new("user", "test")
    record = User(
        environment_id=environment_id,
        user_id=user_id,
        email=f"{user_id[-12:]}@home.example",
        created_at=NOW,
        updated_at=NOW,
    )
    return _changed(record, changes)


def factor(token_id: str = "token-1", **changes: object) -> Factor:
    record = Factor(
        profile_id="vercel_jwt", token_id=token_id, created_at=NOW, last_authenticated_at=NOW, updated_at=NOW
    )
    return _changed(record, changes)


def session(subject: Member | User, **changes: object) -> Session:
    """A session of the subject that is live for an hour from NOW."""
    number = next(_numbers)
    record = Session(
        number=number,
        id_tail=number % 1000,
        environment_id=subject.environment_id,
        kind="test",
        token_hash=hashlib.sha256(str(number).encode()).digest(),
        subject_kind="member" if isinstance(subject, Member) else "user",
        subject_id=subject.member_id if isinstance(subject, Member) else subject.user_id,
        organization_id=subject.organization_id if isinstance(subject, Member) else None,
        factors=(factor(),),
        started_at=NOW,
        last_accessed_at=NOW,
        expires_at=NOW + 3600,
    )
    return _changed(record, changes)


def guard(of: Secret, **changes: object) -> Guard:
    return _changed(Guard(environment_id=of.environment_id, secret_id=of.secret_id, now=NOW), changes)


def start(of: Session, by: Secret, **changes: object) -> StartSession:
    return _changed(StartSession(session=of, guard=guard(by)), changes)


def update(of: Session, by: Secret, **changes: object) -> UpdateSession:
    """An authenticate that changes nothing but the time of the last access."""
    return _changed(UpdateSession(number=of.number, last_accessed_at=NOW, guard=guard(by)), changes)


def attempt(environment_id: str, **changes: object) -> Attempt:
    record = Attempt(
        environment_id=environment_id,
        request_id=ids.new("request-id", "test"),
        profile_id="vercel_jwt",
        outcome="refused",
        code="jwt_invalid_issuer",
        reason="iss is not the profile's",
        details={"expected": "https://a.example", "seen": ["https://b.example"]},
        created_at=NOW,
    )
    return _changed(record, changes)


def replay_mark(of: Secret, **changes: object) -> ReplayMark:
    """The mark of a token of the usual profile that is live for a minute from NOW."""
    record = ReplayMark(
        environment_id=of.environment_id,
        profile_id="vercel_jwt",
        mark="token-1",
        created_at=NOW,
        expires_at=NOW + 60,
        secret_id=of.secret_id,
        request_hash=b"request",
    )
    return _changed(record, changes)


def observations(environment_id: str, **changes: object) -> Observations:
    record = Observations(environment_id=environment_id, profile_id="vercel_jwt", tokens=1, claims={"sub": True})
    return _changed(record, changes)


def event(environment_id: str | None, **changes: object) -> Event:
    record = Event(
        environment_id=environment_id,
        action="member.create",
        target="member-test-1",
        actor="secret-test-1",
        details={"email": "ada@acme.example"},
        created_at=NOW,
    )
    return _changed(record, changes)


def forget(**changes: object) -> Forget:
    """Forget what is older than NOW, some at a time."""
    return _changed(Forget(attempts_before=NOW, now=NOW, limit=10), changes)


def revoke(of: Session, **changes: object) -> RevokeSession:
    """End the session at NOW."""
    return _changed(RevokeSession(environment_id=of.environment_id, number=of.number, revoked_at=NOW), changes)


def erase(environment_id: str, subject_kind: SubjectKind, subject_id: str, **changes: object) -> ErasePerson:
    record = ErasePerson(environment_id=environment_id, subject_kind=subject_kind, subject_id=subject_id)
    return _changed(record, changes)
