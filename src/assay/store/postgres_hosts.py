"""Which of several hosts is the primary: all are asked at once, and that of the newest timeline is the one.

Whoever makes a replica the primary begins a new timeline. An old primary that nobody has stopped goes on by itself on
the one before, and would accept what has been revoked meanwhile; so it is not used once the newer one has been seen.
A process that reaches the old one alone cannot see that. Only fencing on the side of the database helps there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar
from weakref import WeakKeyDictionary

import asyncpg

GRACE_SECONDS = 0.25
"""Once one host is found that can be written to, the others have so long to show that they are newer."""

WATCH_SECONDS = 1.0
"""So often are all hosts looked at while a store is open."""

# Databases of other systems have other timelines, such as after a major upgrade.
_PLACE = """
select (select system_identifier from pg_catalog.pg_control_system()), case when pg_is_in_recovery() then 0
    else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint end
"""


class Link(Protocol):
    """What is needed of a connection here."""

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        """The rows of a query."""

    def is_closed(self) -> bool:
        """Whether it is of no use any more."""

    def terminate(self) -> None:
        """Cut it, without a word to the server."""


L = TypeVar("L", bound=Link)

Connect = Callable[[], Awaitable[L]]


class Place(NamedTuple):
    """Where a server stands: the cluster that it is of, and its timeline; 0 for a replica, or if nobody knows."""

    system: int
    timeline: int


class OldPrimary(ConnectionError):
    """The only server to be had that takes writes is one that another has taken the place of."""


async def place_of(link: Link) -> Place:
    """Ask a server. Raises what the driver raises; a server that does not know these words is nowhere."""
    try:
        return Place(*(await link.fetch(_PLACE))[0])
    except (asyncpg.SyntaxOrAccessError, asyncpg.FeatureNotSupportedError):
        return Place(0, 0)


class Fence:
    """The newest timeline that this process has seen, and its connections, of which it cuts those to older ones."""

    def __init__(self) -> None:
        self._newest: dict[int, int] = {}
        self._links: WeakKeyDictionary[Link, Place] = WeakKeyDictionary()

    def admit(self, link: Link, place: Place) -> None:
        """Take note of a connection. Raises OldPrimary, and cuts it, when its server is one."""
        self.saw(place)
        if place.timeline < self._newest[place.system]:
            link.terminate()
            raise OldPrimary("another server has taken the place of this primary")
        self._links[link] = place

    def saw(self, place: Place) -> None:
        """Cut what is connected to a server with an older timeline of the same cluster."""
        if place.timeline <= self._newest.setdefault(place.system, place.timeline):
            return
        self._newest[place.system] = place.timeline
        for link, its in list(self._links.items()):
            if its.system == place.system and its.timeline < place.timeline:
                link.terminate()


async def connect_to_newest(hosts: Sequence[Connect[L]], fence: Fence) -> L:
    """A connection to the primary. Raises what connecting to the last host raised, and OldPrimary."""
    tasks = [asyncio.ensure_future(_placed(connect)) for connect in hosts]
    chosen: L | None = None
    try:
        await _settle(tasks)
        found = [task.result() for task in tasks if _is_found(task)]
        if not found:
            raise _fault(tasks)
        chosen, place = max(found, key=lambda each: each[1].timeline)
        fence.admit(chosen, place)
        return chosen
    finally:
        for task in tasks:
            task.add_done_callback(lambda done: _let_go(done, chosen))
            task.cancel()


async def _placed(connect: Connect[L]) -> tuple[L, Place]:
    link = await connect()
    try:
        return link, await place_of(link)
    except BaseException:
        link.terminate()
        raise


async def _settle(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Wait for all of them, but only shortly for those that are silent when there is one."""
    waiting = {*tasks}
    while waiting:
        patience = GRACE_SECONDS if any(map(_is_found, tasks)) else None
        done, waiting = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            return


def _is_found(task: asyncio.Future[Any]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _fault(tasks: Sequence[asyncio.Future[Any]]) -> BaseException:
    """Of several, one that is not merely about being a replica."""
    faults = [fault for task in tasks if (fault := task.exception()) is not None]
    told = [fault for fault in faults if not isinstance(fault, asyncpg.TargetServerAttributeNotMatched)]
    return (told or faults)[0]


def _let_go(task: asyncio.Future[Any], chosen: Link | None) -> None:
    if _is_found(task) and (link := task.result()[0]) is not chosen:
        link.terminate()


class Watch:
    """Looks at all hosts again and again, over a connection to each, so that the fence hears of a new primary."""

    def __init__(self, hosts: Sequence[Connect[L]], fence: Fence, faults: tuple[type[Exception], ...]) -> None:
        self._fence = fence
        self._faults = faults
        self._tasks = [asyncio.get_running_loop().create_task(self._look(connect)) for connect in hosts]

    async def close(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self, connect: Connect[L]) -> None:
        while True:
            try:
                await self._look_on(await connect())
            except self._faults:
                await asyncio.sleep(WATCH_SECONDS)

    async def _look_on(self, link: Link) -> None:
        try:
            while True:
                async with asyncio.timeout(10 * WATCH_SECONDS):
                    self._fence.saw(await place_of(link))
                await asyncio.sleep(WATCH_SECONDS)
        finally:
            link.terminate()
