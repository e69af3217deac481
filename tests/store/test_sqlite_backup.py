"""Backups of a store in use."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from assay.store import (
    RecordAttempt,
    RenameProject,
    SetRootKeyCheck,
    Store,
    backup,
    sqlite_backup,
    sqlite_files,
)
from assay.store.opening import StoreFault
from tests import records
from tests.records import NOW
from tests.store import contents
from tests.store.conftest import Tenant
from tests.store.files import NEWEST, SOURCES, a_backup, files, rows


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Only SQLite files are backed up by Assay itself."""
    return f"sqlite:///{tmp_path / 'assay.db'}"


async def test_a_backup_holds_what_the_store_holds_and_when_it_was_made(store: Store, copy: Path, path: str) -> None:
    assert rows(copy) == rows(path)
    assert await backup.inspect(str(copy)) == a_backup(NEWEST, NOW)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600  # noqa: ASYNC240 - a test waits for nobody
    assert await asyncio.to_thread(files, copy.parent) == ["monday.db"]
    await store.ping()


async def test_a_backup_of_a_backup_tells_its_own_time(copy: Path) -> None:
    again = copy.with_name("tuesday.db")
    await backup.back_up(f"sqlite:///{copy}", str(again), now=NOW + 86_400)
    assert await backup.inspect(str(again)) == a_backup(NEWEST, NOW + 86_400)
    assert await backup.inspect(str(copy)) == a_backup(NEWEST, NOW)


async def test_a_backup_tells_which_root_key_it_needs(store: Store, address: str, target: Path) -> None:
    await store.write(SetRootKeyCheck(root_key_check=b"sealed"))
    await backup.back_up(address, str(target), now=NOW)
    assert await backup.inspect(str(target)) == replace(a_backup(NEWEST, NOW), root_key_check=b"sealed")


async def test_a_store_is_no_backup_but_can_be_used_as_one(store: Store, tenant: Tenant, path: str) -> None:
    assert await backup.inspect(path) == a_backup(NEWEST, None)
    assert await store.secret_is_live(tenant.id, tenant.secret.secret_id)


async def test_a_backup_is_one_moment_while_others_write(
    store: Store, tenant: Tenant, address: str, target: Path
) -> None:
    """Each write holds an attempt and its event: a copy of several moments would have one without the other."""
    done = asyncio.Event()

    async def keep_writing() -> None:
        number = 0
        while not done.is_set():
            attempt = records.attempt(tenant.id, reason=str(number))
            event = records.event(tenant.id, target=str(number))
            await store.write(RecordAttempt(attempt=attempt, events=(event,)))
            number += 1

    writing = asyncio.create_task(keep_writing())
    for number in range(3):
        await backup.back_up(address, f"{target}.{number}", now=NOW)
    done.set()
    await writing
    counts = []
    for number in range(3):
        found = contents.everything(f"{target}.{number}")
        assert {row[6] for row in found["attempts"]} == {str(one) for one in range(len(found["attempts"]))}
        assert {row[3] for row in found["events"]} == {str(one) for one in range(len(found["attempts"]))}
        counts.append(len(found["attempts"]))
    assert counts == sorted(counts)
    assert counts[2] > 0


async def test_what_was_deleted_is_not_in_a_backup(store: Store, tenant: Tenant, address: str, target: Path) -> None:
    old = "A name of long ago"
    for name in (old, "Another name"):
        await store.write(RenameProject(project_id=tenant.environment.project_id, name=name))
    await backup.back_up(address, str(target), now=NOW)
    content = await asyncio.to_thread(target.read_bytes)
    assert b"Another name" in content
    assert old.encode() not in content


TARGETS: dict[str, tuple[Callable[[Path], object], str]] = {
    "is there": (lambda path: path.write_text("mine"), "is there already"),
    "is a link to nowhere": (lambda path: path.symlink_to("nowhere"), "is there already"),
    "is a directory": (lambda path: path.mkdir(), "is there already"),
    "has no directory": (lambda path: path.parent.rmdir(), "No such file"),
}


@pytest.mark.parametrize("case", TARGETS)
async def test_a_target_that_cannot_be_made_is_refused(store: Store, address: str, target: Path, case: str) -> None:
    make, reason = TARGETS[case]
    make(target)
    before = files(target.parent) if target.parent.is_dir() else None
    with pytest.raises(StoreFault, match=reason):
        await backup.back_up(address, str(target), now=NOW)
    assert before == (files(target.parent) if target.parent.is_dir() else None)
    await store.ping()


def test_a_target_that_appears_meanwhile_is_left_alone(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_files.prepare(str(tmp_path / "assay.db"))
    sync = sqlite_backup._sync

    def interfere(path: str) -> None:
        sync(path)
        target.write_text("mine")

    monkeypatch.setattr(sqlite_backup, "_sync", interfere)
    with pytest.raises(StoreFault, match="is there already"):
        sqlite_backup.back_up(str(tmp_path / "assay.db"), str(target), NOW)
    assert target.read_text() == "mine"
    assert files(target.parent) == ["monday.db"]


@pytest.mark.parametrize("case", SOURCES)
async def test_what_is_no_sound_store_is_not_backed_up(tmp_path: Path, target: Path, case: str) -> None:
    make, reason = SOURCES[case]
    source = tmp_path / "source.db"
    make(source)
    with pytest.raises(StoreFault, match=rf"source\.db.*({reason})"):
        await backup.back_up(f"sqlite:///{source}", str(target), now=NOW)
    assert await asyncio.to_thread(files, target.parent) == []


async def test_other_addresses_are_refused(target: Path) -> None:
    with pytest.raises(StoreFault, match="sqlite:///PATH"):
        await backup.back_up("mysql://localhost/assay", str(target), now=NOW)
    with pytest.raises(StoreFault, match="pg_dump") as told:
        await backup.back_up("postgres://me:hidden@localhost/assay", str(target), now=NOW)
    assert "hidden" not in str(told.value)


async def test_a_cancelled_backup_leaves_nothing(
    store: Store, address: str, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite asks often whether it is to go on; the answer is no as soon as nobody waits any more."""
    monkeypatch.setattr(sqlite_backup, "_STEPS_BETWEEN_LOOKS", 10)
    began, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    work = sqlite_backup.back_up

    faults: list[StoreFault] = []

    def slowly(source: str, target: str, made_at: int, stop: Callable[[], bool]) -> None:
        def look() -> bool:
            loop.call_soon_threadsafe(began.set)
            return stop()

        while not faults:  # a copy may be done before anybody looks: then make another one
            Path(target).unlink(missing_ok=True)
            try:
                work(source, target, made_at, look)
            except StoreFault as fault:
                faults.append(fault)
        loop.call_soon_threadsafe(ended.set)

    monkeypatch.setattr(sqlite_backup, "back_up", slowly)
    task = asyncio.create_task(backup.back_up(address, str(target), now=NOW))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(ended.wait(), 10)
    assert ["interrupted" in str(fault) for fault in faults] == [True]
    assert await asyncio.to_thread(files, target.parent) == []
    await store.ping()
