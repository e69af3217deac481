"""Keys: what opens, names and signs for the environment."""

from __future__ import annotations

from typing import get_args

import msgspec

from assay import errors
from assay.dashboard.page import Answer, Page
from assay.dashboard.pages.environments import reference
from assay.dashboard.table import Row, get, post
from assay.model import PublicToken, Secret, SessionJwtAlgorithm
from assay.stories import environments, projects, public_tokens
from assay.stories.environments import EnvironmentUpdate
from assay.stories.public_tokens import PublicTokenRef

_HERE = "{project_slug}/{environment_slug}/keys"


async def show(page: Page) -> Answer:
    """Secrets, public tokens and signing keys of the environment."""
    secrets = await projects.list_secrets(page.ctx, page.environment_id)
    tokens = await public_tokens.list_all(page.ctx, page.by, reference(page))
    signing = await projects.list_keys(page.ctx, page.environment_id)
    return page.render(
        "keys/show.html",
        live=[each for each in reversed(secrets) if each.revoked_at is None],
        revoked=[each for each in reversed(secrets) if each.revoked_at is not None],
        tokens=tokens,
        signing=[(each, projects.published_until(each)) for each in reversed(signing)],
        algorithms=[(each, each) for each in get_args(SessionJwtAlgorithm)],
    )


async def create_secret(page: Page) -> Answer:
    """One more secret, shown this once: straight from the post, so that neither cookie nor address keeps it."""
    secret, plain = await projects.create_secret(page.ctx, page.environment_id, by=page.by)
    return page.render("keys/secret.html", secret=secret, plain=plain)


async def ask_revoke(page: Page) -> Answer:
    """Whether the secret is still used, and the form that revokes it."""
    secrets = await projects.list_secrets(page.ctx, page.environment_id)
    others = [each for each in secrets if each.revoked_at is None and each.secret_id != page.parameters["secret_id"]]
    return page.render("keys/revoke.html", secret=_live_secret(page, secrets), is_last=not others)


async def revoke(page: Page) -> Answer:
    """From now on the secret opens nothing."""
    secret = _live_secret(page, await projects.list_secrets(page.ctx, page.environment_id))
    await projects.revoke_secret(page.ctx, page.environment_id, secret.secret_id, by=page.by)
    return page.redirect(page.within("keys"), f"Revoked the secret that ends in {secret.last_four}.")


async def create_public_token(page: Page) -> Answer:
    """One more public token."""
    await public_tokens.create(page.ctx, page.by, reference(page))
    return page.redirect(page.within("keys"), "Made a public token.")


async def ask_delete_public_token(page: Page) -> Answer:
    """The form that deletes it."""
    return page.render("keys/delete_public_token.html", token=await _public_token(page), fault="")


async def delete_public_token(page: Page) -> Answer:
    """From now on the token names nothing."""
    token = await _public_token(page)
    try:
        await public_tokens.delete(page.ctx, page.by, _public_token_ref(page))
    except errors.UnableToDeleteLastPublicToken as fault:
        return page.render("keys/delete_public_token.html", 400, token=token, fault=fault.message)
    return page.redirect(page.within("keys"), "Deleted the public token.")


async def ask_rotate(page: Page) -> Answer:
    """What rotating means, and the form that does it."""
    return page.render("keys/rotate.html", fault="")


async def rotate(page: Page) -> Answer:
    """The next signing key signs from now on."""
    try:
        await projects.rotate_keys(page.ctx, page.environment_id, by=page.by)
    except errors.NextSigningKeyMissing as fault:
        return page.render("keys/rotate.html", 400, fault=fault.message)
    return page.redirect(page.within("keys"), "The next signing key signs from now on, and another one is published.")


async def choose_algorithm(page: Page) -> Answer:
    """Session JWTs are signed with the chosen algorithm from now on."""
    here, chosen = reference(page), _algorithm(page)
    changed = chosen != page.environment.settings.session_jwt_algorithm
    wanted = EnvironmentUpdate(
        project_slug=here.project_slug, environment_slug=here.environment_slug, session_jwt_algorithm=chosen
    )
    await environments.update(page.ctx, page.by, wanted)
    told = f"Session JWTs are signed with {chosen} from now on." if changed else "Nothing was changed."
    return page.redirect(page.within("keys"), told)


def _algorithm(page: Page) -> SessionJwtAlgorithm:
    """The algorithm that the form names. Raises InvalidEnvironmentSetting for one that it does not offer."""
    try:
        chosen: SessionJwtAlgorithm = msgspec.convert(page.form.text("algorithm"), SessionJwtAlgorithm)
    except msgspec.ValidationError:
        raise errors.InvalidEnvironmentSetting("There is no such algorithm of session JWTs.") from None
    return chosen


def _live_secret(page: Page, secrets: list[Secret]) -> Secret:
    """The live secret of this environment that the path names. Raises SecretNotFound."""
    secret_id = page.parameters["secret_id"]
    secret = next((each for each in secrets if each.secret_id == secret_id and each.revoked_at is None), None)
    if secret is None:
        raise errors.SecretNotFound
    return secret


def _public_token_ref(page: Page) -> PublicTokenRef:
    here = reference(page)
    return PublicTokenRef(
        project_slug=here.project_slug,
        environment_slug=here.environment_slug,
        public_token=page.parameters["public_token"],
    )


async def _public_token(page: Page) -> PublicToken:
    return await public_tokens.get(page.ctx, page.by, _public_token_ref(page))


PAGES: tuple[Row, ...] = (
    get(_HERE, show, "keys"),
    post(f"{_HERE}/secrets", create_secret),
    get(f"{_HERE}/secrets/{{secret_id}}", ask_revoke, "keys", role="editor"),
    post(f"{_HERE}/secrets/{{secret_id}}", revoke),
    post(f"{_HERE}/public-tokens", create_public_token),
    get(f"{_HERE}/public-tokens/{{public_token}}", ask_delete_public_token, "keys", role="editor"),
    post(f"{_HERE}/public-tokens/{{public_token}}", delete_public_token),
    get(f"{_HERE}/rotate", ask_rotate, "keys", role="editor"),
    post(f"{_HERE}/rotate", rotate),
    post(f"{_HERE}/algorithm", choose_algorithm),
)
