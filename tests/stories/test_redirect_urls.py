"""Redirect URLs of an environment: what a change does to the others, and to those of everybody else."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from assay import errors, store
from assay.model import Environment, RedirectUrl
from assay.stories import redirect_urls
from assay.stories.context import Call, Context
from assay.stories.environments import EnvironmentRef
from assay.stories.redirect_urls import GivenType, RedirectUrlCreate, RedirectUrlDelete, RedirectUrlRef
from tests.calls import OPERATOR

HERE: dict[str, Any] = {"project_slug": "acme", "environment_slug": "test"}
ONE, TWO = "https://app.example/one", "https://app.example/two"
LOGIN = GivenType(type="LOGIN")


@pytest.fixture(autouse=True)
def _environment(call: Call) -> None:
    """The environment that ``HERE`` names."""
    assert call.environment.slug == "test"


async def create(ctx: Context, url: str = ONE, *valid_types: GivenType, **members: Any) -> RedirectUrl:
    request = RedirectUrlCreate(**(HERE | members), url=url, valid_types=valid_types or (LOGIN,))
    return await redirect_urls.create_redirect_url(ctx, OPERATOR, request)


async def listed(ctx: Context, **where: Any) -> list[tuple[str, list[tuple[str, bool]]]]:
    found = await redirect_urls.list_redirect_urls(ctx, OPERATOR, EnvironmentRef(**(HERE | where)))
    return [(each.url, [(use.type, use.is_default) for use in each.valid_types]) for each in found]


async def test_a_fresh_environment_has_none(ctx: Context) -> None:
    assert await listed(ctx) == []


async def test_creating_one_that_exists_adds_its_uses(ctx: Context) -> None:
    await create(ctx)
    made = await create(ctx, ONE, GivenType(type="SIGNUP", is_default=True))
    assert [(use.type, use.is_default) for use in made.valid_types] == [("LOGIN", True), ("SIGNUP", True)]
    assert await listed(ctx) == [(ONE, [("LOGIN", True), ("SIGNUP", True)])]


async def test_an_update_replaces_the_uses_and_without_uses_leaves_them(ctx: Context) -> None:
    await create(ctx)
    await create(ctx, TWO)
    request = redirect_urls.RedirectUrlUpdate(**HERE, url=ONE, valid_types=(GivenType(type="INVITE"),))
    await redirect_urls.update_redirect_url(ctx, OPERATOR, request)
    after = [(ONE, [("INVITE", True)]), (TWO, [("LOGIN", True)])]
    assert await listed(ctx) == after
    await redirect_urls.update_redirect_url(ctx, OPERATOR, redirect_urls.RedirectUrlUpdate(**HERE, url=ONE))
    assert await listed(ctx) == after


async def test_a_deleted_one_is_gone_and_leaves_its_defaults_to_the_next(ctx: Context) -> None:
    await create(ctx)
    await create(ctx, TWO)
    await redirect_urls.delete_redirect_url(ctx, OPERATOR, RedirectUrlDelete(**HERE, url=ONE))
    assert await listed(ctx) == [(TWO, [("LOGIN", True)])]


async def test_nothing_is_promoted_for_a_caller_who_says_so(ctx: Context) -> None:
    quiet: dict[str, Any] = {"do_not_promote_defaults": True}
    await create(ctx, ONE, LOGIN, **quiet)
    assert await listed(ctx) == [(ONE, [("LOGIN", False)])]
    await create(ctx, TWO, GivenType(type="LOGIN", is_default=True), **quiet)
    await redirect_urls.delete_redirect_url(ctx, OPERATOR, RedirectUrlDelete(**HERE, url=TWO, **quiet))
    assert await listed(ctx) == [(ONE, [("LOGIN", False)])]
    change = redirect_urls.RedirectUrlUpdate(**HERE, url=ONE, valid_types=(GivenType(type="SIGNUP"),), **quiet)
    await redirect_urls.update_redirect_url(ctx, OPERATOR, change)
    assert await listed(ctx) == [(ONE, [("SIGNUP", False)])]


async def test_what_is_not_there_is_not_found(ctx: Context) -> None:
    await create(ctx)
    for story, request in (
        (redirect_urls.get_redirect_url, RedirectUrlRef(**HERE, url=TWO)),
        (redirect_urls.update_redirect_url, redirect_urls.RedirectUrlUpdate(**HERE, url=TWO, valid_types=(LOGIN,))),
        (redirect_urls.delete_redirect_url, RedirectUrlDelete(**HERE, url=TWO)),
    ):
        call: Any = story
        with pytest.raises(errors.RedirectUrlNotFound):
            await call(ctx, OPERATOR, request)
    assert [url for url, _ in await listed(ctx)] == [ONE]


async def test_each_environment_has_its_own(ctx: Context, elsewhere: Call) -> None:
    assert elsewhere.environment.slug == "test"
    await create(ctx)
    assert await listed(ctx, environment_slug="live") == []
    assert await listed(ctx, project_slug="rival") == []
    with pytest.raises(errors.EnvironmentNotFound):
        await listed(ctx, environment_slug="staging")
    with pytest.raises(errors.ProjectNotFound):
        await listed(ctx, project_slug="nobody")


async def test_one_that_is_not_valid_is_not_stored(ctx: Context) -> None:
    with pytest.raises(errors.InvalidRedirectUrl):
        await create(ctx, "app.example")
    with pytest.raises(errors.InvalidRedirectUrl, match="twice"):
        await create(ctx, ONE, LOGIN, GivenType(type="LOGIN", is_default=True))
    assert await listed(ctx) == []


async def test_there_is_an_end_to_how_many(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redirect_urls, "MOST_REDIRECT_URLS", 1)
    await create(ctx)
    await create(ctx, ONE, GivenType(type="SIGNUP"))
    with pytest.raises(errors.TooManyRedirectUrls):
        await create(ctx, TWO)
    assert [url for url, _ in await listed(ctx)] == [ONE]


async def test_changes_at_once_all_count(ctx: Context) -> None:
    urls = [f"https://app.example/{number}" for number in range(6)]
    await asyncio.gather(*(create(ctx, url, GivenType(type="LOGIN", is_default=True)) for url in urls))
    found = await listed(ctx)
    assert {url for url, _ in found} == set(urls)
    assert sum(is_default for _, uses in found for _, is_default in uses) == 1


class Between:
    """A store in which somebody else renames the environment while its configuration is read for the first time."""

    def __init__(self, inner: store.Store, environment: Environment) -> None:
        self._inner = inner
        self._renamed: Environment | None = msgspec.structs.replace(environment, name="Renamed")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def configuration(self, environment_id: str) -> tuple[int, store.Configuration]:
        renamed, self._renamed = self._renamed, None
        if renamed is not None:
            await self._inner.write(store.ConfigureEnvironment(environment=renamed))
        return await self._inner.configuration(environment_id)


async def test_a_change_of_the_environment_in_between_is_not_undone(ctx: Context, call: Call) -> None:
    between: Any = Between(ctx.store, call.environment)
    await create(msgspec.structs.replace(ctx, store=between))
    environment = await ctx.store.environment(call.environment.environment_id)
    assert environment is not None
    assert (environment.name, [url for url, _ in await listed(ctx)]) == ("Renamed", [ONE])


async def test_each_change_is_an_event(ctx: Context, call: Call) -> None:
    await create(ctx)
    await redirect_urls.update_redirect_url(ctx, OPERATOR, redirect_urls.RedirectUrlUpdate(**HERE, url=ONE))
    await redirect_urls.delete_redirect_url(ctx, OPERATOR, RedirectUrlDelete(**HERE, url=ONE))
    events = await ctx.store.events(call.environment.environment_id, 10)
    assert [(each.action, each.target, each.actor) for each in events] == [
        ("redirect_url.deleted", ONE, "tests"),
        ("redirect_url.updated", ONE, "tests"),
        ("redirect_url.created", ONE, "tests"),
    ]
