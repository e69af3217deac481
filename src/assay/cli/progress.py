"""How far a long command has come: a bar on a terminal, else a line on standard error now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

LINE_SECONDS = 10.0
BAR_SECONDS = 0.1
WIDTH = 30


class Progress:
    """Told again and again how far it is; says so no more often than somebody wants to read it."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._clock = clock
        self._told = clock()
        self._is_open = False

    def tell(self, what: str, rows: int, part: float) -> None:
        """``what`` was done with so many rows, which are this part (0 to 1) of all."""
        now = self._clock()
        is_whole = part >= 1
        if now - self._told < (BAR_SECONDS if self._is_terminal else LINE_SECONDS) and not (
            is_whole and self._is_terminal
        ):
            return
        self._told = now
        if not self._is_terminal:
            self._stream.write(f"assay: {what} {rows} rows ({part:.0%})\n")
            return
        full = round(min(part, 1) * WIDTH)
        bar = "#" * full + "-" * (WIDTH - full)
        self._stream.write(f"\r{what} [{bar}] {part:4.0%} {rows} rows ")
        self._stream.flush()
        self._is_open = True

    def close(self) -> None:
        """End the line of a bar."""
        if self._is_open:
            self._stream.write("\n")
            self._is_open = False
