"""The demo's issuer: makes tokens of the shape that the Vercel marketplace sends, and serves its keys on loopback."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.asymmetric import rsa

from assay.keys.minting import rsa_jwk
from assay.keys.signing import compact

ISSUER = "https://marketplace.example"
"""Not the address of its server, whose port is another one at each start: identities belong to an issuer's name."""

AUDIENCE = "oac_assay_demo"
JWKS_PATH = "/.well-known/jwks"
TOKEN_SECONDS = 2 * 3600

_HOST = "127.0.0.1"
_NOTICES_A_STOP_WITHIN = 0.05


class DemoIssuer:
    """Signs for one made-up person, with a key that lives as long as the demo runs."""

    def __init__(self, jwks_url: str) -> None:
        self.jwks_url = jwks_url
        self._kid = f"demo-{uuid.uuid4()}"
        self._private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def mint(self) -> str:
        """A token for Ada, good for two hours, with a token id of its own."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "account:acme:user:usr_ada",
            "jti": str(uuid.uuid4()),
            "iat": now,
            "nbf": now,
            "exp": now + TOKEN_SECONDS,
            "account_id": "acc_acme",
            "installation_id": "icfg_acme",
            "user_id": "usr_ada",
            "user_role": "ADMIN",
            "user_name": "Ada Lovelace",
            "user_email": "ada@acme.example",
            "global_user_id": "gusr_ada",
        }
        return compact(self._kid, claims, self._private_key)

    def jwks(self) -> bytes:
        """Its key document."""
        return json.dumps({"keys": [rsa_jwk(self._private_key.public_key(), self._kid)]}).encode()


@contextmanager
def serving() -> Iterator[DemoIssuer]:
    """An issuer whose keys are served on a free loopback port while the block runs."""
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, args=(_NOTICES_A_STOP_WITHIN,), daemon=True)
    thread.start()
    try:
        yield server.issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.issuer = DemoIssuer(f"http://{_HOST}:{self.server_port}{JWKS_PATH}")


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """The keys, and nothing else."""
        body = self.server.issuer.jwks() if self.path == JWKS_PATH else b"{}"
        self.send_response(200 if self.path == JWKS_PATH else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet: the terminal is for the commands to paste."""
