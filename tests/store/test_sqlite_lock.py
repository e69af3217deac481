"""The lock around each transaction: waiting ends when the holder lets go or dies, or when it takes too long."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assay.store.sqlite_lock import SUFFIX, HeldTooLong, WriteLock
from tests.store.files import a_process

LONG = 30.0

HOLDER = """
import fcntl
file = open(sys.argv[1])
fcntl.flock(file, fcntl.LOCK_EX)"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "assay.db")


def is_free(path: str) -> bool:
    file = os.open(path + SUFFIX, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


@contextmanager
def held_elsewhere(path: str) -> Iterator[None]:
    file = os.open(path + SUFFIX, os.O_RDONLY | os.O_CREAT, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(file)


def test_it_is_held_for_the_block_and_its_file_is_the_owners_alone(path: str) -> None:
    lock = WriteLock(path, LONG)
    for _ in range(2):
        with lock.held():
            assert not is_free(path)
        assert is_free(path)
    assert stat.S_IMODE(Path(path + SUFFIX).stat().st_mode) == 0o600


def test_it_is_let_go_after_a_fault(path: str) -> None:
    with pytest.raises(ZeroDivisionError), WriteLock(path, LONG).held():
        raise ZeroDivisionError
    assert is_free(path)


def test_one_waits_until_the_other_lets_go(path: str) -> None:
    first, second = WriteLock(path, LONG), WriteLock(path, LONG)
    order: list[str] = []

    def wait() -> None:
        with second.held():
            order.append("second")

    waiting = threading.Thread(target=wait)
    with first.held():
        waiting.start()
        while second._waiter is None:
            pass
        order.append("first")
    waiting.join(LONG)
    assert order == ["first", "second"]
    assert is_free(path)


def test_the_death_of_its_holder_frees_it(path: str) -> None:
    Path(path + SUFFIX).touch()
    holder = a_process(HOLDER, path + SUFFIX)
    lock = WriteLock(path, seconds=0)
    with pytest.raises(HeldTooLong), lock.held():
        raise AssertionError("held twice")
    holder.kill()
    holder.communicate()
    with WriteLock(path, LONG).held():
        assert not is_free(path)


def test_who_waited_too_long_does_not_keep_it_when_it_comes(path: str) -> None:
    lock = WriteLock(path, seconds=0)
    with held_elsewhere(path):
        for _ in range(2):
            with pytest.raises(HeldTooLong), lock.held():
                raise AssertionError("held twice")
        assert lock._waiter is not None
    with WriteLock(path, LONG).held():
        assert not is_free(path)
    lock._seconds = LONG
    with lock.held():
        assert not is_free(path)
    assert is_free(path)
    assert lock._waiter is None


def test_a_file_that_cannot_be_had_is_told(path: str) -> None:
    with pytest.raises(OSError, match="lock"), WriteLock(path + "/missing", LONG).held():
        raise AssertionError("held")
