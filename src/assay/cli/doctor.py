"""``assay doctor``: whether everything is there that serving needs."""

from __future__ import annotations

import asyncio
import os

import msgspec
import typer

from assay import config, errors, logs
from assay.app import open_context
from assay.cli import output
from assay.cli.options import Database, Json
from assay.cli.running import described
from assay.config import ConfigFault, Settings, is_postgres, shown_database
from assay.keys.sealing import WrongRootKey, root_key_file
from assay.model import Environment
from assay.store.copying_tables import UnfinishedCopy
from assay.store.opening import SchemaTooNew, SchemaTooOld, StoreFault, open_store
from assay.stories import key_health, profiles, projects
from assay.stories.context import Context
from assay.stories.key_health import ProfileKeys
from assay.stories.profiles import ProfileReport

AT_ONCE = 8
"""Key sets fetched at the same time: issuers that do not answer take five seconds each."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at. ``next`` says what to do about it, and is empty when there is nothing to do."""

    check: str
    ok: bool
    message: str
    next: str = ""
    target: str = ""
    kids: tuple[str, ...] = ()


def doctor(*, database: Database = None, as_json: Json = False) -> None:
    """Look at the settings, the store, its schema, the root key, the signing keys and each profile.

    Each profile's keys are fetched now, past every cache. Each line says ok or problem, and what to do next. Exit code
    1 when anything is wrong.
    """
    checks = asyncio.run(examine(database))
    all_well = all(check.ok for check in checks)
    document = {"ok": all_well, "checks": [msgspec.to_builtins(check) for check in checks]}
    output.show(document, _lines(checks), as_json=as_json)
    if not all_well:
        raise typer.Exit(1)


async def examine(database: str | None) -> list[Check]:
    """All checks, in the order in which things are needed; what rests on something broken is left out."""
    try:
        settings = config.read(os.environ, database=database)
    except ConfigFault as fault:
        return [
            Check(check="settings", ok=False, message=str(fault), next="assay config shows what each setting takes")
        ]
    logs.configure(settings.log_level)
    checks = [_settings(settings), *await _store(settings)]
    if all(check.ok for check in checks):
        checks += await _inside(settings)
    return checks


def _settings(settings: Settings) -> Check:
    message = "can be used"
    if settings.allow_loopback_key_urls:
        message += "; ASSAY_ALLOW_LOOPBACK_KEY_URLS=1 is for trying out only"
    return Check(check="settings", ok=True, message=message)


async def _store(settings: Settings) -> list[Check]:
    target = shown_database(settings.database)
    try:
        store = await open_store(settings.database)
    except SchemaTooNew as fault:
        return [Check(check="schema", target=target, ok=False, message=str(fault), next="use a newer assay")]
    except SchemaTooOld as fault:
        return [Check(check="schema", target=target, ok=False, message=str(fault), next="assay migrate")]
    except StoreFault as fault:
        advice = "name the right database with --database or ASSAY_DATABASE, or mend this one"
        return [Check(check="store", target=target, ok=False, message=str(fault), next=advice)]
    try:
        await store.ping()
        number = await store.schema()
    except errors.StoreUnavailable as fault:
        advice = "check the disk; restore a backup if the file is damaged"
        return [Check(check="store", target=target, ok=False, message=described(fault)[1], next=advice)]
    finally:
        await store.close()
    return [
        Check(check="store", target=target, ok=True, message="opens and can be read"),
        Check(check="schema", target=str(number), ok=True, message="is the newest"),
    ]


async def _inside(settings: Settings) -> list[Check]:
    """What only an opened store can tell."""
    is_set = settings.root_key or is_postgres(settings.database)
    source = "ASSAY_ROOT_KEY" if is_set else str(root_key_file(settings))
    try:
        async with open_context(settings) as ctx:
            root_key = Check(check="root key", target=source, ok=True, message="opens this store's signing keys")
            return [root_key, *await _environments(ctx)]
    except (WrongRootKey, ConfigFault) as fault:
        advice = "put the right root key back; nothing is served with a wrong one"
        return [Check(check="root key", target=source, ok=False, message=str(fault), next=advice)]
    except UnfinishedCopy as fault:
        advice = "nothing is served from it before"
        return [
            Check(check="store", target=shown_database(settings.database), ok=False, message=str(fault), next=advice)
        ]
    except errors.StoreUnavailable as fault:
        advice = "try again; if it stays so, check the disk and who else uses the file"
        target = shown_database(settings.database)
        return [Check(check="store", target=target, ok=False, message=described(fault)[1], next=advice)]


async def _environments(ctx: Context) -> list[Check]:
    listings = await projects.list_projects(ctx)
    if not listings:
        advice = "make one: assay project create NAME --vertical b2b"
        return [Check(check="projects", ok=True, message="there are none yet", next=advice)]
    gate = asyncio.Semaphore(AT_ONCE)
    checks: list[Check] = []
    for environment in (each for listing in listings for each in listing.environments):
        checks.append(await _signing_keys(ctx, environment))
        reports = await profiles.list_profiles(ctx, environment.environment_id)
        checks += await asyncio.gather(*(_profile(ctx, gate, report) for report in reports))
    return checks


async def _signing_keys(ctx: Context, environment: Environment) -> Check:
    """Whether there are an active key and a next one, and both sign."""
    found = Check(check="signing keys", target=environment.environment_id, ok=True, message="")
    keys = await projects.list_keys(ctx, environment.environment_id)
    if not keys:
        return msgspec.structs.replace(found, message="there are none yet; the first session makes them")
    live = [key for key in keys if key.state != "retired"]
    kids = tuple(key.kid for key in live)
    try:
        for key in live:
            await ctx.signer.sign(environment, key.kid, {})
    except WrongRootKey as fault:
        advice = "restore the database from a backup: the sealed key was changed"
        return msgspec.structs.replace(found, ok=False, message=str(fault), next=advice)
    if sorted(key.state for key in live) != ["active", "next"]:
        advice = "restore the database from a backup: a signing key is gone"
        message = "there is not one active and one next key"
        return msgspec.structs.replace(found, ok=False, message=message, next=advice, kids=kids)
    return msgspec.structs.replace(found, message="the active one and the next one sign", kids=kids)


async def _profile(ctx: Context, gate: asyncio.Semaphore, report: ProfileReport) -> Check:
    profile = report.profile
    async with gate:
        found = await key_health.profile_keys(ctx, profile.environment_id, profile.profile_id, fetch=True)
    problems = _problems(report, found)
    kids = tuple(kid for each in found.key_sets for kid in each.kids)
    usable = sum(each.usable_keys for each in found.key_sets)
    if not problems:
        message = f"{usable} key{'' if usable == 1 else 's'} can be used"
        return Check(check="profile", target=profile.profile_id, ok=True, message=message, kids=kids)
    change = f"assay profile update {profile.profile_id} --project-id {profile.environment_id}"
    advice = f"have the issuer mend its key set, or change the profile: {change} …"
    message = " ".join(problem if problem.endswith(".") else f"{problem}." for problem in problems)
    return Check(check="profile", target=profile.profile_id, ok=False, message=message, next=advice, kids=kids)


def _problems(report: ProfileReport, found: ProfileKeys) -> list[str]:
    """What the profile says and what its keys say, each thing once."""
    several = len(found.key_sets) > 1
    told = [
        f"Key source {number} ({each.kind}): {problem}" if several else problem
        for number, each in enumerate(found.key_sets, start=1)
        for problem in each.problems
        if not any(problem in known or known in problem for known in report.problems)
    ]
    return [*report.problems, *told]


def _lines(checks: list[Check]) -> list[str]:
    lines: list[str] = []
    for check in checks:
        kids = f": {', '.join(check.kids)}" if check.kids else ""
        subject = " ".join(filter(None, (check.check, check.target)))
        lines.append(f"{'ok' if check.ok else 'problem':<8} {subject}: {check.message}{kids}")
        if check.next:
            lines.append(f"{'':<8} next: {check.next}")
    wrong = sum(not check.ok for check in checks)
    return [*lines, "", f"{wrong} of {len(checks)} checks found a problem." if wrong else "All is well."]
