"""The arithmetic and the page of the bench; what it measures is measured by nobody's tests."""

from __future__ import annotations

import random
import sqlite3
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest

from bench import charts, figures, fill, page, results
from bench import load as wrk
from bench.charts import Bar
from bench.figures import Figure, Load, Sample
from bench.results import Results, Row
from bench.rows import exchange, on_postgres


def load(*, requests: int = 4000, mean_us: float = 32_000, seconds: float = 2, errors: int = 0) -> Load:
    return Load(
        connections=64,
        requests=requests,
        seconds=seconds,
        errors=errors,
        mean_us=mean_us,
        p50_us=1,
        p99_us=1,
        under_way_us=16_000,
    )


def sample(number: int, *, cpu_seconds: float = 2, floor: float = 300, of: Load | None = None) -> Sample:
    return Sample(round=number, load=of or load(), cpu_seconds=cpu_seconds, floor_us=(floor, floor))


def test_little_s_law_holds_when_all_connections_waited_all_the_time() -> None:
    # 64 connections, 32 ms each: 2,000 a second, less the half of a latency that each has under way at the end.
    exact = load(requests=round(64 * (2 - 0.016) / 0.032))
    assert figures.little(exact) == pytest.approx(1)
    assert figures.fault_of(exact) is None


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        pytest.param(load(requests=3000), "rate × mean latency is 0.76", id="connections that did not wait"),
        pytest.param(load(requests=5000), "rate × mean latency is 1.26", id="answers that nobody waited for"),
        pytest.param(load(errors=1), "1 of 4000 answers were errors", id="an error answer"),
        pytest.param(load(requests=0), "no answers", id="nothing"),
    ],
)
def test_a_load_that_cannot_be_true_is_not_quoted(found: Load, reason: str) -> None:
    assert reason in (figures.fault_of(found) or "")


def test_cpu_and_floor_are_per_answer() -> None:
    one = sample(0, cpu_seconds=2, floor=300)
    assert one.cpu_us == pytest.approx(500)
    assert one.of_floor == pytest.approx(0.6)


def test_a_median_needs_more_than_half_of_the_rounds() -> None:
    assert figures.median([3, 1, 2], rounds=5) == 2
    assert figures.median([3, 1], rounds=4) is None
    assert figures.median([], rounds=0) is None


def test_only_samples_of_the_same_round_are_compared() -> None:
    ours = [sample(0), sample(1, of=load(requests=0)), sample(2)]
    theirs = [sample(0, cpu_seconds=1), sample(1, cpu_seconds=9), sample(2, cpu_seconds=1)]
    assert figures.cpu_ratio(ours, theirs) == pytest.approx(2)
    assert figures.rate_ratio(ours, theirs) == pytest.approx(1)


@pytest.mark.parametrize(
    ("share", "value"),
    [pytest.param(0.5, 50, id="half"), pytest.param(0.99, 99, id="99 %"), pytest.param(1, 100, id="all")],
)
def test_a_percentile_is_the_value_of_the_nearest_rank(share: float, value: int) -> None:
    assert figures.percentile([*range(100, 0, -1)], share) == value


def test_latencies_that_wrk_made_up_are_left_out() -> None:
    waits = {10: 5, 12: 2, 25: 1, 47: 2, 90: 1}
    told = dict(waits)
    for value in range(2 * 10, max(waits) + 1):  # what wrk does before it tells them
        for added in range(value - 10, 10, -10):
            if value in waits:
                told[added] = told.get(added, 0) + waits[value]
    assert sum(told.values()) > sum(waits.values())
    assert wrk.seen(told, 10) == waits
    assert wrk.seen(waits, 0) == waits


@pytest.mark.parametrize(("share", "value"), [(0.5, 1), (0.75, 5), (0.99, 9)])
def test_a_percentile_of_counted_values(share: float, value: int) -> None:
    assert figures.counted_percentile({9: 1, 1: 2, 5: 1}, share) == value


def test_long_waits_are_met_more_often_than_short_ones() -> None:
    assert figures.under_way({10: 7}) == 5
    assert figures.under_way({10: 1, 90: 1}) == pytest.approx(41)
    assert figures.under_way({}) == 0


def test_a_difference_beyond_chance_is_told_from_noise() -> None:
    chance = random.Random(1)
    waits = [chance.gauss(500, 20) for _ in range(2000)]
    observed, noise = figures.difference([one + 10 for one in waits[:1000]], waits[1000:], chance)
    assert observed > noise
    observed, noise = figures.difference(waits[:1000], waits[1000:], chance)
    assert observed <= noise


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        pytest.param(Figure(name="", title="", value=0.6, wanted="at least", limit=0.6), "reached", id="at least"),
        pytest.param(Figure(name="", title="", value=0.5, wanted="at least", limit=0.6), "missed", id="too small"),
        pytest.param(Figure(name="", title="", value=26, wanted="at most", limit=25), "missed", id="too large"),
        pytest.param(Figure(name="", title="", value=None, wanted="at most", limit=25), "not measured", id="none"),
        pytest.param(Figure(name="", title="", value=1), "", id="nothing demanded"),
    ],
)
def test_a_figure_says_whether_it_is_reached(figure: Figure, verdict: str) -> None:
    assert figure.verdict == verdict


RESULTS = Results(
    {
        "memory": Row(
            name="memory",
            title="memory of a worker",
            figures=(Figure(name="m", title="memory", value=90, unit="MB", wanted="at most", limit=110),),
            series={"memory": ((0, 70), (1000, 90))},
        ),
        "attest": Row(
            name="attest",
            title="attest <RS256>",
            figures=(
                Figure(name="attest/floor", title="floor", value=300, unit="µs"),
                Figure(name="attest/CPU per answer", title="CPU", value=450, unit="µs"),
            ),
            facts=("five rounds",),
        ),
    }
)


def test_the_page_keeps_what_people_wrote_around_the_figures(tmp_path: Path) -> None:
    written = tmp_path / "performance.md"
    written.write_text(f"# Before\n\n{page.BEGIN}\noutdated\n{page.END}\n\nAfter.\n", encoding="utf-8")
    page.write(RESULTS, written, tmp_path)
    page.write(RESULTS, written, tmp_path)
    text = written.read_text(encoding="utf-8")
    assert text.startswith("# Before\n")
    assert text.endswith("\n\nAfter.\n")
    assert "outdated" not in text
    assert "| memory | 90.0 MB | at most 110 | reached |" in text
    assert {path.name for path in tmp_path.glob("*.svg")} == {"performance-cpu.svg", "performance-memory.svg"}
    assert text.index("performance-cpu.svg") < text.index("five rounds")


def test_a_page_without_its_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="needs the lines"):
        page.with_middle("# Page", "figures")


def test_the_page_in_the_repository_says_what_is_kept() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.with_middle(text, page.middle(results.load())) == text
    for chart in page.drawn(results.load()):
        assert (page.IMAGES / chart.file).read_text(encoding="utf-8") == chart.text


def test_a_row_is_kept_beside_the_others(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    for row in RESULTS.rows.values():
        results.keep(row, path)
    changed = Row(name="attest", title="again", figures=())
    results.keep(changed, path)
    assert results.load(path).rows == RESULTS.rows | {"attest": changed}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(charts.bars("a < b", "µs", [Bar("one", 2, 1), Bar("two", 0.5)], ("part", "rest")), id="bars"),
        pytest.param(charts.line("memory & time", "MB", [(0, 70), (10, 80)], 110), id="line"),
    ],
)
def test_a_chart_is_well_formed_and_names_itself(text: str) -> None:
    root = ET.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}title") in {"a < b", "memory & time"}
    width = float(root.attrib["width"])
    assert all(0 <= float(one.attrib["x"]) <= width for one in root.iter(f"{space}text"))


def test_the_floor_is_drawn_as_a_part_of_the_cpu() -> None:
    samples = [sample(number, cpu_seconds=2, floor=300) for number in range(5)]
    row = exchange.ROWS["attest"]({"attest": samples})
    names = [figure.name for figure in row.figures]
    assert len(set(names)) == len(names)
    (chart,) = page.drawn(Results({"attest": row}))
    boxes = ET.fromstring(chart.text).iter("{http://www.w3.org/2000/svg}rect")
    widths = {one.attrib["class"]: float(one.attrib["width"]) for one in boxes if one.attrib["height"] == "24"}
    assert widths["main"] / (widths["main"] + widths["rest"]) == pytest.approx(0.6, abs=0.01)


def test_bars_are_as_long_as_their_values() -> None:
    text = charts.bars("t", "µs", [Bar("one", 200), Bar("two", 100)])
    boxes = [one for one in ET.fromstring(text).iter("{http://www.w3.org/2000/svg}rect") if one.get("class") == "main"]
    first, second = (float(one.attrib["width"]) for one in boxes)
    assert first == pytest.approx(2 * second)


def test_a_table_is_filled_with_copies_of_its_first_row(tmp_path: Path) -> None:
    file = tmp_path / "assay.db"
    fill_with_one_of_each(file)
    fill.fill(file, people=5, sessions=40)
    connection = sqlite3.connect(file)
    members = connection.execute("select member_id, external_id, email from members order by 1").fetchall()
    sessions = connection.execute("select number, subject_id, kind from sessions order by 1").fetchall()
    indexes = connection.execute("select name from sqlite_master where name = 'sessions_subject'").fetchall()
    connection.close()
    assert members[4] == ("member-000000000004", "auth0|000000000000000000000004", "person-4@example.com")
    assert (len(members), len(sessions), len(indexes)) == (5, 40, 1)
    assert {subject for _, subject, _ in sessions[1:]} == {member for member, _, _ in members[1:]}
    assert {kind for _, _, kind in sessions} == {"test"}


def fill_with_one_of_each(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.executescript("""
        create table members (member_id text primary key, external_id text, email text);
        create table member_emails (member_id text, email text primary key);
        create table sessions (
            number integer primary key, id_tail integer, token_hash blob, subject_id text, kind text,
            started_at integer, last_accessed_at integer, expires_at integer
        );
        create index sessions_subject on sessions (subject_id);
        insert into members values ('member-000000000000', 'auth0|000000000000000000000000', 'person-0@example.com');
        insert into member_emails values ('member-000000000000', 'person-0@example.com');
        insert into sessions values (1, 1, x'00', 'member-000000000000', 'test', 1, 1, 1);
    """)
    connection.close()


def test_what_two_workers_could_give_is_told_by_the_cpu_of_all_that_share_their_cores() -> None:
    # 2,000 a second of one worker are 500 µs each. Two take 500 + 250 + 50 µs each, of 2 µs of CPU per µs.
    beside = {"postgres_cpu": 1.0, "load_cpu": 0.2}
    one = [sample(number) for number in range(5)]
    two = [msgspec.structs.replace(sample(number), extra=beside) for number in range(5)]
    told = on_postgres._room({"one": one, "two": two})
    assert "500 µs in a worker, 250 µs in PostgreSQL and 50 µs in the load" in told
    assert "1.25 × one worker" in told


def test_postgresql_is_drawn_beside_sqlite() -> None:
    taken = {"sqlite": [sample(0)], "postgres": [sample(0, of=load(requests=3960))]}
    row = Row(name="pg-attest", title="attest on PostgreSQL", figures=tuple(on_postgres._plain(with_beside(taken))))
    (chart,) = page.drawn(Results({"pg-attest": row}))
    assert chart.file == "performance-pg-attest.svg"
    assert "on PostgreSQL" in chart.text


def with_beside(taken: dict[str, list[Sample]]) -> dict[str, list[Sample]]:
    extra = {"postgres_cpu": 0.5, "load_cpu": 0.1}
    return {name: [msgspec.structs.replace(one, extra=extra) for one in samples] for name, samples in taken.items()}
