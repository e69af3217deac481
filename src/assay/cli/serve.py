"""``assay serve``."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from assay import serving
from assay.cli import output, running
from assay.cli.options import Database
from assay.config import MOST_WORKERS, Settings
from assay.listening import DEFAULT_METRICS, AddressFault, MetricsAddress
from assay.tls import TlsFiles

HIGHEST_PORT = 65535
NO_METRICS = "none"

_DEFAULT_METRICS = f"{DEFAULT_METRICS.host}:{DEFAULT_METRICS.port}"


def serve(  # noqa: PLR0913 - one parameter per option
    *,
    host: Annotated[str, typer.Option(metavar="HOST", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="The port to listen on; 0 takes a free one.")
    ] = 8080,
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Serve https with this certificate: PEM, followed by those of its authorities. SIGHUP reads it again.",
        ),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The private key of the certificate: PEM, not encrypted.")
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT|none",
            help="Where /metrics is served for Prometheus; it tells of all projects and asks for no credentials."
            f" Without the option: {_DEFAULT_METRICS}, if that is free.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=MOST_WORKERS,
            help="How many processes answer requests, as ASSAY_WORKERS says it too: one for each core.",
        ),
    ] = None,
    database: Database = None,
) -> None:
    """Serve the API and the dashboard until Ctrl-C or SIGTERM; requests in flight are finished first.

    As long as there is no operator, each start makes a link for the first one: on the terminal, else in the file
    DATABASE.first-operator.

    Refuses to start with a wrong root key. The log goes to standard error, a JSON object per line.
    """
    beside, tls = _metrics(metrics), _tls(tls_cert, tls_key)
    # Before the server takes the signal, and after it, Ctrl-C still means to stop.
    with contextlib.suppress(KeyboardInterrupt):
        try:
            serving.run(_settings(database, workers), (host, port), _say_where, metrics=beside, tls=tls)
        except AddressFault as fault:
            raise AddressFault(f"{fault}; choose another with --host or --port, or --metrics") from None


def _settings(database: str | None, workers: int | None) -> Settings:
    settings = running.settings(database)
    return settings if workers is None else msgspec.structs.replace(settings, workers=workers)


def _tls(certificate: Path | None, key: Path | None) -> TlsFiles | None:
    if certificate is None and key is None:
        return None
    if certificate is None:
        raise typer.BadParameter("it needs --tls-cert too", param_hint="--tls-key")
    if key is None:
        raise typer.BadParameter("it needs --tls-key too", param_hint="--tls-cert")
    return TlsFiles(certificate, key)


def _metrics(text: str | None) -> MetricsAddress | None:
    if text is None:
        return DEFAULT_METRICS
    if text == NO_METRICS:
        return None
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > HIGHEST_PORT:
        raise typer.BadParameter(f"write it as HOST:PORT, such as {_DEFAULT_METRICS}, or none", param_hint="--metrics")
    return MetricsAddress(host.removeprefix("[").removesuffix("]"), int(port))


def _say_where(url: str) -> None:
    output.write(f"Assay answers on {url} (Ctrl-C stops it)")
    sys.stdout.flush()
