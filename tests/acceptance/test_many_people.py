"""Many members are imported, searched and paged, and take no more memory than few; `make soak` takes 100,000."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.process import COMMAND, Assay

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells how much memory was used")

FEW, MANY = 5_000, int(os.environ.get("ASSAY_TEST_PEOPLE", "40000"))
ORGANIZATIONS = 10
PAGE = 1_000
MEBIBYTE = 1024
"""In the system's unit, which is KiB."""

# SQLite's caches and the allocator's slack; 100,000 members themselves would take some 100 MiB.
SLACK = 24 * MEBIBYTE


class Imported(NamedTuple):
    """A project with members, and the most memory that the import had, in KiB."""

    project_id: str
    secret: str
    memory: int


class Installation(NamedTuple):
    assay: Assay
    few: Imported
    many: Imported


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("many")
    assay = Assay(folder)
    return Installation(assay, imported(assay, folder, FEW), imported(assay, folder, MANY))


def imported(assay: Assay, folder: Path, count: int) -> Imported:
    made = assay.create_project(f"{count}", "b2b")
    path = folder / f"{count}.jsonl"
    with path.open("w") as file:
        file.writelines(json.dumps(row(number)) + "\n" for number in range(count))
    words = [COMMAND, "import", "members", str(path), "--project-id", made["project_id"], "--create-organizations"]
    process = subprocess.Popen([*words, "--json"], env=assay.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        found, told = json.loads(process.stdout.read()), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, told
    assert (found["created"], found["organizations_created"]) == (count, ORGANIZATIONS)
    return Imported(made["project_id"], made["secret"], usage.ru_maxrss)


def row(number: int) -> dict[str, Any]:
    return {
        "organization_external_id": f"customer-{number % ORGANIZATIONS}",
        "email_address": f"person{number}@acme.example",
        "external_id": f"user-{number}",
        "name": f"Person {number}",
    }


def memory(pid: int) -> int:
    """The most memory that a process has had so far, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])


def test_an_import_of_many_takes_the_memory_of_one_of_few(installation: Installation) -> None:
    assert installation.many.memory < installation.few.memory + SLACK


def test_all_members_are_paged_and_found_in_the_same_memory(installation: Installation) -> None:
    whole = {"organization_ids": [f"customer-{number}" for number in range(ORGANIZATIONS)], "limit": PAGE}
    with installation.assay.serving() as server:
        auth = (installation.many.project_id, installation.many.secret)
        with httpx.Client(base_url=server.url, auth=auth, trust_env=False, timeout=60) as client:
            seen, cursor, early = 0, None, 0
            while seen == 0 or cursor is not None:
                page = client.post("/v1/b2b/organizations/members/search", json=whole | {"cursor": cursor}).json()
                assert page["results_metadata"]["total"] == MANY
                seen, cursor = seen + len(page["members"]), page["results_metadata"]["next_cursor"]
                early = early or memory(server.process.pid)
            query = {"operands": [{"filter_name": "member_emails", "filter_value": ["person4711@acme.example"]}]}
            found = client.post("/v1/b2b/organizations/members/search", json=whole | {"query": query}).json()
            late = memory(server.process.pid)
    assert seen == MANY
    assert [member["external_id"] for member in found["members"]] == ["user-4711"]
    assert late < early + SLACK
