"""Debian's pgbouncer in front of the tests' PostgreSQL server, each transaction on whichever connection is free."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import postgres

SERVER_CONNECTIONS = 2
"""Fewer than one store has, so that they are shared."""

_STARTS_WITHIN = 30.0
_SETTINGS = """\
[databases]
* = host=127.0.0.1 port={server_port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 200
server_round_robin = 1
"""


def program() -> str | None:
    """Where it is; None where it is not installed (``tests/prepare.sh`` does it)."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/sbin")


@contextmanager
def running(found: str) -> Iterator[int]:
    """Its port, while the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="assay-pgbouncer-"))
    user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    settings = {"port": port, "server_port": postgres.server().port, "connections": SERVER_CONNECTIONS}
    (folder / "pgbouncer.ini").write_text(_SETTINGS.format(**settings))
    if user:
        shutil.chown(folder, user)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([found, str(folder / "pgbouncer.ini")], user=user, stdout=log, stderr=log)
    try:
        _wait_for(port, process, folder / "log")
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STARTS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"pgbouncer did not start:\n{log.read_text(errors='replace')}")
