"""How stories change records that others may be changing at the same moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

import msgspec

from assay import errors, store

# Each round at least one of the callers that race for a record wins, so this many of them all come through.
TRIES = 32

CONFLICTS: dict[store.UniqueKey, type[errors.Error]] = {
    "organization_slug": errors.OrganizationSlugAlreadyUsed,
    "organization_external_id": errors.OrganizationExternalIdAlreadyUsed,
    "member_email": errors.DuplicateMemberEmail,
    "member_external_id": errors.DuplicateMemberExternalId,
    "user_email": errors.DuplicateEmail,
    "user_phone_number": errors.DuplicatePhoneNumber,
    "user_external_id": errors.DuplicateUserExternalId,
}

# These change with every other change, so an audit line need not name them.
_BOOKKEEPING = frozenset({"updated_at", "revision"})

Result = TypeVar("Result")


async def until_current(change: Callable[[], Awaitable[Result]]) -> Result:
    """Do ``change`` (read, decide, write) again until what it decided upon is still so when it is written.

    Raises what ``change`` raises, the error of the unique key it would break, or StoreUnavailable when others
    change the record without end.
    """
    for _ in range(TRIES):
        try:
            return await change()
        except store.Stale:
            continue
        except store.Conflict as conflict:
            raise CONFLICTS[conflict.key] from None
    raise errors.StoreUnavailable(detail=f"the record changed under each of {TRIES} tries")


def changed_fields(before: msgspec.Struct, after: msgspec.Struct, leave_out: Collection[str] = ()) -> list[str]:
    """The names of the fields in which two versions of a record differ, for its audit line."""
    return [
        name
        for name in before.__struct_fields__
        if name not in _BOOKKEEPING and name not in leave_out and getattr(before, name) != getattr(after, name)
    ]
