"""The figures as a table on the terminal, and as the middle of docs/explanation/performance.md with its charts.

Between the two marks the page is written from bench/results.json; all around them is written by people and left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench import charts
from bench.charts import Bar, number
from bench.figures import Figure
from bench.results import ROOT, Machine, Results, Row

PAGE = ROOT / "docs" / "explanation" / "performance.md"
IMAGES = ROOT / "docs" / "images"
BEGIN = "<!-- figures: written by `python -m bench page` -->"
END = "<!-- end of figures -->"
ORDER = (
    "attest",
    "attest-es256",
    "peers",
    "authenticate",
    "sessions",
    "p99",
    "workers",
    "memory",
    "flood",
    "pg-attest",
    "pg-workers",
    "pg-size",
    "timing",
)


class Chart(NamedTuple):
    """A drawing and what it shows."""

    file: str
    alt: str
    text: str


def table(results: Results) -> str:
    """The figures as text for a terminal."""
    lines = []
    for row in _ordered(results):
        lines += ["", row.title]
        lines += [_line(figure) for figure in row.figures]
    return "\n".join(lines)


def _line(figure: Figure) -> str:
    value = f"{_value(figure):>12}"
    told = "  ".join(part for part in (_demanded(figure), figure.verdict, figure.note) if part)
    return f"  {figure.title:86} {value}  {told}".rstrip()


def write(results: Results, page: Path = PAGE, images: Path = IMAGES) -> None:
    """Write the middle of the page, and the charts it shows. Raises ValueError when the page has lost its marks."""
    text = page.read_text(encoding="utf-8")
    page.write_text(with_middle(text, middle(results)), encoding="utf-8")
    for chart in drawn(results):
        (images / chart.file).write_text(chart.text, encoding="utf-8")


def with_middle(text: str, between: str) -> str:
    """The page with this between its marks. Raises ValueError when it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{between}\n{END}{after}"


def middle(results: Results) -> str:
    """What stands between the marks."""
    rows = list(_ordered(results))
    if not rows:
        return "Nothing is measured yet.\n"
    parts = [*_measured_on(rows), "", *_demands(rows), "", *_pictures(results), *_details(rows)]
    return "\n".join(parts).rstrip() + "\n"


def _measured_on(rows: list[Row]) -> Iterator[str]:
    machines = dict.fromkeys(row.machine for row in rows if row.machine)
    for machine in machines:
        names = [row for row in rows if row.machine == machine]
        dates = sorted(row.measured_at for row in names)
        when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
        told = ", ".join(row.name for row in names) if len(machines) > 1 else "All rows"
        yield f"{told}: {when}, {_machine(machine)}."


def _machine(machine: Machine) -> str:
    return (
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gib:g} GiB, {machine.system},"
        f" Python {machine.python}, {machine.openssl}, Assay at {machine.revision}"
    )


def _demands(rows: list[Row]) -> Iterator[str]:
    yield "| Figure | Measured | Wanted | |"
    yield "|---|---|---|---|"
    for row in rows:
        for figure in row.figures:
            if figure.limit is not None and row.name != "timing":
                note = f"{figure.verdict}; {figure.note}" if figure.note else figure.verdict
                yield f"| {figure.title} | {_value(figure)} | {_demanded(figure)} | {note} |"


def _pictures(results: Results) -> Iterator[str]:
    for chart in drawn(results):
        yield f"![{chart.alt}](../images/{chart.file})"
        yield ""


def _details(rows: list[Row]) -> Iterator[str]:
    yield "## All numbers"
    yield ""
    yield "Ratios hold from machine to machine much better than the numbers below, which are this machine's own."
    for row in rows:
        yield from ("", f"### {row.title[:1].upper()}{row.title[1:]}", "")
        yield f"`{row.command}`, {row.measured_at}, {row.seconds:.0f} s with all that was measured beside it."
        yield from ("", "| | |", "|---|---|")
        for figure in row.figures:
            noted = f" ({figure.note})" if figure.note and (figure.limit is None or row.name == "timing") else ""
            yield f"| {figure.title} | {_value(figure)}{noted} |"
        if row.facts:
            yield from ("", *(f"- {fact}" for fact in row.facts))


def drawn(results: Results) -> list[Chart]:
    """The charts that there are figures for."""
    charts_of = (_cpu, _peers, _authenticate, _sessions, _memory, _postgres, _postgres_size)
    return [chart for made in charts_of if (chart := made(results))]


def _cpu(results: Results) -> Chart | None:
    rows = []
    for name, label in (("attest", "RS256 session JWT"), ("attest-es256", "ES256 session JWT")):
        cpu, floor = _number(results, name, f"{name}/CPU per answer"), _number(results, name, f"{name}/floor")
        if cpu and floor:
            rows.append(Bar(label, cpu, min(floor, cpu)))
    title = "attest: CPU per request, and which part of it is the bare signatures"
    parts = ("raw verify and raw sign", "all else")
    return Chart("performance-cpu.svg", title, charts.bars(title, "µs", rows, parts)) if rows else None


def _peers(results: Results) -> Chart | None:
    title = "attests per second on one core"
    labels = {"attest": "Assay", "fastify": "fastify peer", "fastapi": "FastAPI peer"}
    return _bars(results, "peers", {f"{name}/answers": label for name, label in labels.items()}, (title, "/s"))


def _authenticate(results: Results) -> Chart | None:
    title = "authenticates per second, and the same bytes from a raw ASGI echo"
    labels = {"authenticate/answers": "authenticate", "echo/answers": "raw echo"}
    return _bars(results, "authenticate", labels, (title, "/s"))


def _sessions(results: Results) -> Chart | None:
    title = f"{results.rows['sessions'].title}: CPU per request" if "sessions" in results.rows else ""
    labels = {"few/CPU per answer": "few", "many/CPU per answer": "many"}
    return _bars(results, "sessions", labels, (title, "µs"))


def _postgres(results: Results) -> Chart | None:
    title = "attests per second of one worker on one core"
    labels = {"sqlite/answers": "on SQLite", "postgres/answers": "on PostgreSQL"}
    return _bars(results, "pg-attest", labels, (title, "/s"))


def _postgres_size(results: Results) -> Chart | None:
    title = f"{results.rows['pg-size'].title}: statement time" if "pg-size" in results.rows else ""
    return _bars(results, "pg-size", {"few/statement": "few", "many/statement": "many"}, (title, "µs"))


def _bars(results: Results, row: str, labels: dict[str, str], told: tuple[str, str]) -> Chart | None:
    title, unit = told
    found = [Bar(label, value) for name, label in labels.items() if (value := _number(results, row, name))]
    return Chart(f"performance-{row}.svg", title, charts.bars(title, unit, found)) if found else None


def _memory(results: Results) -> Chart | None:
    row = results.rows.get("memory")
    points = row.series.get("memory", ()) if row else ()
    title = "memory of a worker over its attests"
    return Chart("performance-memory.svg", title, charts.line(title, "MB", points, 110)) if points else None


def _number(results: Results, row: str, name: str) -> float | None:
    figures = results.rows[row].figures if row in results.rows else ()
    return next((figure.value for figure in figures if figure.name == name), None)


def _ordered(results: Results) -> Iterator[Row]:
    known = [results.rows[name] for name in ORDER if name in results.rows]
    yield from known
    yield from (row for name, row in results.rows.items() if name not in ORDER)


def _value(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    return f"{number(figure.value)} {figure.unit}".strip()


def _demanded(figure: Figure) -> str:
    if figure.limit is None:
        return ""
    aim = f", aim {figure.aim:g}" if figure.aim is not None else ""
    return f"{figure.wanted} {figure.limit:g}{aim}"
