"""The tutorial does what it says, command by command."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.docs import pages

TUTORIAL = pages.ROOT / "docs" / "tutorial" / "own-jwt-to-session.md"


def test_the_tutorial_runs_from_beginning_to_end(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    pages.run(TUTORIAL, tmp_path, environ, {"8080": str(_free_port())})


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
