"""Redirect URLs: kept for operators' tools, since Assay itself sends nobody anywhere."""

from __future__ import annotations

from typing import cast, get_args

from assay import errors
from assay.dashboard.page import Answer, Page
from assay.dashboard.pages.environments import reference
from assay.dashboard.table import Row, get, post
from assay.model import RedirectUse
from assay.stories import redirect_urls
from assay.stories.redirect_urls import GivenType, RedirectUrlCreate, RedirectUrlDelete

USES: tuple[tuple[RedirectUse, str], ...] = (
    ("LOGIN", "Login"),
    ("SIGNUP", "Signup"),
    ("INVITE", "Invitation"),
    ("RESET_PASSWORD", "Password reset"),
    ("DISCOVERY", "Discovery"),
)
_HERE = "{project_slug}/{environment_slug}/redirect-urls"


async def list_urls(page: Page) -> Answer:
    """All of them, and the form for one more."""
    return await _list(page)


async def create(page: Page) -> Answer:
    """Add a URL, or more uses to one."""
    uses = [use for use in page.form.all("use") if use in get_args(RedirectUse)]
    here, url = reference(page), page.form.text("url")
    wanted = RedirectUrlCreate(
        project_slug=here.project_slug,
        environment_slug=here.environment_slug,
        url=url,
        valid_types=tuple(GivenType(type=cast("RedirectUse", use)) for use in dict.fromkeys(uses)),
    )
    try:
        await redirect_urls.create_redirect_url(page.ctx, page.by, wanted)
    except (errors.InvalidRedirectUrl, errors.TooManyRedirectUrls) as fault:
        return await _list(page, 400, fault=fault.message)
    return page.redirect(page.within("redirect-urls"), f"Added {url}.")


async def delete(page: Page) -> Answer:
    """Browsers may be sent there no longer."""
    here, url = reference(page), page.form.raw("url")
    wanted = RedirectUrlDelete(project_slug=here.project_slug, environment_slug=here.environment_slug, url=url)
    await redirect_urls.delete_redirect_url(page.ctx, page.by, wanted)
    return page.redirect(page.within("redirect-urls"), f"Deleted {url}.")


async def _list(page: Page, status: int = 200, *, fault: str = "") -> Answer:
    urls = await redirect_urls.list_redirect_urls(page.ctx, page.by, reference(page))
    return page.render("redirect_urls/list.html", status, urls=urls, uses=USES, titles=dict(USES), fault=fault)


PAGES: tuple[Row, ...] = (
    get(_HERE, list_urls, "environment"),
    post(_HERE, create),
    post(f"{_HERE}/delete", delete),
)
