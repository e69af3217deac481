"""The systemd unit and the Containerfile: sound, strict, and no stricter than Assay can bear.

Neither systemd as init nor a container engine is needed. systemd's own checker reads the unit; the system calls that it
forbids are forbidden to a real server here; the Containerfile is read, not built.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from assay import http_server, protocol
from assay.workers import post
from tests import cannot
from tests.acceptance import sandboxed
from tests.issuer import AUDIENCE, Issuer, make_key
from tests.issuer import serving as serving_keys
from tests.process import COMMAND, Assay, Server

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "packaging"
UNIT = FOLDER / "assay.service"
CONTAINERFILE = FOLDER / "Containerfile"
MOST_EXPOSED = 15
"""In tenths, out of 10.0. A network server that reads keys from the internet cannot have 0."""

SANDBOX = (sys.executable, str(Path(__file__).with_name("sandboxed.py")), str(UNIT))


@pytest.fixture(scope="module")
def analyze() -> str:
    """Where systemd-analyze is. Without it nothing of the unit is checked, which must not go unseen."""
    found = shutil.which("systemd-analyze")
    if found is None:
        cannot.run("THE SYSTEMD UNIT IS NOT CHECKED: there is no systemd-analyze on this machine (Linux, systemd 250)")
    return found


def setting(name: str) -> str:
    [value] = sandboxed.values(UNIT, name)
    return value


# ---------------------------------------------------------------- the unit


def test_systemd_finds_no_fault_in_the_unit(analyze: str, tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    # The checker wants to see the program, which is in another place here.
    unit.write_text(UNIT.read_text().replace("/opt/assay/bin/assay", COMMAND))
    done = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_unit_exposes_little(analyze: str) -> None:
    arguments = [analyze, "security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSED}", str(UNIT)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        cannot.run(f"THE UNIT'S EXPOSURE IS NOT MEASURED: systemd is older than 250: {done.stderr}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("ProtectSystem", "strict"),
        ("PrivateTmp", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("Type", "exec"),
        ("KillSignal", "SIGTERM"),
        ("UMask", "0077"),
        ("LimitCORE", "0"),
    ],
)
def test_what_the_how_to_promises_of_the_unit_stands_in_it(name: str, value: str) -> None:
    assert setting(name) == value


def test_systemd_waits_longer_than_a_server_needs_to_stop() -> None:
    ends = http_server.GRACE_SECONDS + max(protocol.CLOSING_SECONDS, post.CLOSING_SECONDS)
    assert int(setting("TimeoutStopSec")) > ends


def test_nothing_secret_can_be_in_the_unit_itself() -> None:
    """Units can be read by everybody on the machine; the file of settings need not be."""
    assert not any("KEY" in value or "SECRET" in value for value in sandboxed.values(UNIT, "Environment"))
    assert setting("EnvironmentFile") == "-/etc/assay/assay.env"


# ---------------------------------------------------------------- Assay under the unit's rules


def confined(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command under the unit's rules. Skips, loudly, where they cannot be had."""
    done = subprocess.run([*SANDBOX, *command], capture_output=True, text=True, check=False)
    if done.returncode == sandboxed.CANNOT:
        cannot.run(f"ASSAY IS NOT TRIED UNDER THE UNIT'S RULES: {done.stderr.strip()}")
    return done


@pytest.mark.parametrize(
    "forbidden",
    [
        pytest.param("os.chroot('/')", id="privileged call"),
        pytest.param("os.sched_setaffinity(0, {0})", id="resources"),
        pytest.param("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)", id="family of sockets"),
        pytest.param("mmap.mmap(-1, 4096, prot=7)", id="memory that is written and run"),
    ],
)
def test_the_rules_are_in_force_where_assay_is_tried_under_them(analyze: str, forbidden: str) -> None:
    assert analyze
    done = confined(sys.executable, "-c", f"import mmap, os, socket\n{forbidden}")
    assert "PermissionError" in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_assay_serves_under_the_unit_s_rules(analyze: str, tmp_path: Path, workers: str) -> None:
    assert analyze
    confined(sys.executable, "-c", "")
    assay = Assay(tmp_path)
    with serving_keys([make_key("RSA")]) as issuer:
        auth = _project(assay, issuer)
        options = "--port", "0", "--metrics", "127.0.0.1:0", "--workers", workers
        server = Server([*SANDBOX, COMMAND, "serve", *options], assay.environ)
        try:
            with httpx.Client(base_url=server.url, auth=auth, trust_env=False) as client:
                body = {"profile_id": "idp", "token": issuer.mint({"email_verified": True})}
                made = client.post("/v1/sessions/attest", json=body)
                assert made.status_code == 200, made.text
                metrics = httpx.get(_metrics(server), trust_env=False).text
                assert "process_resident_memory_bytes" in metrics
            done = confined(COMMAND, "backup", str(tmp_path / "backup"), "--database", assay.database)
            assert done.returncode == 0, done.stderr
            server.process.send_signal(signal.SIGHUP)
            server.line_with("nothing_to_reload")
        finally:
            code = server.end(signal.SIGTERM)
    assert code == 0, "".join(server.log)


def _project(assay: Assay, issuer: Issuer) -> tuple[str, str]:
    project = assay.create_project("Acme", "consumer")
    assay.create_profile(
        project["project_id"],
        *("--jwks-url", issuer.jwks_url, "--jit"),
        issuer=issuer.url,
        audience=AUDIENCE,
        mapping={"email": "email"},
        profile_id="idp",
    )
    return project["project_id"], project["secret"]


def _metrics(server: Server) -> str:
    line: dict[str, str] = json.loads(server.line_with('"metrics"'))
    return f"http://{line['address']}{line['path']}"


# ---------------------------------------------------------------- the Containerfile


class Instruction(NamedTuple):
    """One instruction, its continuation lines joined."""

    name: str
    rest: str


def instructions() -> Iterator[Instruction]:
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            yield Instruction(name, rest.strip())


def stages() -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for each in instructions():
        if each.name == "FROM":
            found.append([])
        found[-1].append(each)
    return found


def test_every_line_of_the_containerfile_is_an_instruction() -> None:
    known = {"FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"}
    assert {each.name for each in instructions()} <= known | {"ENTRYPOINT", "CMD"}
    assert [stage[0].rest.endswith(" AS build") for stage in stages()] == [True, False]


def test_everything_that_is_copied_exists_and_is_all_that_the_build_needs() -> None:
    copied = [each.rest.split() for each in instructions() if each.name == "COPY" and "--from" not in each.rest]
    sources = {source for words in copied for source in words[:-1]}
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert sources == {"requirements/run.txt", "pyproject.toml", "README.md", "LICENSE", "src"}
    seen = CONTAINERFILE.with_name("Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line.removeprefix("!") for line in seen if line.startswith("!")} == sources
    assert "*" in seen


def test_no_address_but_that_of_the_base_image_stands_in_it() -> None:
    images = {each.rest.split()[0] for each in instructions() if each.name == "FROM"}
    assert len(images) == 1
    [image] = images
    assert image.startswith("docker.io/library/python:3.11-slim")
    rest = CONTAINERFILE.read_text(encoding="utf-8").replace(image, "")
    assert not re.search(r"https?://|--index-url|--extra-index|--find-links|--trusted-host", rest)


def test_what_is_installed_is_pinned_by_hash_and_built_without_fetching() -> None:
    installs = [
        each.rest for each in instructions() if each.name == "RUN" and " install " in each.rest and "pip" in each.rest
    ]
    assert [("--require-hashes" in each, "--no-build-isolation" in each) for each in installs] == [
        (True, False),
        (False, True),
    ]
    assert "--no-deps" in installs[1]


def test_what_runs_is_not_root_and_gets_signals_itself() -> None:
    last = {each.name: each.rest for each in stages()[-1]}
    assert last["USER"] == "10001:10001"
    assert json.loads(last["ENTRYPOINT"]) == ["assay"]
    assert json.loads(last["CMD"])[0] == "serve"
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert json.loads(last["VOLUME"]) == ["/var/lib/assay"]


def test_the_health_check_tells_a_ready_server_from_another(tmp_path: Path) -> None:
    [check] = [each.rest for each in instructions() if each.name == "HEALTHCHECK"]
    words: list[str] = json.loads(check.partition("CMD ")[2])
    assert words[0] == "python"
    with Assay(tmp_path).serving() as server:
        script = words[2].replace("8080", str(server.port))
        assert script != words[2]
        assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
        wrong = script.replace("/readyz", "/nowhere")
        assert subprocess.run([sys.executable, "-c", wrong], check=False).returncode == 1
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 1
