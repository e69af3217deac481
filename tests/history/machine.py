"""What a machine does to a server: it kills its processes, fills its disk, lets no file be written any more."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.process import Server

END_SECONDS: Final = 20
DISK_BYTES: Final = 24 * 1024 * 1024
DATABASE: Final = "assay.db"


class CannotDoThat(Exception):
    """This machine, or whoever runs the tests, cannot do that; the message says why."""


def workers_of(server: Server) -> list[int]:
    """The processes that the server has started; empty while it answers by itself."""
    tasks = Path(f"/proc/{server.process.pid}/task")
    with suppress(FileNotFoundError):
        return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]
    return []


def kill(*pids: int) -> None:
    """SIGKILL. Whoever is dead already stays so."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_for_end(pids: list[int]) -> None:
    """Wait until none of these processes is there. Raises TimeoutError."""
    deadline = time.monotonic() + END_SECONDS
    while any(_is_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still alive: {[pid for pid in pids if _is_alive(pid)]}")
        time.sleep(0.01)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in {"Z", "X"}


@contextmanager
def no_file_grows(server: Server, _folder: Path) -> Iterator[None]:
    """Let every write of the server to a file fail, as on a disk that is broken or over its quota. Needs no root."""
    pids = [server.process.pid, *workers_of(server)]
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    try:
        for pid, (_, hard) in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
        yield
    finally:
        for pid, limit in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


@contextmanager
def full_disk(_server: Server, folder: Path) -> Iterator[None]:
    """Leave no byte free on the disk of the folder, which should be a small one (:func:`small_disk`)."""
    ballast = folder / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            for size in (1024 * 1024, 4096):
                with suppress(OSError):
                    while file.write(bytes(size)):
                        pass
        yield
    finally:
        ballast.unlink()


@contextmanager
def read_only_files(_server: Server, folder: Path) -> Iterator[None]:
    """Make the database read-only under the server, which has it open. Raises CannotDoThat.

    A mode of 0444 stops neither root nor whoever has the file open, and a file system with open files cannot be
    mounted read-only; the attribute ``i`` of ext4 stops both.
    """
    files = [str(file) for file in (folder / DATABASE, folder / f"{DATABASE}-wal")]
    try:
        run("chattr", "+i", *files)
        if _is_writable(files[0]):
            raise CannotDoThat(f"the attribute i does not stop writes to {folder}; it does on ext4")
        yield
    finally:
        run("chattr", "-i", *files)


def _is_writable(file: str) -> bool:
    try:
        os.close(os.open(file, os.O_RDWR))
    except PermissionError:
        return False
    return True


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of a few megabytes at a folder, in memory. Needs root. Raises CannotDoThat."""
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "assay-tests", str(folder))
    try:
        yield folder
    finally:
        run("umount", str(folder))


@contextmanager
def any_disk(folder: Path) -> Iterator[Path]:
    """A folder where there is room."""
    folder.mkdir()
    yield folder


def run(*command: str) -> str:
    """What it prints. Raises CannotDoThat with what it says when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CannotDoThat(f"there is no {command[0]} here") from None
    if done.returncode:
        raise CannotDoThat(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
