"""Signing in and out, following a one-time link, one's own account, and the colours."""

from __future__ import annotations

from typing import get_args

from assay import errors
from assay.dashboard import cookies
from assay.dashboard.page import ROOT, Answer, Page, Theme
from assay.dashboard.table import Row, get, post
from assay.stories import signing_in
from assay.stories.signing_in import Came


async def ask(page: Page) -> Answer:
    """The form to sign in."""
    if page.signed_in is not None:
        return page.redirect(_next(page.query.raw("next")))
    return _form(page)


async def sign_in(page: Page) -> Answer:
    """Sign in by address and password."""
    email, password = page.form.text("email"), page.form.raw("password")
    try:
        came = await signing_in.with_password(page.ctx, email, password, page.address, page.request_id)
    except (errors.WrongOperatorCredentials, errors.TooManySignIns) as fault:
        return _form(page, _status(fault), fault=fault.message)
    return _let_in(page, came, _next(page.form.raw("next")))


async def ask_token(page: Page) -> Answer:
    """The form to sign in by a trusted auth token."""
    return _token_form(page, page.query.text("profile"))


async def sign_in_by_token(page: Page) -> Answer:
    """Sign in by a trusted auth token of a profile of Assay's own environment."""
    profile_id, token = page.form.text("profile_id"), page.form.text("token")
    try:
        came = await signing_in.with_token(page.ctx, profile_id, token, page.address, page.request_id)
    except errors.StoreUnavailable:
        raise
    except errors.Error as fault:
        # What exactly is wrong with the token is in the attempts of that environment, for owners to see.
        return _token_form(page, profile_id, _status(fault), fault=fault.message)
    return _let_in(page, came, _next(page.form.raw("next")))


async def sign_out(page: Page) -> Answer:
    """End the session."""
    await signing_in.sign_out(page.ctx, page.session_token, page.request_id)
    answer = page.redirect(page.at("sign-in"), "You are signed out.")
    answer.cookies = [cookies.written(cookies.SESSION, "", secure=page.secure, same_site="Lax", seconds=0)]
    return answer


async def welcome(page: Page) -> Answer:
    """The page behind a one-time link."""
    return await _welcome(page, page.query.raw("token"))


async def join(page: Page) -> Answer:
    """Follow the link: set the password, and sign in."""
    token, email, password = page.form.raw("token"), page.form.text("email"), page.form.raw("password")
    if password != page.form.raw("repeated"):
        return await _welcome(page, token, 400, email=email, repeated_fault="The two passwords differ.")
    try:
        came = await signing_in.with_link(page.ctx, token, email, password, page.request_id)
    except errors.InvalidEmail as fault:
        return await _welcome(page, token, 400, email=email, email_fault=fault.message)
    except errors.WeakPassword as fault:
        return await _welcome(page, token, 400, email=email, password_fault=fault.message)
    return _let_in(page, came, page.at())


async def account(page: Page) -> Answer:
    """Who is signed in, and the form for another password."""
    return _account(page)


async def change_password(page: Page) -> Answer:
    """Set another password; every other session of the operator ends."""
    old, new = page.form.raw("old"), page.form.raw("password")
    if new != page.form.raw("repeated"):
        return _account(page, 400, repeated_fault="The two passwords differ.")
    try:
        came = await signing_in.change_password(
            page.ctx, page.operator, old, new, address=page.address, request_id=page.request_id
        )
    except (errors.WrongOperatorCredentials, errors.TooManySignIns) as fault:
        return _account(page, 400, old_fault=fault.message)
    except errors.WeakPassword as fault:
        return _account(page, 400, password_fault=fault.message)
    answer = _let_in(page, came, page.at("account"))
    answer.notice = page.redirect("", "Your password is changed. Everywhere else you are signed out.").notice
    return answer


async def choose_theme(page: Page) -> Answer:
    """Keep the choice of colours in a cookie."""
    answer = page.redirect(_next(page.form.raw("next")))
    theme = page.form.raw("theme")
    if theme in get_args(Theme):
        kept = cookies.written(cookies.THEME, theme, secure=page.secure, seconds=cookies.YEAR_SECONDS)
        answer.cookies = [kept]
    return answer


def _form(page: Page, status: int = 200, *, fault: str = "") -> Answer:
    wanted = page.form.raw("next") or page.query.raw("next")
    return page.render("signing_in/form.html", status, next=wanted, email=page.form.text("email"), fault=fault)


def _token_form(page: Page, profile_id: str, status: int = 200, *, fault: str = "") -> Answer:
    wanted = page.form.raw("next") or page.query.raw("next")
    return page.render("signing_in/token.html", status, next=wanted, profile_id=profile_id, fault=fault)


async def _welcome(page: Page, token: str, status: int = 200, **faults: str) -> Answer:
    holder = await signing_in.holder_of(page.ctx, token)
    values = {"email": "", "email_fault": "", "password_fault": "", "repeated_fault": ""} | faults
    return page.render("signing_in/welcome.html", status, token=token, holder=holder, **values)


def _account(page: Page, status: int = 200, **faults: str) -> Answer:
    values = {"old_fault": "", "password_fault": "", "repeated_fault": ""} | faults
    return page.render("signing_in/account.html", status, **values)


def _let_in(page: Page, came: Came, path: str) -> Answer:
    answer = page.redirect(path)
    # Lax: a link from a chat to a page of the dashboard should find its reader signed in; posts are checked anyway.
    kept = cookies.written(cookies.SESSION, came.session_token, secure=page.secure, same_site="Lax")
    answer.cookies = [kept]
    return answer


def _next(path: str) -> str:
    """The page to go on to: one of ours, whatever the form says. Browsers read two slashes of either kind as a host."""
    ours = path == ROOT or path.startswith((f"{ROOT}/", f"{ROOT}?"))
    return path if ours and path.isascii() and path.isprintable() and "\\" not in path and "//" not in path else ROOT


def _status(fault: errors.Error) -> int:
    return {"unauthenticated": 401, "too many": 429, "forbidden": 403, "unavailable": 503}.get(fault.kind, 400)


PAGES: tuple[Row, ...] = (
    get("sign-in", ask, role=None),
    post("sign-in", sign_in, role=None),
    get("sign-in/token", ask_token, role=None),
    post("sign-in/token", sign_in_by_token, role=None),
    post("sign-out", sign_out, role=None),
    get("welcome", welcome, role=None),
    post("welcome", join, role=None),
    get("account", account, "account"),
    post("account", change_password, role="viewer"),
    post("theme", choose_theme, role=None),
)
