"""What the parameters of paths stand for in the seeded installation, so that tests can open every page of the table.

Add a line for each new parameter: its name as in the path of a row, and what it is in ``Seeded``.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from assay.dashboard.pages import ALL
from assay.dashboard.table import IN_ENVIRONMENT, Row


class Seeded(msgspec.Struct, frozen=True, kw_only=True):
    """The ids that tests know; ``more`` are of records that single pages add in ``seeding.py``."""

    b2b_place: tuple[str, str]
    consumer_place: tuple[str, str]
    owner: str
    viewer: str
    link: str
    parameters: dict[str, str]
    """Parameter → its value in the B2B project, such as ``profile_id``."""
    consumer_parameters: dict[str, str]
    """The same where the consumer project has another one, such as ``user_id``."""


CONSUMER_SECTIONS = frozenset({"users"})
QUERIES = {"{project_slug}/{environment_slug}/sessions-revoke": "?organization=acme", "welcome": "?token={link}"}
"""Query strings without which a page shows nothing."""


def pages(*, signed_in: bool) -> list[Row]:
    """The GET rows that a signed-in owner (or nobody) sees as pages. Without a section they are files and parts."""
    rows = [row for row in ALL if row.method == "GET" and row.path]
    if signed_in:
        return [row for row in rows if row.role is not None and row.section]
    return [row for row in rows if row.role is None]


def path_of(row: Row, seeded: Seeded) -> str:
    """The address of a page in the seeded installation. Raises KeyError for a parameter that nobody gave a value."""
    consumer = row.section in CONSUMER_SECTIONS
    place = seeded.consumer_place if consumer else seeded.b2b_place
    known = {"project_slug": place[0], "environment_slug": place[1]} | seeded.parameters
    if consumer:
        known |= seeded.consumer_parameters
    parts = [quote(known[part[1:-1]], safe="") if part.startswith("{") else part for part in row.path.split("/")]
    query = QUERIES.get(row.path, "").format(link=seeded.link)
    return "/".join(["/dashboard", *parts]) + query


def name_of(row: Row) -> str:
    """A name for files and test ids."""
    path = row.path.removeprefix(IN_ENVIRONMENT)
    return "-".join(part.strip("{}") for part in path.split("/"))
