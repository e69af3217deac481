"""``assay attempts``: what became of trusted auth tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
import typer

from assay.cli import following, output
from assay.cli.following import After, Follow, JsonLines, Limit, Pause
from assay.cli.options import AnyProjectId, Database, Json
from assay.cli.running import perform
from assay.model import NumberedAttempt, Outcome
from assay.store import AttemptSearch
from assay.stories import attempt_search, projects
from assay.stories.context import Context

_SAYS = ("issuer", "subject", "token_id", "kid", "algorithm")


def _filter(name: str, metavar: str, meaning: str) -> Any:  # noqa: ANN401 - the library's private types
    return typer.Option(f"--{name}", metavar=metavar, help=meaning)


class Attempts(msgspec.Struct, frozen=True):
    """The attempts of one environment (None: of all) that match, as they are followed."""

    ctx: Context
    project_id: str | None
    search: AttemptSearch

    async def newest(self, limit: int) -> list[NumberedAttempt]:
        """The newest, newest first."""
        return await self._found(limit=limit)

    async def after(self, number: int, limit: int) -> list[NumberedAttempt]:
        """Those with a greater number, oldest first."""
        return await self._found(after=number, limit=limit)

    def follow(self, number: int, pause: Pause) -> AsyncIterator[list[NumberedAttempt]]:
        """What happens after this number, for ever."""
        return attempt_search.follow(self.ctx, self.project_id, self.search, number, pause)

    async def _found(self, **page: int) -> list[NumberedAttempt]:
        return await self.ctx.store.search_attempts(self.project_id, msgspec.structs.replace(self.search, **page))


def attempts(  # noqa: PLR0913 - one parameter per option
    *,
    project_id: AnyProjectId = None,
    follow: Follow = False,
    request_id: Annotated[str | None, _filter("request-id", "ID", "The answer's request_id.")] = None,
    profile_id: Annotated[str | None, _filter("profile-id", "ID", "The profile that was asked for.")] = None,
    outcome: Annotated[Outcome | None, typer.Option("--outcome", help="What came of it.")] = None,
    error_type: Annotated[str | None, _filter("error-type", "CODE", "The code of the refusal.")] = None,
    issuer: Annotated[str | None, _filter("issuer", "ISSUER", "What the token says in iss.")] = None,
    subject: Annotated[str | None, _filter("subject", "SUBJECT", "What the token says in sub.")] = None,
    token_id: Annotated[str | None, _filter("token-id", "ID", "The token's id, as it is mapped.")] = None,
    kid: Annotated[str | None, _filter("kid", "KID", "The key id in the token's header.")] = None,
    organization: Annotated[str | None, _filter("organization-id", "ID", "The organization's id.")] = None,
    person: Annotated[str | None, _filter("person-id", "ID", "The id of the member or user.")] = None,
    since: Annotated[str | None, _filter("since", "TIME", "From then on (RFC 3339).")] = None,
    until: Annotated[str | None, _filter("until", "TIME", "Before then (RFC 3339).")] = None,
    after: After = None,
    json_lines: JsonLines = False,
    limit: Limit = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show the attempts, oldest first: what became of each trusted auth token, and why.

    Without --after the newest 100 (or --limit). With --after all that came later (or --limit). What a token says is
    not to be believed where its signature was not found to be right: it is marked as unverified.
    """
    following.check(follow=follow, json_lines=json_lines, as_json=as_json)
    search = AttemptSearch(
        request_id=request_id,
        profile_id=profile_id,
        outcome=outcome,
        code=error_type,
        issuer=issuer,
        subject=subject,
        token_id=token_id,
        kid=kid,
        organization_id=organization,
        subject_id=person,
        since=attempt_search.moment("--since", since),
        until=attempt_search.moment("--until", until),
    )
    held: list[NumberedAttempt] = []
    show = held.extend if as_json else _json_lines if json_lines else _plain

    async def look(ctx: Context) -> None:
        if project_id is not None:
            await projects.require_environment(ctx, project_id)
        source = Attempts(ctx, project_id, search)
        await following.run(source, after, limit, show, following.pause if follow else None)

    with following.ended_quietly(follow=follow):
        perform(database, look)
    if as_json:
        output.show({"attempts": [_document(each) for each in held]}, [], as_json=True)


def _json_lines(page: list[NumberedAttempt]) -> None:
    following.json_lines(map(_document, page))


def _plain(page: list[NumberedAttempt]) -> None:
    following.plain(map(_line, page))


def _line(numbered: NumberedAttempt) -> str:
    attempt = numbered.attempt
    why = f" {attempt.code}: {attempt.reason}" if attempt.outcome == "refused" else ""
    says = " ".join(f"{name}={getattr(attempt, name)}" for name in _SAYS if getattr(attempt, name))
    whom = " ".join(filter(None, [attempt.subject_id, attempt.organization_id, attempt.session_id]))
    notes = " ".join(f"{name}={following.text(value)}" for name, value in attempt.details.items())
    parts = [
        str(numbered.number),
        output.time(attempt.created_at),
        f"{attempt.outcome} {attempt.profile_id}{why}",
        f"[{'' if attempt.verified else 'unverified: '}{says}]" if says else "",
        whom and f"for {whom}",
        notes,
        f"in {attempt.environment_id} under {attempt.request_id}",
    ]
    return " ".join(filter(None, parts))


def _document(numbered: NumberedAttempt) -> dict[str, Any]:
    attempt: dict[str, Any] = msgspec.to_builtins(numbered.attempt)
    project_id, code, created_at = (attempt.pop(name) for name in ("environment_id", "code", "created_at"))
    return {
        "number": numbered.number,
        "created_at": output.time(created_at),
        "project_id": project_id,
        **attempt,
        "error_type": None if numbered.attempt.outcome == "granted" else code,
    }
