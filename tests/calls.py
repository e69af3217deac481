"""Calls as an edge would hand them to a story, and the clock they look at."""

from __future__ import annotations

import msgspec

from assay.model import Caller, Member, Vertical
from assay.rules.permissions import DEFAULT_POLICY
from assay.store import Store
from assay.stories.context import Actor, Call, Operator
from tests import records

OPERATOR = Operator(name="tests")


class Clock:
    """Seconds since the epoch; it stands still until it is turned."""

    def __init__(self) -> None:
        self.now = float(records.NOW)

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += seconds


async def calling(store: Store, slug: str, vertical: Vertical) -> Call:
    """A call to the TEST environment of a new project."""
    project = records.new_project(slug, vertical=vertical)
    await store.write(project)
    caller = Caller(environment=project.environments[1], secret=project.secrets[1], signing_kid=None)
    return Call(caller=caller, request_id="request-id-test-1")


def acting(call: Call, member: Member, *roles: str) -> Call:
    """The same call with the session of ``member``, in which ``roles`` count beside the default one."""
    actor = Actor(member=member, session_roles=("stytch_member", *roles), policy=DEFAULT_POLICY["b2b"])
    return msgspec.structs.replace(call, actor=actor)
