"""``make demo``: what it prints can be pasted, and Ctrl-C ends it well."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).parents[2]
LAST_LINE = "Press Ctrl-C to stop."
WAIT_SECONDS = 60

# A terminal of its own for the command that follows: its Ctrl-C goes to the whole foreground, as a shell's does.
ON_A_TERMINAL = f"""
import fcntl, os, sys
fcntl.ioctl(0, {termios.TIOCSCTTY}, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Demo:
    """A running demo, and what it printed once it was ready."""

    def __init__(self, process: subprocess.Popen[str], lines: IO[str]) -> None:
        self.process = process
        self.printed: list[str] = []
        for line in lines:
            self.printed.append(line.rstrip("\r\n"))
            if self.printed[-1] == LAST_LINE:
                return
        raise AssertionError(f"the demo ended (exit code {process.wait(WAIT_SECONDS)}):\n" + "\n".join(self.printed))

    @property
    def commands(self) -> list[str]:
        """The lines to paste that call the API."""
        return [line for line in self.printed if line.startswith("curl ")]

    @property
    def url(self) -> str:
        return next(line.split()[-1] for line in self.printed if line.startswith("Assay answers on "))

    def interrupt(self) -> int:
        """Tell it to stop, and wait for the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(WAIT_SECONDS)


def environ(data: Path, port: int = 0) -> dict[str, str]:
    # What an operator has set for a server of their own must not reach the demo.
    return os.environ | {"PORT": str(port), "DATA": str(data), "ASSAY_ROOT_KEY": "unusable", "ASSAY_DATABASE": "no"}


@contextmanager
def running(data: Path) -> Iterator[Demo]:
    """A demo on a free port while the block runs; it must end with exit code 0 and nothing to complain about."""
    arguments = [sys.executable, "-m", "assay.demo"]
    with subprocess.Popen(
        arguments, env=environ(data), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            demo = Demo(process, process.stdout)
            yield demo
            assert demo.interrupt() == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


def refused(data: Path, port: int | str) -> str:
    """What a demo says that does not start."""
    settings = environ(data) | {"PORT": str(port)}
    done = subprocess.run(
        [sys.executable, "-m", "assay.demo"], env=settings, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def paste(command: str) -> dict[str, Any]:
    """Run a command as if it were pasted into a shell; the answer."""
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=WAIT_SECONDS, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def body(command: str) -> dict[str, Any]:
    """The JSON of a command whose last argument is ``-d``."""
    _, quoted = command.split(" -d ")
    sent: dict[str, Any] = json.loads(quoted.removeprefix("'").removesuffix("'"))
    return sent


def test_the_first_command_starts_a_session_and_the_second_adds_a_factor_to_the_demos_own(tmp_path: Path) -> None:
    with running(tmp_path) as demo:
        first, second = demo.commands
        for command in (first, second):
            assert f" -X POST {demo.url}/b2b/v1/sessions/attest -d '{{" in command
            assert body(command).keys() >= {
                *("token_profile_id", "token", "organization_id"),
                *("session_duration_minutes", "session_custom_claims"),
            }
        assert "session_token" not in body(first)
        started, added = paste(first), paste(second)
        again = paste(second)
    for answer in (started, added, again):
        assert answer["status_code"] == 200
        assert answer["organization"]["organization_id"] == body(first)["organization_id"]
        assert answer["member"]["email_address"] == "ada@acme.example"
        assert answer["session_jwt"].count(".") == 2
    assert len(started["member_session"]["authentication_factors"]) == 1
    assert started["member_session"]["custom_claims"] == body(first)["session_custom_claims"]
    assert started["session_token"] != added["session_token"]
    assert len(added["member_session"]["authentication_factors"]) == 2
    assert added["session_token"] == body(second)["session_token"]
    assert added["member_session"]["custom_claims"] == {"plan": "pro", "confirmed": True}
    assert len(again["member_session"]["authentication_factors"]) == 2


def test_what_the_demo_suggests_next_finds_nothing_wrong(tmp_path: Path) -> None:
    with running(tmp_path) as demo:
        [command] = [line for line in demo.printed if " doctor " in line]
        done = subprocess.run(
            ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "All is well.")


def test_a_second_run_goes_on_with_what_the_first_one_left(tmp_path: Path) -> None:
    with running(tmp_path) as demo:
        before = paste(demo.commands[0])
    with running(tmp_path) as demo:
        after = [paste(command) for command in demo.commands]
    assert [answer["status_code"] for answer in after] == [200, 200]
    assert {answer["member_id"] for answer in after} == {before["member_id"]}
    assert {answer["organization"]["organization_id"] for answer in after} == {
        before["organization"]["organization_id"]
    }


def test_lost_credentials_are_replaced(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    (tmp_path / "credentials.json").write_text("{")
    with running(tmp_path) as demo:
        assert paste(demo.commands[0])["status_code"] == 200


def test_secrets_are_kept_for_the_owner_alone_and_out_of_the_log(tmp_path: Path) -> None:
    with running(tmp_path) as demo:
        answer = paste(demo.commands[1])
        sent = body(demo.commands[1])
    credentials = tmp_path / "credentials.json"
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    kept = json.loads(credentials.read_text())
    log = (tmp_path / "assay.log").read_text()
    assert '"event":"request"' in log
    secrets = (sent["token"], answer["session_token"], answer["session_jwt"])
    for secret in (*secrets, kept["b2b"]["secret"], kept["consumer"]["secret"]):
        assert secret not in log


def test_the_consumer_project_works_with_the_same_tokens(tmp_path: Path) -> None:
    with running(tmp_path) as demo:
        kept = json.loads((tmp_path / "credentials.json").read_text())
        command = demo.commands[0].replace(f"{kept['b2b']['project_id']}:{kept['b2b']['secret']}", "WHO")
        command = command.replace("WHO", f"{kept['consumer']['project_id']}:{kept['consumer']['secret']}")
        answer = paste(command.replace("/b2b/v1/", "/consumer/v1/"))
    assert answer["status_code"] == 200
    assert answer["session"]["user_id"] == answer["user_id"]


def test_a_port_in_use_is_told_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = refused(tmp_path, taken.getsockname()[1])
    assert "in use" in said
    assert "PORT=" in said


@pytest.mark.parametrize("port", ["http", "-1", "65536", "8o80"])
def test_a_port_that_is_none_is_told(tmp_path: Path, port: str) -> None:
    assert "PORT must be a number" in refused(tmp_path, port)


def test_a_data_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "DATA=" in refused(tmp_path / "file" / "below", 0)


def test_a_second_demo_over_the_same_data_leaves_the_first_one_working(tmp_path: Path) -> None:
    with running(tmp_path) as demo:
        assert "another demo is running" in refused(tmp_path, 0)
        assert [paste(command)["status_code"] for command in demo.commands] == [200, 200]


def test_after_the_end_nothing_listens_any_more(tmp_path: Path) -> None:
    with running(tmp_path) as demo:
        issuer = next(line.split()[-1] for line in demo.printed if "Demo issuer" in line)
    for url in (demo.url, issuer):
        port = int(url.split(":")[2].partition("/")[0])
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            pass


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["make", "-o", "setup", "demo", f"BIN={Path(sys.executable).parent}"], id="make demo"),
        pytest.param([sys.executable, "-m", "assay.demo"], id="python -m assay.demo"),
    ],
)
def test_ctrl_c_at_a_terminal_ends_with_exit_code_0(tmp_path: Path, arguments: list[str]) -> None:
    """``make`` leaves the set-up out: this test runs in what it makes."""
    settings = environ(tmp_path)
    if arguments[0] == "make":
        arguments = [*arguments, *(f"{name}={settings[name]}" for name in ("PORT", "DATA"))]
    with terminal() as (keyboard, screen), os.fdopen(os.dup(keyboard)) as lines:
        process = subprocess.Popen(
            [sys.executable, "-c", ON_A_TERMINAL, *arguments],
            env=settings,
            cwd=ROOT,
            stdin=screen,
            stdout=screen,
            stderr=screen,
            start_new_session=True,
            text=True,
        )
        try:
            Demo(process, lines)
            os.write(keyboard, b"\x03")
            assert process.wait(WAIT_SECONDS) == 0
        finally:
            process.kill()
            process.wait()


def test_ctrl_c_while_the_demo_prepares_itself_ends_with_exit_code_0_too(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "assay.log")  # a log that can be waited for
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-m", "assay.demo"], env=environ(tmp_path), cwd=ROOT, stdout=pipe, stderr=pipe, text=True
    ) as process:
        with (tmp_path / "assay.log").open() as log:
            assert '"event":"listening"' in log.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(WAIT_SECONDS) == 0
        assert process.communicate()[1] == ""


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """A pseudo-terminal: where its keys are pressed, and what a program has as its terminal."""
    keyboard, screen = os.openpty()
    try:
        yield keyboard, screen
    finally:
        os.close(keyboard)
        os.close(screen)
