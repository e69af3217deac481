"""What the bench fills a PostgreSQL database with is what it looks up afterwards, in the tables it belongs into."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from assay import store
from assay.store import postgres_schema
from assay.store.postgres import open_postgres
from bench import fill_postgres, store_cost
from bench.store_cost import Job
from tests import postgres, records

PEOPLE, SESSIONS = 5, 400


@pytest.fixture(scope="module")
def one_of_each() -> Iterator[tuple[str, str]]:
    """The address of a database with one member and one session of them, and their environment."""
    url = postgres.server().database()
    postgres.run(lambda: postgres_schema.migrate(url))
    yield url, postgres.run(lambda: _one_of_each(url))
    postgres.run(lambda: postgres.execute(postgres.server().url("postgres"), f"drop database {url.rpartition('/')[2]}"))


async def _one_of_each(url: str) -> str:
    opened = await open_postgres(url)
    try:
        project = records.new_project()
        await opened.write(project)
        organization = records.organization(project.environments[1].environment_id)
        member = records.member(organization)
        await opened.write(store.CreateOrganization(organization=organization))
        await opened.write(store.CreateMember(member=member))
        await opened.write(records.start(records.session(member), project.secrets[1]))
    finally:
        await opened.close()
    return organization.environment_id


def test_sessions_are_filled_in_by_the_number_that_is_looked_up(one_of_each: tuple[str, str]) -> None:
    url, environment_id = one_of_each
    seconds, numbers = fill_postgres.fill(url, PEOPLE, SESSIONS)
    assert seconds > 0
    assert numbers.count == SESSIONS

    filled = {number for (number,) in postgres.run(lambda: postgres.fetch(url, "select number from sessions"))}
    assert {numbers.number(place) for place in range(1, SESSIONS)} < filled
    assert len(filled) == SESSIONS
    elsewhere = "select count(*) from sessions_rest where expires_at > extract(epoch from now())"
    assert postgres.run(lambda: postgres.fetch(url, elsewhere)) == [(0,)]
    indexes = "select relname::text from pg_class where relname ~ '^sessions_(subject|organization)$' order by 1"
    assert postgres.run(lambda: postgres.fetch(url, indexes)) == [("sessions_organization",), ("sessions_subject",)]

    job = Job(
        what="look up",
        url=url,
        count=200,
        environment_id=environment_id,
        secret="",
        session_token="",
        people=PEOPLE,
        numbers=numbers,
    )
    cost = asyncio.run(store_cost.measured(job))  # it refuses a session that is not there, or has no member
    assert cost.count == job.count
    assert cost.cpu_us > 0
