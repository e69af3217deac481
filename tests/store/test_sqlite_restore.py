"""Putting a backup in the place of a store."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from assay.model import Session
from assay.store import (
    RenameProject,
    Store,
    backup,
    sqlite_files,
    sqlite_swap,
)
from assay.store.opening import SchemaTooNew, StoreFault, open_store
from tests import records
from tests.records import NOW
from tests.store.conftest import Tenant
from tests.store.files import (
    NEWEST,
    OPENERS,
    SOURCES,
    a_backup,
    a_process,
    another_programs,
    damaged,
    files,
    newer,
    rows,
    with_a_damaged_index,
)

BACKUPS = {
    **SOURCES,
    "newer": (newer, "9999.*use the version"),
    "with a damaged index": (with_a_damaged_index, "damaged|malformed"),
}


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Only SQLite files are backed up by Assay itself."""
    return f"sqlite:///{tmp_path / 'assay.db'}"


@pytest.mark.parametrize("case", BACKUPS)
async def test_what_is_no_sound_backup_is_not_restored(
    copy: Path, store: Store, path: str, tmp_path: Path, case: str
) -> None:
    make, reason = BACKUPS[case]
    source = tmp_path / "source.db"
    make(source)
    await store.close()
    before = await asyncio.to_thread(Path(path).read_bytes)
    fault = SchemaTooNew if case == "newer" else StoreFault
    with pytest.raises(fault, match=rf"source\.db.*({reason})"):
        await backup.inspect(str(source))
    with pytest.raises(fault, match=rf"source\.db.*({reason})"):
        await backup.restore(str(source), f"sqlite:///{path}", now=NOW)
    assert await asyncio.to_thread(Path(path).read_bytes) == before
    assert set(await asyncio.to_thread(files, tmp_path)) - {"source.db"} == {"assay.db", "assay.db-lock", "backups"}
    assert await asyncio.to_thread(files, copy.parent) == ["monday.db"]


async def test_a_restored_store_is_the_one_of_the_backup_and_the_other_is_kept(
    copy: Path, store: Store, tenant: Tenant, path: str, address: str
) -> None:
    then = rows(path)
    await store.write(RenameProject(project_id=tenant.environment.project_id, name="Later"))
    later = rows(path)
    await store.close()
    content = await asyncio.to_thread(copy.read_bytes)
    told = records.event(None, action="store.restored")
    restored = await backup.restore(str(copy), address, now=NOW, events=(told,))
    assert restored.backup == a_backup(NEWEST, NOW)
    assert restored.aside == f"{path}.replaced-20250615T150640Z"
    assert rows(restored.aside) == later
    assert {**rows(path), "events": set()} == then
    assert await asyncio.to_thread(copy.read_bytes) == content
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600  # noqa: PTH116 - a test waits for nobody
    again = await open_store(address)
    assert await again.events(None, 10) == [told]
    assert await again.sessions_alive(NOW) == {tenant.id: 1}
    await again.write(RenameProject(project_id=tenant.environment.project_id, name="Usable"))
    await again.close()


async def test_sessions_can_be_ended_before_anybody_uses_the_restored_store(
    copy: Path, store: Store, tenant: Tenant, session: Session, address: str
) -> None:
    await store.close()
    await backup.restore(str(copy), address, now=NOW + 60, end_sessions=True)
    again = await open_store(address)
    view = await again.session(tenant.id, session.number)
    assert view is not None
    assert view.session == replace(session, revoked_at=NOW + 60)
    await again.close()


async def test_a_backup_of_an_older_version_is_migrated(copy: Path, store: Store, address: str, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    with closing(sqlite_files.connect(str(old))) as connection:
        for migration in sqlite_files.migrations()[:2]:
            sqlite_files._apply(connection, migration)
    await store.close()
    restored = await backup.restore(str(old), address, now=NOW)
    assert restored.backup == a_backup(2, None)
    again = await open_store(address)
    assert await again.schema() == NEWEST
    assert await again.projects() == []
    await again.close()
    assert copy.exists()  # noqa: ASYNC240 - a test waits for nobody


async def test_a_store_can_be_restored_to_where_none_is(copy: Path, tenant: Tenant, tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'fresh.db'}"
    restored = await backup.restore(str(copy), address, now=NOW)
    assert restored.aside is None
    again = await open_store(address)
    assert await again.profiles(tenant.id) == [tenant.profile]
    await again.close()


async def test_a_log_without_a_store_is_not_taken_for_the_restored_ones(copy: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.db"
    await asyncio.to_thread(Path(f"{fresh}-wal").write_bytes, b"left behind")
    restored = await backup.restore(str(copy), f"sqlite:///{fresh}", now=NOW)
    assert restored.aside is not None
    assert await asyncio.to_thread(Path(f"{restored.aside}-wal").read_bytes) == b"left behind"
    assert not Path(f"{fresh}-wal").exists()  # noqa: ASYNC240 - a test waits for nobody


@pytest.mark.parametrize("case", OPENERS)
async def test_a_store_that_another_process_uses_is_not_replaced(
    copy: Path, store: Store, path: str, address: str, case: str
) -> None:
    await store.close()
    process = await asyncio.to_thread(a_process, OPENERS[case], path)
    try:
        before = rows(path)
        with pytest.raises(StoreFault, match=r"assay\.db is in use"):
            await backup.restore(str(copy), address, now=NOW)
        assert rows(path) == before
    finally:
        await asyncio.to_thread(process.communicate)
    restored = await backup.restore(str(copy), address, now=NOW)
    assert restored.aside is not None


async def test_a_store_that_this_process_uses_is_not_replaced(copy: Path, store: Store, address: str) -> None:
    with pytest.raises(StoreFault, match="is in use"):
        await backup.restore(str(copy), address, now=NOW)
    await store.ping()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "its beginning": lambda path: path.write_bytes(b"\0" * 4096 + path.read_bytes()[4096:]),
    "all but its beginning": damaged,
    "an index": with_a_damaged_index,
    "all but its name": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("case", DAMAGES)
async def test_a_damaged_store_is_replaced_and_kept_with_its_log(
    copy: Path, store: Store, tenant: Tenant, path: str, address: str, case: str
) -> None:
    await store.close()
    await asyncio.to_thread(DAMAGES[case], Path(path))
    if case == "its beginning":
        await asyncio.to_thread(Path(path + "-wal").write_bytes, b"the log")
    broken = await asyncio.to_thread(Path(path).read_bytes)
    restored = await backup.restore(str(copy), address, now=NOW)
    assert restored.aside is not None
    kept = await asyncio.to_thread(Path(restored.aside).read_bytes)
    assert kept[100:] == broken[100:]  # taking up the log may change the header
    if case == "its beginning":
        assert await asyncio.to_thread(Path(restored.aside + "-wal").read_bytes) == b"the log"
    again = await open_store(address)
    assert await again.profiles(tenant.id) == [tenant.profile]
    await again.close()


async def test_a_damaged_store_that_another_process_uses_is_not_replaced(
    copy: Path, store: Store, path: str, address: str
) -> None:
    await store.close()
    process = await asyncio.to_thread(a_process, OPENERS["a reader"], path)
    try:
        await asyncio.to_thread(DAMAGES["its beginning"], Path(path))
        with pytest.raises(StoreFault, match="is in use"):
            await backup.restore(str(copy), address, now=NOW)
    finally:
        await asyncio.to_thread(process.communicate)


async def test_another_programs_database_is_not_replaced(copy: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "songs.db"
    another_programs(theirs)
    before = await asyncio.to_thread(theirs.read_bytes)
    with pytest.raises(StoreFault, match=r"songs\.db.*another program"):
        await backup.restore(str(copy), f"sqlite:///{theirs}", now=NOW)
    assert await asyncio.to_thread(theirs.read_bytes) == before


async def test_nothing_is_overwritten_where_the_old_store_is_to_be_kept(
    copy: Path, store: Store, path: str, address: str
) -> None:
    await store.close()
    await backup.restore(str(copy), address, now=NOW)
    before = rows(path)
    with pytest.raises(StoreFault, match=r"replaced-.*is there already"):
        await backup.restore(str(copy), address, now=NOW)
    assert rows(path) == before


async def test_a_link_stays_a_link_to_what_is_restored(copy: Path, store: Store, path: str, tmp_path: Path) -> None:
    await store.close()
    link = tmp_path / "link.db"
    await asyncio.to_thread(link.symlink_to, path)
    restored = await backup.restore(str(copy), f"sqlite:///{link}", now=NOW)
    assert await asyncio.to_thread(link.is_symlink)
    assert rows(path) == rows(copy)
    assert restored.aside == f"{path}.replaced-20250615T150640Z"


def test_nobody_gets_in_while_a_file_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "assay.db")
    sqlite_files.prepare(path)
    with (
        sqlite_swap.held(path),
        closing(sqlite3.connect(path, timeout=0)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("select * from projects")
    sqlite_files.connect_reader(path).close()


async def test_whoever_opens_the_file_while_it_is_replaced_does_not_write_into_the_old_one(
    copy: Path, store: Store, path: str, tmp_path: Path
) -> None:
    """A process has opened the file and waits for it; what it then writes would be lost."""
    await store.close()
    waiting = sqlite3.connect(path, isolation_level=None, timeout=5)
    with sqlite_swap.held(path):
        new = tmp_path / "new.db"
        new.write_bytes(copy.read_bytes())  # noqa: ASYNC240 - a test waits for nobody
        sqlite_swap.swap(str(new), path, path + ".aside")
    with closing(waiting), pytest.raises(sqlite3.OperationalError):
        waiting.execute("pragma journal_mode = wal").fetchone()
    assert not Path(path + "-wal").exists()  # noqa: ASYNC240 - a test waits for nobody


async def test_a_file_system_without_second_names_will_do(
    store: Store, tenant: Tenant, path: str, address: str, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(source: str, target: str) -> None:
        raise PermissionError(1, "Operation not permitted", source, None, target)

    monkeypatch.setattr(os, "link", link)
    await backup.back_up(address, str(target), now=NOW)
    assert await asyncio.to_thread(files, target.parent) == ["monday.db"]
    await store.close()
    restored = await backup.restore(str(target), address, now=NOW)
    assert restored.aside is not None
    assert rows(restored.aside) == rows(path)
    assert {row[0] for row in rows(path)["projects"]} == {tenant.environment.project_id}
