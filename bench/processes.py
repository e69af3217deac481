"""Servers under test: started on one core, asked for their CPU and memory, ended by their own process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

SERVER_CORE = 0
LOAD_CORE = 1
START_SECONDS = 60
STOP_SECONDS = 40
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class BenchFault(Exception):
    """Something that the bench needs is missing or failed; the message says what to do."""


class Server:
    """A running process that listens on ``port`` of loopback. ``cores`` are where it may run."""

    def __init__(
        self,
        arguments: Sequence[str],
        port: int,
        log: Path,
        environ: Mapping[str, str],
        cores: Iterable[int],
        ends_by: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.port = port
        self.log = log
        self._ends_by = ends_by
        pinned = ["taskset", "-c", ",".join(map(str, cores)), *arguments]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                pinned, env=dict(environ), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def url(self) -> str:
        """Base URL without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the process that was started; workers are its children."""
        return self._process.pid

    @property
    def worker(self) -> int:
        """The process that answers; the first one if there are several."""
        return family(self.pid)[-1]

    def wait_until_it_listens(self) -> None:
        """Raises BenchFault when it ends instead, or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise BenchFault(f"a server did not start; its words are in {self.log}:\n{_tail(self.log)}")

    def cpu_seconds(self) -> float:
        """User and system time of all its threads and children so far."""
        return cpu_seconds(self.pid)

    def memory(self, kind: str = "VmRSS") -> int:
        """Bytes of memory of the largest of its processes: resident, or a part of it that proc(5) names."""
        return max(_memory(pid, kind) for pid in family(self.pid))

    def stop(self) -> None:
        """Ask it to end, and make it after a while."""
        if self._process.poll() is None:
            self._process.send_signal(self._ends_by)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def serving(
    arguments: Sequence[str],
    port: int,
    log: Path,
    environ: Mapping[str, str],
    cores: Iterable[int] = (SERVER_CORE,),
    *,
    ends_by: signal.Signals = signal.SIGTERM,
) -> Iterator[Server]:
    """Run a server as long as the block; ``ends_by`` asks it to end. Raises BenchFault when it does not start."""
    server = Server(arguments, port, log, environ, cores, ends_by)
    try:
        server.wait_until_it_listens()
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run this process on one core as long as the block."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def family(pid: int) -> list[int]:
    """The process and all that come of it."""
    found = [pid]
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in thread.read_text().split():
            found += family(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time so far of the process, all that came of it and runs, and all that has ended before."""
    return sum(_cpu_seconds(one) for one in family(pid))


def _cpu_seconds(pid: int) -> float:
    # The name, in parentheses, may hold spaces; from field 14 on: utime, stime, and the same of children that ended.
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # it has ended since it was listed
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS_PER_SECOND


def _memory(pid: int, kind: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) * 1024
    return 0


def _tail(path: Path) -> str:
    return "\n".join(path.read_text("utf-8", "replace").splitlines()[-15:])
