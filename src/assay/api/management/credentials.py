"""Secrets and public tokens of environments in the management API."""

from __future__ import annotations

from datetime import datetime

import msgspec

from assay import model
from assay.api.calls import Route, managed
from assay.api.management.paths import ENVIRONMENT
from assay.api.wire.answers import Answer, done, time
from assay.stories import project_secrets, public_tokens
from assay.stories.environments import EnvironmentRef

_SECRETS = f"{ENVIRONMENT}/secrets"
_SECRET = f"{_SECRETS}/{{secret_id}}"
_PUBLIC_TOKENS = f"{ENVIRONMENT}/public_tokens"
_PUBLIC_TOKEN = f"{_PUBLIC_TOKENS}/{{public_token}}"


class NewSecret(msgspec.Struct):
    """A secret as it was just made: the only time that its text is shown."""

    secret_id: str
    secret: str
    created_at: datetime


class Secret(msgspec.Struct):
    """What may be shown of a secret at any time. ``used_at`` is null until it is used."""

    secret_id: str
    last_four: str
    created_at: datetime
    used_at: datetime | None


class PublicToken(msgspec.Struct):
    """A public token."""

    public_token: str
    created_at: datetime


class NewSecretAnswer(Answer, kw_only=True):
    """A secret that was just made."""

    secret: NewSecret


class SecretAnswer(Answer, kw_only=True):
    """One secret."""

    secret: Secret


class SecretsAnswer(Answer, kw_only=True):
    """The live secrets of an environment."""

    secrets: list[Secret]


class PublicTokenAnswer(Answer, kw_only=True):
    """One public token."""

    public_token: PublicToken


class PublicTokensAnswer(Answer, kw_only=True):
    """The public tokens of an environment."""

    public_tokens: list[PublicToken]


def new_secret(made: tuple[model.Secret, str], request_id: str) -> NewSecretAnswer:
    """Answer to the making of a secret."""
    record, plain = made
    return NewSecretAnswer(request_id=request_id, secret=NewSecret(record.secret_id, plain, time(record.created_at)))


def one_secret(found: model.Secret, request_id: str) -> SecretAnswer:
    """Answer to the call for one secret."""
    return SecretAnswer(request_id=request_id, secret=_secret(found))


def several_secrets(found: list[model.Secret], request_id: str) -> SecretsAnswer:
    """Answer to the call for all secrets."""
    return SecretsAnswer(request_id=request_id, secrets=[_secret(each) for each in found])


def one_public_token(found: model.PublicToken, request_id: str) -> PublicTokenAnswer:
    """Answer to a call about one public token."""
    return PublicTokenAnswer(request_id=request_id, public_token=_public_token(found))


def several_public_tokens(found: list[model.PublicToken], request_id: str) -> PublicTokensAnswer:
    """Answer to the call for all public tokens."""
    return PublicTokensAnswer(request_id=request_id, public_tokens=[_public_token(each) for each in found])


def _secret(found: model.Secret) -> Secret:
    return Secret(
        secret_id=found.secret_id,
        last_four=found.last_four,
        created_at=time(found.created_at),
        used_at=None if found.used_at is None else time(found.used_at),
    )


def _public_token(found: model.PublicToken) -> PublicToken:
    return PublicToken(found.public_token, time(found.created_at))


ROUTES: tuple[Route, ...] = (
    managed("POST", _SECRETS, EnvironmentRef, project_secrets.create, new_secret),
    managed("GET", _SECRETS, EnvironmentRef, project_secrets.list_all, several_secrets),
    managed("GET", _SECRET, project_secrets.SecretRef, project_secrets.get, one_secret),
    managed("DELETE", _SECRET, project_secrets.SecretRef, project_secrets.delete, done),
    managed("POST", _PUBLIC_TOKENS, EnvironmentRef, public_tokens.create, one_public_token),
    managed("GET", _PUBLIC_TOKENS, EnvironmentRef, public_tokens.list_all, several_public_tokens),
    managed("GET", _PUBLIC_TOKEN, public_tokens.PublicTokenRef, public_tokens.get, one_public_token),
    managed("DELETE", _PUBLIC_TOKEN, public_tokens.PublicTokenRef, public_tokens.delete, done),
)
