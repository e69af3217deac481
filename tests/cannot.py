"""A test that cannot run here says why, loudly."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def run(why: str) -> NoReturn:
    """Skip with the reason; where everything is meant to be tested (``CI=true``) fail instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
