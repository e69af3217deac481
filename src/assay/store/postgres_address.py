"""The address of a PostgreSQL store, ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE``, and what may be shown of it.

What PostgreSQL's own programs understand in an address, Assay does too: several hosts, ``sslmode``, a password in the
environment or in a file. Assay's own words in the query are ``pgbouncer=1`` for a pooler that gives each transaction
another connection, and ``reads=N`` and ``writes=N``, the connections that one process has for the hot path.
"""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import msgspec

from assay.config import is_postgres, shown_database
from assay.store.opening import StoreFault

READS, WRITES = 4, 2
_MOST = 64


class Address(msgspec.Struct, frozen=True):
    """Where the database is: ``dsns`` has an address for each host that is named.

    They may hold a password and are shown to nobody; ``shown`` never does.
    """

    dsns: tuple[str, ...]
    shown: str
    pools_transactions: bool
    reads: int
    writes: int

    def __repr__(self) -> str:
        """Never the password: representations end up in logs."""
        return f"Address({self.shown})"


def parse(url: str) -> Address:
    """Take an address apart. Raises StoreFault, which never quotes a password."""
    try:
        parts = urlsplit(url)
    except ValueError:  # its text may quote the password
        parts = urlsplit("")
    if not is_postgres(url) or not parts.path.strip("/"):
        raise StoreFault("the address of a PostgreSQL store looks like postgresql://USER@HOST:PORT/DATABASE")
    words = dict(parse_qsl(parts.query, keep_blank_values=True))
    pooled = words.pop("pgbouncer", "0")
    if pooled not in {"0", "1"}:
        raise StoreFault("pgbouncer in the address of the database must be 0 or 1")
    words.pop("target_session_attrs", None)  # a replica may be behind: what was revoked would be accepted there
    reads, writes = _count("reads", words.pop("reads", READS)), _count("writes", words.pop("writes", WRITES))
    return Address(
        dsns=_each_host(parts, words),
        shown=shown_database(url),
        pools_transactions=pooled == "1",
        reads=reads,
        writes=writes,
    )


def _each_host(parts: SplitResult, words: dict[str, str]) -> tuple[str, ...]:
    """The address with one host at a time, whether they stand before the path or in the query."""
    user, at, places = parts.netloc.rpartition("@")
    if places:  # what stands here counts, whatever the query says
        found = [(f"{user}{at}{place}", words) for place in places.split(",")]
    else:
        hosts, ports = words.get("host", "").split(","), words.get("port", "").split(",")
        several = ports if len(ports) == len(hosts) else ports * len(hosts)
        named = [{"host": host, **({"port": port} if port else {})} for host, port in zip(hosts, several, strict=False)]
        found = [(parts.netloc, {**words, **(each if len(hosts) > 1 else {})}) for each in named]
    return tuple(parts._replace(netloc=netloc, query=urlencode(query)).geturl() for netloc, query in found)


def _count(name: str, text: str | int) -> int:
    number = int(text) if isinstance(text, int) or (text.isascii() and text.isdecimal() and len(text) <= 2) else 0  # noqa: PLR2004 - _MOST has two digits
    if not 1 <= number <= _MOST:
        raise StoreFault(f"{name} in the address of the database must be a whole number from 1 to {_MOST}")
    return number
