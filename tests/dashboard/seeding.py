"""An installation with something in it, for browsers to look at: made by the stories, before the process starts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from assay import config, errors
from assay.app import open_context
from assay.model import Caller, Project, Vertical
from assay.stories import (
    attempt_pages,
    attest,
    operators,
    organizations,
    profiles,
    projects,
    public_tokens,
    redirect_urls,
    signing_in,
    workspace_keys,
)
from assay.stories.attempt_pages import AttemptFilter
from assay.stories.context import Call, Context
from assay.stories.environments import EnvironmentRef
from assay.stories.redirect_urls import GivenType, RedirectUrlCreate
from tests.calls import OPERATOR
from tests.dashboard.browsing import PASSWORD
from tests.dashboard.samples import Seeded
from tests.issuer import AUDIENCE, Issuer, make_key

HOSTILE = "<script>document.title='taken'</script>"
"""Text that would run if any page took it for a part of itself."""

OWNER, EDITOR, VIEWER = "ada@example.com", "emil@example.com", "vera@example.com"
PROFILE_ID = "idp"
PEOPLE = ("grace@acme.example", "alan@acme.example", "edsger@acme.example", "barbara@acme.example")


def seed(database: str, issuer: Issuer | None = None) -> Seeded:
    """Fill an empty database. Every token comes from ``issuer``, by default one whose keys need no network."""
    return asyncio.run(_seed(database, issuer or Issuer(keys=[make_key("RSA")])))


async def _seed(database: str, issuer: Issuer) -> Seeded:
    async with open_context(config.read({"ASSAY_DATABASE": database})) as ctx:
        b2b = await _project(ctx, "Acme Portal", "b2b")
        consumer = await _project(ctx, "Acme Shop", "consumer")
        for place in (b2b, consumer):
            await _profile(ctx, place.caller, issuer)
        await _broken_profile(ctx, b2b.caller)
        acme = await _organizations(ctx, b2b.caller)
        granted = [await _sign_in(ctx, b2b.caller, issuer, email, acme) for email in PEOPLE]
        user = await _sign_in(ctx, consumer.caller, issuer, "linus@shop.example", None)
        await _refusals(ctx, b2b.caller, issuer, acme)
        ids = {role: await _operator(ctx, email, role) for role, email in _OPERATORS.items()}
        invited = await operators.invite(ctx, "invited@example.com", "viewer", by=OPERATOR)
        link = await operators.invite(ctx, "link@example.com", "viewer", by=OPERATOR)
        assert invited.operator is not None
        return Seeded(
            b2b_place=(b2b.project.slug, "test"),
            consumer_place=(consumer.project.slug, "test"),
            owner=ids["owner"],
            viewer=ids["viewer"],
            link=link.token,
            parameters={
                "profile_id": PROFILE_ID,
                "organization_id": acme,
                "member_id": granted[0].subject_id,
                "session_id": granted[0].session_id,
                "operator_id": invited.operator.operator_id,
                "attempt_id": granted[0].request_id,
                "attempt_number": await _number_of_a_refusal(ctx, b2b.caller),
                "request_id": granted[0].request_id,
                "environment_id": b2b.caller.environment.environment_id,
                **await _keys(ctx, b2b),
            },
            consumer_parameters={"user_id": user.subject_id, "session_id": user.session_id},
        )


_OPERATORS: dict[operators.Role, str] = {"owner": OWNER, "editor": EDITOR, "viewer": VIEWER}


class _Place(msgspec.Struct):
    project: Project
    caller: Caller


class _Came(msgspec.Struct):
    subject_id: str
    session_id: str
    request_id: str


async def _project(ctx: Context, name: str, vertical: Vertical) -> _Place:
    made = await projects.create_project(ctx, name, vertical, by=OPERATOR)
    caller = await projects.authenticate_caller(ctx, made.environment.environment_id, made.secret)
    return _Place(made.project, caller)


async def _profile(ctx: Context, caller: Caller, issuer: Issuer) -> None:
    external_id = "external_member_id" if caller.environment.vertical == "b2b" else "external_user_id"
    request = profiles.ProfileCreate(
        profile_id=PROFILE_ID,
        name="Acme workforce",
        issuer=issuer.url,
        audience=AUDIENCE,
        pem_files=(issuer.keys[0].pem(),),
        attribute_mapping={"email": "email", "token_id": "jti", external_id: "sub"},
        can_jit_provision=True,
    )
    await profiles.create_profile(ctx, caller.environment.environment_id, request, by=OPERATOR, allow_problems=False)


async def _broken_profile(ctx: Context, caller: Caller) -> None:
    request = profiles.ProfileCreate(
        profile_id="broken",
        name=HOSTILE,
        issuer="https://idp.example/a/rather/long/path/to/an/issuer/that/has/to/break/somewhere",
        audience="authenticated",
        jwks_url="http://plain.example/jwks.json",
        attribute_mapping={"email": "email"},
    )
    await profiles.create_profile(ctx, caller.environment.environment_id, request, by=OPERATOR, allow_problems=True)


async def _organizations(ctx: Context, caller: Caller) -> str:
    call = Call(caller=caller, request_id="request-id-test-seed")
    made = [
        await organizations.create(
            ctx, call, organizations.OrganizationCreate(organization_name=name, organization_slug=slug)
        )
        for name, slug in (("Acme", "acme"), (HOSTILE, "hostile"), ("Globex Corporation", "globex"))
    ]
    return made[0].organization_id


async def _sign_in(ctx: Context, caller: Caller, issuer: Issuer, email: str, organization_id: str | None) -> _Came:
    number = email.partition("@")[0]
    call = Call(caller=caller, request_id=f"request-id-test-{number}")
    token = issuer.mint({"email": email, "sub": f"idp|{number}", "email_verified": True}, now=ctx.clock())
    request = attest.AttestRequest(
        profile_id=PROFILE_ID, token=token, organization_id=organization_id, session_duration_minutes=60
    )
    granted = await attest.attest(ctx, call, request)
    assert granted.details is not None
    return _Came(granted.details.session.subject_id, granted.details.session_id, call.request_id)


async def _refusals(ctx: Context, caller: Caller, issuer: Issuer, organization_id: str) -> None:
    """Tokens that the profile does not believe: another audience, another issuer, too old."""
    wrong: tuple[dict[str, Any], ...] = ({"aud": "somebody-else"}, {"iss": HOSTILE}, {"exp": 1}, {"aud": HOSTILE})
    for number, claims in enumerate(wrong):
        call = Call(caller=caller, request_id=f"request-id-test-refused-{number}")
        token = issuer.mint(claims, now=ctx.clock())
        request = attest.AttestRequest(profile_id=PROFILE_ID, token=token, organization_id=organization_id)
        try:
            await attest.attest(ctx, call, request)
        except errors.Error:
            continue
        raise AssertionError(f"the profile believed {claims}")


async def _keys(ctx: Context, place: _Place) -> dict[str, str]:
    """What opens and configures the environment: as much of it that each page has something to show."""
    project_slug, environment_slug = place.project.slug, place.caller.environment.slug
    environment = EnvironmentRef(project_slug=project_slug, environment_slug=environment_slug)
    key, _ = await workspace_keys.create(ctx, "Deployment", by=OPERATOR)
    spare, _ = await projects.create_secret(ctx, place.caller.environment.environment_id, by=OPERATOR)
    token = await public_tokens.create(ctx, OPERATOR, environment)
    url = RedirectUrlCreate(
        project_slug=project_slug,
        environment_slug=environment_slug,
        url="https://app.acme.example/login",
        valid_types=(GivenType(type="LOGIN"),),
    )
    await redirect_urls.create_redirect_url(ctx, OPERATOR, url)
    await projects.rotate_keys(ctx, place.caller.environment.environment_id, by=OPERATOR)
    return {
        "slug": place.project.slug,
        "secret_id": spare.secret_id,
        "public_token": token.public_token,
        "workspace_key_id": key.workspace_key_id,
        "template_type": "SESSION",
    }


async def _number_of_a_refusal(ctx: Context, caller: Caller) -> str:
    wanted = AttemptFilter(request_id="request-id-test-refused-1")
    found = await attempt_pages.window(ctx, caller.environment.environment_id, wanted)
    return str(found.attempts[0].number)


async def _operator(ctx: Context, email: str, role: operators.Role) -> str:
    made = await operators.invite(ctx, email, role, by=OPERATOR)
    came = await signing_in.with_link(ctx, made.token, "", PASSWORD, "request-id-test-seed")
    await signing_in.sign_out(ctx, came.session_token, "request-id-test-seed")
    return came.signed_in.operator_id


def database_in(folder: Path) -> str:
    """The address of a database in ``folder``, as ``tests.process.Assay`` has it."""
    return f"sqlite:///{folder / 'assay.db'}"
