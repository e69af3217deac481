"""Start everything, show what to do with it, and stop when told to. ``PORT`` and ``DATA`` say where."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvloop

from assay import errors, logs, serving
from assay.app import open_context
from assay.config import ConfigFault, Settings
from assay.demo import data, issuer, showing, terminal
from assay.demo.issuer import DemoIssuer
from assay.demo.showing import DemoFault, ServerGone
from assay.keys.sealing import WrongRootKey
from assay.listening import AddressFault
from assay.store.opening import StoreFault

HOST = "127.0.0.1"
HIGHEST_PORT = 65535

EXPECTED = (errors.Error, ConfigFault, WrongRootKey, StoreFault, DemoFault)


def main(environ: Mapping[str, str]) -> int:
    """Run the demo until Ctrl-C or SIGTERM; answers the exit code."""
    directory = Path(environ.get("DATA") or ".demo")
    try:
        port = _port(environ.get("PORT") or "8080")
        data.make_directory(directory)
        with (directory / "assay.log").open("ab", buffering=0) as log, terminal.own_foreground():
            logs.configure("info", log)
            logs.adopt_libraries()
            uvloop.run(_run(directory, port))
    except AddressFault as fault:
        sys.stderr.write(f"assay demo: {fault}; choose another port: PORT={port + 1} make demo\n")
        return 1
    except EXPECTED as fault:
        sys.stderr.write(f"assay demo: {fault}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


async def _run(directory: Path, port: int) -> None:
    """Serve, and show what to do with it once the server answers; end with the server, or when showing fails."""
    settings = data.settings(directory)
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serving.serve(settings, (HOST, port), listening.set_result))
    try:
        either: set[asyncio.Future[Any]] = {server, listening}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            # The directory is claimed only now: whoever cannot have the port must not disturb the demo that has it.
            with data.held(directory), issuer.serving() as demo_issuer:
                show = asyncio.create_task(_show(settings, directory, listening.result(), demo_issuer))
                await _unless_ended(server, show)
                await server
        await server
    finally:
        server.cancel()
        await asyncio.wait({server})


async def _unless_ended(server: asyncio.Task[None], work: asyncio.Task[None]) -> None:
    """Do ``work``, but stop it when the server ends: Ctrl-C may come at any time."""
    await asyncio.wait({server, work}, return_when=asyncio.FIRST_COMPLETED)
    if server.done():
        work.cancel()
    with contextlib.suppress(asyncio.CancelledError, ServerGone):
        await work


async def _show(settings: Settings, directory: Path, base_url: str, demo_issuer: DemoIssuer) -> None:
    async with open_context(settings) as ctx:
        world = await data.prepare(ctx, directory, demo_issuer.jwks_url)
    session_token = await showing.attest(base_url, world, demo_issuer)
    sys.stdout.write(showing.page(base_url, world, demo_issuer, session_token, directory))
    sys.stdout.flush()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= HIGHEST_PORT):
        raise ConfigFault(f"PORT must be a number from 0 to {HIGHEST_PORT}")
    return int(text)
