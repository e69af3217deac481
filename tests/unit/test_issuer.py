"""The issuer that other tests rely on does what it says."""

from __future__ import annotations

import json
import socket
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.issuer import AUDIENCE, Issuer, make_key, serving


def fetched_kids(issuer: Issuer) -> list[str]:
    with urlopen(issuer.jwks_url, timeout=5) as answer:
        return [key["kid"] for key in json.load(answer)["keys"]]


def test_it_serves_its_keys_counts_requests_and_lets_keys_change() -> None:
    with serving([make_key("RSA")]) as issuer:
        assert fetched_kids(issuer) == ["rsa"]
        issuer.keys = [make_key("RSA", "second"), make_key("P-256")]
        assert fetched_kids(issuer) == ["second", "p-256"]
        assert issuer.requests == 2
        assert issuer.claims()["iss"] == issuer.url


def test_it_fails_when_told_to_and_recovers() -> None:
    with serving([make_key("RSA")]) as issuer:
        issuer.failing = 503
        with pytest.raises(HTTPError) as raised:
            fetched_kids(issuer)
        raised.value.close()
        assert raised.value.code == 503
        issuer.failing = None
        assert fetched_kids(issuer) == ["rsa"]


def test_it_stops_with_its_block() -> None:
    with serving([]) as issuer:
        port = int(issuer.url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_keys_are_made_once_and_tokens_are_good_by_default() -> None:
    assert make_key("RSA") is make_key("RSA")
    claims = Issuer().claims(now=1000.7)
    assert (claims["aud"], claims["iat"], claims["exp"]) == (AUDIENCE, 1000, 1300)
