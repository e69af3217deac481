"""``assay serve``."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated

import typer

from assay import serving
from assay.cli import output, running
from assay.cli.options import Database
from assay.serving import AddressFault

HIGHEST_PORT = 65535


def serve(
    *,
    host: Annotated[str, typer.Option(metavar="HOST", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="The port to listen on; 0 takes a free one.")
    ] = 8080,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Also serve /metrics for Prometheus there; it tells of all projects."),
    ] = None,
    database: Database = None,
) -> None:
    """Serve the API until Ctrl-C or SIGTERM; requests in flight are finished first.

    Refuses to start with a wrong root key. The log goes to standard error, a JSON object per line.
    """
    # Before the server takes the signal, and after it, Ctrl-C still means to stop.
    with contextlib.suppress(KeyboardInterrupt):
        try:
            beside = None if metrics is None else _address(metrics)
            serving.run(running.settings(database), (host, port), _say_where, metrics=beside)
        except AddressFault as fault:
            raise AddressFault(f"{fault}; choose another with --host or --port, or --metrics") from None


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > HIGHEST_PORT:
        raise typer.BadParameter("write it as HOST:PORT, such as 127.0.0.1:9464", param_hint="--metrics")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _say_where(url: str) -> None:
    output.write(f"Assay answers on {url} (Ctrl-C stops it)")
    sys.stdout.flush()
