"""What operators have set for an environment, compiled and at hand: its RBAC policy and the template of its JWTs."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from assay import errors
from assay.model import Environment
from assay.rules import policies, templates
from assay.rules.permissions import DEFAULT_POLICY, Policy
from assay.rules.templates import Template
from assay.store import Configuration, Store

MAX_KEPT = 256
FIRST_REVISION = 1


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of an environment at one revision; ``template`` is None where session JWTs have none."""

    revision: int
    policy: Policy
    template: Template | None = None


_UNTOUCHED = {
    vertical: Configured(revision=FIRST_REVISION, policy=policy) for vertical, policy in DEFAULT_POLICY.items()
}


class Configurations:
    """Compiled configurations of the environments in use, by the revision with which they were read.

    Only what is compiled is kept. Whether it still holds is decided by the revision that came with each request's
    environment (decisions D29), so a change counts for every worker from the request after it. An environment that
    nobody has configured is never looked up.
    """

    def __init__(self, *, kept: int = MAX_KEPT) -> None:
        self._kept = kept
        self._by_environment: OrderedDict[str, Configured] = OrderedDict()

    async def of(self, store: Store, environment: Environment) -> Configured:
        """The configuration of an environment as it was read with this request.

        One that changed since then is given in its newer version. Raises UnauthorizedCredentials when the environment
        is gone, for then its credentials are too.
        """
        if environment.revision == FIRST_REVISION:
            return _UNTOUCHED[environment.vertical]
        found = self._by_environment.get(environment.environment_id)
        if found is None or found.revision != environment.revision:
            revision, configuration = await store.configuration(environment.environment_id)
            if not revision:
                raise errors.UnauthorizedCredentials
            found = _compiled(environment, revision, configuration)
        self._keep(environment.environment_id, found)
        return found

    def _keep(self, environment_id: str, found: Configured) -> None:
        self._by_environment[environment_id] = found
        self._by_environment.move_to_end(environment_id)
        while len(self._by_environment) > self._kept:
            self._by_environment.popitem(last=False)


def _compiled(environment: Environment, revision: int, configuration: Configuration) -> Configured:
    return Configured(
        revision=revision,
        policy=policies.effective(environment.vertical, configuration.policy),
        template=next(
            (
                templates.compiled(environment.vertical, "SESSION", each.template_content, each.custom_audience)
                for each in configuration.jwt_templates
                if each.template_type == "SESSION"
            ),
            None,
        ),
    )
