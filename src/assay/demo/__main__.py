"""``python -m assay.demo``."""

from __future__ import annotations

import contextlib
import os
import sys

# Ctrl-C may come while modules are being loaded; then there is nothing to stop yet.
with contextlib.suppress(KeyboardInterrupt):
    from assay.demo.running import main

    sys.exit(main(os.environ))
