"""Connections to PostgreSQL: a few that are kept, each with limits, and what it means when one is lost.

No text of an error of the database is ever passed on: it quotes values, and those can be secrets. What is passed on is
the kind of the error.
"""

from __future__ import annotations

import asyncio
import functools
import socket
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import asyncpg

from assay import errors
from assay.store.postgres_address import Address
from assay.store.postgres_hosts import Fence, Watch, connect_to_newest


class Connection(Protocol):
    """What Assay uses of the driver's connection."""

    async def execute(self, query: str, *arguments: object) -> str:
        """Run a statement, or without arguments a script; answers the status of the last one, such as UPDATE 1."""

    async def executemany(self, query: str, arguments: Iterable[Sequence[object]]) -> None:
        """Run one statement with each of these arguments."""

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        """The rows of a query."""

    def cursor(self, query: str, *arguments: object, prefetch: int) -> AsyncIterable[Any]:
        """The rows of a query, so many at a time, in a transaction."""

    def add_log_listener(self, listener: Callable[[Any, Any], None]) -> None:
        """Call it with each notice of the server."""

    def remove_log_listener(self, listener: Callable[[Any, Any], None]) -> None:
        """Do so no more."""

    def is_closed(self) -> bool:
        """Whether it is of no use any more."""

    def terminate(self) -> None:
        """Cut it, without a word to the server."""

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109 - the driver's own
        """Say goodbye to the server within so many seconds, else cut it."""


CONNECT_SECONDS = 3.0
"""How long one attempt to connect may take."""

WAIT_SECONDS = 3.0
"""How long a request waits for one of the connections that others use."""

AWAY_SECONDS = 0.25
"""After a failed attempt to connect nobody tries again for so long: the others are refused at once."""

# Nothing of a statement's outcome is known, or the server is none that can be written to: start over elsewhere.
_LOST = (
    OSError,
    EOFError,
    asyncpg.InterfaceError,
    asyncpg.exceptions.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
)
FAULTS = (OSError, EOFError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.exceptions.InternalClientError)
"""All that the driver raises: of the network, of the server, and of its own."""


class Limits(NamedTuple):
    """How long the server lets one connection do things, in milliseconds; 0 is without limit."""

    statement: int
    lock: int
    idle_in_transaction: int = 10_000
    plans: tuple[tuple[str, str], ...] = ()

    def settings(self) -> dict[str, str]:
        """The settings of a session: these limits, and commits that are answered when they are durable."""
        return {
            "synchronous_commit": "on",
            "client_min_messages": "warning",
            "statement_timeout": str(self.statement),
            "lock_timeout": str(self.lock),
            "idle_in_transaction_session_timeout": str(self.idle_in_transaction),
            **dict(self.plans),
        }

    @property
    def seconds(self) -> float:
        """After so long nobody waits any more: the limits of the server end things before, unless it is gone."""
        return self.statement / 1000 + 5.0

    @property
    def commit_seconds(self) -> float:
        """After so long a transaction is cut off, whatever it waits for.

        A commit that waits for a replica is left waiting for that long by those who have given up on it: each one cut
        off before would leave a connection of the server behind, and the next one would need another.
        """
        return self.seconds + 45.0


# A plan is made once per connection, maybe while a table is still empty. It must not be one that reads a whole table,
# however small that is at the time, and it is not made again for each number of rows that a batch may have.
_BY_KEY = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}

SHORT = Limits(statement=10_000, lock=5_000, plans=tuple(_BY_KEY.items()))
"""For what requests wait for."""

LONG = Limits(statement=600_000, lock=60_000, idle_in_transaction=60_000)
"""For what goes over whole tables."""


def named(fault: BaseException) -> str:
    """The kind of an error, without anything that it quotes."""
    code = getattr(fault, "sqlstate", None)
    return f"{type(fault).__name__} {code}" if code else type(fault).__name__


def is_lost(connection: Connection, fault: BaseException) -> bool:
    """Whether this connection is of no use any more."""
    if isinstance(fault, asyncpg.exceptions.QueryCanceledError):
        return connection.is_closed()
    return connection.is_closed() or isinstance(fault, _LOST)


class Connector:
    """Makes connections with these limits. Raises errors.StoreUnavailable when there is no database to be had."""

    def __init__(self, address: Address, limits: Limits, fence: Fence | None = None) -> None:
        self._address = address
        self._fence = fence
        self._away_until = 0.0
        self.limits = limits
        # A pooler knows no settings of a session, and gives the next transaction to another one; so they stand at the
        # beginning of each transaction, and nothing is prepared for more than one.
        told = limits.settings() if address.pools_transactions else {}
        self.preface = "".join(f"; set local {name} = '{value}'" for name, value in told.items())

    @property
    def pools_transactions(self) -> bool:
        """Whether each transaction may be on another connection of the server."""
        return self._address.pools_transactions

    async def __call__(self) -> Connection:
        """A new connection to a server that can be written to."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._away_until:
            raise errors.StoreUnavailable(detail="connecting: the database was away a moment ago")
        try:
            return await connect(self._address, self.limits, self._fence)
        except (*FAULTS, ValueError) as fault:
            self._away_until = loop.time() + AWAY_SECONDS
            raise errors.StoreUnavailable(detail=f"connecting: {named(fault)}") from None


async def connect(address: Address, limits: Limits, fence: Fence | None = None) -> Connection:
    """One connection, to the newest primary of all hosts, which the ``fence`` is told.

    Raises what the driver raises; its text may quote the address, so it is shown to nobody.
    """
    hosts = [functools.partial(_connect, address, dsn, limits) for dsn in address.dsns]
    if len(hosts) == 1:
        return await hosts[0]()
    return await connect_to_newest(hosts, fence or Fence())


def watch(address: Address, fence: Fence) -> Watch | None:
    """Look at all hosts from now on, if there are several."""
    if len(address.dsns) == 1:
        return None
    told = {"application_name": "assay watch", "target_session_attrs": "any"}
    hosts = [functools.partial(_connect, address, dsn, SHORT, **told) for dsn in address.dsns]
    return Watch(hosts, fence, (*FAULTS, ValueError))


async def _connect(
    address: Address,
    dsn: str,
    limits: Limits,
    *,
    application_name: str = "assay",
    target_session_attrs: str = "read-write",  # a replica may be behind
) -> Connection:
    settings = {} if address.pools_transactions else {**limits.settings(), "jit": "off"}
    connection: Connection = await asyncpg.connect(
        dsn,
        timeout=CONNECT_SECONDS,
        statement_cache_size=0 if address.pools_transactions else 512,
        target_session_attrs=target_session_attrs,
        server_settings={"application_name": application_name, **settings},
    )
    _keep_alive(connection)
    return connection


# A server that is gone without a word is noticed after so many seconds, one that is only slow is not.
_KEEP_ALIVE = {"SO_KEEPALIVE": 1, "TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}


def _keep_alive(connection: Connection) -> None:
    """Let the system look whether the server is there; what it cannot do is left out."""
    transport = getattr(connection, "_transport", None)  # the driver tells nobody its socket
    its = transport and transport.get_extra_info("socket")
    if its is None or its.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    for name, value in _KEEP_ALIVE.items():
        level = socket.SOL_SOCKET if name.startswith("SO_") else socket.IPPROTO_TCP
        if hasattr(socket, name):
            its.setsockopt(level, getattr(socket, name), value)


class Connections:
    """At most ``size`` connections, each used by one at a time; made when first needed, and again when lost."""

    def __init__(self, connect: Connector, size: int) -> None:
        self.connect = connect
        self._size = size
        self._open = 0
        self._closed = False
        self._idle: list[Connection] = []
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()

    async def take(self) -> Connection:
        """A connection, to be given back. Raises errors.StoreUnavailable."""
        if self._closed:
            raise errors.StoreUnavailable(detail="the store is closed")
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._open -= 1
        if self._open < self._size:
            return await self._new()
        return await self._handed_over()

    def give_back(self, connection: Connection, fault: BaseException | None = None) -> None:
        """Let others use it, unless this ``fault`` says that it is lost."""
        if fault is not None and (not isinstance(fault, Exception) or is_lost(connection, fault)):
            connection.terminate()  # also when its user was cancelled: nobody knows what it is doing
        if self._closed:
            connection.terminate()
        if connection.is_closed():
            self._open -= 1
            self._hand_over(None)
        elif not self._hand_over(connection):
            self._idle.append(connection)

    async def close(self) -> None:
        """Let go of all that nobody uses; what is in use is let go of when it is given back."""
        self._closed = True
        while self._idle:
            connection = self._idle.pop()
            self._open -= 1
            try:
                await connection.close(timeout=CONNECT_SECONDS)
            except FAULTS:
                connection.terminate()

    async def _new(self) -> Connection:
        self._open += 1
        try:
            return await self.connect()
        except BaseException:
            self._open -= 1
            self._hand_over(None)
            raise

    async def _handed_over(self) -> Connection:
        waiting: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await asyncio.wait({waiting})
        except TimeoutError:
            if not waiting.cancel():  # unless it came in this very moment
                return await self._taken(waiting.result())
            raise errors.StoreUnavailable(detail="waiting for a connection: all of them are in use") from None
        except asyncio.CancelledError:
            if not waiting.cancel():
                self._pass_on(waiting.result())
            raise
        return await self._taken(waiting.result())

    async def _taken(self, handed: Connection | None) -> Connection:
        return await self.take() if handed is None else handed

    def _pass_on(self, handed: Connection | None) -> None:
        """Whoever waited for this has been cancelled."""
        if handed is None:
            self._hand_over(None)
        else:
            self.give_back(handed)

    def _hand_over(self, connection: Connection | None) -> bool:
        """Give it, or (None) the right to make one, to whoever has waited longest. False when nobody waits."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return True
        return False


@contextmanager
def bounded(connection: Connection, seconds: float) -> Iterator[None]:
    """Cut the connection when this takes longer: then the network or the server is gone, for its own limits are less.

    Nothing is cancelled on the server. Cancelling a commit that waits for a replica would make it take effect without.
    """
    cut = asyncio.get_running_loop().call_later(seconds, connection.terminate)
    try:
        yield
    finally:
        cut.cancel()
