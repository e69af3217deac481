"""A whole world for the stories of sessions: a real store, real keys, and an issuer whose key is known by PEM."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization

from assay import config, ids
from assay.keys.fetch import Fetched
from assay.keys.local import OwnServer
from assay.keys.minting import mint, private_key_of, rsa_jwk
from assay.keys.profile_keys import ProfileKeySets
from assay.keys.remote import Time
from assay.keys.sealing import RootKey, signing_key_purpose
from assay.keys.signing import Signer
from assay.keys.token_seal import TokenSeal
from assay.model import Attempt, Caller, Event, KeyState, Member, Organization, Profile, SigningKey, User, Vertical
from assay.observing.meter import Meter
from assay.rules.algorithms import DEFAULT_ALGORITHMS
from assay.store import CreateMember, CreateOrganization, CreateProfile, CreateSigningKeys, CreateUser, Store
from assay.stories.attest import AttestRequest, attest
from assay.stories.context import Call, Context
from assay.stories.granted import Granted
from assay.stories.sessions import AuthenticateRequest, authenticate
from tests import records
from tests.issuer import AUDIENCE, Issuer, make_key

ROOT_KEY = RootKey(b"r" * 32)
SETTINGS = config.read({})
ORGANIZATION_CLAIM = "org"


async def no_network(url: str, ca_pem: str | None = None) -> Fetched:
    """Stand in the way of any fetch: profiles of these tests have PEM keys."""
    del ca_pem
    raise AssertionError(f"nothing may be fetched, not even {url}")


class World:
    """One environment of one vertical with a profile, and shorthands for what tests do in it."""

    def __init__(self, ctx: Context, call: Call) -> None:
        self.ctx = ctx
        self.call = call
        self.issuer = Issuer()
        self.requests = 0

    @property
    def environment_id(self) -> str:
        return self.call.environment.environment_id

    async def add_profile(self, issuer: Issuer | None = None, **changes: Any) -> Profile:
        """A profile that trusts the issuer's RSA key by PEM, and makes people just in time unless told otherwise."""
        issuer = issuer or self.issuer
        external_id = "external_member_id" if self.call.environment.vertical == "b2b" else "external_user_id"
        usual: dict[str, Any] = {
            "profile_id": "partner",
            "issuer": issuer.url,
            "audience": AUDIENCE,
            "public_key_type": "PEM",
            "jwks_url": None,
            "pem_files": (records.pem_file(issuer.key_for("RS256").pem()),),
            "attribute_mapping": {"email": "email", "token_id": "jti", external_id: "sub"},
            "algorithms": DEFAULT_ALGORITHMS,
            "can_jit_provision": True,
        }
        profile = records.profile(self.environment_id, **(usual | changes))
        await self.ctx.store.write(CreateProfile(profile=profile))
        return profile

    async def add_organization(self, **changes: Any) -> Organization:
        organization = records.organization(self.environment_id, **changes)
        await self.ctx.store.write(CreateOrganization(organization=organization))
        return organization

    async def add_member(self, organization: Organization, **changes: Any) -> Member:
        member = records.member(organization, **changes)
        await self.ctx.store.write(CreateMember(member=member))
        return member

    async def add_user(self, **changes: Any) -> User:
        user = records.user(self.environment_id, **changes)
        await self.ctx.store.write(CreateUser(user=user))
        return user

    def token(self, claims: dict[str, Any] | None = None, issuer: Issuer | None = None) -> str:
        return (issuer or self.issuer).mint(claims, now=self.ctx.clock())

    async def attest(
        self, claims: dict[str, Any] | None = None, *, issuer: Issuer | None = None, **request: Any
    ) -> Granted:
        """Attest a token with these claims; other arguments are members of the request."""
        body = {"profile_id": "partner", "token": self.token(claims, issuer)} | request
        self.requests += 1
        call = msgspec.structs.replace(self.call, request_id=f"request-id-test-{self.requests}")
        return await attest(self.ctx, call, AttestRequest(**body))

    async def authenticate(self, **request: Any) -> Granted:
        return await authenticate(self.ctx, self.call, AuthenticateRequest(**request))

    async def last_attempt(self) -> Attempt:
        return (await self.ctx.store.attempts(self.environment_id, 1))[0]

    async def events(self, action: str) -> list[Event]:
        return [event for event in await self.ctx.store.events(self.environment_id, 100) if event.action == action]


async def make_world(store: Store, clock: Any, vertical: Vertical) -> World:
    """A world of this vertical; its signing keys are ready, since making them takes long."""
    project = records.new_project(f"project-{vertical}", vertical=vertical)
    await store.write(project)
    environment, secret = project.environments[1], project.secrets[1]
    keys = tuple(_signing_key(environment.environment_id, state) for state in ("active", "next"))
    await store.write(CreateSigningKeys(keys=keys))
    meter = Meter()
    signer = Signer(store, ROOT_KEY, clock, meter)
    own = OwnServer(keys=signer, open_secret=ROOT_KEY.open)
    ctx = Context(
        store=store,
        keys=ProfileKeySets(store, no_network, own, time=Time(clock=clock, monotonic=clock)),
        signer=signer,
        token_seal=TokenSeal(ROOT_KEY),
        settings=SETTINGS,
        cursor_key=b"k" * 32,
        seal=ROOT_KEY.seal,
        clock=clock,
        meter=meter,
    )
    caller = Caller(environment=environment, secret=secret, signing_kid=keys[0].kid)
    return World(ctx, Call(caller=caller, request_id="request-id-test-0"))


def other_issuer() -> Issuer:
    """Another issuer with a key of its own."""
    return Issuer("https://other.example", [make_key("RSA", "other")])


@cache
def _private_key() -> Any:
    environment = records.new_project().environments[1]
    return private_key_of(mint(environment, "active", ROOT_KEY, records.NOW), ROOT_KEY)


def _signing_key(environment_id: str, state: KeyState) -> SigningKey:
    kid = ids.new("jwk", "test")
    der = _private_key().private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return records.signing_key(
        environment_id,
        kid=kid,
        state=state,
        public_jwk=rsa_jwk(_private_key().public_key(), kid),
        sealed_private_key=ROOT_KEY.seal(der, signing_key_purpose(environment_id, kid)),
    )
