"""A small chart of bars, two kinds on top of each other, as numbers for SVG rectangles."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

HEIGHT = 32
STEP, WIDTH = 5, 4
_LEAST = 2


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One rectangle; ``kind`` is its class: ``granted`` or ``refused``."""

    kind: str
    x: int
    y: int
    height: int


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Rectangles within ``width`` times ``height``, and the totals they stand for."""

    bars: list[Bar]
    width: int
    height: int
    granted: int
    refused: int


def of(granted: Sequence[int], refused: Sequence[int]) -> Chart:
    """One pile for each pair: granted below, refused on top. What is not nothing is seen, however small."""
    most = max((down + up for down, up in zip(granted, refused, strict=True)), default=0)
    bars: list[Bar] = []
    for number, (down, up) in enumerate(zip(granted, refused, strict=True)):
        low = _height(down, most)
        high = min(_height(up, most), HEIGHT - low)
        x = number * STEP
        bars += [Bar(kind="granted", x=x, y=HEIGHT - low, height=low)] if low else []
        bars += [Bar(kind="refused", x=x, y=HEIGHT - low - high, height=high)] if high else []
    width = len(granted) * STEP - (STEP - WIDTH)
    return Chart(bars=bars, width=width, height=HEIGHT, granted=sum(granted), refused=sum(refused))


def _height(value: int, most: int) -> int:
    """Room is left so that the least of one kind is seen beside the most of the other."""
    return 0 if not value else max(_LEAST, round(value * (HEIGHT - _LEAST) / most))
