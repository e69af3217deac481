"""Maintenance: room for coming months, and what has come to its end goes, by whole months where that is possible."""

from __future__ import annotations

from assay import store
from assay.stories.housekeeping import Household, Housekeeper

_DAY = 86_400


async def maintain(household: Household) -> store.Maintained:
    """Do all that is due, and say what that was. Raises MayNotMaintain and StoreUnavailable."""
    done = await keep_months(household)
    await Housekeeper(household).forget()
    return done


async def keep_months(household: Household) -> store.Maintained:
    """Make the tables of coming months and drop those of dead ones. Raises MayNotMaintain and StoreUnavailable."""
    now = int(household.clock())
    return await household.store.maintain(
        store.Due(
            now=now,
            ended_before=now - household.settings.sessions_kept_days * _DAY,
            attempts_before=now - household.settings.attempts_days * _DAY,
        )
    )
