"""A plan that is known to work: what the file wants, what there is, the steps between, and a rehearsal of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import msgspec

from assay import errors
from assay.key_sources import HmacSource
from assay.keys.sealing import shared_secret_purpose
from assay.model import Profile
from assay.store import Store
from assay.stories.context import Context
from assay.stories.declared import current, planning, rehearsing
from assay.stories.declared.planning import Options
from assay.stories.declared.planning_profiles import Known
from assay.stories.declared.steps import Plan
from assay.stories.declared.wanted import Wanted

Scratch = Callable[[], AbstractAsyncContextManager[Store]]
"""Opens an empty store for a rehearsal, and deletes it."""


class Prepared(msgspec.Struct, frozen=True):
    """A plan, and what would keep the profiles that it makes or changes from working."""

    plan: Plan
    problems: tuple[str, ...]


async def prepare(
    ctx: Context, wanted: Wanted, options: Options, scratch: Scratch, *, allow_problems: bool
) -> Prepared:
    """Plan and rehearse; nothing is changed.

    Raises ConfigurationRefused, which lists everything that cannot be done, and problems unless they are allowed.
    """
    found = await current.read(ctx.store)
    environments = [each.environment for project in found.projects for each in project.environments]
    held = await current.holdings(ctx.store, environments, int(ctx.clock())) if options.prune else {}
    known = Known(
        public_url=ctx.settings.public_url, same_secret=lambda profile, secret: _same_secret(ctx, profile, secret)
    )
    plan = planning.plan(wanted, found, options, known, held)
    if plan.refusals:
        raise errors.ConfigurationRefused("\n".join(plan.refusals))
    if not plan.steps:
        return Prepared(plan, ())
    async with scratch() as store:
        rehearsal = await rehearsing.rehearse(ctx, store, found, plan)
    if rehearsal.refusals:
        raise errors.ConfigurationRefused("\n".join(rehearsal.refusals))
    if rehearsal.problems and not allow_problems:
        problems = "\n".join(rehearsal.problems)
        raise errors.ConfigurationRefused(f"{problems}\n--allow-problems saves it all the same.")
    return Prepared(plan, rehearsal.problems)


def _same_secret(ctx: Context, profile: Profile, secret: bytes) -> bool:
    purpose = shared_secret_purpose(profile.environment_id, profile.profile_id)
    sealed = (each.sealed_secret for each in profile.key_sources if isinstance(each, HmacSource))
    return any(ctx.holds(each, purpose, secret) for each in sealed)
