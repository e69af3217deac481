"""Every forged token of the catalogue (rows A01-A68, A80-A83, A110) against the running process."""

from __future__ import annotations

import time

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.hostile import claim_forgeries, header_forgeries, text_forgeries, wires
from tests.hostile.arena import ATTEST, Arena, trusted_keys
from tests.hostile.forging import ORDERS, Case, Forge, decode, stranger
from tests.issuer import ABSENT, Issuer, encode
from tests.world import NOW, World

FORGERIES: dict[str, Case] = {
    **header_forgeries.FORGERIES,
    **text_forgeries.FORGERIES,
    **claim_forgeries.FORGERIES,
}
MOST_SECONDS = 2.0
"""Far more than any refusal takes, and far less than what a bomb or a stretched password would."""


@pytest.mark.parametrize("case", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_token_is_refused_alike_and_changes_nothing(arena: Arena, case: Case) -> None:
    token = case.forge(arena.forge)
    started = time.monotonic()
    arena.refused(token, case.error)
    assert time.monotonic() - started < MOST_SECONDS


@pytest.mark.parametrize("alg", ["RS256", "RS512", "PS256", "PS512", "ES256", "ES384", "ES512", "EdDSA"])
def test_the_same_issuer_s_good_tokens_are_granted(arena: Arena, alg: str) -> None:
    """Otherwise the table above would prove nothing."""
    made = arena.granted(arena.forge.mint({"sub": f"good|{alg}", "email": f"{alg}@good.example"}, alg=alg))
    assert made["member_session"]["authentication_factors"]


async def test_no_forged_token_makes_a_profile_with_its_own_keys_open_any_connection(world: World) -> None:
    """Not to the traps alone: this process tells of every connection and look-up, and there is none."""
    world.clock.now = time.time()
    forge = Forge(Issuer(world.issuer.url, trusted_keys()), Issuer("https://partner.example"), "http://127.0.0.1:9")
    with wires.watched() as opened:
        async with world.client(world.b2b) as client:
            for case in FORGERIES.values():
                answer = await client.post(ATTEST, json=world.attest_body(token=case.forge(forge)))
                # Some are granted here: a key from a PEM answers to any kid, and this profile maps the email alone.
                assert answer.status_code in {200, 400}
    assert opened == []


def test_a16_key_headers_on_a_good_token_are_ignored_and_noted(arena: Arena) -> None:
    trap, jwk = arena.trap.url, stranger().jwk()
    header = {"jku": f"{trap}/jwks", "x5u": f"{trap}/cert", "jwk": jwk, "x5c": ["MIIB"]}
    made = arena.granted(arena.forge.mint({"sub": "good|a16", "email": "a16@good.example"}, header=header))
    assert sorted(arena.attempt(made["request_id"]).details["ignored_headers"]) == ["jku", "jwk", "x5c", "x5u"]
    assert arena.trap.connections == 0


def test_a27_unknown_headers_on_a_good_token_are_ignored(arena: Arena) -> None:
    header = {"nonce": "x", "x-amzn": {"a": [1]}, "x5t": "abc", "xms": None, "client": "c", "exp": 1}
    arena.granted(arena.forge.mint({"sub": "good|a27", "email": "a27@good.example"}, header=header))


def test_a33_a_token_with_nul_makes_a_body_that_is_refused(arena: Arena) -> None:
    before = arena.state()
    answer = arena.attest(arena.forge.mint() + "\0")
    assert (answer.status_code, answer.json()["error_type"]) == (400, "bad_request")
    assert arena.state() == before


@pytest.mark.parametrize("megabytes", [2, 5, 10])
def test_a36_a_token_of_megabytes_is_refused_unread(arena: Arena, megabytes: int) -> None:
    before = arena.state()
    body = b'{"profile_id": "idp", "token": "' + b"e" * (megabytes * 1024 * 1024) + b'"}'
    try:
        answer = arena.http.post(ATTEST, content=body)
    except httpx.WriteError:
        pass  # the server answered and closed while the rest was still on its way
    else:
        assert (answer.status_code, answer.json()["error_type"]) == (413, "request_too_large")
    assert arena.state() == before


def test_a37_a_long_ec_signature_does_not_harm_the_next_token(arena: Arena) -> None:
    for size in (65, 128, 1_000, 8_000):
        token = arena.forge.unsigned({"alg": "ES256", "kid": "p-256"}, b"\xff" * size)
        arena.refused(token, "invalid_trusted_auth_token")
    arena.granted(arena.forge.mint({"sub": "good|a37", "email": "a37@good.example"}, alg="ES256"))


@pytest.mark.parametrize(("seconds", "status"), [(-31, 400), (-30, 400), (-29, 200), (0, 200)])
async def test_a55_a_token_ends_at_exp_and_the_leeway(world: World, seconds: int, status: int) -> None:
    """``now < exp + leeway`` is the last moment: exactly at the boundary it is over."""
    assert await _status(world, exp=NOW + seconds) == status


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize(("seconds", "status"), [(29, 200), (30, 200), (31, 400)])
async def test_a56_a_token_begins_at_most_the_leeway_ahead(world: World, name: str, seconds: int, status: int) -> None:
    assert await _status(world, **{name: NOW + seconds}) == status


@pytest.mark.parametrize(("seconds", "status"), [(366 * 86_400, 200), (366 * 86_400 + 1, 400)])
@pytest.mark.parametrize("iat", [NOW, ABSENT], ids=["iat", "no iat"])
async def test_a58_a_token_lives_at_most_a_year(world: World, iat: object, seconds: int, status: int) -> None:
    assert await _status(world, exp=NOW + seconds, iat=iat) == status


async def _status(world: World, **claims: object) -> int:
    async with world.client(world.b2b) as client:
        answer = await client.post(ATTEST, json=world.attest_body(token=world.token(**claims)))
    return answer.status_code


def test_a_token_in_another_spelling_is_no_second_token(arena: Arena) -> None:
    """Of one ES256 token there are two good signatures. Both are one token id, so one factor, not two (R51)."""
    token = arena.forge.mint({"sub": "good|twin", "email": "twin@good.example"}, alg="ES256")
    first = arena.granted(token)
    both = arena.granted(_twin(token), session_token=first["session_token"])
    assert len(both["member_session"]["authentication_factors"]) == 1


def test_a60_names_that_mean_something_to_programs_are_kept_verbatim(arena: Arena) -> None:
    for sub in ("__proto__", "constructor", "${jndi:ldap://x}", "' OR 1=1 --", "{{7*7}}", "../../etc/passwd"):
        claims = {"sub": sub, "email": f"a60-{abs(hash(sub))}@good.example"}
        assert arena.granted(arena.forge.mint(claims))["member"]["external_id"] == sub


def test_a63_the_twin_of_an_ecdsa_signature_is_as_good(arena: Arena) -> None:
    """By the mathematics of ECDSA; no rule forbids it, so tokens are never known by their signature."""
    token = arena.forge.mint({"sub": "good|a63", "email": "a63@good.example"}, alg="ES256")
    arena.granted(_twin(token))


def _twin(token: str) -> str:
    """The same ES256 token under the other good signature."""
    signed, _, made = token.rpartition(".")
    raw = decode(made)
    other = raw[:32] + (ORDERS["P-256"] - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    return f"{signed}.{encode(other)}"


def test_the_orders_in_these_tables_are_those_of_the_curves() -> None:
    assert ec.SECP256R1().group_order == ORDERS["P-256"]


def test_a_forged_token_adds_nothing_to_a_session_that_is_passed_in(arena: Arena) -> None:
    """R38, A106: the session, its factors and its expiry stay as they are."""
    claims = {"sub": "good|fixed", "email": "fixed@good.example"}
    session = arena.granted(arena.forge.mint(claims), session_duration_minutes=60)
    before = arena.state()
    for case in list(FORGERIES.values())[::9]:
        members = {"session_token": session["session_token"], "session_duration_minutes": 600}
        answer = arena.attest(case.forge(arena.forge), **members)
        assert answer.status_code == 400
    assert arena.state() == before
