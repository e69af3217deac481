"""The dashboard as an ASGI application: one request from its first header to its last byte.

This is the only place that knows in which order a request is checked: path, method, who it is, where a post comes
from, its body and anti-forgery token, the role, the environment. Then the page is called.
"""

from __future__ import annotations

import time
from typing import cast, get_args

import structlog
from starlette.types import Receive, Scope, Send

from assay import errors
from assay.dashboard import arriving, cookies, crossing, leaving, navigation, static_files
from assay.dashboard.arriving import Arrival, Gone
from assay.dashboard.fields import Fields
from assay.dashboard.page import ROOT, Answer, Page, Theme
from assay.dashboard.pages import ALL
from assay.dashboard.table import Row, Table
from assay.stories import internal, places, signing_in
from assay.stories.context import Context
from assay.stories.places import Place

log = structlog.get_logger()

STATUSES: dict[errors.ErrorKind, int] = {
    "invalid": 400,
    "conflict": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not found": 404,
    "method": 405,
    "too large": 413,
    "too many": 429,
    "unavailable": 503,
}
_BROKEN, _UNAVAILABLE = 500, 503
_TITLES = {
    400: "That did not work",
    401: "Please sign in",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    413: "Too large",
    429: "Too many tries",
    500: "Something broke",
    503: "Not available just now",
}


class Dashboard:
    """All pages over one context, as one ASGI application for ``/dashboard`` and every path below it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._table = Table(ALL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        arrival = arriving.read(scope, receive, self._context.settings.public_url)
        try:
            route, answer = await self._answer(arrival)
        except Gone:
            return
        await leaving.send_answer(answer, arrival, send)
        seconds = time.perf_counter() - started
        self._context.meter.answered(arrival.method, route, answer.status, seconds)
        # The row and not the path: ids of people belong into the audit record, not into the log.
        log.info(
            "request",
            method=arrival.method,
            route=route,
            status=answer.status,
            ms=round(seconds * 1000, 2),
            request_id=arrival.request_id,
        )

    async def _answer(self, arrival: Arrival) -> tuple[str, Answer]:
        path = arrival.path.removeprefix(ROOT).strip("/")
        if path.startswith("static/"):
            return f"{ROOT}/static", _static(path.removeprefix("static/"))
        found = self._table.find(path)
        route = f"{ROOT}/{found[0][0].path}".rstrip("/") if found else ROOT
        page = _blank(self._context, arrival)
        try:
            return route, await self._called(found, page, arrival)
        except errors.Error as fault:
            return route, _refused(fault, page)
        except Gone:
            raise
        except Exception:
            log.exception("fault", request_id=arrival.request_id, route=route)
            return route, _refused(errors.InternalError(), page)

    async def _called(self, found: list[tuple[Row, dict[str, str]]], page: Page, arrival: Arrival) -> Answer:
        page.query = Fields.read(arrival.query)
        await self._recognize(page, arrival)
        row, page.parameters = _row(found, arrival.method)
        page.section = row.section
        if row.role is not None and page.signed_in is None:
            return _to_sign_in(page, row, arrival)
        if row.method == "POST":
            page.form = await _checked_form(page, arrival)
        if row.role is not None and not page.may(row.role):
            raise errors.OperatorNotAllowed
        await self._choose(page, row, arrival)
        page.notice = leaving.notice_of(arrival)
        answer = await row.handler(page)
        if row.in_environment:
            place = f"{page.project.slug}/{page.environment.slug}"
            kept = cookies.written(cookies.PLACE, place, secure=page.secure, seconds=cookies.YEAR_SECONDS)
            answer.cookies = [*answer.cookies, kept]
        return answer

    async def _recognize(self, page: Page, arrival: Arrival) -> None:
        token = arrival.cookies.get(cookies.SESSION, "")
        if not token:
            return
        page.signed_in = await signing_in.recognize(self._context, token)
        if page.signed_in is not None:
            page.session_token = token
            page.csrf = crossing.token(token)

    async def _choose(self, page: Page, row: Row, arrival: Arrival) -> None:
        """The environment that the path names; on other pages the one looked at last, for the navigation."""
        if page.signed_in is None:
            return
        if row.in_environment:
            slugs = page.parameters["project_slug"], page.parameters["environment_slug"]
            if slugs[0] == internal.PROJECT_SLUG and row.path.split("/")[2] not in navigation.OF_OPERATORS:
                raise errors.RouteNotFound("There is no such page.")
            found: Place | None = await places.of_slugs(self._context, *slugs, role=page.signed_in.role)
        else:
            project_slug, _, environment_slug = arrival.cookies.get(cookies.PLACE, "").partition("/")
            slugs = project_slug, environment_slug
            found = await places.last_or_first(self._context, *slugs, role=page.signed_in.role)
        if found is not None:
            page.chosen_project, page.environments, page.chosen = found.project, found.environments, found.chosen


def _blank(context: Context, arrival: Arrival) -> Page:
    """The page of somebody not known yet."""
    theme = arrival.cookies.get(cookies.THEME, "")
    return Page(
        ctx=context,
        path=arrival.path,
        section="",
        request_id=arrival.request_id,
        address=arrival.address,
        secure=arrival.secure,
        origin=f"{'https' if arrival.secure else 'http'}://{arrival.headers.get('host', '')}",
        parameters={},
        query=Fields([]),
        form=Fields([]),
        csrf=crossing.token(arrival.visit),
        theme=cast("Theme", theme) if theme in get_args(Theme) else "auto",
    )


def _row(found: list[tuple[Row, dict[str, str]]], method: str) -> tuple[Row, dict[str, str]]:
    if not found:
        raise errors.RouteNotFound("There is no such page.")
    wanted = "GET" if method == "HEAD" else method
    for row, parameters in found:
        if row.method == wanted:
            return row, parameters
    raise errors.MethodNotAllowed("This page does not take such a request.")


async def _checked_form(page: Page, arrival: Arrival) -> Fields:
    """A post comes from our own page, or nothing of it is done. Raises ForgedPost, and as :func:`arriving.form`."""
    if not crossing.is_same_origin(arrival.headers):
        raise errors.ForgedPost(detail="the browser says that the form was posted by another site")
    form = await arriving.form(arrival)
    secret = page.session_token or arrival.cookies.get(cookies.VISIT, "")
    if not crossing.is_token(secret, form.raw("csrf")):
        raise errors.ForgedPost
    return form


def _to_sign_in(page: Page, row: Row, arrival: Arrival) -> Answer:
    """Sign in first, and then go on to the page that was asked for; a post is not kept."""
    query = arrival.query.decode("ascii", "ignore")
    wanted = arrival.path + (f"?{query}" if query else "")
    return page.redirect(page.at("sign-in", next=wanted if row.method == "GET" else None))


def _refused(fault: errors.Error, page: Page) -> Answer:
    status = _BROKEN if isinstance(fault, errors.InternalError) else STATUSES[fault.kind]
    if fault.detail:
        log.info("refused", request_id=page.request_id, code=fault.code, detail=fault.detail)
    answer = page.render("refused.html", status, title=_TITLES[status], message=fault.message)
    if status == _UNAVAILABLE:
        answer.headers.append((b"retry-after", b"5"))
    return answer


def _static(name: str) -> Answer:
    file = static_files.by_served_name().get(name)
    if file is None:
        return Answer(status=404, headers=[(b"content-type", b"text/plain")], body=b"There is no such file.")
    return Answer(status=200, headers=[(b"content-type", file.content_type), leaving.KEPT_FOR_EVER], body=file.body)
