"""``assay profile``: whose tokens an environment trusts."""

from __future__ import annotations

import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from assay import errors
from assay.cli import key_sources, output
from assay.cli.options import AnyProjectId, Database, Json, ProjectId
from assay.cli.running import OPERATOR, perform
from assay.keys.effective import sources_of
from assay.model import Profile
from assay.rules.algorithms import DEFAULT_ALGORITHMS, OPT_IN_ALGORITHMS
from assay.stories import key_health, profiles
from assay.stories.context import Context
from assay.stories.key_health import ProfileKeys
from assay.stories.profiles import (
    LONGEST_LEEWAY_SECONDS,
    LONGEST_STALE_LIMIT_SECONDS,
    ProfileCreate,
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
Mapping = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="ATTRIBUTE=CLAIM",
        help="Which claim says what; once per attribute. Attributes: email, email_verified, token_id, role_ids;"
        " b2b also external_member_id, organization_id, organization_name; consumer also external_user_id."
        " Claim names are taken literally.",
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
    help="How far the issuer's clock may differ from ours, in seconds.",
)
StaleLimit = typer.Option(
    "--keys-stale-limit",
    metavar="SECONDS",
    min=0,
    max=LONGEST_STALE_LIMIT_SECONDS,
    help="How long the last good keys may serve while the issuer does not answer, in seconds.",
)


@app.command("create")
def create(  # noqa: PLR0913 - one parameter per option
    *,
    project_id: ProjectId,
    profile_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Letters, digits, _ and -, at most 128. Without it one is made."),
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="What people call it.")],
    issuer: Annotated[str, typer.Option(metavar="ISSUER", help="What the token's iss must be, exactly.")],
    audience: Annotated[str, typer.Option(metavar="AUDIENCE", help="What the token's aud must be or contain.")],
    jwks_url: JwksUrl = None,
    pem: Pem = None,
    key_source: key_sources.Option = None,
    mapping: Mapping = None,
    jit: Annotated[
        bool, typer.Option("--jit", help="Make members, organizations and users that do not exist yet.")
    ] = False,
    algorithm: Algorithms = None,
    leeway_seconds: Annotated[int, Leeway] = 30,
    keys_stale_limit: Annotated[int, StaleLimit] = 86_400,
    allow_problems: AllowProblems = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Trust an issuer: register a profile with one of --jwks-url, --pem and --key-source.

    Refuses to save a profile that has problems, unless told --allow-problems.
    """
    if [bool(jwks_url), bool(pem), bool(key_source)].count(True) != 1:
        raise typer.BadParameter(
            "name the issuer's keys by one of them, and one only", param_hint="--jwks-url or --pem or --key-source"
        )
    request = ProfileCreate(
        profile_id=profile_id,
        name=name,
        issuer=issuer,
        audience=audience,
        jwks_url=jwks_url,
        pem_files=_read_pem(pem or ()),
        attribute_mapping=_read_mapping(mapping or ()),
        can_jit_provision=jit,
        algorithms=tuple(algorithm) if algorithm else DEFAULT_ALGORITHMS,
        leeway_seconds=leeway_seconds,
        key_sources=key_sources.read(key_source) if key_source else None,
        keys_stale_limit=keys_stale_limit,
    )
    report = perform(
        database,
        lambda ctx: _advised(
            profiles.create_profile(ctx, project_id, request, by=OPERATOR, allow_problems=allow_problems)
        ),
    )
    lines = [f"Created the profile {report.profile.profile_id}.", "", *_lines(report), "", *_next(database)]
    output.show(_document(report), lines, as_json=as_json)


@app.command("list")
def list_all(*, project_id: AnyProjectId = None, database: Database = None, as_json: Json = False) -> None:
    """List the profiles of one environment or all, each with what is wrong with it."""
    found = perform(database, lambda ctx: profiles.list_profiles(ctx, project_id))
    document = {"profiles": [_profile(each.profile) | {"problems": each.problems} for each in found]}
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
    """Show one profile, what is wrong with it, and how its key sets are doing."""

    async def look(ctx: Context) -> tuple[ProfileReport, ProfileKeys]:
        report = await profiles.show_profile(ctx, project_id, profile_id)
        return report, await key_health.profile_keys(ctx, project_id, profile_id, fetch=False)

    report, found = perform(database, look)
    lines = [*_lines(report), "", *key_sources.health_lines(found, time.time())]
    output.show(_document(report) | {"key_sets": key_sources.health_document(found)}, lines, as_json=as_json)


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
    jit: Annotated[
        bool | None, typer.Option("--jit/--no-jit", help="Whether to make members, organizations and users.")
    ] = None,
    algorithm: Algorithms = None,
    leeway_seconds: Annotated[int | None, Leeway] = None,
    keys_stale_limit: Annotated[int | None, StaleLimit] = None,
    allow_problems: AllowProblems = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Change what is given, and leave the rest. --map, --pem, --key-source and --algorithm replace all there were.

    Every server judges by the new version at once.
    """
    change = ProfileUpdate(
        name=name,
        issuer=issuer,
        audience=audience,
        jwks_url=jwks_url,
        pem_files=_read_pem(pem) if pem else None,
        attribute_mapping=_read_mapping(mapping) if mapping else None,
        can_jit_provision=jit,
        algorithms=tuple(algorithm) if algorithm else None,
        leeway_seconds=leeway_seconds,
        key_sources=key_sources.read(key_source) if key_source else None,
        keys_stale_limit=keys_stale_limit,
    )
    if change == ProfileUpdate():
        raise typer.BadParameter("say what to change, for example --issuer", param_hint="the options")
    report = perform(
        database,
        lambda ctx: _advised(
            profiles.update_profile(ctx, project_id, profile_id, change, by=OPERATOR, allow_problems=allow_problems)
        ),
    )
    output.show(_document(report), [f"Changed the profile {profile_id}.", "", *_lines(report)], as_json=as_json)


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


def _read_mapping(texts: Sequence[str]) -> dict[str, Any]:
    """ATTRIBUTE=CLAIM, once per attribute; a claim's name may hold further equals signs."""
    mapping: dict[str, Any] = {}
    for text in texts:
        attribute, equals, claim = text.partition("=")
        if not (attribute and equals and claim):
            raise typer.BadParameter(f"{text!r} does not look like ATTRIBUTE=CLAIM", param_hint="--map")
        if attribute in mapping:
            raise typer.BadParameter(f"{attribute} is mapped twice", param_hint="--map")
        mapping[attribute] = claim
    return mapping


def _read_pem(paths: Sequence[Path]) -> tuple[str, ...]:
    return tuple(_read_pem_file(path) for path in paths)


def _read_pem_file(path: Path) -> str:
    if path.stat().st_size > MOST_PEM_BYTES:
        raise typer.BadParameter(f"{path} is too long to be a public key", param_hint="--pem")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{path} is not text; convert the key to PEM first", param_hint="--pem") from None


def _document(report: ProfileReport) -> dict[str, Any]:
    return {"profile": _profile(report.profile), "problems": report.problems}


def _profile(profile: Profile) -> dict[str, Any]:
    """The profile under the names of contract §3.1 and decisions D8."""
    return {
        "profile_id": profile.profile_id,
        "project_id": profile.environment_id,
        "name": profile.name,
        "issuer": profile.issuer,
        "audience": profile.audience,
        "public_key_type": profile.public_key_type,
        "jwks_url": profile.jwks_url,
        "pem_files": [{"pem_file_id": each.pem_file_id, "public_key": each.public_key} for each in profile.pem_files],
        "attribute_mapping": profile.attribute_mapping,
        "can_jit_provision": profile.can_jit_provision,
        "algorithms": list(profile.algorithms),
        "leeway_seconds": profile.leeway_seconds,
        "key_sources": key_sources.documents(sources_of(profile)),
        "keys_stale_limit": profile.keys_stale_limit,
        "created_at": output.time(profile.created_at),
        "updated_at": output.time(profile.updated_at),
    }


def _lines(report: ProfileReport) -> list[str]:
    profile = report.profile
    mapping = ", ".join(f"{attribute} = {claim}" for attribute, claim in profile.attribute_mapping.items())
    values = {
        "profile_id": profile.profile_id,
        "name": profile.name,
        "issuer": profile.issuer,
        "audience": profile.audience,
        **key_sources.lines(sources_of(profile)),
        "mapping": mapping or "none",
        "makes people": "yes" if profile.can_jit_provision else "no",
        "algorithms": " ".join(profile.algorithms),
        "leeway": f"{profile.leeway_seconds} seconds",
        "stale limit": f"{profile.keys_stale_limit} seconds",
    }
    problems = ["", "Problems:", *(f"  {problem}" for problem in report.problems)] if report.problems else []
    return [*output.fields(values), *problems]


def _next(database: str | None) -> list[str]:
    return [
        "Next, see whether its keys can be had, then start the server:",
        "",
        output.command("doctor", database=database),
        output.command("serve", database=database),
    ]
