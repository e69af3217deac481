"""What the demo keeps from one run to the next: projects, an organization, a profile, and the credentials."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from assay import config, errors
from assay.config import ConfigFault, Settings
from assay.demo import issuer
from assay.model import Organization, Vertical
from assay.stories import organizations, profiles, projects
from assay.stories.context import Call, Context, Operator
from assay.stories.organizations import OrganizationCreate
from assay.stories.profiles import ProfileCreate, ProfileUpdate

PROFILE_ID = "vercel_jwt"
ORGANIZATION_SLUG = "acme"
OPERATOR = Operator(name="demo")

_EXTERNAL_ID: dict[Vertical, str] = {"b2b": "external_member_id", "consumer": "external_user_id"}
_NAMES: dict[Vertical, str] = {"b2b": "Demo", "consumer": "Demo Consumer"}


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What opens one environment."""

    project_id: str
    secret: str
    public_token: str


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials file: secrets are shown once, so the demo must keep its own."""

    b2b: Credentials | None = None
    consumer: Credentials | None = None


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to play with."""

    b2b: Credentials
    consumer: Credentials
    organization: Organization


def make_directory(data: Path) -> None:
    """The data directory, for its owner alone. Raises ConfigFault."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise ConfigFault(f"the directory {data} cannot be made: {fault.strerror}; choose another: DATA=…") from None


def settings(data: Path) -> Settings:
    """The demo's own settings, whatever the environment says: only here may keys come from loopback by themselves."""
    return config.read({"ASSAY_ALLOW_LOOPBACK_KEY_URLS": "1"}, database=f"sqlite:///{data / 'assay.db'}")


@contextmanager
def held(data: Path) -> Iterator[None]:
    """Hold the directory while the block runs. Raises ConfigFault when another demo does.

    Two demos would each point the profile at their own issuer, and break the other's commands.
    """
    descriptor = os.open(data / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ConfigFault(
            f"another demo is running over {data}; stop it, or choose another directory: DATA=…"
        ) from None
    finally:
        os.close(descriptor)


async def prepare(ctx: Context, data: Path, jwks_url: str) -> World:
    """Make what is not there yet, and point the profiles at the issuer of this run."""
    kept = _read(data)
    b2b = await _project(ctx, "b2b", kept.b2b)
    consumer = await _project(ctx, "consumer", kept.consumer)
    _write(data, Kept(b2b=b2b, consumer=consumer))
    await _profile(ctx, "b2b", b2b.project_id, jwks_url)
    await _profile(ctx, "consumer", consumer.project_id, jwks_url)
    return World(b2b=b2b, consumer=consumer, organization=await _organization(ctx, b2b))


async def _project(ctx: Context, vertical: Vertical, kept: Credentials | None) -> Credentials:
    """The project of the last run if its credentials still open it, else a new one."""
    if kept is not None:
        try:
            await projects.authenticate_caller(ctx, kept.project_id, kept.secret)
        except errors.UnauthorizedCredentials:
            pass
        else:
            return kept
    made = await projects.create_project(ctx, _NAMES[vertical], vertical, by=OPERATOR)
    return Credentials(project_id=made.environment.environment_id, secret=made.secret, public_token=made.public_token)


async def _profile(ctx: Context, vertical: Vertical, project_id: str, jwks_url: str) -> None:
    change = ProfileUpdate(jwks_url=jwks_url)
    try:
        await profiles.update_profile(ctx, project_id, PROFILE_ID, change, by=OPERATOR, allow_problems=False)
    except errors.TrustedTokenProfileNotFound:
        request = ProfileCreate(
            profile_id=PROFILE_ID,
            name="Vercel marketplace (demo)",
            issuer=issuer.ISSUER,
            audience=issuer.AUDIENCE,
            jwks_url=jwks_url,
            attribute_mapping={"email": "user_email", "token_id": "jti", _EXTERNAL_ID[vertical]: "global_user_id"},
            can_jit_provision=True,
        )
        await profiles.create_profile(ctx, project_id, request, by=OPERATOR, allow_problems=False)


async def _organization(ctx: Context, credentials: Credentials) -> Organization:
    caller = await projects.authenticate_caller(ctx, credentials.project_id, credentials.secret)
    call = Call(caller=caller, request_id="demo")
    try:
        return await organizations.resolve(ctx, call, ORGANIZATION_SLUG)
    except errors.OrganizationNotFound:
        request = OrganizationCreate(organization_name="Acme", organization_slug=ORGANIZATION_SLUG)
        return await organizations.create(ctx, call, request)


def _file(data: Path) -> Path:
    return data / "credentials.json"


def _read(data: Path) -> Kept:
    try:
        return msgspec.json.decode(_file(data).read_bytes(), type=Kept)
    except (FileNotFoundError, msgspec.DecodeError):
        return Kept()


def _write(data: Path, kept: Kept) -> None:
    """Whole or not at all, and readable by its owner alone from the first moment."""
    draft = _file(data).with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
    draft.replace(_file(data))
