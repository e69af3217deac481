"""The pages of known issuers: as their presets and fixtures would write them, and each command makes what it says."""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay import cli, config
from assay.api.application import Application
from assay.app import open_context
from assay.keys.effective import sources_of
from assay.stories import organizations, profiles, projects
from assay.stories.context import Call, Context
from docs import issuers
from tests.dialects.dialect import GOOD, JWKS, OTHER_PROJECT, PEM, SECRET, Dialect
from tests.dialects.harness import all_dialects
from tests.dialects.minting import Web, claims_of, documents_of, token_of, values_of
from tests.docs import pages
from tests.world import BASE_URL, Clock

PAGES = issuers.pages()
DIALECTS = {dialect.preset: dialect for dialect in reversed(all_dialects())}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_as_its_preset_and_its_fixture_would_write_it(page: str) -> None:
    assert (issuers.FOLDER / page).read_text(encoding="utf-8") == PAGES[page], "run: python docs/generate.py"


def test_there_is_no_page_of_a_preset_that_is_gone() -> None:
    assert {path.name for path in issuers.FOLDER.glob("*.md")} == set(PAGES)


@pytest.mark.parametrize("preset", sorted(DIALECTS))
def test_the_command_of_a_page_makes_a_profile_that_accepts_the_token(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dialect = DIALECTS[preset]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_DATABASE", "sqlite:///assay.db")
    values = values_of(dialect)
    for stand_in in (PEM, JWKS, SECRET):
        Path(issuers.STAND_INS[stand_in].removeprefix("@")).write_text(values[stand_in] + "\n", "utf-8")
    project = _run(capsys, "project", "create", "Ours", "--vertical", dialect.verticals[0])
    other = _run(capsys, "project", "create", "Other", "--vertical", "b2b")
    [block] = pages.blocks(issuers.FOLDER / f"{preset}.md", {})
    line = block.commands.replace("\\\n", "").replace("$PROJECT_ID", project["project_id"])
    words = shlex.split(line.replace("$OTHER_PROJECT_ID", other["project_id"]))
    assert words[0] == "assay"
    made = _run(capsys, *words[1:])
    assert made["problems"] == []
    answer = asyncio.run(_attest(dialect, project, made["profile"]["profile_id"], other["project_id"]))
    assert answer.status_code == 200, answer.text


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    code = cli.main([*words, "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


async def _attest(dialect: Dialect, project: dict[str, Any], profile_id: str, other: str) -> httpx.Response:
    web, clock = Web(), Clock()
    settings = config.read({}, database="sqlite:///assay.db")
    async with open_context(settings, clock=clock, monotonic=clock, fetch=web.fetch) as ctx:
        report = await profiles.show_profile(ctx, project["project_id"], profile_id)
        web.documents = documents_of(dialect, sources_of(report.profile), report.profile.issuer)
        body: dict[str, Any] = {"profile_id": profile_id, "token": await _token(ctx, dialect, other)}
        path = "/v1/sessions/attest"
        if project["vertical"] == "consumer":
            body["session_duration_minutes"] = 60
        else:
            path = "/v1/b2b/sessions/attest"
            if "organization_id" not in report.profile.attribute_mapping:
                body["organization_id"] = await _organization(ctx, project)
        transport = httpx.ASGITransport(app=Application(ctx))
        auth = (project["project_id"], project["secret"])
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=auth) as client:
            return await client.post(path, json=body)


async def _token(ctx: Context, dialect: Dialect, other: str) -> str:
    values = values_of(dialect, **{OTHER_PROJECT: other})
    if OTHER_PROJECT not in str(dialect.settings):
        return token_of(dialect, GOOD, values)
    environment = await ctx.store.environment(other)
    assert environment is not None
    return await ctx.signer.sign(environment, None, claims_of(dialect, GOOD, values))


async def _organization(ctx: Context, project: dict[str, Any]) -> str:
    caller = await projects.authenticate_caller(ctx, project["project_id"], project["secret"])
    request = organizations.OrganizationCreate(organization_name="Acme", organization_slug="acme")
    made = await organizations.create(ctx, Call(caller=caller, request_id="set-up"), request)
    return made.organization_id
