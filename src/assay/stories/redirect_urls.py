"""Redirect URLs of an environment: kept for operators' tools, since Assay itself sends nobody anywhere.

They are a part of what configures an environment, so each change is made upon its newest revision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from assay import errors, store
from assay.model import RedirectUrl, RedirectUrlType, RedirectUse
from assay.rules import redirects
from assay.stories.changes import until_current
from assay.stories.context import Context, Operator
from assay.stories.environments import EnvironmentRef, resolve

MOST_REDIRECT_URLS = 1_000
"""Of one environment: they are read and written as a whole."""

_Change = Callable[[tuple[RedirectUrl, ...]], tuple[RedirectUrl, ...]]


class GivenType(msgspec.Struct, frozen=True, kw_only=True):
    """One use that a redirect URL is valid for, and whether it is to be its default."""

    type: RedirectUse
    is_default: bool = False


class RedirectUrlRef(EnvironmentRef, kw_only=True):
    """A redirect URL, named by itself."""

    url: str


class RedirectUrlDelete(RedirectUrlRef, kw_only=True):
    """With ``do_not_promote_defaults`` no other URL becomes the default in its place."""

    do_not_promote_defaults: bool = False


class RedirectUrlCreate(RedirectUrlRef, kw_only=True):
    """A redirect URL and what it is valid for.

    A use without any default takes this URL for it, even if ``is_default`` is false, unless
    ``do_not_promote_defaults`` is true.
    """

    valid_types: tuple[GivenType, ...] = ()
    do_not_promote_defaults: bool = False


class RedirectUrlUpdate(RedirectUrlRef, kw_only=True):
    """``valid_types`` replaces all there were; None leaves them. Promotion is as for create and delete."""

    valid_types: tuple[GivenType, ...] | None = None
    do_not_promote_defaults: bool = False


async def create_redirect_url(ctx: Context, by: Operator, request: RedirectUrlCreate) -> RedirectUrl:
    """Add a redirect URL, or more uses to one that is there already (contract, management 1.7).

    Raises ProjectNotFound, EnvironmentNotFound, InvalidRedirectUrl, TooManyRedirectUrls.
    """
    redirects.check(request.url)
    given = _types(request.valid_types)

    def change(urls: tuple[RedirectUrl, ...]) -> tuple[RedirectUrl, ...]:
        before = next((each.valid_types for each in urls if each.url == request.url), ())
        after = RedirectUrl(url=request.url, valid_types=redirects.merged(before, given))
        return redirects.changed(urls, after, promote=not request.do_not_promote_defaults)

    return redirects.find(await _configure(ctx, by, request, "redirect_url.created", change), request.url)


async def list_redirect_urls(ctx: Context, _by: Operator, request: EnvironmentRef) -> tuple[RedirectUrl, ...]:
    """All of them, oldest first. Raises ProjectNotFound, EnvironmentNotFound."""
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    _, configuration = await ctx.store.configuration(environment.environment_id)
    return configuration.redirect_urls


async def get_redirect_url(ctx: Context, by: Operator, request: RedirectUrlRef) -> RedirectUrl:
    """One of them. Raises ProjectNotFound, EnvironmentNotFound, RedirectUrlNotFound."""
    return redirects.find(await list_redirect_urls(ctx, by, request), request.url)


async def update_redirect_url(ctx: Context, by: Operator, request: RedirectUrlUpdate) -> RedirectUrl:
    """Change what a redirect URL is valid for.

    Raises ProjectNotFound, EnvironmentNotFound, RedirectUrlNotFound, InvalidRedirectUrl.
    """
    given = None if request.valid_types is None else _types(request.valid_types)

    def change(urls: tuple[RedirectUrl, ...]) -> tuple[RedirectUrl, ...]:
        before = redirects.find(urls, request.url)
        after = before if given is None else RedirectUrl(url=request.url, valid_types=given)
        return redirects.changed(urls, after, promote=not request.do_not_promote_defaults)

    return redirects.find(await _configure(ctx, by, request, "redirect_url.updated", change), request.url)


async def delete_redirect_url(ctx: Context, by: Operator, request: RedirectUrlDelete) -> None:
    """Browsers may be sent there no longer. Raises ProjectNotFound, EnvironmentNotFound, RedirectUrlNotFound."""

    def change(urls: tuple[RedirectUrl, ...]) -> tuple[RedirectUrl, ...]:
        gone = redirects.find(urls, request.url)
        return redirects.removed(urls, gone, promote=not request.do_not_promote_defaults)

    await _configure(ctx, by, request, "redirect_url.deleted", change)


async def _configure(
    ctx: Context, by: Operator, request: RedirectUrlRef, action: str, change: _Change
) -> tuple[RedirectUrl, ...]:
    """All redirect URLs after ``change``, which is made upon the newest that there are."""

    async def once() -> tuple[RedirectUrl, ...]:
        environment = await resolve(ctx, request.project_slug, request.environment_slug)
        # Read after the environment: if it changed in between, the write carries a revision that is stale.
        _, configuration = await ctx.store.configuration(environment.environment_id)
        after = change(configuration.redirect_urls)
        if len(after) > MOST_REDIRECT_URLS:
            raise errors.TooManyRedirectUrls(f"An environment has at most {MOST_REDIRECT_URLS} redirect URLs.")
        event = by.event(environment.environment_id, action, request.url, int(ctx.clock()))
        write = store.ConfigureEnvironment(environment=environment, redirect_urls=after, events=(event,))
        await ctx.store.write(write)
        return after

    return await until_current(once)


def _types(given: Sequence[GivenType]) -> tuple[RedirectUrlType, ...]:
    if len({each.type for each in given}) < len(given):
        raise errors.InvalidRedirectUrl("valid_types names one type twice.")
    return tuple(RedirectUrlType(type=each.type, is_default=each.is_default) for each in given)
