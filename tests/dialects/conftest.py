"""Failures inside the harness show what was compared."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.dialects.harness")
