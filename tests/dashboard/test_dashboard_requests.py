"""What every request meets before a page does: headers, cookies, who may come, and where a form comes from."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from assay import errors
from assay.dashboard.arriving import MOST_BODY_BYTES
from assay.dashboard.leaving import POLICY
from assay.dashboard.pages import ALL
from assay.dashboard.static_files import by_name, by_served_name
from assay.dashboard.table import Row
from assay.stories import profiles
from tests.dashboard.browsing import PASSWORD, Visitor, signed_in, token_in
from tests.dashboard.samples import name_of
from tests.world import BASE_URL, PROFILE_ID, World

INSIDE = [row for row in ALL if row.role is not None]
CHANGING = [row for row in ALL if row.method == "POST" and row.role in {"editor", "owner"}]


def some_path(row: Row, place: str) -> str:
    """A path of the row; whether its ids exist does not matter, since nothing looks at them so early."""
    path = row.path.replace("{project_slug}/{environment_slug}", place)
    return "/".join("some-id" if part.startswith("{") else part for part in path.split("/"))


@pytest.mark.parametrize(
    "path", ["sign-in", "projects", "nowhere", "static/nothing.css", f"static/{by_name()['style.css'].served_as}"]
)
async def test_every_answer_says_what_a_browser_may_do_with_it(world: World, path: str) -> None:
    answer = await Visitor(world).get(path)
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"


async def test_pages_are_kept_by_nobody_and_files_for_ever(world: World) -> None:
    visitor = Visitor(world)
    page = await visitor.get("sign-in")
    assert page.headers["cache-control"] == "no-store"
    for name, file in by_served_name().items():
        answer = await visitor.get(f"static/{name}")
        assert (answer.status_code, answer.content) == (200, file.body)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "set-cookie" not in answer.headers


async def test_a_file_is_found_under_the_hash_of_its_bytes_alone(world: World) -> None:
    answer = await Visitor(world).get("static/style.css")
    assert answer.status_code == 404


async def test_no_page_has_a_script_or_style_of_its_own(world: World) -> None:
    page = await (await signed_in(world)).get("projects")
    for inline in ("<script>", "<style", " style=", " onclick=", "javascript:"):
        assert inline not in page.text


async def test_head_is_get_without_a_body(world: World) -> None:
    visitor = Visitor(world)
    shown = await visitor.get("sign-in")
    head = await visitor.client.head("/dashboard/sign-in")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == shown.headers["content-length"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "nowhere", 404), ("DELETE", "sign-in", 405)])
async def test_what_is_no_page_is_refused_in_a_page(world: World, method: str, path: str, status: int) -> None:
    answer = await Visitor(world).client.request(method, f"/dashboard/{path}")
    assert answer.status_code == status
    assert "Request" in answer.text


# ---------------------------------------------------------------- who may come


@pytest.mark.parametrize("row", INSIDE, ids=lambda row: f"{row.method}-{name_of(row)}")
async def test_nobody_comes_in_without_signing_in(world: World, row: Row) -> None:
    visitor = await Visitor(world).__aenter__()
    path = f"/dashboard/{some_path(row, visitor.place)}"
    answer = await visitor.client.request(row.method, path, data={} if row.method == "POST" else None)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/dashboard/sign-in")


@pytest.mark.parametrize("row", CHANGING, ids=name_of)
async def test_a_viewer_changes_nothing(world: World, row: Row) -> None:
    viewer = await signed_in(world, "viewer")
    answer = await viewer.post(some_path(row, viewer.place))
    assert answer.status_code == 403
    assert "Your role does not permit this" in answer.text


@pytest.mark.parametrize("row", [row for row in ALL if row.role == "owner"], ids=lambda row: f"{row.method}-{row.path}")
async def test_an_editor_does_not_reach_what_is_for_owners(world: World, row: Row) -> None:
    editor = await signed_in(world, "editor")
    path = some_path(row, editor.place)
    answer = await editor.get(path) if row.method == "GET" else await editor.post(path)
    assert answer.status_code == 403


async def test_an_environment_that_does_not_exist_is_not_found(world: World) -> None:
    answer = await (await signed_in(world)).get("no-project/test/profiles")
    assert answer.status_code == 404


def test_no_path_outside_environments_can_hide_one_of_an_environment() -> None:
    outside = [row for row in ALL if not row.in_environment]
    assert [row.path for row in outside if len(row.path.split("/")) > 2] == []
    assert [row.path for row in ALL if row.in_environment and len(row.path.split("/")) < 3] == []


# ---------------------------------------------------------------- where a form comes from

_FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        pytest.param({}, {"csrf": ""}, id="no token"),
        pytest.param({}, {"csrf": "A" * 43}, id="a made-up token"),
        pytest.param({}, {"csrf": "the visitor's"}, id="the token of another visitor"),
        pytest.param({}, {"csrf": "the viewer's"}, id="the token of another operator"),
        pytest.param({"origin": "https://evil.example"}, {}, id="another origin"),
        pytest.param({"origin": "null"}, {}, id="the origin of a sandboxed frame"),
        pytest.param({"origin": f"{BASE_URL}.evil.example"}, {}, id="an origin that begins like ours"),
        pytest.param({"origin": BASE_URL, "sec-fetch-site": "cross-site"}, {}, id="cross-site by the browser"),
        pytest.param({"origin": BASE_URL, "sec-fetch-site": "same-site"}, {}, id="a neighbour by the browser"),
        pytest.param({"origin": BASE_URL, "sec-fetch-site": "none"}, {}, id="from no page at all"),
    ],
)
async def test_a_forged_post_does_nothing(world: World, headers: dict[str, str], fields: dict[str, str]) -> None:
    owner, viewer, stranger = await signed_in(world), await signed_in(world, "viewer"), Visitor(world)
    others = {"the visitor's": await stranger.csrf(), "the viewer's": await viewer.csrf()}
    form = {"csrf": await owner.csrf(), "name": "Test issuer"} | fields
    form["csrf"] = others.get(form["csrf"], form["csrf"])
    path = f"/dashboard/{owner.place}/profiles/{PROFILE_ID}/delete"
    answer = await owner.client.post(path, data=form, headers=headers)
    assert answer.status_code == 403
    assert await profiles.show_profile(world.context, world.b2b.project_id, PROFILE_ID)


async def test_an_honest_post_is_done(world: World) -> None:
    owner = await signed_in(world)
    path = f"/dashboard/{owner.place}/profiles/{PROFILE_ID}/delete"
    form = {"csrf": await owner.csrf(), "name": "Test issuer"}
    answer = await owner.client.post(path, data=form, headers={"origin": BASE_URL, "sec-fetch-site": "same-origin"})
    assert answer.status_code == 303
    with pytest.raises(errors.TrustedTokenProfileNotFound):
        await profiles.show_profile(world.context, world.b2b.project_id, PROFILE_ID)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        pytest.param(b"csrf=x", "text/plain", 400, id="another type of form"),
        pytest.param(b"csrf=%ff", _FORM, 400, id="not UTF-8"),
        pytest.param(b"csrf=a&csrf=b", _FORM, 400, id="a field twice"),
        pytest.param(b"csrf=%00", _FORM, 400, id="a NUL character"),
        pytest.param(b"a=1&" * 500, _FORM, 400, id="too many fields"),
        pytest.param(b"a=" + b"x" * MOST_BODY_BYTES, _FORM, 413, id="too large"),
    ],
)
async def test_a_form_that_cannot_be_read_is_refused(world: World, content: bytes, kind: str, status: int) -> None:
    visitor = Visitor(world)
    await visitor.get("sign-in")
    answer = await visitor.client.post("/dashboard/sign-in", content=content, headers={"content-type": kind})
    assert answer.status_code == status


# ---------------------------------------------------------------- cookies


def cookies_of(answer: httpx.Response) -> dict[str, set[str]]:
    """Name → attributes of the cookies that an answer sets."""
    parts = [line.split("; ") for line in answer.headers.get_list("set-cookie")]
    return {part[0].partition("=")[0]: set(part[1:]) for part in parts}


async def test_the_session_cookie_is_kept_from_scripts_and_other_sites(world: World) -> None:
    await signed_in(world)
    visitor = Visitor(world)
    answer = await visitor.sign_in("owner@example.com")
    assert cookies_of(answer)["assay_session"] == {"HttpOnly", "SameSite=Lax", "Path=/dashboard"}


async def test_over_https_cookies_are_bound_to_the_host(world: World) -> None:
    await signed_in(world)
    visitor = Visitor(world, base_url="https://assay.test")
    token = token_in(await visitor.get("sign-in"))
    form = {"csrf": token, "email": "owner@example.com", "password": PASSWORD}
    answer = await visitor.client.post("/dashboard/sign-in", data=form)
    assert cookies_of(answer)["__Host-assay_session"] == {"HttpOnly", "SameSite=Lax", "Path=/", "Secure"}
    page = await visitor.get("account")
    assert page.status_code == 200


async def test_a_plain_cookie_opens_nothing_over_https(world: World) -> None:
    owner = await signed_in(world)
    session = owner.client.cookies["assay_session"]
    visitor = Visitor(world, base_url="https://assay.test")
    answer = await visitor.client.get("/dashboard/account", headers={"cookie": f"assay_session={session}"})
    assert answer.status_code == 303


async def test_of_two_cookies_with_one_name_neither_counts(world: World) -> None:
    session = (await signed_in(world)).client.cookies["assay_session"]
    cookie = f"assay_session={session}; assay_session=planted"
    answer = await Visitor(world).client.get("/dashboard/account", headers={"cookie": cookie})
    assert answer.status_code == 303


async def test_a_notice_is_shown_once_and_only_if_we_wrote_it(world: World) -> None:
    owner = await signed_in(world)
    await owner.post(f"{owner.place}/profiles/{PROFILE_ID}/delete", name="Test issuer")
    first, second = await owner.get("projects"), await owner.get("projects")
    assert "Deleted the profile" in first.text
    assert "Deleted the profile" not in second.text
    owner.carry("assay_notice", "WyJnb29kIiwgIkhlbGxvIl0=.forged")
    third = await owner.get("projects")
    assert "Hello" not in third.text


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("/dashboard/projects?a=b", "/dashboard/projects?a=b"),
        ("", "/dashboard"),
        ("https://evil.example", "/dashboard"),
        ("//evil.example", "/dashboard"),
        ("/dashboard//evil.example", "/dashboard"),
        ("/\\evil.example", "/dashboard"),
        ("/dashboardevil", "/dashboard"),
        ("/dashboard/\r\nset-cookie: a=b", "/dashboard"),
    ],
)
async def test_signing_in_leads_to_pages_of_ours_alone(world: World, wanted: str, location: str) -> None:
    await signed_in(world)
    visitor = Visitor(world)
    answer = await visitor.post("sign-in", email="owner@example.com", password=PASSWORD, next=wanted)
    assert answer.headers["location"] == location


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
async def test_the_choice_of_colours_is_kept(world: World, theme: str) -> None:
    visitor = Visitor(world)
    answer = await visitor.post("theme", theme=theme, next="/dashboard/sign-in")
    assert answer.headers["location"] == "/dashboard/sign-in"
    page = await visitor.get("sign-in")
    assert (f'data-theme="{theme}"' in page.text) == (theme != "auto")


async def test_neither_passwords_nor_tokens_are_logged(world: World) -> None:
    owner = await signed_in(world)
    await owner.sign_in("owner@example.com", "a wrong password, but whose?")
    made: Any = await owner.post("operators-invite", email="new@example.com", role="viewer")
    link = made.text.partition("welcome?token=")[2][:43]
    await Visitor(world).get("welcome", token=link)
    log = world.log_bytes().decode()
    assert '"route":"/dashboard/welcome"' in log
    for secret in (PASSWORD, "a wrong password", link, owner.client.cookies["assay_session"]):
        assert secret not in log
