"""The part of a store that holds signing keys, in memory; what a test hands to ``race`` happens just before a write."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import msgspec

from assay import store
from assay.model import Event, SigningKey


class MemoryStore:
    def __init__(self) -> None:
        self.check_value: bytes | None = None
        self.keys: list[SigningKey] = []
        self.events: list[Event] = []
        self.writes: list[store.Write] = []
        self.race: Callable[[], None] | None = None

    def as_store(self) -> store.Store:
        return cast("store.Store", self)

    async def root_key_check(self) -> bytes | None:
        return self.check_value

    async def signing_keys(self, environment_id: str) -> list[SigningKey]:
        return [key for key in self.keys if key.environment_id == environment_id]

    async def all_signing_keys(self) -> list[SigningKey]:
        return list(self.keys)

    async def write(self, write: store.Write) -> None:
        self.writes.append(write)
        race, self.race = self.race, None
        if race is not None:
            race()
        if isinstance(write, store.SetRootKeyCheck):
            self.check_value = self.check_value or write.root_key_check
        elif isinstance(write, store.CreateSigningKeys):
            self._create(write)
        elif isinstance(write, store.RotateSigningKeys):
            self._rotate(write)
        elif isinstance(write, store.RewrapSigningKeys):
            self._rewrap(write)
        self.events.extend(write.events)

    def _create(self, write: store.CreateSigningKeys) -> None:
        if any(key.environment_id == write.keys[0].environment_id for key in self.keys):
            raise store.Conflict("signing_key")
        self.keys.extend(write.keys)

    def _rotate(self, write: store.RotateSigningKeys) -> None:
        if not any(key.kid == write.promoted_kid and key.state == "next" for key in self.keys):
            raise store.Stale
        self.keys = [self._rotated(key, write) for key in self.keys] + [write.new_next]

    @staticmethod
    def _rotated(key: SigningKey, write: store.RotateSigningKeys) -> SigningKey:
        if key.environment_id != write.environment_id or key.state == "retired":
            return key
        if key.kid == write.promoted_kid:
            return msgspec.structs.replace(key, state="active", activated_at=write.rotated_at)
        return msgspec.structs.replace(key, state="retired", retired_at=write.rotated_at)

    def _rewrap(self, write: store.RewrapSigningKeys) -> None:
        if {key.kid for key in self.keys} != write.sealed.keys():
            raise store.Stale
        self.keys = [msgspec.structs.replace(key, sealed_private_key=write.sealed[key.kid]) for key in self.keys]
        self.check_value = write.root_key_check
