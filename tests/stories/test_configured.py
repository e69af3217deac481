"""Compiled configurations: when they are read, when they count, and how many are kept."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from assay import errors, store
from assay.model import Environment, JwtTemplate
from assay.rules.permissions import DEFAULT_POLICY, Permission, Policy, Resource, Role
from assay.store import Store
from assay.stories.configured import Configurations
from assay.stories.context import Call
from tests.calls import calling


class Counting:
    """A store whose readings of configurations are counted."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.read: list[str] = []

    async def configuration(self, environment_id: str) -> Any:
        self.read.append(environment_id)
        return await self._inner.configuration(environment_id)


def policy(*role_ids: str) -> Policy:
    permission = Permission("documents", ("read",))
    roles = tuple(Role(role_id, "", (permission,)) for role_id in role_ids)
    return Policy(roles, (Resource("documents", "", ("read",)),))


async def configure(store_: Store, environment: Environment, **what: Any) -> Environment:
    """The environment as the next request reads it."""
    await store_.write(store.ConfigureEnvironment(environment=environment, **what))
    found = await store_.environment(environment.environment_id)
    assert found is not None
    return found


@pytest.fixture
def counting(store: Store) -> Any:
    return Counting(store)


async def test_an_environment_that_nobody_has_configured_is_never_read(counting: Any, call: Call) -> None:
    found = await Configurations().of(counting, call.environment)
    assert (found.policy, found.template) == (DEFAULT_POLICY["b2b"], None)
    assert counting.read == []


async def test_a_configuration_is_read_once_for_each_revision(store: Store, counting: Any, call: Call) -> None:
    configurations = Configurations()
    environment = await configure(store, call.environment, policy=policy("editor"))
    for _ in range(3):
        assert "editor" in (await configurations.of(counting, environment)).policy.role_ids()
    assert len(counting.read) == 1
    environment = await configure(store, environment, policy=policy("reader"))
    for _ in range(3):
        found = (await configurations.of(counting, environment)).policy.role_ids()
        assert found == {"stytch_member", "stytch_admin", "reader"}
    assert len(counting.read) == 2


async def test_a_request_that_read_an_older_environment_gets_what_is_there_now(
    store: Store, counting: Any, call: Call
) -> None:
    older = await configure(store, call.environment, policy=policy("editor"))
    await configure(store, older, policy=policy("reader"))
    assert "reader" in (await Configurations().of(counting, older)).policy.role_ids()


async def test_only_the_session_template_is_compiled(store: Store, counting: Any, call: Call) -> None:
    given = (
        JwtTemplate(template_type="M2M", template_content='{"a": {{ client.id }}}', custom_audience="machines"),
        JwtTemplate(template_type="SESSION", template_content='{"b": 1}', custom_audience="people"),
    )
    environment = await configure(store, call.environment, jwt_templates=given)
    template = (await Configurations().of(counting, environment)).template
    assert template is not None
    assert (template.body, template.custom_audience) == ({"b": 1}, "people")
    environment = await configure(store, environment, jwt_templates=given[:1])
    assert (await Configurations().of(counting, environment)).template is None


async def test_environments_do_not_share_configurations(store: Store, counting: Any, call: Call) -> None:
    other = await calling(store, "other", "b2b")
    mine = await configure(store, call.environment, policy=policy("mine"))
    theirs = await configure(store, other.environment, policy=policy("theirs"))
    configurations = Configurations()
    found = await asyncio.gather(*(configurations.of(counting, each) for each in (mine, theirs, mine)))
    assert [("mine" in each.policy.role_ids(), "theirs" in each.policy.role_ids()) for each in found] == [
        (True, False),
        (False, True),
        (True, False),
    ]


async def test_the_one_used_longest_ago_is_forgotten_first(store: Store, counting: Any, call: Call) -> None:
    environments = [call.environment, *[(await calling(store, slug, "b2b")).environment for slug in ("two", "three")]]
    one, two, three = [await configure(store, each, policy=policy("editor")) for each in environments]
    configurations = Configurations(kept=2)
    for each in (one, two, one, three, one):
        await configurations.of(counting, each)
    assert counting.read == [one.environment_id, two.environment_id, three.environment_id]
    await configurations.of(counting, two)
    assert counting.read[3:] == [two.environment_id]


async def test_an_environment_that_is_gone_opens_nothing(counting: Any, call: Call) -> None:
    gone = msgspec.structs.replace(call.environment, environment_id="project-test-gone", revision=2)
    with pytest.raises(errors.UnauthorizedCredentials):
        await Configurations().of(counting, gone)
