"""Zendesk single sign-on: the token by which a login page sends somebody to Zendesk, without any expiry."""

from __future__ import annotations

from pathlib import Path

from tests.dialects.dialect import ABSENT, NOW, SECRET, Dialect, Good, Wrong
from tests.dialects.harness import check_accepted, check_refused, checks_of, staged

DIALECT = Dialect(
    preset="zendesk_sso",
    settings={"subdomain": "acme", "secret": SECRET},
    claims={
        "iat": NOW - 5,
        "jti": "c9b1f6b2-5b64-4f43-9a83-6cf0c7f5c0a1",
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "external_id": "5678",
        "organization": "Apple Farm",
        "organization_id": "farm-9",
        "tags": ["vip_user"],
        "remote_photo_url": "https://www.example.com/pic.jpg",
        "locale_id": "1",
    },
    alg="HS256",
    header={"typ": "JWT", "kid": ABSENT},
    expected={
        "external_id": "5678",
        "email": "ada@example.com",
        "email_verified": "silent",
        "name": "Ada Lovelace",
        "token_id": "c9b1f6b2-5b64-4f43-9a83-6cf0c7f5c0a1",
        "organization": "farm-9",
        "organization_name": "Apple Farm",
    },
    also={
        "an address alone": Good(
            claims={"external_id": ABSENT},
            expected={"external_id": None},
            why="The external id is optional; the address names the person.",
        ),
    },
    wrong={
        "a token of some minutes ago": Wrong(
            claims={"iat": NOW - 300}, step="times", why="Without exp only its age ends a token: three minutes."
        ),
        "no time at all": Wrong(
            claims={"iat": ABSENT}, step="times", why="With neither iat nor exp it would be good for ever."
        ),
        "a number as jti": Wrong(
            claims={"jti": 8883362531196.326},
            step="identifiers",
            why="Old examples write a number there, which two readers would write differently.",
        ),
        "no jti": Wrong(claims={"jti": ABSENT}, step="conditions", why="It is by its jti that a second use is told."),
        "Zendesk Messaging": Wrong(
            claims={"scope": "user", "exp": NOW + 300},
            step="conditions",
            why="A token for the widget is in the browser for hours and is no login here.",
        ),
        "a token for somebody else": Wrong(
            claims={"aud": "https://other.example"},
            step="conditions",
            why="Tokens of single sign-on have no aud; one that has was made for another purpose with the same secret.",
        ),
        "a secret of somebody else": Wrong(
            signed_by="stranger",
            code="invalid_trusted_auth_token",
            step="signature",
            why="It was not made with your secret.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)


async def test_a_token_is_taken_once(tmp_path: Path) -> None:
    async with staged(tmp_path, DIALECT, "b2b") as scene:
        await check_accepted(scene)
        scene.world.clock.turn(11)
        await check_refused(scene, Wrong(code="invalid_trusted_auth_token", step="replay"))
