"""Files that older versions have written: opened, migrated, and used like new ones."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from assay.model import (
    Caller,
    Environment,
    EnvironmentSettings,
    Event,
    Member,
    Organization,
    Profile,
    Project,
    PublicToken,
    Secret,
    Session,
)
from assay.model.base import Record
from assay.store import (
    Configuration,
    ConfigureEnvironment,
    Conflict,
    CreateEnvironment,
    CreateProject,
    RevokeSessionsWhere,
    TouchSecret,
    rows,
    sqlite_files,
)
from assay.store.opening import open_store
from tests import records
from tests.records import NOW

TABLES: dict[type[Record], tuple[rows.Rows[Any], str]] = {
    Project: (rows.PROJECT, "projects"),
    Environment: (rows.ENVIRONMENT, "environments"),
    Secret: (rows.SECRET, "secrets"),
    PublicToken: (rows.PUBLIC_TOKEN, "public_tokens"),
    Profile: (rows.PROFILE, "profiles"),
    Organization: (rows.ORGANIZATION, "organizations"),
    Member: (rows.MEMBER, "members"),
    Session: (rows.SESSION, "sessions"),
    Event: (rows.EVENT, "events"),
}


class Old:
    """A file at schema 2 with a project, a profile, a member and a session in it."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self.project: CreateProject = records.new_project("acme")
        self.environment, self.secret = self.project.environments[1], self.project.secrets[1]
        organization = records.organization(self.environment.environment_id)
        self.profile = records.profile(self.environment.environment_id)
        self.member: Member = records.member(organization)
        self.session: Session = records.session(self.member)
        self.event = records.event(self.environment.environment_id)
        made: list[Record] = [
            self.project.project,
            *self.project.environments,
            *self.project.secrets,
            *self.project.public_tokens,
        ]
        made += [self.profile, organization, self.member, self.session, self.event]
        with closing(sqlite_files.connect(str(path))) as connection:
            connection.execute("pragma journal_mode = wal")
            for migration in sqlite_files.migrations()[:2]:
                sqlite_files._apply(connection, migration)
            for record in made:
                put(connection, record)


def put(connection: sqlite3.Connection, record: Record) -> None:
    """Write a record into its table as it was then: without the columns that came later."""
    shape, table = TABLES[type(record)]
    known = {row[1] for row in connection.execute(f"pragma table_info({table})")}
    values = {name: value for name, value in shape.parameters(record).items() if name in known}
    places = ", ".join(f":{name}" for name in values)
    connection.execute(f"insert into {table} ({', '.join(values)}) values ({places})", values)


@pytest.fixture
def old(tmp_path: Path) -> Old:
    return Old(tmp_path / "assay.db")


async def test_a_file_of_schema_2_keeps_its_data(old: Old) -> None:
    store = await open_store(old.url)
    assert await store.schema() == sqlite_files.migrations()[-1].number
    assert await store.projects() == [old.project.project]
    assert await store.environments(old.project.project.project_id) == list(old.project.environments)
    assert await store.caller(old.environment.environment_id, old.secret.secret_hash) == Caller(
        environment=old.environment, secret=old.secret, signing_kid=None
    )
    assert await store.profiles(old.environment.environment_id) == [old.profile]
    view = await store.session(old.environment.environment_id, old.session.number)
    assert view is not None
    assert (view.session, view.member) == (old.session, old.member)
    assert [one.event for one in await store.events_after(None, 0, 10)] == [old.event]
    await store.close()


async def test_a_file_of_schema_2_can_do_what_is_new(old: Old) -> None:
    store = await open_store(old.url)
    environment_id = old.environment.environment_id
    assert old.environment.settings == EnvironmentSettings()
    assert await store.configuration(environment_id) == (1, Configuration())
    changed = replace(old.environment, name="Staging", settings=EnvironmentSettings(user_lock_ttl=60))
    await store.write(ConfigureEnvironment(environment=changed))
    assert await store.environment_by_slug("acme", "test") == replace(changed, revision=2)
    await store.write(TouchSecret(environment_id=environment_id, secret_id=old.secret.secret_id, used_at=NOW))
    assert await store.secrets(environment_id) == [replace(old.secret, used_at=NOW)]
    with pytest.raises(Conflict):
        await store.write(CreateEnvironment(environment=replace(old.environment, environment_id="another")))
    assert await store.sessions_alive(NOW) == {environment_id: 1}
    await store.write(
        RevokeSessionsWhere(environment_id=environment_id, organization_id=old.member.organization_id, revoked_at=NOW)
    )
    assert await store.sessions_alive(NOW) == {}
    await store.close()


async def test_a_file_is_migrated_once(old: Old) -> None:
    for _ in range(2):
        await (await open_store(old.url)).close()
    with closing(sqlite_files.connect(old.url.removeprefix("sqlite:///"))) as connection:
        applied = [number for (number,) in connection.execute("select number from schema_migrations order by number")]
        settings = connection.execute("select settings from environments").fetchall()
    assert applied == [one.number for one in sqlite_files.migrations()]
    assert {json.dumps(json.loads(text)) for (text,) in settings} == {"{}"}
