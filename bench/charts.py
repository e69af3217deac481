"""Charts as SVG, written without a library: bars, bars in two parts, and a line. Readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH = 720
LEFT = 190
RIGHT = 110
TOP = 52
BAR = 24
GAP = 14
LINE_HEIGHT = 220

_STYLE = """
.card { fill: #ffffff } .text { fill: #1f2328 } .faint { fill: #59636e } .main { fill: #2f6fd0 } .rest { fill: #b6c8e6 }
.line { stroke: #2f6fd0; fill: none; stroke-width: 2 } .limit { stroke: #b35900; stroke-dasharray: 5 4 }
.axis { stroke: #d1d9e0 }
@media (prefers-color-scheme: dark) {
.card { fill: #0d1117 } .text { fill: #e6edf3 } .faint { fill: #9198a1 } .main { fill: #6ea8fe } .rest { fill: #35507c }
.line { stroke: #6ea8fe } .limit { stroke: #e8a15c } .axis { stroke: #3d444d }
}
text { font: 13px system-ui, sans-serif } .title { font-weight: 600; font-size: 15px }
"""


class Bar(NamedTuple):
    """One bar. ``part`` is how much of ``value`` is drawn as the first of two parts."""

    label: str
    value: float
    part: float | None = None


def bars(title: str, unit: str, rows: Sequence[Bar], parts: tuple[str, str] | None = None) -> str:
    """Horizontal bars from zero, each with its number; ``parts`` names the two parts of bars that have them."""
    most, drawn = max(row.value for row in rows), []
    for number, row in enumerate(rows):
        top = TOP + number * (BAR + GAP)
        drawn += _bar(row, top, (WIDTH - LEFT - RIGHT) / most, unit)
    height = TOP + len(rows) * (BAR + GAP) + (22 if parts else 0)
    if parts:
        drawn += _legend(parts, height - 12)
    return _svg(title, height + 4, drawn)


def _bar(row: Bar, top: float, scale: float, unit: str) -> list[str]:
    middle, end = top + BAR / 2 + 4.5, LEFT + row.value * scale
    split = LEFT + (row.value if row.part is None else row.part) * scale
    return [
        _text(LEFT - 10, middle, row.label, "text", "end"),
        _box(LEFT, top, split - LEFT, "main"),
        *([] if row.part is None else [_box(split, top, end - split, "rest")]),
        _text(end + 8, middle, f"{number(row.value)} {unit}", "text"),
    ]


def _legend(parts: tuple[str, str], y: float) -> list[str]:
    first, second = parts
    return [
        f'<rect class="main" x="{LEFT}" y="{y - 10}" width="11" height="11"/>',
        _text(LEFT + 17, y, first, "faint"),
        f'<rect class="rest" x="{LEFT + 230}" y="{y - 10}" width="11" height="11"/>',
        _text(LEFT + 247, y, second, "faint"),
    ]


def line(title: str, unit: str, points: Sequence[tuple[float, float]], limit: float | None = None) -> str:
    """A line over points in order of x, from zero on both axes, with a dashed limit."""
    left, bottom, right = 70, TOP + LINE_HEIGHT, WIDTH - 40
    most_x, most_y = max(x for x, _ in points), 1.15 * max([y for _, y in points] + [limit or 0])

    def place(x: float, y: float) -> tuple[float, float]:
        return left + x / most_x * (right - left), bottom - y / most_y * LINE_HEIGHT

    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (place(x, y) for x, y in points))
    drawn = [
        f'<path class="axis" d="M{left} {TOP}V{bottom}H{right}" fill="none"/>',
        f'<polyline class="line" points="{path}"/>',
        _text(right, bottom + 18, number(most_x), "faint", "end"),
        _text(left - 8, bottom + 5, "0", "faint", "end"),
    ]
    last = place(*points[-1])
    drawn.append(_text(last[0], last[1] - 9, f"{number(points[-1][1])} {unit}", "text", "end"))
    if limit is not None:
        y = place(0, limit)[1]
        drawn += [
            f'<path class="limit" d="M{left} {y:.1f}H{right}"/>',
            _text(left - 8, y + 5, number(limit), "faint", "end"),
        ]
    return _svg(title, bottom + 30, drawn)


def number(value: float) -> str:
    """A number as people read it: three figures or so, thousands with commas."""
    if abs(value) >= 100:  # noqa: PLR2004 - three figures stand before the point
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004 - as above


def _box(x: float, y: float, width: float, style: str) -> str:
    return f'<rect class="{style}" x="{x:.1f}" y="{y}" width="{max(width, 0):.1f}" height="{BAR}"/>'


def _text(x: float, y: float, text: str, style: str, anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(title: str, height: float, drawn: Sequence[str]) -> str:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="card" width="{WIDTH}" height="{height:g}" rx="8"/>',
        _text(20, 29, title, "text title"),
        *drawn,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
