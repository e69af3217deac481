"""Whoever visits the dashboard of a ``world``, without a browser: cookies, anti-forgery tokens, pages as text.

``visitor = await signed_in(world, "owner")`` is an operator; ``Visitor(world)`` is nobody in particular::

    answer = await visitor.get("projects")
    answer = await visitor.post(f"{visitor.place}/profiles/idp/delete", name="Test issuer")
"""

from __future__ import annotations

import html
import re
from types import TracebackType
from typing import Any, Self

import httpx

from assay.dashboard.application import Dashboard
from assay.stories import operators, signing_in
from assay.stories.operators import Role
from tests.calls import OPERATOR
from tests.world import BASE_URL, Tenant, World

PASSWORD = "correct horse battery staple"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class Visitor:
    """One browser's worth of cookies. Paths are below ``/dashboard/``; redirects are not followed."""

    def __init__(self, world: World, address: str = "203.0.113.7", base_url: str = BASE_URL) -> None:
        transport = httpx.ASGITransport(app=Dashboard(world.context), client=(address, 50_000))
        self.client = httpx.AsyncClient(transport=transport, base_url=base_url)
        self.world = world
        self.operator_id = ""
        self.place = ""
        """The B2B project's TEST environment, as paths begin with it; ``consumer_place`` is the other one."""
        self.consumer_place = ""

    async def __aenter__(self) -> Self:
        self.place = await place_of(self.world, self.world.b2b)
        self.consumer_place = await place_of(self.world, self.world.consumer)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()

    async def get(self, path: str, **arguments: Any) -> httpx.Response:
        return await self.client.get(f"/dashboard/{path}", params=arguments or None)

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        """Post a form as a page of ours would; ``csrf=`` replaces the token."""
        given = {"csrf": await self.csrf()} | fields
        return await self.client.post(f"/dashboard/{path}", data=given, headers={"origin": BASE_URL})

    def carry(self, name: str, value: str) -> None:
        """Have this cookie, as if the server had set it."""
        self.client.cookies.set(name, value, domain=self.client.base_url.host, path="/dashboard")

    async def csrf(self) -> str:
        """The anti-forgery token of this visitor's pages."""
        page = await self.get("account")
        if page.status_code == 303:
            page = await self.get("sign-in")
        return token_in(page)

    async def sign_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        return await self.post("sign-in", email=email, password=password)


async def signed_in(world: World, role: Role = "owner", email: str = "") -> Visitor:
    """An operator of this role, who followed a link and has a session."""
    visitor = await Visitor(world).__aenter__()
    made = await operators.invite(world.context, email or f"{role}@example.com", role, by=OPERATOR)
    came = await signing_in.with_link(world.context, made.token, "", PASSWORD, "request-id-test-set-up")
    visitor.carry("assay_session", came.session_token)
    visitor.operator_id = came.signed_in.operator_id
    return visitor


async def place_of(world: World, tenant: Tenant) -> str:
    """PROJECT_SLUG/ENVIRONMENT_SLUG of a tenant."""
    environment = await world.context.store.environment(tenant.project_id)
    assert environment is not None
    projects = await world.context.store.projects()
    slug = next(each.slug for each in projects if each.project_id == environment.project_id)
    return f"{slug}/{environment.slug}"


def token_in(page: httpx.Response) -> str:
    """The anti-forgery token in the first form of a page."""
    found = _CSRF.search(page.text)
    assert found, page.text
    return html.unescape(found[1])


def text_of(page: httpx.Response) -> str:
    """What a page says, without its marks, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())
