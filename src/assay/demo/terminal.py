"""Ctrl-C under ``make``.

A terminal sends Ctrl-C to every process in its foreground group. ``make`` is one of them, and dies of it whatever its
child does, so a demo that was stopped as it should be would end with "Interrupt" and exit code 130. So a demo that
``make`` started takes the foreground for itself: then it alone is told to stop, and ``make`` sees it end well.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_foreground() -> Iterator[None]:
    """Be alone in the terminal's foreground while the block runs, if ``make`` started us there."""
    terminal = _terminal() if "MAKELEVEL" in os.environ else None
    if terminal is None:
        yield
        return
    group = os.getpgrp()
    try:
        if os.tcgetpgrp(terminal) != group or os.getpid() == group:
            yield
            return
        # Nobody would notice that we were stopped, and wake us: the shell watches make, and make waits for our end.
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        # Without this, whoever hands the foreground over from behind it is stopped.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.setpgid(0, 0)
        os.tcsetpgrp(terminal, os.getpgrp())
        try:
            yield
        finally:
            os.tcsetpgrp(terminal, group)
    finally:
        os.close(terminal)


def _terminal() -> int | None:
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
