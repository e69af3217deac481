"""When a secret or a workspace key was last used, so that operators see which one nobody needs any more."""

from __future__ import annotations

from contextlib import suppress

from assay import errors
from assay.model import Secret, WorkspaceKey
from assay.store import Store, TouchSecret, TouchWorkspaceKey, Write

NOTED_EVERY_SECONDS = 300


class LastUse:
    """What one process has noted: one write per credential and five minutes, however many calls there are."""

    def __init__(self) -> None:
        self._noted: dict[str, float] = {}

    def is_due(self, credential_id: str, used_at: int | None, now: float) -> bool:
        """Whether its use at ``now`` (seconds) is to be noted: if so, this says it once and then not for five minutes.

        So of many calls at once one writes, whatever becomes of the write, and a store that takes no writes is not
        asked with every call. ``used_at`` is what is stored: what other processes wrote counts too.
        """
        if now - self._noted.get(credential_id, 0) < NOTED_EVERY_SECONDS:
            return False
        if used_at is not None and now - used_at < NOTED_EVERY_SECONDS:
            return False
        self._noted[credential_id] = now
        return True


async def note_secret(store: Store, secret: Secret, now: float) -> None:
    """The secret was used at ``now`` (seconds). Never refuses."""
    touch = TouchSecret(environment_id=secret.environment_id, secret_id=secret.secret_id, used_at=int(now))
    await _note(store, touch)


async def note_workspace_key(store: Store, key: WorkspaceKey, now: float) -> None:
    """The workspace key was used at ``now`` (seconds). Never refuses."""
    await _note(store, TouchWorkspaceKey(workspace_key_id=key.workspace_key_id, used_at=int(now)))


async def _note(store: Store, write: Write) -> None:
    # No call fails because this cannot be written.
    with suppress(errors.StoreUnavailable):
        await store.write(write)
