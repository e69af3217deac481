"""Bounded memories of what was made from stored rows: parsed keys, key sets, decoded records."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Holds at most ``limit`` values and forgets the one that was asked for longest ago."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """Return the value, which counts as used now; None when it is not held."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Hold the value from now on, in place of an older one under the same key."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._limit:
            self._values.popitem(last=False)

    def forget(self, key: K) -> None:
        """Hold it no longer, if it is held."""
        self._values.pop(key, None)


class Kept(OrderedDict[K, V]):
    """What was made of rows, by the row or its key, up to ``most`` of them; with one more the oldest goes.

    To keep account of which one was asked for when would cost more than to make some of them anew.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def keep(self, key: K, value: V) -> V:
        """Keep the value from now on; gives it back."""
        if len(self) >= self._most and key not in self:
            self.popitem(last=False)
        self[key] = value
        return value
