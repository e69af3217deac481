"""Linking holds whatever issuers send: histories of logins by several issuers, against a real store (decisions D4).

What may happen is said here in other words than in the rules: by looking at the people before and after.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay import errors
from assay.model import Member, Organization, Profile, RetiredEmail, User, Vertical
from assay.store import CreateMember, CreateUser, DeleteOrganization, DeleteUser, Filter, ReplaceMember, Search
from assay.store.opening import open_store
from assay.stories.attest import AttestRequest, attest
from assay.stories.granted import Granted
from tests import records
from tests.calls import Clock
from tests.issuer import ABSENT, AUDIENCE, Issuer, make_key
from tests.stories.attesting import World, make_world

Person = Member | User
People = dict[str, Person]

TEMPLATE = "https://login.example/{tid}/v2.0"
EMAILS = ("ada@acme.example", "Ada@ACME.example", "eve@acme.example", "old@acme.example")
SUBJECTS = ("1", "2", "spiffe://acme/worker")
TENANTS = ("red", "blue", "alpha", "green")

# As many as the histories below come to in about twenty seconds on a small machine.
EXAMPLES = 80


class Sent(msgspec.Struct, frozen=True):
    """One login: the profile it goes to, and claims over those of a good token.

    ``pretended`` is the ``iss`` of a token for the profile that looks at none.
    """

    profile_id: str
    pretended: str
    claims: dict[str, Any]


class Made(msgspec.Struct, frozen=True):
    """Somebody that the API makes; ``retired`` is an address of before."""

    email: str | None
    external_id: str | None
    retired: str | None
    status: str


# ---------------------------------------------------------------- what issuers may send

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


def _mostly(*usual: Any) -> st.SearchStrategy[Any]:
    """One of a few values most of the time, so that histories meet; else left out, or anything at all."""
    expected = st.sampled_from([*usual, ABSENT])
    return st.integers(0, 9).flatmap(lambda number: _json if number == 9 else expected)


PROFILES = ("alpha", "beta", "tenants", "unchecked", "by mail", "doubted", "no one new")

LOGINS = st.builds(
    Sent,
    profile_id=st.sampled_from(PROFILES),
    pretended=st.sampled_from(["https://alpha.example", "https://login.example/red/v2.0", "https://unchecked.example"]),
    claims=st.fixed_dictionaries(
        {"sub": _mostly(*SUBJECTS), "email": _mostly(*EMAILS), "email_verified": _mostly(True, "true", 1, True, False)},
        optional={
            "tid": _mostly(*TENANTS),
            "name": _mostly("Ada"),
            "plan": _mostly("pro"),
            "roles": _mostly("stytch_admin", ["stytch_admin"]),
        },
    ),
)

PEOPLE = st.builds(
    Made,
    email=st.sampled_from([None, EMAILS[0], EMAILS[2]]),
    external_id=st.sampled_from([None, *SUBJECTS[:2]]),
    retired=st.sampled_from([None, EMAILS[3]]),
    status=st.sampled_from(["active", "active", "invited", "pending", "deleted"]),
)

HISTORIES = st.tuples(st.lists(PEOPLE, max_size=2), st.lists(st.lists(LOGINS, min_size=1, max_size=3), max_size=6))


# ---------------------------------------------------------------- where they send it


class Stage:
    """A world with all the profiles, emptied of people between histories."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.organization: Organization | None = None
        self.issuers: dict[str, Issuer] = {}
        self.profiles: dict[str, Profile] = {}

    async def furnish(self) -> None:
        """Every profile has a key of its own; who vouches for its external ids is in its ``issuer``."""
        external_id = "external_member_id" if self._is_b2b else "external_user_id"
        telling = {"email": "email", "name": "name", "trusted_metadata.plan": "plan", "role_ids": "roles"}
        by_mail, usual = {**telling, "token_id": "jti"}, {**telling, external_id: "sub"}
        fields: dict[str, dict[str, Any]] = {
            "alpha": {},
            "beta": {},
            "tenants": {
                "issuer_check": "template",
                "conditions": ("claims.tid in ['red', 'blue', 'alpha']",),
            },
            "unchecked": {"issuer_check": "none", "conditions": (f"claims.aud == '{AUDIENCE}'",)},
            "by mail": {"attribute_mapping": by_mail},
            "doubted": {"trust_email": False},
            "no one new": {"can_jit_provision": False},
        }
        for name, changes in fields.items():
            url = TEMPLATE if name == "tenants" else f"https://{name.replace(' ', '-')}.example"
            issuer = self.issuers[name] = Issuer(url, [make_key("P-256", name), make_key("RSA")])
            pem = records.pem_file(issuer.keys[0].pem())
            described = {"profile_id": name, "attribute_mapping": usual, "pem_files": (pem,)}
            self.profiles[name] = await self.world.add_profile(issuer, **(described | changes))

    @property
    def _is_b2b(self) -> bool:
        return self.world.call.environment.vertical == "b2b"

    async def clear(self) -> None:
        store, environment_id = self.world.ctx.store, self.world.environment_id
        if self._is_b2b:
            if self.organization is not None:
                gone = DeleteOrganization(
                    environment_id=environment_id, organization_id=self.organization.organization_id
                )
                await store.write(gone)
            self.organization = await self.world.add_organization()
            return
        for user_id in await self.people():
            await store.write(DeleteUser(environment_id=environment_id, user_id=user_id))

    async def people(self) -> People:
        """Everybody by id, deleted members included."""
        search = Search(environment_id=self.world.environment_id, limit=1000)
        if self.organization is None:
            return {one.user_id: one for one in (await self.world.ctx.store.search_users(search))[0]}
        everybody = ("active", "pending", "invited", "deleted")
        search = msgspec.structs.replace(search, filters=(Filter("statuses", everybody),))
        found, _ = await self.world.ctx.store.search_members(search, (self.organization.organization_id,))
        return {one.member_id: one for one in found}

    async def make(self, made: Made) -> None:
        """As the API would; what would break a unique key is left out."""
        if any(_collides(one, made) for one in (await self.people()).values()):
            return
        if self.organization is None:
            user = records.user(self.world.environment_id, email=made.email, external_id=made.external_id)
            await self.world.ctx.store.write(CreateUser(user=user))
            return
        retired = () if made.retired is None else (RetiredEmail(email_id="email-test-1", email_address=made.retired),)
        member = records.member(
            self.organization,
            email=made.email,
            external_id=made.external_id,
            retired_emails=retired,
        )
        await self.world.ctx.store.write(CreateMember(member=member))
        if made.status != "active":
            changed = msgspec.structs.replace(member, status=made.status)
            await self.world.ctx.store.write(ReplaceMember(member=changed))

    async def send(self, sent: Sent) -> Granted | errors.Error:
        """What became of the login. Whatever is not an error of ours comes up here, and fails the test."""
        now = self.world.ctx.clock()
        unchecked = self.profiles[sent.profile_id].issuer_check == "none"
        claims = {"iss": sent.pretended if unchecked else self.vouching(sent)} | sent.claims
        request = AttestRequest(
            profile_id=sent.profile_id,
            token=self.issuers[sent.profile_id].mint(claims, now=now, alg="ES256"),
            organization_id=self.organization.organization_id if self.organization else None,
            session_duration_minutes=None if self.organization else 5,
        )
        try:
            return await attest(self.world.ctx, self.world.call, request)
        except errors.StoreUnavailable:
            raise
        except errors.Error as refusal:
            return refusal

    def vouching(self, sent: Sent) -> str:
        """Who vouches for the external id of this token."""
        if sent.profile_id == "tenants":
            return TEMPLATE.replace("{tid}", str(sent.claims.get("tid")))
        return self.issuers[sent.profile_id].url

    # -- what must hold

    async def check(self, sent: Sent) -> None:
        """Send it, and compare everybody before with everybody after."""
        before = await self.people()
        outcome = await self.send(sent)
        after = await self.people()
        check_keys(after)
        if isinstance(outcome, errors.Error):
            assert after == before, outcome
            return
        granted = id_of(outcome.person)
        assert after[granted] == outcome.person
        assert {one for one in after if after[one] != before.get(one)} <= {granted}
        found = before.get(granted)
        self._check_external_id(sent, found, after[granted])
        self._check_mail(sent, found, after[granted])
        if _is_verified(sent.claims):
            holders = {who for who, one in before.items() if _email(sent.claims) in _addresses(one)}
            assert holders <= {granted}, "the address is somebody else's"

    def _check_external_id(self, sent: Sent, found: Person | None, after: Person) -> None:
        maps_external_id = sent.profile_id != "by mail"
        if found is None:
            assert after.external_id is None or after.external_id_issuer == self.vouching(sent)
            return
        if maps_external_id:
            assert found.external_id_issuer in {None, self.vouching(sent)}, "somebody whom another issuer names"
            if found.external_id is not None and isinstance(sent.claims["sub"], str):
                assert found.external_id == sent.claims["sub"]
        if found.external_id is not None:
            assert (after.external_id, after.external_id_issuer) == (found.external_id, found.external_id_issuer)
        elif after.external_id is not None:
            assert (after.external_id, after.external_id_issuer) == (sent.claims["sub"], self.vouching(sent))

    def _check_mail(self, sent: Sent, found: Person | None, after: Person) -> None:
        named = found is not None and found.external_id is not None and found.external_id == sent.claims["sub"]
        verified = _is_verified(sent.claims)
        silent = verified is None and self.profiles[sent.profile_id].trust_email
        if not named and _email(sent.claims) is not None:
            assert verified or silent, "an address that is not verified has linked or made somebody"
        if found is not None:
            assert named or (found.email is not None and found.email == _email(sent.claims))
            assert found.status != "deleted"
            assert after.email == found.email
        if after.email_verified and not (found is not None and found.email_verified):
            assert verified
            assert after.email == _email(sent.claims)
        assert after.status == "active"


def _addresses(one: Person) -> set[str]:
    """The address somebody has and those of before; a deleted member holds none any more."""
    if one.status == "deleted":
        return set()
    retired = one.retired_emails if isinstance(one, Member) else ()
    return {*filter(None, [one.email]), *(former.email_address for former in retired)}


def _collides(one: Person, made: Made) -> bool:
    if one.status == "deleted":
        return False
    return bool(_addresses(one) & {made.email, made.retired}) or (
        one.external_id is not None and one.external_id == made.external_id
    )


def _is_verified(claims: dict[str, Any]) -> bool | None:
    """None: the token does not say."""
    if claims.get("email_verified", ABSENT) is ABSENT:
        return None
    value = claims["email_verified"]
    return value is True or value in ("true", "1") or (not isinstance(value, bool) and value == 1)


def _email(claims: dict[str, Any]) -> str | None:
    """The address that the token names, lower-cased; the one of every good token where ``claims`` have none."""
    value = claims.get("email", "ada@example.com")
    if isinstance(value, list) and len(value) == 1:
        [value] = value
    return value.lower() if isinstance(value, str) and value else None


def check_keys(people: People) -> None:
    """No two have one address or one external id."""
    living = [one for one in people.values() if one.status != "deleted"]
    for field in ("email", "external_id"):
        values = [getattr(one, field) for one in living if getattr(one, field) is not None]
        assert len(values) == len(set(values))


def id_of(person: Person) -> str:
    return person.member_id if isinstance(person, Member) else person.user_id


@contextmanager
def staged(folder: Path, vertical: Vertical) -> Iterator[tuple[asyncio.Runner, Stage]]:
    """The stage, and the loop that it lives on: examples come one after another, outside of any loop."""
    with asyncio.Runner() as runner:
        store = runner.run(open_store(f"sqlite:///{folder / 'assay.db'}"))
        stage = Stage(runner.run(make_world(store, Clock(), vertical)))
        runner.run(stage.furnish())
        yield runner, stage
        runner.run(store.close())


EXHAUSTIVE = settings(max_examples=EXAMPLES, print_blob=True, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("vertical", ["b2b", "consumer"])
def test_whatever_issuers_send_people_are_linked_as_decided(tmp_path: Path, vertical: Vertical) -> None:
    """Nobody is reached by an unverified address, nor by an issuer other than the one that names them."""

    async def play(stage: Stage, people: list[Made], logins: list[list[Sent]]) -> None:
        await stage.clear()
        for made in people:
            await stage.make(made)
        for sent in [one for together in logins for one in together]:
            await stage.check(sent)

    with staged(tmp_path, vertical) as (runner, stage):

        @EXHAUSTIVE
        @given(HISTORIES)
        def histories(history: tuple[list[Made], list[list[Sent]]]) -> None:
            runner.run(play(stage, *history))

        histories()


@pytest.mark.parametrize("vertical", ["b2b", "consumer"])
def test_logins_that_come_at_once_leave_one_of_everybody(tmp_path: Path, vertical: Vertical) -> None:
    """Of logins at the same moment each is granted or refused by an error of ours, and equal ones are one person."""

    async def play(stage: Stage, people: list[Made], logins: list[list[Sent]]) -> None:
        await stage.clear()
        for made in people:
            await stage.make(made)
        for together in logins:
            twice = [*together, *together]
            outcomes = await asyncio.gather(*map(stage.send, twice))
            check_keys(await stage.people())
            for first, second in zip(outcomes, outcomes[len(together) :], strict=False):
                if isinstance(first, Granted) and isinstance(second, Granted):
                    assert id_of(first.person) == id_of(second.person)

    with staged(tmp_path, vertical) as (runner, stage):

        @settings(EXHAUSTIVE, max_examples=EXAMPLES // 3)
        @given(HISTORIES)
        def histories(history: tuple[list[Made], list[list[Sent]]]) -> None:
            runner.run(play(stage, *history))

        histories()
