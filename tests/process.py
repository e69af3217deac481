"""The real process: ``assay serve`` over a temporary SQLite file, and ``assay … --json`` beside it.

``Assay(folder)`` is one installation: a database and its settings. ``with assay.serving() as server:`` runs it on a
port of loopback that the system chooses; leaving the block interrupts it as Ctrl-C does, and demands exit code 0.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

COMMAND: Final = str(Path(sys.executable).parent / "assay")
START_SECONDS: Final = 30
STOP_SECONDS: Final = 20

_ADDRESS = re.compile(r"https?://(?:127\.0\.0\.1|10(?:\.[0-9]+){3}):[1-9][0-9]*")


class Server:
    """A running ``assay serve``. ``url`` has no trailing slash; ``log`` holds the lines it has written so far."""

    def __init__(self, arguments: list[str], environ: Mapping[str, str]) -> None:
        self.log: list[str] = []
        self._ended = False
        self._grown = threading.Condition()
        self.process = subprocess.Popen(
            arguments,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.url = _ADDRESS.findall(self.line_with(_ADDRESS))[0]
        except AssertionError:
            self.end(signal.SIGKILL)
            raise

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.url.rpartition(":")[2])

    def line_with(self, wanted: str | re.Pattern[str], number: int = 1) -> str:
        """The first (or n-th) line of the log that holds the text or pattern, once it is there.

        Raises AssertionError.
        """
        pattern = re.compile(re.escape(wanted)) if isinstance(wanted, str) else wanted
        with self._grown:
            self._grown.wait_for(
                lambda: self._ended or len([*filter(pattern.search, self.log)]) >= number, START_SECONDS
            )
            found = [*filter(pattern.search, self.log)]
        assert len(found) >= number, f"nothing like {pattern.pattern} in the log:\n{''.join(self.log)}"
        return found[number - 1]

    def stop(self) -> int:
        """Interrupt it as Ctrl-C does; the exit code."""
        return self.end(signal.SIGINT)

    def end(self, number: signal.Signals) -> int:
        """Send it a signal and wait for its end; the exit code (negative: the signal it died of)."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self._reader.join(STOP_SECONDS)
            if self.process.stdout is not None:
                self.process.stdout.close()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._grown:
                self.log.append(line)
                self._grown.notify_all()
        with self._grown:
            self._ended = True
            self._grown.notify_all()


class Assay:
    """One installation in ``folder``. ``environ`` are settings over those for tests."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.database = f"sqlite:///{folder / 'assay.db'}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
        own = {"ASSAY_DATABASE": self.database, "ASSAY_ALLOW_LOOPBACK_KEY_URLS": "1"}
        self.environ = {**inherited, **own, **(environ or {})}

    def run(self, *arguments: str) -> dict[str, Any]:
        """Run ``assay ARGUMENTS --json``; what it prints. Raises AssertionError with its words when it fails."""
        done = self.command(*arguments, "--json")
        assert done.returncode == 0, f"assay {' '.join(arguments)}: {done.stdout}{done.stderr}"
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``assay ARGUMENTS``, whatever comes out."""
        return subprocess.run(
            [COMMAND, *arguments], env=self.environ, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )

    def create_project(self, name: str, vertical: str) -> dict[str, Any]:
        """A new project and the credentials of its TEST environment."""
        return self.run("project", "create", name, "--vertical", vertical)

    def create_profile(
        self,
        project_id: str,
        *options: str,
        issuer: str,
        audience: str,
        mapping: Mapping[str, str],
        profile_id: str | None = None,
    ) -> str:
        """A new profile; its id. ``options`` name the keys, and whatever else there is to say."""
        maps = [part for attribute, claim in mapping.items() for part in ("--map", f"{attribute}={claim}")]
        named = ["--id", profile_id] if profile_id else []
        whom = ["--project-id", project_id, "--name", profile_id or issuer, "--issuer", issuer, "--audience", audience]
        made = self.run("profile", "create", *named, *whom, *maps, *options)
        created: str = made["profile"]["profile_id"]
        return created

    def start(self, *options: str, port: int = 0, environ: Mapping[str, str] | None = None) -> Server:
        """Start ``assay serve``; whoever starts it ends it. ``environ`` are settings for this run alone.

        Without ``--metrics`` among the options it serves none: many tests run side by side, and there is one port.
        """
        beside = () if "--metrics" in options else ("--metrics", "none")
        arguments = [COMMAND, "serve", "--host", "127.0.0.1", "--port", str(port), *beside, *options]
        return Server(arguments, {**self.environ, **(environ or {})})

    @contextmanager
    def serving(self, *options: str, port: int = 0, environ: Mapping[str, str] | None = None) -> Iterator[Server]:
        """Serve as long as the block runs, then stop it, which must end it with exit code 0."""
        server = self.start(*options, port=port, environ=environ)
        try:
            yield server
        except BaseException:
            server.stop()
            raise
        code = server.stop()
        assert code == 0, f"assay serve ended with exit code {code}:\n{''.join(server.log)}"
