"""The service around the judge (rows A10, A102-A111): bodies, sessions, cursors, tenants and the log."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from assay.rules.algorithms import DEFAULT_ALGORITHMS
from tests.hostile.arena import ATTEST, PROFILE, Arena

AUTHENTICATE = "/v1/b2b/sessions/authenticate"
REVOKE = "/v1/b2b/sessions/revoke"
SEARCH = "/v1/b2b/organizations/members/search"


@pytest.fixture(scope="module")
def rival(arena: Arena) -> Iterator[httpx.Client]:
    """The backend of another tenant of the same server."""
    with arena.client(arena.rival) as client:
        yield client


def login(arena: Arena, name: str, **members: Any) -> dict[str, Any]:
    """Somebody's session."""
    claims = {"sub": f"calls|{name}", "email": f"{name}@calls.example", "org_id": "calls-org"}
    return arena.granted(arena.forge.mint(claims), **members)


def told(answer: httpx.Response) -> tuple[int, dict[str, Any]]:
    """Status and public body of an answer, without what differs in every one."""
    body = answer.json()
    assert body.pop("request_id")
    return answer.status_code, body


# ---------------------------------------------------------------- profiles


@pytest.mark.parametrize("algorithm", ["none", "None", "", "rs256", "HS256", "RS256 ", "RSA-OAEP", "dir"])
def test_a10_no_profile_accepts_an_algorithm_that_is_none(arena: Arena, algorithm: str) -> None:
    """HS256 needs a shared secret of its own; a profile with public keys never takes it (A06, R06)."""
    options = ("--id", "a10", "--name", "a10", "--issuer", "https://x.example", "--audience", "x")
    keys = ("--jwks-url", arena.issuer.url + "/jwks", "--algorithm", algorithm)
    done = arena.assay.command("profile", "create", "--project-id", arena.b2b.project_id, *options, *keys, "--json")
    assert done.returncode != 0
    assert "none" not in {name.lower() for name in DEFAULT_ALGORITHMS}


# ---------------------------------------------------------------- bodies

BODIES: dict[str, bytes] = {
    "A102 not JSON": b"token=x",
    "A102 a form": b"profile_id=idp&token=x",
    "A102 a member twice": b'{"profile_id":"idp","token":"a","token":"b"}',
    "A102 a member twice, escaped": b'{"profile_id":"idp","token":"a","tok\\u0065n":"b"}',
    "A102 UTF-16": '{"profile_id":"idp","token":"a"}'.encode("utf-16"),
    "A102 byte order mark": b'\xef\xbb\xbf{"profile_id":"idp","token":"a"}',
    "A102 deep": b'{"profile_id":"idp","token":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "A102 deep in a member nobody knows": b'{"profile_id":"idp","token":"a","x":'
    + b'{"x":' * 5000
    + b"1"
    + b"}" * 5001,
    "A102 NaN": b'{"profile_id":"idp","token":"a","session_duration_minutes":NaN}',
    "A102 a long number": b'{"profile_id":"idp","token":"a","session_duration_minutes":' + b"9" * 5000 + b"}",
    "A102 a list": b'["idp","a"]',
    "A102 a token that is a list": b'{"profile_id":"idp","token":["a"]}',
    "A102 a token that is an object": b'{"profile_id":"idp","token":{"payload":"","signatures":[]}}',
    "A102 a profile that is a number": b'{"profile_id":1,"token":"a"}',
    "A102 a lone surrogate": b'{"profile_id":"idp","token":"\\ud800"}',
    "A102 nothing": b"",
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_is_no_request_is_refused(arena: Arena, name: str, content_type: str) -> None:
    before = arena.state()
    answer = arena.http.post(ATTEST, content=BODIES[name], headers={"content-type": content_type})
    assert told(answer)[1]["error_type"] == "bad_request"
    assert answer.status_code == 400
    assert arena.state() == before


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 8 * 1024 * 1024])
def test_a102_a_body_beyond_the_limit_is_refused_unread(arena: Arena, size: int) -> None:
    try:
        answer = arena.http.post(ATTEST, content=b" " * size)
    except httpx.WriteError:
        return  # answered and closed while the rest was still on its way
    assert answer.status_code == 413


def test_a102_a_compressed_body_is_not_opened(arena: Arena) -> None:
    answer = arena.http.post(ATTEST, content=b"\x1f\x8b" + bytes(100), headers={"content-encoding": "gzip"})
    assert answer.status_code == 400


def test_a103_a_token_counts_in_the_body_alone(arena: Arena) -> None:
    token = arena.forge.mint({"sub": "calls|a103", "email": "a103@calls.example"})
    before, where = arena.state(), {"profile_id": PROFILE, "token": token}
    answers = [
        arena.http.post(ATTEST, params=where),
        arena.http.post(ATTEST, params=where, json={}),
        arena.http.post(ATTEST, params={"token": token}, json={"profile_id": PROFILE}),
        arena.http.post(ATTEST, headers={"cookie": f"token={token}"}, json={"profile_id": PROFILE}),
        arena.http.post(ATTEST, headers={"x-token": token}, json={"profile_id": PROFILE}),
        arena.http.get(ATTEST, params=where),
    ]
    assert [answer.status_code for answer in answers] == [400, 400, 400, 400, 400, 405]
    session = login(arena, "a103-query")
    for params in ({"session_token": session["session_token"]}, {"session_jwt": session["session_jwt"]}):
        assert arena.http.post(AUTHENTICATE, params=params).status_code == 400
        assert arena.http.get(AUTHENTICATE, params=params).status_code == 405
    bearer = {"authorization": f"Bearer {token}"}
    assert httpx.post(arena.server.url + ATTEST, headers=bearer, json=where, trust_env=False).status_code == 401
    assert arena.state()[0] == before[0] + 1  # the login above


# ---------------------------------------------------------------- sessions

GUESSES: dict[str, Callable[[str], str]] = {
    "one character short": lambda token: token[:-1],
    "one character more": lambda token: token + "A",
    "other case": str.swapcase,
    "space after": lambda token: token + " ",
    "space before": lambda token: " " + token,
    "line break after": lambda token: token + "\n",
    "padding": lambda token: token + "=",
    "last character": lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
    "middle character": lambda token: token[:30] + ("A" if token[30] != "A" else "B") + token[31:],
    "secret of zeros": lambda token: token[:11] + "A" * 33,
    "standard alphabet": lambda token: token.replace("-", "+").replace("_", "/") + "+",
    "a number's wildcard": lambda token: token[:11] + "%" * 33,
    "empty secret": lambda token: token[:11],
    "nothing but zeros": lambda _token: "A" * 44,
}


@pytest.mark.parametrize("name", GUESSES)
@pytest.mark.parametrize("route", [AUTHENTICATE, ATTEST])
def test_a105_a_session_token_counts_whole_or_not_at_all(arena: Arena, name: str, route: str) -> None:
    session = login(arena, f"a105-{sorted(GUESSES).index(name)}")
    guess = GUESSES[name](session["session_token"])
    body: dict[str, Any] = {"session_token": guess, "session_duration_minutes": 60}
    if route == ATTEST:
        claims = {"sub": f"calls|a105-{sorted(GUESSES).index(name)}", "org_id": "calls-org", "email": "x@calls.example"}
        body |= {
            "profile_id": PROFILE,
            "token": arena.forge.mint(claims | {"email": session["member"]["email_address"]}),
        }
    status, answer = told(arena.http.post(route, json=body))
    assert (status, answer["error_type"]) in {(404, "session_not_found"), (400, "invalid_session_token")}
    assert "session_token" not in answer


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a105_an_altered_session_jwt_is_refused(arena: Arena, part: int) -> None:
    session = login(arena, f"a105-jwt-{part}")
    parts = session["session_jwt"].split(".")
    parts[part] = parts[part][:10] + ("A" if parts[part][10] != "A" else "B") + parts[part][11:]
    status, answer = told(arena.http.post(AUTHENTICATE, json={"session_jwt": ".".join(parts)}))
    assert (status, answer["error_type"]) == (400, "unable_to_parse_session_jwt")


def test_a105_an_issuer_s_token_is_no_session_and_ours_is_no_issuer_s(arena: Arena) -> None:
    """R15: the two kinds never stand in for each other."""
    token = arena.forge.mint({"sub": "calls|r15", "email": "r15@calls.example"})
    for name in ("session_jwt", "session_token"):
        assert arena.http.post(AUTHENTICATE, json={name: token}).status_code == 400
    session = login(arena, "r15-own")
    answer = arena.attest(session["session_jwt"])
    assert answer.status_code == 400
    assert told(answer)[1]["error_type"] in {"invalid_trusted_auth_token", "jwt_invalid_issuer"}


def test_a105_our_own_session_jwt_is_refused_even_by_a_profile_that_names_us(arena: Arena) -> None:
    """R15: the issuer, audience and keys of the profile are those of this very server; that is not enough."""
    session = login(arena, "r15-self")
    payload = session["session_jwt"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    project = arena.b2b.project_id
    arena.add_profile(
        "a105-self",
        issuer=claims["iss"],
        audience=claims["aud"][0] if isinstance(claims["aud"], list) else claims["aud"],
        jwks_url=f"{arena.server.url}/v1/b2b/sessions/jwks/{project}",
        attribute_mapping={"external_member_id": "sub"},
    )
    arena.refused(session["session_jwt"], "invalid_trusted_auth_token", "a105-self")


def test_a106_a_token_adds_to_the_session_of_its_own_person_only(arena: Arena) -> None:
    victim, attacker = login(arena, "a106-victim"), login(arena, "a106-attacker")
    before = arena.state()
    claims = {"sub": "calls|a106-victim", "email": "a106-victim@calls.example", "org_id": "calls-org"}
    for member in ("session_token", "session_jwt"):
        answer = arena.attest(arena.forge.mint(claims), **{member: attacker[member]})
        assert told(answer)[1]["error_type"] == "member_session_member_id_mismatch"
    stranger = {"sub": "calls|a106-new", "email": "a106-new@calls.example", "org_id": "calls-org"}
    answer = arena.attest(arena.forge.mint(stranger), session_token=attacker["session_token"])
    assert told(answer)[1]["error_type"] == "member_session_member_id_mismatch"
    assert arena.state() == before
    found = arena.http.post(AUTHENTICATE, json={"session_token": victim["session_token"]}).json()
    assert len(found["member_session"]["authentication_factors"]) == 1


def test_a107_what_a_revoke_has_ended_is_never_accepted_again(arena: Arena) -> None:
    """Authenticates, extensions and attests race each revoke; each that begins after its answer is refused."""
    for number in range(6):
        session = login(arena, f"a107-{number}")
        claims = {"sub": f"calls|a107-{number}", "email": f"a107-{number}@calls.example", "org_id": "calls-org"}
        uses: list[tuple[str, dict[str, Any]]] = [
            (AUTHENTICATE, {"session_token": session["session_token"]}),
            (AUTHENTICATE, {"session_token": session["session_token"], "session_duration_minutes": 600}),
            (AUTHENTICATE, {"session_jwt": session["session_jwt"]}),
            (
                ATTEST,
                {
                    "profile_id": PROFILE,
                    "token": arena.forge.mint(claims),
                    "session_token": session["session_token"],
                    "session_duration_minutes": 600,
                },
            ),
        ]
        with ThreadPoolExecutor(6) as pool:
            racing = [pool.submit(arena.http.post, path, json=body) for path, body in uses]
            revoke = pool.submit(arena.http.post, REVOKE, json={"session_token": session["session_token"]})
            assert revoke.result().status_code == 200
        assert {each.result().status_code for each in racing} <= {200, 404}
        for path, body in uses:
            answer = arena.http.post(path, json=body)
            assert (answer.status_code, told(answer)[1]["error_type"]) == (404, "session_not_found")


# ---------------------------------------------------------------- cursors and tenants


def _page(client: httpx.Client, organization_id: str, cursor: str) -> httpx.Response:
    body = {"organization_ids": [organization_id], "limit": 1, "cursor": cursor}
    return client.post(SEARCH, json=body)


def test_a108_a_cursor_that_we_did_not_give_out_is_refused(arena: Arena, rival: httpx.Client) -> None:
    session, *_ = [login(arena, f"a108-{number}") for number in range(3)]
    organization_id = session["organization"]["organization_id"]
    body = {"organization_ids": [organization_id], "limit": 1}
    cursor = arena.http.post(SEARCH, json=body).json()["results_metadata"]["next_cursor"]
    assert _page(arena.http, organization_id, cursor).status_code == 200
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    forged = {
        "one bit": base64.urlsafe_b64encode(bytes([raw[0] ^ 1]) + raw[1:]).decode().rstrip("="),
        "last bit": base64.urlsafe_b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode().rstrip("="),
        "cut": cursor[:-4],
        "longer": cursor + "AAAA",
        "SQL": "' OR 1=1 --",
        "an id": session["member_id"],
        "encoded SQL": base64.urlsafe_b64encode(b"' UNION SELECT * FROM profiles --").decode(),
        "long": "A" * 10_000,
    }
    for name, text in forged.items():
        answer = _page(arena.http, organization_id, text)
        assert (answer.status_code, told(answer)[1]["error_type"]) == (400, "invalid_cursor"), name
    assert _page(rival, organization_id, cursor).status_code in {400, 404}
    other = {"limit": 1, "cursor": cursor}
    assert told(arena.http.post("/v1/b2b/organizations/search", json=other))[1]["error_type"] == "invalid_cursor"


def test_a109_what_belongs_to_another_tenant_is_as_good_as_unknown(arena: Arena, rival: httpx.Client) -> None:
    session = login(arena, "a109")
    organization, member = session["organization"]["organization_id"], session["member_id"]
    nobody = "11111111-1111-4111-8111-111111111111"
    known = (organization, member)
    unknown = (f"organization-test-{nobody}", f"member-test-{nobody}")
    before = arena.state()
    for method, path in (
        ("GET", "/v1/b2b/organizations/{0}"),
        ("GET", "/v1/b2b/organizations/{0}/metrics"),
        ("GET", "/v1/b2b/organizations/{0}/member?member_id={1}"),
        ("GET", "/v1/b2b/organizations/members/dangerously_get/{1}"),
        ("GET", "/v1/b2b/sessions?organization_id={0}&member_id={1}"),
        ("DELETE", "/v1/b2b/organizations/{0}"),
        ("DELETE", "/v1/b2b/organizations/{0}/external_id"),
        ("DELETE", "/v1/b2b/organizations/{0}/members/{1}"),
    ):
        mine, theirs = (told(rival.request(method, path.format(*ids))) for ids in (unknown, known))
        assert theirs == mine, path
        assert theirs[0] == 404, path
    assert arena.state() == before


def test_a109_another_tenant_s_sessions_and_profiles_are_unknown(arena: Arena, rival: httpx.Client) -> None:
    session = login(arena, "a109-session")
    token = session["session_token"]
    before = arena.state()
    pairs: dict[str, tuple[dict[str, str], dict[str, str]]] = {
        AUTHENTICATE: ({"session_token": token[:-4] + "AAAA"}, {"session_token": token}),
        ATTEST: (
            {"profile_id": "no-such-profile", "token": arena.forge.mint()},
            {"profile_id": PROFILE, "token": arena.forge.mint()},
        ),
    }
    for path, (unknown, known) in pairs.items():
        mine, theirs = (told(rival.post(path, json=body)) for body in (unknown, known))
        assert theirs == mine
        assert theirs[0] == 404
    # Revoking what is unknown succeeds (decisions D24), and does nothing.
    session_id = session["member_session"]["member_session_id"]
    for body in ({"session_token": token}, {"member_session_id": session_id}):
        assert rival.post(REVOKE, json=body).status_code == 200
    assert arena.state() == before
    assert arena.http.post(AUTHENTICATE, json={"session_token": token}).status_code == 200


def test_a109_another_tenant_s_session_jwt_is_not_ours(arena: Arena, rival: httpx.Client) -> None:
    session = login(arena, "a109-jwt")
    status, body = told(rival.post(AUTHENTICATE, json={"session_jwt": session["session_jwt"]}))
    assert (status, body["error_type"]) == (400, "unable_to_parse_session_jwt")


# ---------------------------------------------------------------- the log

INJECTIONS = {
    "line break": 'a\n{"event":"request","status":200}',
    "CRLF": "a\r\nSet-Cookie: x=1",
    "escape": "\x1b[2J\x1b]0;x\x07",
    "line separator": "a\u2028b\u2029c",
    "next line": "a\u0085b",
    "bidirectional": "a\u202egnp.exe",
    "quotes": '"},{"a":"',
}


@pytest.mark.parametrize("name", INJECTIONS)
def test_a111_no_text_of_a_caller_makes_a_line_of_its_own(arena: Arena, name: str) -> None:
    text = INJECTIONS[name]
    forge = arena.forge
    answers = [
        arena.attest(forge.mint(), profile_id=text),
        arena.attest(forge.mint({"iss": text})),
        arena.attest(forge.mint({"aud": text})),
        arena.attest(forge.mint({"sub": text, "exp": 1})),
        arena.attest(forge.mint(header={"kid": text})),
        arena.attest(forge.mint(header={"alg": text})),
        arena.attest(forge.mint(header={"typ": text})),
        arena.http.get("/v1/b2b/organizations/" + text.encode().hex() + "%0a%0d%1b"),
        arena.http.post("/v1/%0a%22" + "x", headers={"user-agent": "x", "x-request-id": "x"}, json={}),
    ]
    assert {answer.status_code // 100 for answer in answers} == {4}
    ids = [answer.json()["request_id"] for answer in answers]
    arena.server.line_with(ids[-1])
    lines = [line for line in arena.server.log if any(each in line for each in ids)]
    assert len(lines) == len(ids)
    for line in lines:
        assert json.loads(line)["event"] == "request"
        assert not any(character < " " or character in "\x7f\x85\u2028\u2029" for character in line.rstrip("\n"))


def test_a111_every_line_of_the_log_is_one_record(arena: Arena) -> None:
    login(arena, "a111")
    lines = [line for line in arena.server.log if line.startswith("{")]
    assert lines
    assert all({"event", "level", "time"} <= json.loads(line).keys() for line in lines)


def test_a111_what_breaks_tells_its_place_and_not_its_text(arena: Arena) -> None:
    """No line of the whole run speaks of a fault: no row of these tables has come as far as the last handler."""
    assert not [line for line in arena.server.log if '"event":"fault"' in line or "Traceback" in line]


def test_an_unknown_project_gets_the_words_of_a_wrong_secret(arena: Arena) -> None:
    found = []
    for project_id in (arena.b2b.project_id, "project-test-11111111-1111-4111-8111-111111111111"):
        auth, body = (project_id, "secret-test-wrong"), {"profile_id": PROFILE, "token": "x"}
        answer = httpx.post(arena.server.url + ATTEST, auth=auth, json=body, trust_env=False)
        found.append((told(answer), sorted(answer.headers)))
    assert found[0] == found[1]
    assert found[0][0][0] == 401
