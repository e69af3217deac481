"""``assay explain``: what attest would say to a token, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
import typer

from assay.api.wire.explanations import Explained, Step, explained
from assay.cli import output
from assay.cli.options import Database, Json, ProjectId
from assay.cli.running import OPERATOR, perform
from assay.stories import explain as explaining
from assay.stories.attest import AttestRequest

MOST_CHARACTERS = 64 * 1024
STANDARD_INPUT = "-"
REFUSED = 1

# Each with its word beside it: neither colour nor a sign alone tells everybody something.
_MARKS = {"passed": ("✓", "+"), "failed": ("✗", "x"), "not_reached": ("·", ".")}


def explain(  # noqa: PLR0913 - one parameter per option
    token: Annotated[
        str,
        typer.Argument(
            metavar="TOKEN", help="The trusted auth token, or - to read it from standard input, where nobody sees it."
        ),
    ],
    *,
    project_id: ProjectId,
    profile_id: Annotated[str, typer.Option("--profile-id", metavar="ID", help="The profile that judges it.")],
    organization: Annotated[
        str | None,
        typer.Option(
            "--organization", metavar="ID", help="As organization_id of the request: id, external id or slug."
        ),
    ] = None,
    minutes: Annotated[
        int | None,
        typer.Option("--session-duration-minutes", metavar="MINUTES", help="As in the request."),
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Explain what attest would say to a token: every step, what was expected and what came, and what to do about it.

    Nothing is written but keys that are fetched, and a token that works once is not used up. Exit code 0: the token
    would be granted. 1: it would be refused.
    """
    request = AttestRequest(
        profile_id=profile_id,
        token=_read() if token == STANDARD_INPUT else token,
        organization_id=organization,
        session_duration_minutes=minutes,
    )
    found = perform(database, lambda ctx: explaining.operators_explain(ctx, OPERATOR, project_id, request))
    told = explained(found, "")
    output.show(_document(told), _lines(told), as_json=as_json)
    if told.verdict == "refused":
        raise typer.Exit(REFUSED)


def _read() -> str:
    text = sys.stdin.read(MOST_CHARACTERS)
    return text.strip()


def _document(told: Explained) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(told)
    return {name: value for name, value in document.items() if name not in {"status_code", "request_id"}}


def _lines(told: Explained) -> list[str]:
    return [
        *_verdict(told),
        "",
        *(line for step in told.steps for line in _step(step)),
        "",
        *_whom(told),
        f"What the token says ({'verified' if told.signature_verified else 'NOT verified: it may be anybody’s word'}):",
        *output.fields({"header": _text(told.unverified_header), "claims": _text(told.unverified_claims)}),
    ]


def _verdict(told: Explained) -> Iterable[str]:
    if told.verdict == "granted":
        return [f"{_mark('passed')} granted: attest would take this token."]
    lines = [
        f"{_mark('failed')} refused: {told.error_type}",
        *output.fields({"callers learn": told.error_message or "", "the reason": told.reason or ""}),
    ]
    lines += ["", f"What to do: {told.remedy}"] if told.remedy else []
    lines += ["", "Perhaps:", *(f"  - {hint}" for hint in told.hints)] if told.hints else []
    return lines


def _step(step: Step) -> Iterable[str]:
    yield f"{_mark(step.outcome)} {step.outcome.replace('_', ' ').ljust(11)}  {step.step}"
    for name, value in (("expected", step.expected), ("came", step.came), ("reason", step.reason)):
        if value:
            yield f"      {name}: {value}"


def _whom(told: Explained) -> list[str]:
    """What the attest would come to, as far as the judgement got."""
    attributes = {name: _text(value) for name, value in _given(told.attributes).items()}
    lines = ["Mapped attributes:", *output.fields(attributes), ""] if attributes else []
    leads_to = {"organization": told.organization, "member": told.member, "user": told.user, "session": told.session}
    found = {
        name: ", ".join(f"{key}: {_text(each)}" for key, each in _given(value).items())
        for name, value in leads_to.items()
    }
    found = {name: value for name, value in found.items() if value}
    return [*lines, "It would come to:", *output.fields(found), ""] if found else lines


def _given(record: msgspec.Struct | None) -> dict[str, Any]:
    if record is None:
        return {}
    values: dict[str, Any] = msgspec.to_builtins(record)
    return {name: value for name, value in values.items() if value not in (None, [], {}, "")}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _mark(outcome: str) -> str:
    sign, plain = _MARKS[outcome]
    try:
        sign.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return plain
    return sign
