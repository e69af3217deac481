"""A guess looks for keys only when it is told to, and says whether they made the signature."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assay import errors
from assay.keys.fetch import Fetched, FetchFault
from assay.stories import guessing
from assay.stories.guessing import Proposal
from tests.issuer import Issuer, IssuerKey, make_key

NOW = 1_780_000_000
ISSUER = Issuer("https://login.acme.example", [make_key("RSA")])
DISCOVERY = "https://login.acme.example/.well-known/openid-configuration"
JWKS = "https://login.acme.example/.well-known/jwks.json"
ELSEWHERE = "https://keys.acme.example/jwks"
METADATA = {"issuer": ISSUER.url, "jwks_uri": ELSEWHERE}
GITHUB = "https://token.actions.githubusercontent.com"


async def proposed(documents: dict[str, Any], text: str = "", *, keys: IssuerKey | None = None) -> Proposal:
    async def fetch(url: str, ca_pem: str | None = None) -> Fetched:
        assert ca_pem is None
        if url not in documents:
            raise FetchFault("the answer has status 404, not 200", 404)
        return Fetched(json.dumps(documents[url]).encode())

    return await guessing.propose(text or ISSUER.mint(now=NOW, key=keys), "b2b", NOW, fetch)


async def test_without_being_told_to_nothing_is_fetched() -> None:
    assert (await guessing.propose(ISSUER.mint(now=NOW), "b2b", NOW)).keys is None


async def test_keys_are_found_by_discovery() -> None:
    found = await proposed({DISCOVERY: METADATA, ELSEWHERE: ISSUER.jwks()})
    assert found.guess.keys == "discovery"
    assert found.keys is not None
    assert (found.keys.kind, found.keys.url, found.keys.keys, found.keys.signature) == ("discovery", DISCOVERY, 1, True)


async def test_keys_without_discovery_are_found_where_most_issuers_have_them() -> None:
    found = await proposed({JWKS: ISSUER.jwks()})
    assert found.guess.keys == JWKS
    assert found.keys is not None
    assert (found.keys.kind, found.keys.signature) == ("jwks", True)


async def test_a_signature_of_another_key_is_told() -> None:
    found = await proposed({JWKS: ISSUER.jwks()}, keys=make_key("RSA", "stranger"))
    assert found.keys is not None
    assert (found.keys.keys, found.keys.signature) == (1, False)


@pytest.mark.parametrize(
    ("documents", "fault"),
    [
        pytest.param({}, "status 404", id="nothing there"),
        pytest.param({JWKS: {"keys": []}}, "", id="no keys"),
        pytest.param(
            {DISCOVERY: METADATA | {"issuer": "https://evil.example"}}, "status 404", id="discovery of another"
        ),
    ],
)
async def test_keys_that_are_not_to_be_had_leave_the_guess_as_it_is(documents: dict[str, Any], fault: str) -> None:
    found = await proposed(documents)
    assert found.guess.keys == "discovery"
    assert found.keys is not None
    assert (found.keys.keys, found.keys.signature) == (0, False)
    assert fault in found.keys.fault


async def test_the_keys_of_a_preset_are_those_that_it_names() -> None:
    text = ISSUER.mint({"iss": GITHUB, "repository_owner_id": "77"}, now=NOW)
    found = await proposed({f"{GITHUB}/.well-known/jwks": ISSUER.jwks()}, text)
    assert found.guess.preset == "github_actions"
    assert found.keys is not None
    assert (found.keys.url, found.keys.signature) == (f"{GITHUB}/.well-known/jwks", True)


async def test_an_address_that_the_token_does_not_tell_whole_is_not_fetched() -> None:
    text = ISSUER.mint({"iss": "https://api.workos.com", "sub": "user_1", "sid": "session_1"}, now=NOW)
    found = await proposed({}, text)
    assert (found.guess.preset, found.guess.missing) == ("workos", ("client_id",))
    assert found.keys is None


async def test_a_text_beyond_the_size_of_tokens_is_refused() -> None:
    with pytest.raises(errors.InvalidTrustedAuthToken):
        await proposed({}, "a" * 16_385)
