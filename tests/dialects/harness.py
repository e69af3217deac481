"""Runs a dialect end to end: its preset makes the profile, and its tokens go through the API over HTTP in process.

A fixture is a file ``tests/dialects/test_dialect_PRESET.py`` that is data and two lines::

    from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
    from tests.dialects.harness import checks_of

    DIALECT = Dialect(
        preset="example",
        settings={"audience": "https://api.example.com", "tenant": "t-1"},
        claims={"iss": "https://example.com", "sub": "…", …, "iat": NOW, "exp": NOW + 300},
        header={"typ": "JWT"},                       # besides alg and kid
        expected={"external_id": "…", "email": "…"},  # every attribute that the preset maps
        also={"v1": Good(claims={"ver": "1.0"}, expected={…})},
        wrong={
            "another tenant": Wrong(claims={"tid": "t-2"}, step="conditions", why="Tokens of other tenants …"),
            "no expiry": Wrong(claims={"exp": ABSENT}, step="times", why="…"),
        },
    )
    test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)

A file with several dialects calls it ``DIALECTS = (…)`` and ``checks_of(*DIALECTS)``. What the fields mean is said in
``tests/dialects/dialect.py``. The issuer's keys are ours, in the kind of document that the preset's key source asks
for, at the URL that the preset names; nothing is to be had at any other URL. Both verticals of the preset are tried.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from assay.keys.effective import sources_of
from assay.model import Vertical
from assay.store import AttemptSearch
from assay.stories import explain, presets, profiles, projects
from assay.stories.attest import AttestRequest
from assay.stories.context import Call
from tests.calls import OPERATOR
from tests.dialects.dialect import GOOD, OTHER_PROJECT, Change, Dialect, Good, Wrong, filled_in
from tests.dialects.minting import Web, claims_of, documents_of, token_of, values_of
from tests.world import Tenant, World, open_world

PROFILE_ID = "dialect"
_PATHS: dict[Vertical, str] = {"b2b": "/v1/b2b/sessions/attest", "consumer": "/v1/sessions/attest"}
_IDENTITY = {"organization_id": "organization", "external_member_id": "external_id", "external_user_id": "external_id"}

AcceptedTest = Callable[[Path, Dialect, Vertical, Good], Awaitable[None]]
WrongTest = Callable[[Path, Dialect, Vertical, Wrong], Awaitable[None]]


class Scene(msgspec.Struct, kw_only=True):
    """A world in which the dialect's profile exists, and what its issuer publishes."""

    world: World
    web: Web
    dialect: Dialect
    vertical: Vertical
    values: dict[str, str]
    mapping: dict[str, Any]

    @property
    def tenant(self) -> Tenant:
        return self.world.b2b if self.vertical == "b2b" else self.world.consumer

    async def token(self, change: Change = GOOD) -> str:
        """The good token with a change. Where the issuer is an environment of this server, that signs it."""
        if OTHER_PROJECT not in self.values or change.signed_by == "stranger":
            return token_of(self.dialect, change, self.values)
        other = await self.world.context.store.environment(self.values[OTHER_PROJECT])
        assert other is not None
        return await self.world.context.signer.sign(other, None, claims_of(self.dialect, change, self.values))

    async def body(self, change: Change = GOOD) -> dict[str, Any]:
        """The body of an attest; the request names the organization unless the token does."""
        body: dict[str, Any] = {"profile_id": PROFILE_ID, "token": await self.token(change)}
        if self.vertical == "consumer":
            return body | {"session_duration_minutes": 60}
        if "organization_id" in self.mapping:
            return body
        return body | {"organization_id": self.world.acme.organization_id}

    async def attest(self, change: Change = GOOD) -> httpx.Response:
        async with self.world.client(self.tenant) as client:
            return await client.post(_PATHS[self.vertical], json=await self.body(change))

    async def explained(self, change: Change = GOOD) -> explain.Explanation:
        call = Call(caller=self.tenant.caller, request_id="request-id-explain")
        request = msgspec.convert(await self.body(change), AttestRequest)
        return await explain.explain(self.world.context, call, request)


@asynccontextmanager
async def staged(folder: Path, dialect: Dialect, vertical: Vertical) -> AsyncIterator[Scene]:
    """A world with the profile that the preset makes, which must have no problems."""
    web = Web()
    async with open_world(folder, fetch=web.fetch) as world:
        values = values_of(dialect)
        if dialect.of.profile["key_sources"][0]["kind"] == "project":
            made = await projects.create_project(world.context, "Other", "b2b", by=OPERATOR)
            values[OTHER_PROJECT] = made.environment.environment_id
        scene = Scene(world=world, web=web, dialect=dialect, vertical=vertical, values=values, mapping={})
        await _create_profile(scene)
        yield scene


async def _create_profile(scene: Scene) -> None:
    ctx, environment_id = scene.world.context, scene.tenant.project_id
    settings = filled_in(scene.dialect.settings, scene.values)
    request = presets.profile_of(scene.dialect.preset, settings, scene.vertical)
    request = msgspec.structs.replace(request, profile_id=PROFILE_ID, can_jit_provision=True)
    report = await profiles.create_profile(ctx, environment_id, request, by=OPERATOR, allow_problems=False)
    scene.mapping = report.profile.attribute_mapping
    scene.web.documents = documents_of(scene.dialect, sources_of(report.profile), report.profile.issuer)


# ---------------------------------------------------------------- the tests of a dialect


def checks_of(*dialects: Dialect) -> tuple[AcceptedTest, WrongTest]:
    """``test_the_token_is_accepted`` and ``test_a_wrong_token_is_refused`` for these dialects."""

    @pytest.mark.parametrize(("dialect", "vertical", "good"), _cases(dialects, _goods))
    async def test_the_token_is_accepted(tmp_path: Path, dialect: Dialect, vertical: Vertical, good: Good) -> None:
        async with staged(tmp_path, dialect, vertical) as scene:
            await check_accepted(scene, good)

    @pytest.mark.parametrize(("dialect", "vertical", "wrong"), _cases(dialects, lambda each: each.wrong))
    async def test_a_wrong_token_is_refused(tmp_path: Path, dialect: Dialect, vertical: Vertical, wrong: Wrong) -> None:
        async with staged(tmp_path, dialect, vertical) as scene:
            await check_refused(scene, wrong)

    return test_the_token_is_accepted, test_a_wrong_token_is_refused


def _goods(dialect: Dialect) -> dict[str, Good]:
    return {"as documented": GOOD, **dialect.also}


def _cases(dialects: tuple[Dialect, ...], changes: Callable[[Dialect], Any]) -> list[Any]:
    return [
        pytest.param(dialect, vertical, change, id=f"{dialect.preset}-{vertical}-{name}")
        for dialect in dialects
        for vertical in dialect.verticals
        for name, change in changes(dialect).items()
        if vertical in change.verticals
    ]


async def check_accepted(scene: Scene, change: Good = GOOD) -> None:
    """The token logs in as whom the dialect expects, with no document asked for but the issuer's own."""
    expected = filled_in(scene.dialect.expected | change.expected, scene.values)
    explained = await scene.explained(change)
    assert explained.refusal is None, explained.refusal and (explained.refusal.code, explained.refusal.detail)
    _check_identity(scene, explained, expected)
    answer = await scene.attest(change)
    assert answer.status_code == 200, answer.text
    _check_person(answer.json(), expected)
    assert set(scene.web.fetched) <= set(scene.web.documents), "something else than the key documents was asked for"
    assert bool(scene.web.fetched) == bool(scene.web.documents)


def _check_identity(scene: Scene, explained: explain.Explanation, expected: dict[str, Any]) -> None:
    names = {_IDENTITY.get(name, name.partition(".")[0]) for name in scene.mapping}
    assert names <= expected.keys(), f"expected says nothing of {names - expected.keys()}"
    identity = explained.identity
    assert identity is not None
    shown = {name: getattr(identity, name) for name in names}
    assert shown == {name: expected[name] for name in names}
    if "email_verified" in expected:
        assert identity.email_verified == expected["email_verified"]


def _check_person(answer: dict[str, Any], expected: dict[str, Any]) -> None:
    person = answer.get("member") or answer["user"]
    assert person["external_id"] == expected.get("external_id")
    if "organization" in answer and "organization" in expected:
        assert answer["organization"]["organization_external_id"] == expected["organization"]
    assert expected.get("trusted_metadata", {}).items() <= person["trusted_metadata"].items()


async def check_refused(scene: Scene, change: Wrong) -> None:
    """The token is refused with this code at this step, and explained alike."""
    explained = await scene.explained(change)
    answer = await scene.attest(change)
    body = answer.json()
    assert (answer.status_code, body.get("error_type")) == (change.status, change.code), body.get(
        "error_type", "it was accepted"
    )
    search = AttemptSearch(request_id=body["request_id"])
    [found] = await scene.world.context.store.search_attempts(scene.tenant.project_id, search)
    assert (found.attempt.details["step"], found.attempt.code) == (change.step, change.code), found.attempt.reason
    assert explained.refusal is not None
    assert explained.refusal.code == change.code


# ---------------------------------------------------------------- all of them


def all_dialects() -> tuple[Dialect, ...]:
    """The dialects of every fixture, by preset."""
    found: list[Dialect] = []
    for file in sorted(Path(__file__).parent.glob("test_dialect_*.py")):
        module = importlib.import_module(f"tests.dialects.{file.stem}")
        found += getattr(module, "DIALECTS", None) or (module.DIALECT,)
    return tuple(found)
