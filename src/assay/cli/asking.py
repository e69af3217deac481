"""Asking before something that cannot be taken back."""

from __future__ import annotations

import sys

import typer

from assay.cli import output

Yes = typer.Option("--yes", help="Do not ask; needed where nobody can answer, in scripts.")


def sure(question: str, *, yes: bool) -> None:
    """Go on only if the operator says so. Raises UsageError where nobody can be asked, Exit with 1 after a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("this cannot be taken back and nobody can be asked here; add --yes to do it")
    # Standard output is for what the command was asked for, so the question is not asked there.
    sys.stderr.write(f"{output.printable(question)} [y/N]: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        sys.stderr.write("Nothing was done.\n")
        raise typer.Exit(1)


def choose(question: str) -> bool:
    """The operator's answer, yes if it is none of the two; only for a terminal."""
    sys.stderr.write(f"{output.printable(question)} [Y/n]: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() not in {"n", "no"}


def tell(lines: list[str]) -> None:
    """Say on standard error what the question is about."""
    sys.stderr.write("".join(f"{output.printable(line)}\n" for line in lines))
