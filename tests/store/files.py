"""Files that are stores, backups, or neither, and processes that have one open."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from assay.store import sqlite_files
from assay.store.backup import Backup
from tests.store import contents

NEWEST = sqlite_files.migrations()[-1].number


def a_backup(schema: int, made_at: int | None) -> Backup:
    return Backup(schema=schema, made_at=made_at, root_key_check=None)


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def rows(path: Path | str) -> contents.Rows:
    """Everything but the one row that makes a backup different from its store."""
    found = contents.everything(str(path))
    return {**found, "meta": {row for row in found["meta"] if row[0] != "backup_made_at"}}


def no_store(path: Path) -> None:
    del path


def text(path: Path) -> None:
    path.write_text("This is not a database, and longer than its header would be." * 20)


def another_programs(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table songs (title)")


def damaged(path: Path) -> None:
    """A store of which a bad disk has left the first page alone."""
    sqlite_files.prepare(str(path))
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))


def with_a_damaged_index(path: Path) -> None:
    """All data are there, but some would not be found."""
    sqlite_files.prepare(str(path))
    with closing(sqlite_files.connect(str(path))) as connection:
        query = "select rootpage from sqlite_master where name = 'sessions_subject'"
        (page,) = connection.execute(query).fetchone()
    content = path.read_bytes()
    path.write_bytes(content[: 4096 * (page - 1)] + bytes(4096) + content[4096 * page :])


def newer(path: Path) -> None:
    sqlite_files.prepare(str(path))
    with closing(sqlite_files.connect(str(path))) as connection:
        connection.execute("insert into schema_migrations (number, name, applied_at) values (9999, 'later', 0)")


SOURCES: dict[str, tuple[Callable[[Path], None], str]] = {
    "nothing": (no_store, "is not there"),
    "a directory": (Path.mkdir, "is not there, or is no file"),
    "text": (text, "not a database"),
    "an empty file": (Path.touch, "another program"),
    "another program's": (another_programs, "another program"),
    "damaged": (damaged, "damaged|malformed"),
}


def a_process(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Another process that prints a line when it is where it should be, and ends when its input does."""
    script = f"import sys\n{code}\nprint('there', flush=True)\nsys.stdin.read()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    return process


OPENERS = {
    "an idle store": """
import asyncio
from assay.store.opening import open_store
loop = asyncio.new_event_loop()
store = loop.run_until_complete(open_store("sqlite:///" + sys.argv[1]))""",
    "a reader": """
import sqlite3
connection = sqlite3.connect(sys.argv[1])
connection.execute("select * from projects").fetchall()""",
    "somebody who writes": """
import sqlite3
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("begin immediate")""",
}
