"""Everything that the server answers, on one listener: the APIs, and the dashboard below its path."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import Receive, Scope, Send

from assay.api.application import Application
from assay.dashboard.application import Dashboard
from assay.dashboard.page import ROOT
from assay.stories.context import Context

_ROOT = ROOT.encode()


class Front:
    """Passes each request on to the edge it belongs to."""

    def __init__(self, context: Context) -> None:
        self._apis = Application(context)
        self._dashboard = Dashboard(context)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""
        path: bytes = scope["raw_path"]
        if path.startswith(_ROOT) and path[len(_ROOT) :][:1] in {b"", b"/"}:
            return self._dashboard(scope, receive, send)
        return self._apis.found(scope)(scope, receive, send)
