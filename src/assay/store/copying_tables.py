"""What a copy of a store goes through: every table, in an order in which none refers to a later one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from assay.store.opening import StoreFault

Row = tuple[Any, ...]
"""A row of a table: its key first, then the other columns by name."""

UNFINISHED = b"\x00unfinished copy\x00"
"""How the check value of a copy begins that nobody may use yet: no root key opens it, so that nothing is served."""


class UnfinishedCopy(StoreFault):
    """A copy of another store that is not finished (``assay copy``). Finish it, then it can be used."""


LEFT_OUT = frozenset({"meta", "schema_migrations", "configuration_version"})
"""Tables that are a store's own. Of ``meta`` only the check value goes over, sealed anew."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table.

    ``parked`` says what the columns of its other unique keys hold while rows change: what two rows exchange would
    otherwise collide in between. A table that ``stands_alone`` refers to none, and none refers to it. ``page`` is how
    many rows are held in memory at once, few where a row can be large.
    """

    name: str
    key: tuple[str, ...]
    parked: Mapping[str, str] = msgspec.field(default_factory=dict)
    stands_alone: bool = False
    page: int = 1_000


def _of_profile(name: str, *more: str, page: int, stands_alone: bool = False) -> Table:
    key = ("environment_id", "profile_id", *more)
    return Table(name=name, key=key, page=page, stands_alone=stands_alone)


# No slug that anybody can choose begins with this.
_PLACEHOLDER = "'#' || "

TABLES = (
    Table(name="projects", key=("project_id",), parked={"slug": f"{_PLACEHOLDER}project_id"}),
    Table(name="environments", key=("environment_id",), parked={"slug": f"{_PLACEHOLDER}environment_id"}),
    Table(name="secrets", key=("secret_id",)),
    Table(name="public_tokens", key=("public_token",)),
    Table(name="workspace_keys", key=("workspace_key_id",)),
    Table(name="rbac_policies", key=("environment_id",), page=50),
    Table(name="jwt_templates", key=("environment_id", "template_type"), page=50),
    Table(
        name="redirect_urls",
        key=("environment_id", "position"),
        parked={"url": f"{_PLACEHOLDER}cast(position as text)"},
    ),
    Table(name="signing_keys", key=("environment_id", "kid"), parked={"state": f"{_PLACEHOLDER}kid"}),
    _of_profile("profiles", page=50),
    _of_profile("deleted_profiles", page=1_000),
    _of_profile("pem_files", "position", page=50),
    _of_profile("kept_keys", "source", page=10),
    _of_profile("observations", page=50),
    _of_profile("replay_marks", "mark", page=1_000, stands_alone=True),
    Table(
        name="organizations",
        key=("organization_id",),
        parked={"slug": f"{_PLACEHOLDER}organization_id", "external_id": "null"},
    ),
    Table(name="members", key=("member_id",), parked={"external_id": "null"}),
    Table(name="member_emails", key=("organization_id", "email")),
    Table(name="users", key=("user_id",), parked={"email": "null", "phone_number": "null", "external_id": "null"}),
    Table(name="operator_passwords", key=("user_id",)),
    Table(name="operator_links", key=("token_hash",)),
    Table(name="sign_in_tries", key=("name",), stands_alone=True),
    Table(name="sessions", key=("number",), stands_alone=True),
    Table(name="attempts", key=("number",), stands_alone=True),
    Table(name="events", key=("number",), stands_alone=True),
)


class Changes(NamedTuple):
    """What makes some rows of the target those of the source, in this order; the first two are keys."""

    deleted: Sequence[Row] = ()
    parked: Sequence[Row] = ()
    updated: Sequence[Row] = ()
    inserted: Sequence[Row] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return any(len(rows) for rows in self)


class Statements:
    """The statements of one table. ``place`` writes the n-th value, from 1 on, in the way of the database."""

    def __init__(self, table: Table, columns: Sequence[str], place: Callable[[int], str]) -> None:
        # Names of tables and columns are those of our own migrations; values are bound.
        key, listed = ", ".join(table.key), ", ".join(columns)
        places = [place(number) for number in range(1, len(columns) + 1)]
        key_places, width = ", ".join(places[: len(table.key)]), len(table.key)
        mine = f"({key}) = ({key_places})"
        setting = ", ".join(f"{name} = {at}" for name, at in zip(columns[width:], places[width:], strict=True))
        parked = ", ".join(f"{name} = {value}" for name, value in table.parked.items())
        ordered = f"order by {key} limit {table.page}"
        self.first = f"select {listed} from {table.name} {ordered}"  # noqa: S608 - as above
        self.following = f"select {listed} from {table.name} where ({key}) > ({key_places}) {ordered}"  # noqa: S608 - as above
        self.insert = f"insert into {table.name} ({listed}) values ({', '.join(places)})"  # noqa: S608 - as above
        self.update = f"update {table.name} set {setting} where {mine}"  # noqa: S608 - as above
        self.delete = f"delete from {table.name} where {mine}"  # noqa: S608 - as above
        self.park = f"update {table.name} set {parked} where {mine}"  # noqa: S608 - as above

    def of(self, changes: Changes) -> list[tuple[str, Sequence[Row]]]:
        """Each statement to run, with the values of each time."""
        texts = (self.delete, self.park, self.update, self.insert)
        return [(text, rows) for text, rows in zip(texts, changes, strict=True) if rows]


def columns_in_order(table: Table, columns: frozenset[str]) -> tuple[str, ...]:
    """The key, then the rest by name: the same on both sides, in whatever order their tables were made."""
    return (*table.key, *sorted(columns - set(table.key)))
