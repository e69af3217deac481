"""Everything that the server answers, on one listener: the APIs, and the dashboard below its path."""

from __future__ import annotations

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("raw_path", b"")
        to_dashboard = path == _ROOT or path.startswith(_ROOT + b"/")
        await (self._dashboard if to_dashboard else self._apis)(scope, receive, send)
