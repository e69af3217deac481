"""``assay profile``: whose tokens an environment trusts."""

from __future__ import annotations

import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated

import typer

from assay import errors
from assay.cli import key_sources, output, preset_options, profile_options, profile_views
from assay.cli.options import AnyProjectId, Database, Json, ProjectId
from assay.cli.profile_options import Clear, Fields, Mapping, MappingCel, MappingJson
from assay.cli.running import OPERATOR, perform
from assay.rules.algorithms import DEFAULT_ALGORITHMS, OPT_IN_ALGORITHMS
from assay.rules.profile_fields import LONGEST_LEEWAY_SECONDS, LONGEST_STALE_LIMIT_SECONDS
from assay.stories import key_health, notices, profiles
from assay.stories.context import Context
from assay.stories.key_health import ProfileKeys
from assay.stories.notices import ProfileNotices
from assay.stories.profiles import (
    ProfileReport,
    ProfileUpdate,
)

MOST_PEM_BYTES = 64 * 1024

app = typer.Typer(
    help="Trusted auth token profiles: whose tokens to believe, by which keys, and what their claims mean.",
    no_args_is_help=True,
)

ProfileId = Annotated[str, typer.Argument(metavar="PROFILE_ID", help="The profile's id.")]
JwksUrl = Annotated[
    str | None,
    typer.Option("--jwks-url", metavar="URL", help="Where the issuer publishes its keys (a JWKS), over https."),
]
Pem = Annotated[
    list[Path] | None,
    typer.Option(
        "--pem",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        readable=True,
        help="A file that holds one public key as PEM, for issuers without a JWKS. Up to five times.",
    ),
]
Algorithms = Annotated[
    list[str] | None,
    typer.Option(
        "--algorithm",
        metavar="ALG",
        help=f"A signature algorithm to accept; once per algorithm. Without it: {', '.join(DEFAULT_ALGORITHMS)}."
        f" Only when listed: {', '.join(OPT_IN_ALGORITHMS)}.",
    ),
]
AllowProblems = Annotated[
    bool, typer.Option("--allow-problems", help="Save the profile even if it can never work as it is.")
]
Leeway = typer.Option(
    "--leeway-seconds",
    metavar="SECONDS",
    min=0,
    max=LONGEST_LEEWAY_SECONDS,
    help="How far the issuer's clock may differ from ours, in seconds; usually 30.",
)
StaleLimit = typer.Option(
    "--keys-stale-limit",
    metavar="SECONDS",
    min=0,
    max=LONGEST_STALE_LIMIT_SECONDS,
    help="How long the last good keys may serve while the issuer does not answer, in seconds; usually 86400.",
)


@app.command("create")
@profile_options.taking_fields
def create(  # noqa: PLR0913 - one parameter per option
    *,
    project_id: ProjectId,
    profile_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Letters, digits, _ and -, at most 128. Without it one is made."),
    ] = None,
    preset: preset_options.Name = None,
    setting: preset_options.Settings = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What people call it.")] = None,
    issuer: Annotated[str | None, typer.Option(metavar="ISSUER", help="What the token's iss must be, exactly.")] = None,
    audience: Annotated[
        str | None, typer.Option(metavar="AUDIENCE", help="What the token's aud must be or contain.")
    ] = None,
    jwks_url: JwksUrl = None,
    pem: Pem = None,
    key_source: key_sources.Option = None,
    mapping: Mapping = None,
    mapping_cel: MappingCel = None,
    mapping_json: MappingJson = None,
    jit: Annotated[
        bool, typer.Option("--jit", help="Make members, organizations and users that do not exist yet.")
    ] = False,
    algorithm: Algorithms = None,
    leeway_seconds: Annotated[int | None, Leeway] = None,
    keys_stale_limit: Annotated[int | None, StaleLimit] = None,
    fields: Fields,
    allow_problems: AllowProblems = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Trust an issuer: register a profile with one of --jwks-url, --pem and --key-source, or with a --preset.

    A preset fills in all that is known of an issuer, and other options given stand over what it says. Refuses to save
    a profile that has problems, unless told --allow-problems.
    """
    given = {
        "profile_id": profile_id,
        "name": name,
        "issuer": issuer,
        "audience": audience,
        "jwks_url": jwks_url or None,
        "pem_files": _read_pem(pem) if pem else None,
        "attribute_mapping": profile_options.read_mapping(mapping, mapping_cel, mapping_json) or None,
        "can_jit_provision": jit or None,
        "algorithms": tuple(algorithm) if algorithm else None,
        "leeway_seconds": leeway_seconds,
        "key_sources": key_sources.read(key_source) if key_source else None,
        "keys_stale_limit": keys_stale_limit,
        **fields,
    }
    filled = preset_options.Filled(preset, setting, {name: value for name, value in given.items() if value is not None})

    async def create_it(ctx: Context) -> ProfileReport:
        request = await filled.request(ctx, project_id)
        return await _advised(
            profiles.create_profile(ctx, project_id, request, by=OPERATOR, allow_problems=allow_problems)
        )

    report = perform(database, create_it)
    lines = [
        f"Created the profile {report.profile.profile_id}.",
        "",
        *profile_views.lines(report),
        "",
        *_next(database),
    ]
    output.show(profile_views.document(report), lines, as_json=as_json)


@app.command("list")
def list_all(*, project_id: AnyProjectId = None, database: Database = None, as_json: Json = False) -> None:
    """List the profiles of one environment or all, each with what is wrong with it."""
    found = perform(database, lambda ctx: profiles.list_profiles(ctx, project_id))
    document = {
        "profiles": [profile_views.profile_document(each.profile) | {"problems": each.problems} for each in found]
    }
    rows = [
        (
            each.profile.environment_id,
            each.profile.profile_id,
            each.profile.name,
            each.profile.issuer,
            str(len(each.problems) or "-"),
        )
        for each in found
    ]
    lines = output.table(("PROJECT ID", "PROFILE ID", "NAME", "ISSUER", "PROBLEMS"), rows)
    output.show(document, lines if rows else ["Nobody is trusted yet."], as_json=as_json)


@app.command("show")
def show(profile_id: ProfileId, *, project_id: ProjectId, database: Database = None, as_json: Json = False) -> None:
    """Show one profile, what is wrong with it, how its key sets are doing, and what is new about its tokens."""

    async def look(ctx: Context) -> tuple[ProfileReport, ProfileKeys, ProfileNotices]:
        report = await profiles.show_profile(ctx, project_id, profile_id)
        found = await key_health.profile_keys(ctx, project_id, profile_id, fetch=False)
        return report, found, await notices.profile_notices(ctx, project_id, profile_id)

    report, found, seen = perform(database, look)
    lines = [
        *profile_views.lines(report),
        "",
        *key_sources.health_lines(found, time.time()),
        *profile_views.notice_lines(seen),
    ]
    document = profile_views.document(report) | {
        "key_sets": key_sources.health_document(found),
        "notices": profile_views.notice_documents(seen),
    }
    output.show(document, lines, as_json=as_json)


@app.command("keys")
def keys(
    profile_id: ProfileId,
    *,
    project_id: ProjectId,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch every source now, past every cache and pause, and keep what comes.")
    ] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show how each key set of a profile is doing: last and next fetch, failures in a row, key ids, problems.

    It tells what all servers over this database know.
    """
    found = perform(database, lambda ctx: key_health.profile_keys(ctx, project_id, profile_id, fetch=fetch))
    document = {"profile_id": profile_id, "key_sets": key_sources.health_document(found)}
    output.show(document, key_sources.health_lines(found, time.time()), as_json=as_json)


@app.command("update")
@profile_options.taking_fields
def update(  # noqa: PLR0913 - one parameter per option
    profile_id: ProfileId,
    *,
    project_id: ProjectId,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What people call it.")] = None,
    issuer: Annotated[str | None, typer.Option(metavar="ISSUER", help="What the token's iss must be, exactly.")] = None,
    audience: Annotated[
        str | None, typer.Option(metavar="AUDIENCE", help="What the token's aud must be or contain.")
    ] = None,
    jwks_url: JwksUrl = None,
    pem: Pem = None,
    key_source: key_sources.Option = None,
    mapping: Mapping = None,
    mapping_cel: MappingCel = None,
    mapping_json: MappingJson = None,
    jit: Annotated[
        bool | None, typer.Option("--jit/--no-jit", help="Whether to make members, organizations and users.")
    ] = None,
    algorithm: Algorithms = None,
    leeway_seconds: Annotated[int | None, Leeway] = None,
    keys_stale_limit: Annotated[int | None, StaleLimit] = None,
    fields: Fields,
    clear: Clear = None,
    allow_problems: AllowProblems = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Change what is given, and leave the rest. Options that may be given several times replace all there were.

    A profile that is disabled, or becomes so, is saved with its problems. Every server judges by the new version at
    once.
    """
    mapped = profile_options.read_mapping(mapping, mapping_cel, mapping_json) or None
    gone = profile_options.cleared(clear or (), fields | {"attribute_mapping": mapped})
    given: Fields = {"attribute_mapping": mapped} | fields | gone
    change = ProfileUpdate(
        name=name,
        issuer=issuer,
        audience=audience,
        jwks_url=jwks_url,
        pem_files=_read_pem(pem) if pem else None,
        can_jit_provision=jit,
        algorithms=tuple(algorithm) if algorithm else None,
        leeway_seconds=leeway_seconds,
        key_sources=key_sources.read(key_source) if key_source else None,
        keys_stale_limit=keys_stale_limit,
        **given,
    )
    if change == ProfileUpdate():
        raise typer.BadParameter("say what to change, for example --issuer", param_hint="the options")
    report = perform(
        database,
        lambda ctx: _advised(
            profiles.update_profile(ctx, project_id, profile_id, change, by=OPERATOR, allow_problems=allow_problems)
        ),
    )
    output.show(
        profile_views.document(report),
        [f"Changed the profile {profile_id}.", "", *profile_views.lines(report)],
        as_json=as_json,
    )


@app.command("delete")
def delete(profile_id: ProfileId, *, project_id: ProjectId, database: Database = None, as_json: Json = False) -> None:
    """Trust the profile no longer. Sessions that it started live on until they end or are revoked."""
    perform(database, lambda ctx: profiles.delete_profile(ctx, project_id, profile_id, by=OPERATOR))
    document = {"profile_id": profile_id, "deleted": True}
    output.show(document, [f"Deleted the profile {profile_id}."], as_json=as_json)


async def _advised(work: Coroutine[None, None, ProfileReport]) -> ProfileReport:
    """Tell whoever is refused because of problems how to save the profile nevertheless."""
    try:
        return await work
    except errors.TrustedTokenProfileHasProblems as fault:
        message = f"Nothing was saved, because the profile has problems. {fault.message}"
        raise errors.TrustedTokenProfileHasProblems(f"{message}\n--allow-problems saves it all the same.") from None


def _read_pem(paths: Sequence[Path]) -> tuple[str, ...]:
    return tuple(_read_pem_file(path) for path in paths)


def _read_pem_file(path: Path) -> str:
    if path.stat().st_size > MOST_PEM_BYTES:
        raise typer.BadParameter(f"{path} is too long to be a public key", param_hint="--pem")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{path} is not text; convert the key to PEM first", param_hint="--pem") from None


def _next(database: str | None) -> list[str]:
    return [
        "Next, see whether its keys can be had, then start the server:",
        "",
        output.command("doctor", database=database),
        output.command("serve", database=database),
    ]
