"""How a command gets at the world: settings from the environment, a context for as long as it runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from assay import config, errors, logs
from assay.app import open_context
from assay.config import ConfigFault, Settings
from assay.keys.sealing import WrongRootKey
from assay.store.copying_tables import UnfinishedCopy
from assay.store.opening import SchemaTooNew, SchemaTooOld, StoreFault
from assay.stories.context import Context, Operator

OPERATOR = Operator(name="cli")
"""Who did it, in the audit events of everything that the command line changes."""

EXPECTED = (errors.Error, ConfigFault, WrongRootKey, StoreFault)
"""What can be wrong without a defect in Assay."""

Result = TypeVar("Result")


def settings(database: str | None) -> Settings:
    """The settings of this process; ``database`` is the option's value. Raises ConfigFault."""
    found = config.read(os.environ, database=database)
    logs.configure(found.log_level)
    return found


def perform(database: str | None, work: Callable[[Context], Awaitable[Result]]) -> Result:
    """What ``work`` answers, done in an open context. Raises EXPECTED."""
    return asyncio.run(_perform(settings(database), work))


async def _perform(found: Settings, work: Callable[[Context], Awaitable[Result]]) -> Result:
    async with open_context(found) as ctx:
        return await work(ctx)


def described(fault: Exception) -> tuple[str, str]:
    """The stable name of an expected fault, and what to tell the operator, who may know the private detail too."""
    if isinstance(fault, errors.Error):
        return fault.code, f"{fault.message} ({fault.detail})" if fault.detail else fault.message
    names = {
        ConfigFault: "configuration",
        WrongRootKey: "wrong_root_key",
        SchemaTooNew: "schema_too_new",
        SchemaTooOld: "schema_too_old",
        UnfinishedCopy: "unfinished_copy",
    }
    name = next((name for kind, name in names.items() if isinstance(fault, kind)), "store")
    return name, str(fault)
