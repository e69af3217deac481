"""Pages that are run: every ``sh`` block, in order, in one shell; a ``text`` block right after one is its output.

In a ``text`` block ``…`` stands for anything. Other kinds of blocks (``console``, ``python``) are only shown.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SECONDS = 120

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$(?:\n+^```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
_MARK = "--- block {} ---"


class Block(NamedTuple):
    """Commands, and what they print (None: whatever)."""

    commands: str
    output: str | None


def blocks(page: Path, replaced: Mapping[str, str]) -> list[Block]:
    """The commands of a page, with some of its text replaced (the port, for one)."""
    text = page.read_text(encoding="utf-8")
    for old, new in replaced.items():
        assert old in text, f"{page.name} no longer says {old}"
        text = text.replace(old, new)
    return [Block(found[2], found[3]) for found in _BLOCK.finditer(text) if found[1] == "sh"]


def run(page: Path, folder: Path, environ: Mapping[str, str], replaced: Mapping[str, str]) -> None:
    """Run a page in a folder, with the commands of this environment on the path. Raises AssertionError."""
    found = blocks(page, replaced)
    assert found, f"{page.name} has nothing to run"
    # The traps leave nothing running when a command fails.
    script = ["set -euo pipefail", "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT"]
    for number, block in enumerate(found):
        script += [f"echo '{_MARK.format(number)}'", block.commands]
    path = f"{Path(sys.executable).parent}:{environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env={**environ, "PATH": path, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{page.name}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    _check(found, done.stdout)


def _check(found: list[Block], printed: str) -> None:
    for number, block in enumerate(found):
        part = printed.partition(_MARK.format(number) + "\n")[2].partition(_MARK.format(number + 1))[0]
        if block.output is not None:
            pattern = re.escape(block.output.strip()).replace("…", ".*")
            assert re.fullmatch(pattern, part.strip(), re.DOTALL), f"{block.commands}\nprinted\n{part}"
