"""``assay maintain``, and ``assay migrate`` with the users of a PostgreSQL database, on many hosts at once."""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.store import RecordAttempt, postgres_roles, postgres_schema
from assay.store.opening import open_store
from assay.store.postgres_partitions import Month
from tests import postgres, records
from tests.cli.conftest import Run
from tests.process import COMMAND, Assay

DAY = 86_400


@pytest.fixture
def empty() -> Iterator[str]:
    """The address of a database without anything in it."""
    url = postgres.server().database()
    yield url
    name = url.rpartition("/")[2]
    postgres.run(lambda: postgres.execute(postgres.server().url("postgres"), f"drop database {name} with (force)"))


async def _attempt(url: str, environment_id: str, created_at: int) -> None:
    store = await open_store(url)
    await store.write(RecordAttempt(attempt=records.attempt(environment_id, created_at=created_at)))
    await store.close()


def coming() -> list[str]:
    """The tables of the third month from now: a migration has made those of the first two."""
    month = Month.of(int(time.time())).next.next
    return [month.table("sessions"), month.table("attempts")]


def test_a_file_forgets_what_has_come_to_its_end(run: Run, database: str, project: dict[str, str]) -> None:
    ages = (31 * DAY, DAY)
    for age in ages:
        postgres.run(lambda age=age: _attempt(database, project["project_id"], int(time.time()) - age))  # type: ignore[misc]
    done = run("maintain", "--json")
    assert done.code == 0
    assert done.json()["database"] == database
    assert done.json()["made"] == done.json()["dropped"] == []
    assert len(run("attempts", "--project-id", project["project_id"], "--json").json()["attempts"]) == 1
    assert run("maintain").out == "What had come to its end is forgotten.\n"


def test_a_database_gets_its_coming_months_without_a_root_key(run: Run, empty: str) -> None:
    assert run("migrate", "--database", empty).code == 0
    done = run("maintain", "--database", empty)
    made = "".join(f"Made the table {name}.\n" for name in coming())
    assert (done.code, done.out) == (0, made + "What had come to its end is forgotten.\n")
    again = run("maintain", "--database", empty, "--json").json()
    nothing = {"made": [], "dropped": [], "moved": 0, "left": 0, "busy": [], "elsewhere": False}
    assert again == {"database": empty, **nothing}


def test_the_users_of_a_database_are_made_and_each_does_its_part(run: Run, empty: str) -> None:
    printed = run("migrate", "--roles-sql").out
    assert run("migrate", "--roles-sql", "--json").json() == {"sql": printed}
    postgres.run(lambda: postgres.execute(empty, printed))
    owner, server = (empty.replace("postgres@", f"{user}@") for user in ("assay_owner", "assay_server"))
    assert run("migrate", "--database", server).code == 1
    assert run("migrate", "--database", owner, "--grant-to", "assay_server").code == 0
    refused = run("maintain", "--database", server, "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "store")
    assert "run assay maintain as that user" in refused.err
    assert run("maintain", "--database", owner, "--json").json()["made"] == coming()


def test_many_processes_migrate_and_maintain_at_once(tmp_path: Path, empty: str) -> None:
    assay = Assay(tmp_path, {"ASSAY_DATABASE": empty})
    migrated = _at_once(assay, "migrate", 4)
    assert sum("Applied" in out for out in migrated) == 1
    assert [out.splitlines()[-1] for out in migrated] == [migrated[0].splitlines()[-1]] * 4
    maintained = _at_once(assay, "maintain", 4)
    assert sum(out.count("Made the table") for out in maintained) == len(coming())
    assert all(out.endswith("What had come to its end is forgotten.\n") for out in maintained)


@pytest.mark.parametrize(
    ("user", "line"),
    [("assay_owner", coming()[0]), ("assay_server", "this user of the database may not")],
    ids=["an owner", "a server's own user"],
)
def test_a_server_keeps_the_months_if_its_user_may(tmp_path: Path, empty: str, user: str, line: str) -> None:
    postgres.run(lambda: postgres.execute(empty, postgres_roles.SCRIPT))
    owner = empty.replace("postgres@", "assay_owner@")
    postgres.run(lambda: postgres_schema.migrate(owner, grant_to="assay_server"))
    root_key = base64.urlsafe_b64encode(bytes(range(32))).decode()
    settings = {"ASSAY_DATABASE": empty.replace("postgres@", f"{user}@"), "ASSAY_ROOT_KEY": root_key}
    with Assay(tmp_path, settings).serving() as server:
        server.line_with(line)


def _at_once(assay: Assay, command: str, processes: int) -> list[str]:
    """What each of several processes prints; all of them must do well."""
    running = [
        subprocess.Popen(
            [COMMAND, command], env=assay.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(processes)
    ]
    printed = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * processes, printed
    return printed
