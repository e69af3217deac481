"""Charts, drawn here and not in the browser: shapes for an SVG element, and the same numbers as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from assay.stories.attempt_series import Series

WIDTH, HEIGHT = 600, 150
"""Units of the drawing; the page stretches it to the room there is."""
GROUPS = {60: 5, 900: 4}
"""Seconds of a slice → so many slices make one point of the chart of durations."""
MOST_PROFILES = 5

_MINUTE = 60
_GAP = 0.2


class Bar(msgspec.Struct, frozen=True):
    """A rectangle; ``tone`` names its colour."""

    x: str
    y: str
    width: str
    height: str
    tone: str


class Line(msgspec.Struct, frozen=True):
    """A line through points, as SVG writes them."""

    points: str
    tone: str


class Key(msgspec.Struct, frozen=True):
    """What a colour stands for, and a number about the whole of it."""

    tone: str
    name: str
    note: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """One chart. ``text`` says what is in it, for those who do not see it; ``top`` is the value at its upper edge.

    ``times`` stand below it, from left to right. ``rows`` are its table, without the empty times.
    """

    name: str
    title: str
    text: str
    top: str
    times: tuple[str, ...]
    keys: tuple[Key, ...]
    bars: tuple[Bar, ...] = ()
    lines: tuple[Line, ...] = ()
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class _Part(msgspec.Struct, frozen=True):
    """One colour of a chart: a value for each place from left to right."""

    tone: str
    name: str
    values: Sequence[int]


def by_outcome(series: Series) -> Chart:
    """Attests per minute, granted and refused."""
    parts = [
        _Part("granted", "granted", series.per_slice(outcome="granted")),
        _Part("refused", "refused", series.per_slice(outcome="refused")),
    ]
    return _stacked("outcomes", "Attests per minute, by outcome", series, parts)


def by_profile(series: Series, names: Mapping[str, str]) -> Chart:
    """Attests per minute, of the busiest profiles; all others together."""
    found = series.profile_ids()
    parts = [
        _Part(f"part-{number}", names.get(profile_id, profile_id), series.per_slice(profile_id=profile_id))
        for number, profile_id in enumerate(found[:MOST_PROFILES], 1)
    ]
    if len(found) > MOST_PROFILES:
        others = [series.per_slice(profile_id=each) for each in found[MOST_PROFILES:]]
        parts.append(_Part("part-6", "all others", [sum(counts) for counts in zip(*others, strict=True)]))
    return _stacked("profiles", "Attests per minute, by profile", series, parts)


def durations(series: Series) -> Chart:
    """How long attests took: half, 95 % and 99 % of them stayed below the lines."""
    size = GROUPS[series.slice_seconds]
    found = [series.percentiles(first, size) for first in range(0, series.slices, size)]
    peak = _round_up(max([each.p99 for each in found if each], default=0))
    shares = (("p50", "half"), ("p95", "95 %"), ("p99", "99 %"))
    values = {name: [None if each is None else getattr(each, name) for each in found] for name, _ in shares}
    whole = series.percentiles()
    keys = [Key(name, text, f"{getattr(whole, name)} ms" if whole else "–") for name, text in shares]
    rows = [
        (
            _clock(series.since + place * size * series.slice_seconds),
            *(f"{getattr(each, name)} ms" for name, _ in shares),
        )
        for place, each in enumerate(found)
        if each
    ]
    told = ", ".join(f"{key.name} within {key.note}" for key in keys)
    return Chart(
        name="durations",
        title="How long attests took",
        text=f"Of the whole time: {told}." if whole else "No attest in this time.",
        top=f"{peak:g} ms",
        times=_times(series),
        keys=tuple(keys),
        lines=tuple(line for name in values for line in _lines(name, values[name], peak)),
        columns=("From (UTC)", "Half within", "95 % within", "99 % within"),
        rows=tuple(rows),
    )


# ---------------------------------------------------------------- shapes


def _stacked(name: str, title: str, series: Series, parts: list[_Part]) -> Chart:
    per_minute = series.slice_seconds / _MINUTE
    sums = [sum(part.values[place] for part in parts) for place in range(series.slices)]
    peak = _round_up(max(sums, default=0) / per_minute)
    bars: list[Bar] = []
    below = [0.0] * series.slices
    for part in parts:
        for place, count in enumerate(part.values):
            if count:
                bars.append(_bar(place, series.slices, below[place], count / per_minute, peak, part.tone))
                below[place] += count / per_minute
    told = ", ".join(f"{sum(part.values):,} {part.name}" for part in parts if sum(part.values))
    rows = [
        (_clock(series.since + place * series.slice_seconds), *(str(part.values[place]) for part in parts))
        for place in range(series.slices)
        if sums[place]
    ]
    return Chart(
        name=name,
        title=title,
        text=f"In the whole time: {told}." if told else "No attest in this time.",
        top=f"{peak:g}",
        times=_times(series),
        keys=tuple(Key(part.tone, part.name, f"{sum(part.values):,}") for part in parts),
        bars=tuple(bars),
        columns=("From (UTC)", *(part.name for part in parts)),
        rows=tuple(rows),
    )


def _bar(place: int, places: int, below: float, value: float, peak: float, tone: str) -> Bar:
    step = WIDTH / places
    height = value / peak * HEIGHT
    top = HEIGHT - below / peak * HEIGHT - height
    return Bar(_text((place + _GAP / 2) * step), _text(top), _text(step * (1 - _GAP)), _text(height), tone)


def _lines(tone: str, values: Sequence[int | None], peak: float) -> list[Line]:
    """A line for each stretch without gaps; a single point is drawn as wide as its place."""
    step = WIDTH / len(values)
    found: list[Line] = []
    stretch: list[tuple[float, float]] = []
    for place, value in enumerate([*values, None]):
        if value is not None:
            stretch.append(((place + 0.5) * step, HEIGHT - value / peak * HEIGHT))
        elif stretch:
            ends = [(stretch[0][0] - step / 2, stretch[0][1]), *stretch, (stretch[-1][0] + step / 2, stretch[-1][1])]
            found.append(Line(" ".join(f"{_text(x)},{_text(y)}" for x, y in ends), tone))
            stretch = []
    return found


def _times(series: Series) -> tuple[str, ...]:
    length = series.slices * series.slice_seconds
    return tuple(_clock(series.since + length * part // 4) for part in range(5))


def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M")


def _round_up(value: float) -> float:
    """The next number that is good to read: 1, 2 or 5 and zeros; never nothing."""
    if value <= 0:
        return 1
    unit = math.pow(10, math.floor(math.log10(value)))
    rounded = next(step * unit for step in (1, 2, 5, 10) if step * unit >= value)
    return round(rounded, 6)


def _text(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
