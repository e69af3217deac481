"""What a Python developer would write by hand: FastAPI, PyJWT, SQLAlchemy, SQLite.

Takes a partner's token of a known member and starts a session: the caller's secret, the profile and the member are
read, the token is verified, session and attempt are committed (WAL, ``synchronous=FULL``), a session JWT is signed.
``PEER_SEED`` names a JSON file with what there is at the start, ``PEER_DATABASE`` the file of the database.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import time
import uuid
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pydantic import BaseModel
from sqlalchemy import JSON, ForeignKey, create_engine, event, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

JWT_SECONDS = 300
SEED: dict[str, Any] = json.loads(Path(os.environ["PEER_SEED"]).read_text("utf-8"))


class Base(DeclarativeBase):
    """The tables."""


class Secret(Base):
    """Who may call."""

    __tablename__ = "secrets"
    project_id: Mapped[str] = mapped_column(primary_key=True)
    secret_hash: Mapped[str]


class Profile(Base):
    """Whose tokens are trusted."""

    __tablename__ = "profiles"
    profile_id: Mapped[str] = mapped_column(primary_key=True)
    issuer: Mapped[str]
    audience: Mapped[str]
    public_key: Mapped[str]


class Organization(Base):
    """A tenant."""

    __tablename__ = "organizations"
    organization_id: Mapped[str] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]


class Member(Base):
    """A person of an organization."""

    __tablename__ = "members"
    member_id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.organization_id"))
    external_id: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str]
    name: Mapped[str]
    status: Mapped[str]


class MemberSession(Base):
    """A session; of its token the hash is kept."""

    __tablename__ = "sessions"
    session_id: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    member_id: Mapped[str] = mapped_column(index=True)
    organization_id: Mapped[str]
    factors: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    started_at: Mapped[int]
    expires_at: Mapped[int]


class Attempt(Base):
    """What became of a token."""

    __tablename__ = "attempts"
    attempt_id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str]
    profile_id: Mapped[str]
    outcome: Mapped[str]
    member_id: Mapped[str]
    session_id: Mapped[str]
    token_id: Mapped[str]
    created_at: Mapped[int]


class AttestBody(BaseModel):
    """The request."""

    profile_id: str
    token: str
    session_duration_minutes: int


class MemberAnswer(BaseModel):
    """A member as it is answered."""

    member_id: str
    organization_id: str
    external_id: str
    email_address: str
    name: str
    status: str


class OrganizationAnswer(BaseModel):
    """An organization as it is answered."""

    organization_id: str
    organization_external_id: str
    organization_name: str


class SessionAnswer(BaseModel):
    """A session as it is answered."""

    member_session_id: str
    member_id: str
    organization_id: str
    authentication_factors: list[dict[str, Any]]
    started_at: int
    expires_at: int


class AttestAnswer(BaseModel):
    """The answer."""

    status_code: int
    request_id: str
    session_token: str
    session_jwt: str
    member: MemberAnswer
    organization: OrganizationAnswer
    member_session: SessionAnswer


engine = create_engine(f"sqlite:///{os.environ['PEER_DATABASE']}", pool_size=40)  # as many as FastAPI has threads


@event.listens_for(engine, "connect")
def set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """As durable as Assay."""
    cursor = connection.cursor()
    cursor.execute("pragma journal_mode = wal")
    cursor.execute("pragma synchronous = full")
    cursor.close()


make_session = sessionmaker(engine)
signing_key = load_pem_private_key(SEED["signing_key"].encode(), None)
assert isinstance(signing_key, RSAPrivateKey)


def fill() -> None:
    """Make the tables and what there is at the start."""
    Base.metadata.create_all(engine)
    with make_session.begin() as db:
        db.add(Secret(project_id=SEED["project_id"], secret_hash=digest(SEED["secret"])))
        db.add(Profile(**SEED["profile"]))
        db.add(Organization(**SEED["organization"]))
        db.flush()
        db.add_all(Member(**member) for member in SEED["members"])


def digest(text: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def get_db() -> Iterator[Session]:
    """A session of the database for one request."""
    with make_session() as db:
        yield db


Db = Annotated[Session, Depends(get_db)]
Credentials = Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]
app = FastAPI()


@app.post("/v1/b2b/sessions/attest")
def attest(body: AttestBody, credentials: Credentials, db: Db) -> AttestAnswer:
    """Trusted token in, session out."""
    check_secret(db, credentials)
    profile = db.get(Profile, body.profile_id)
    if profile is None:
        raise HTTPException(404, "profile not found")
    claims = verify(body.token, profile)
    found = db.execute(
        select(Member, Organization)
        .join(Organization)
        .where(Member.external_id == claims["sub"], Organization.external_id == claims["org_id"])
    ).one_or_none()
    if found is None or found.Member.status != "active":
        raise HTTPException(404, "member not found")
    return start_session(db, body, claims, found.Member, found.Organization)


def check_secret(db: Session, credentials: HTTPBasicCredentials) -> None:
    """Refuse callers that do not know the secret of the project."""
    secret = db.get(Secret, credentials.username)
    if secret is None or not hmac.compare_digest(secret.secret_hash, digest(credentials.password)):
        raise HTTPException(401, "wrong credentials")


def verify(token: str, profile: Profile) -> dict[str, Any]:
    """The claims of a good token."""
    key = public_key(profile.public_key)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            issuer=profile.issuer,
            audience=profile.audience,
            leeway=30,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
    except jwt.InvalidTokenError as fault:
        raise HTTPException(400, "invalid token") from fault
    return claims


@lru_cache
def public_key(pem: str) -> RSAPublicKey:
    """A key is parsed once."""
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, RSAPublicKey)
    return key


def start_session(
    db: Session, body: AttestBody, claims: dict[str, Any], member: Member, organization: Organization
) -> AttestAnswer:
    """Commit session and attempt, then sign."""
    now, request_id, token = int(time.time()), f"request-id-{uuid.uuid4()}", secrets.token_urlsafe(33)
    factor = {"type": "trusted_auth_token", "token_id": claims["jti"], "last_authenticated_at": now}
    session = MemberSession(
        session_id=f"member-session-{uuid.uuid4()}",
        token_hash=digest(token),
        member_id=member.member_id,
        organization_id=organization.organization_id,
        factors=[factor],
        started_at=now,
        expires_at=now + 60 * body.session_duration_minutes,
    )
    attempt = Attempt(
        request_id=request_id,
        profile_id=body.profile_id,
        outcome="granted",
        member_id=member.member_id,
        session_id=session.session_id,
        token_id=claims["jti"],
        created_at=now,
    )
    answer = AttestAnswer(
        status_code=200,
        request_id=request_id,
        session_token=token,
        session_jwt="",
        member=MemberAnswer(
            member_id=member.member_id,
            organization_id=organization.organization_id,
            external_id=member.external_id,
            email_address=member.email,
            name=member.name,
            status=member.status,
        ),
        organization=OrganizationAnswer(
            organization_id=organization.organization_id,
            organization_external_id=organization.external_id,
            organization_name=organization.name,
        ),
        member_session=SessionAnswer(
            member_session_id=session.session_id,
            member_id=member.member_id,
            organization_id=organization.organization_id,
            authentication_factors=[factor],
            started_at=session.started_at,
            expires_at=session.expires_at,
        ),
    )
    db.add_all([session, attempt])
    db.commit()
    answer.session_jwt = sign(answer.member_session)
    return answer


def sign(session: SessionAnswer) -> str:
    """The session JWT."""
    now = int(time.time())
    claims = {
        "iss": "https://peer.example",
        "aud": [SEED["project_id"]],
        "sub": session.member_id,
        "iat": now,
        "nbf": now,
        "exp": now + JWT_SECONDS,
        "organization": {"organization_id": session.organization_id},
        "session": session.model_dump(exclude={"member_id", "organization_id"}),
    }
    return jwt.encode(claims, signing_key, algorithm="RS256", headers={"kid": "peer-1"})


fill()
