"""Sessions in a real browser, beside the official client: what is revoked here is gone there."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests
from playwright.async_api import Page, expect
from stytch import B2BClient
from stytch.core.response_base import StytchError

from tests.dashboard.browser import check_axe, check_fits, require_browser
from tests.dashboard.running import Served, serving
from tests.dashboard.seeding import PROFILE_ID
from tests.issuer import Issuer, make_key

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{message}:DeprecationWarning")
    for message in ("BasicAuth is deprecated", "The 'auth' parameter is deprecated", "The `dict` method is deprecated")
]

ISSUER = Issuer(keys=[make_key("RSA")])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The seeded installation, whose profiles trust an issuer that is at hand here."""
    require_browser()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.dashboard.seeding.make_key", lambda _family: ISSUER.keys[0])
        with serving(tmp_path_factory.mktemp("dashboard")) as served:
            yield served


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[B2BClient]:
    """The official client of the B2B project's TEST environment."""
    environment_id = server.seeded.parameters["environment_id"]
    secret = server.assay.run("project", "secret", "create", "--project-id", environment_id)["secret"]
    with requests.Session() as session:
        yield B2BClient(environment_id, secret, environment=f"{server.server.url}/", sync_session=session)


def sign_in(client: B2BClient, name: str) -> tuple[str, str]:
    """Somebody of Acme comes with a token: session token and session id."""
    claims = {"email": f"{name}@acme.example", "sub": f"idp|{name}", "email_verified": True}
    token = ISSUER.mint(claims, now=time.time())
    answer = client.sessions.attest(profile_id=PROFILE_ID, token=token, organization_id="acme")
    assert answer.member_session is not None
    return answer.session_token, answer.member_session.member_session_id


def is_live(client: B2BClient, session_token: str) -> bool:
    try:
        client.sessions.authenticate(session_token=session_token)
    except StytchError as refused:
        if refused.details.error_type != "session_not_found":
            raise
        return False
    return True


async def test_a_session_revoked_in_the_dashboard_is_gone_for_the_client(
    editor: Page, server: Served, client: B2BClient
) -> None:
    token, session_id = sign_in(client, "ada")
    other, _ = sign_in(client, "bea")
    await editor.goto(f"{server.place}/sessions")
    await editor.get_by_label("Member").fill("ada@acme.example")
    await editor.get_by_role("button", name="Filter").click()
    await editor.get_by_role("link", name=session_id).click()
    await editor.get_by_role("link", name="Revoke…").click()
    assert is_live(client, token)
    await check_axe(editor)
    await editor.get_by_role("button", name="Revoke the session").click()
    await expect(editor.get_by_role("status").filter(has_text="Revoked the session.")).to_be_visible()
    await expect(editor.get_by_role("link", name="Revoke…")).to_have_count(0)
    assert [is_live(client, each) for each in (token, other)] == [False, True]


async def test_all_sessions_of_a_member_are_revoked_on_the_page_of_the_member(
    editor: Page, server: Served, client: B2BClient
) -> None:
    tokens = [sign_in(client, "carol")[0] for _ in range(2)]
    await editor.goto(f"{server.place}/members?q=carol@")
    await editor.get_by_role("link", name="carol@acme.example").click()
    await editor.get_by_role("link", name="Revoke all…").click()
    await editor.get_by_role("button", name="Revoke 2 sessions").click()
    await expect(editor.get_by_text("Revoked 2 sessions.")).to_be_visible()
    assert [is_live(client, each) for each in tokens] == [False, False]


async def test_a_member_is_made_and_mended_in_the_dashboard_and_read_by_the_client(
    editor: Page, server: Served, client: B2BClient
) -> None:
    await editor.goto(f"{server.place}/organizations?q=acme")
    await editor.get_by_role("link", name="Acme", exact=True).click()
    await editor.get_by_role("link", name="New member").click()
    await editor.get_by_label("E-mail address").fill("dora@acme.example")
    await editor.get_by_label("Trusted metadata", exact=True).fill("{oops")
    await editor.get_by_role("button", name="Create the member").click()
    await expect(editor.get_by_label("Trusted metadata", exact=True)).to_have_attribute("aria-invalid", "true")
    await check_axe(editor)
    await check_fits(editor)
    await editor.get_by_label("Trusted metadata", exact=True).fill('{"team": "one"}')
    await editor.get_by_label("stytch_admin").check()
    await editor.get_by_role("button", name="Create the member").click()
    await expect(editor.get_by_role("heading", level=1)).to_have_text("dora@acme.example")
    found = client.organizations.members.get(organization_id="acme", email_address="dora@acme.example").member
    assert found.trusted_metadata == {"team": "one"}
    assert "stytch_admin" in [role.role_id for role in found.roles]


async def test_a_viewer_sees_people_and_sessions_and_changes_nothing(
    viewer: Page, server: Served, client: B2BClient
) -> None:
    token, session_id = sign_in(client, "emma")
    for section in ("organizations/acme", "members", f"members/{server.seeded.parameters['member_id']}"):
        await viewer.goto(f"{server.place}/{section}")
        await expect(viewer.get_by_role("main").get_by_role("heading", level=1)).to_be_visible()
        main = viewer.get_by_role("main")
        for word in ("Edit", "New ", "Delete", "Revoke"):
            await expect(main.get_by_role("link", name=word)).to_have_count(0)
    answer = await viewer.goto(f"{server.place}/sessions/{session_id}/revoke")
    assert answer is not None
    assert answer.status == 403
    assert is_live(client, token)
