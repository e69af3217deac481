"""What an import remembers of the rows it has seen: on disk, so that a file of any length needs the same memory."""

from __future__ import annotations

import hashlib
import sqlite3

CACHE_KIBIBYTES = 4_096
DIGEST_BYTES = 16

_SCHEMA = """
create table claims (digest blob primary key, owner integer not null) without rowid;
create table verdicts (line integer primary key, verdict text not null);
"""


class Scratch:
    """Claims and verdicts in a temporary database, which SQLite deletes when it is closed.

    Only digests are written, since what is claimed are the addresses and ids of people.
    """

    def __init__(self) -> None:
        # The empty name is a private file in the directory for temporary files, made when the cache is full.
        self._connection = sqlite3.connect("", isolation_level=None, cached_statements=8)
        self._connection.execute(f"pragma cache_size = -{CACHE_KIBIBYTES}")
        self._connection.execute("pragma journal_mode = off")
        self._connection.execute("pragma synchronous = off")
        self._connection.executescript(_SCHEMA)
        self._connection.execute("begin")

    def claim(self, kind: str, scope: str, value: str, owner: int) -> int:
        """Who claimed this value of this kind first: ``owner`` itself unless another one did before."""
        text = f"{kind}\x00{scope}\x00{value}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(text, digest_size=DIGEST_BYTES).digest()
        if self._connection.execute("insert or ignore into claims values (?, ?)", (digest, owner)).rowcount:
            return owner
        return int(self._connection.execute("select owner from claims where digest = ?", (digest,)).fetchone()[0])

    def judge(self, line: int, verdict: str) -> None:
        """Remember what is to be done with the row that begins in this line."""
        self._connection.execute("insert or replace into verdicts values (?, ?)", (line, verdict))

    def verdict(self, line: int) -> str | None:
        """What was remembered of the row, if anything."""
        found = self._connection.execute("select verdict from verdicts where line = ?", (line,)).fetchone()
        return None if found is None else str(found[0])

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()
