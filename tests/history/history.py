"""What clients asked and what they were told: the operations of a run, in memory and as JSON lines.

    recorder = Recorder(clock, Path("history.jsonl"))
    operation = recorder.invoke(client, "authenticate", shown=digest(token))
    recorder.complete(operation, "ok", seen=(seen,))
    history = recorder.history()

An operation is ``unknown`` unless somebody said otherwise: an answer that never came proves nothing. No token stands
in a history, only digests, so that it can be kept and shown.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final, Literal

import msgspec

Kind = Literal["attest", "attest-once", "attest-onto", "authenticate", "extend", "revoke", "revoke-all", "list"]
"""``attest-once``: with a token that works once. ``extend``: authenticate with a duration or claims."""

Outcome = Literal["ok", "fail", "unknown"]
"""``fail`` means that it certainly did not happen."""

NEVER: Final = 2**63 - 1
"""The time at which an operation ended that has not."""

STAMP: Final = "attest"
"""The custom claim by which a session tells the attest that made it."""


class Seen(msgspec.Struct, frozen=True):
    """A session as an answer showed it; ``expires_at`` in seconds of the service's clock."""

    session_id: str
    person: str
    expires_at: int
    claims: dict[str, int] = {}


class Operation(msgspec.Struct, frozen=True, kw_only=True, tag="operation", omit_defaults=True):
    """One call of one client.

    ``invoked`` and ``completed`` are nanoseconds of the monotonic clock that all clients share; what is unknown was
    ``completed`` when its client gave up waiting. ``clock_before`` and ``clock_after`` are the seconds that the
    service's clock showed then. ``shown`` and ``token`` are digests of the session token in the request and in the
    answer, ``session_id`` and ``person`` whom the request names, ``mark`` a digest of a token that works once, and
    ``request`` one of the whole body. ``minutes`` and ``claims`` are what it asked to be written.
    """

    number: int
    client: int
    kind: Kind
    invoked: int
    clock_before: int
    completed: int = NEVER
    clock_after: int = NEVER
    outcome: Outcome = "unknown"
    shown: str = ""
    token: str = ""
    session_id: str = ""
    person: str = ""
    mark: str = ""
    request: str = ""
    minutes: int | None = None
    claims: dict[str, int] = {}
    seen: tuple[Seen, ...] = ()
    error: str = ""

    @property
    def name(self) -> str:
        """How a report names it."""
        return f"#{self.number} {self.kind} {self.outcome}{f' ({self.error})' if self.error else ''}"


class Settled(msgspec.Struct, frozen=True, tag="settled"):
    """From ``at`` on nothing that its client had given up before can happen any more: whoever had it is dead."""

    at: int


class History(msgspec.Struct, frozen=True):
    """A run: its operations in the order in which they were invoked, and the moments at which it was settled."""

    operations: tuple[Operation, ...]
    settled: tuple[int, ...] = ()


class Recorder:
    """Takes down a run. ``clock`` is the service's, in seconds; ``path`` is where the lines go, if anywhere."""

    def __init__(
        self, clock: Callable[[], float], path: Path | None = None, timer: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._clock = clock
        self._timer = timer
        self._file: IO[bytes] | None = path.open("ab") if path else None
        self._pending: dict[int, Operation] = {}
        self._done: list[Operation] = []
        self._settled: list[int] = []
        self._count = 0

    def invoke(self, client: int, kind: Kind, **asked: Any) -> Operation:
        """Take down that a client is about to ask; ``asked`` are fields of the operation."""
        self._count += 1
        asked |= {"invoked": self._timer(), "clock_before": int(self._clock())}
        operation = Operation(number=self._count, client=client, kind=kind, **asked)
        self._pending[operation.number] = operation
        return operation

    def complete(self, operation: Operation, outcome: Outcome, **learned: Any) -> Operation:
        """Take down what the client was told, or that it stopped waiting."""
        times = {"completed": self._timer(), "clock_after": int(self._clock())}
        done = msgspec.structs.replace(operation, outcome=outcome, **learned, **times)
        del self._pending[operation.number]
        self._done.append(done)
        self._line(done)
        return done

    def settle(self) -> None:
        """Take down that whatever has no answer by now has happened or never will."""
        self._settled.append(self._timer())
        self._line(Settled(self._settled[-1]))

    def history(self) -> History:
        """All so far; what is still waiting for its answer is unknown."""
        operations = sorted((*self._done, *self._pending.values()), key=lambda operation: operation.number)
        return History(tuple(operations), tuple(self._settled))

    def close(self) -> None:
        """Write what is unfinished, and let go of the file."""
        for operation in self._pending.values():
            self._line(operation)
        if self._file is not None:
            self._file.close()

    def _line(self, record: Operation | Settled) -> None:
        if self._file is not None:
            self._file.write(msgspec.json.encode(record) + b"\n")


def load(path: Path) -> History:
    """A history from its lines. Raises OSError and msgspec.DecodeError."""
    decoder = msgspec.json.Decoder(Operation | Settled)
    records = [decoder.decode(line) for line in path.read_bytes().splitlines()]
    operations = sorted((each for each in records if isinstance(each, Operation)), key=lambda each: each.number)
    return History(tuple(operations), tuple(each.at for each in records if isinstance(each, Settled)))


def digest(text: str) -> str:
    """What stands for a token: enough of SHA-256 that two tokens never meet by chance."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
