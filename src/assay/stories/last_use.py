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

    async def of_secret(self, store: Store, secret: Secret, now: float) -> None:
        """The secret was used at ``now`` (seconds). Never refuses."""
        if self._is_due(secret.secret_id, secret.used_at, now):
            await _note(
                store,
                TouchSecret(environment_id=secret.environment_id, secret_id=secret.secret_id, used_at=int(now)),
            )

    async def of_workspace_key(self, store: Store, key: WorkspaceKey, now: float) -> None:
        """The workspace key was used at ``now`` (seconds). Never refuses."""
        if self._is_due(key.workspace_key_id, key.used_at, now):
            await _note(store, TouchWorkspaceKey(workspace_key_id=key.workspace_key_id, used_at=int(now)))

    def _is_due(self, credential_id: str, used_at: int | None, now: float) -> bool:
        # Says so once and then not for five minutes, whatever becomes of the write: of many calls at once one writes,
        # and a store that takes no writes is not asked with every call. What other processes wrote counts too.
        if now - max(used_at or 0, self._noted.get(credential_id, 0)) < NOTED_EVERY_SECONDS:
            return False
        self._noted[credential_id] = now
        return True


async def _note(store: Store, write: Write) -> None:
    # No call fails because this cannot be written.
    with suppress(errors.StoreUnavailable):
        await store.write(write)
