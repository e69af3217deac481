"""The small chart of bars: what its rectangles are."""

from __future__ import annotations

import pytest

from assay.dashboard import bars


@pytest.mark.parametrize(
    ("granted", "refused", "rectangles"),
    [
        pytest.param((0, 0), (0, 0), [], id="nothing"),
        pytest.param((5, 0), (0, 0), [("granted", 0, 2, 30)], id="the most leaves a little room"),
        pytest.param((0, 0), (0, 1), [("refused", 5, 2, 30)], id="refused alone stands on the ground"),
        pytest.param((1, 0), (1, 0), [("granted", 0, 17, 15), ("refused", 0, 2, 15)], id="refused on top"),
        pytest.param(
            (100_000, 0), (1, 0), [("granted", 0, 2, 30), ("refused", 0, 0, 2)], id="one of very many is still seen"
        ),
    ],
)
def test_bars_stand_on_each_other_within_the_chart(
    granted: tuple[int, ...], refused: tuple[int, ...], rectangles: list[tuple[str, int, int, int]]
) -> None:
    chart = bars.of(granted, refused)
    assert [(bar.kind, bar.x, bar.y, bar.height) for bar in chart.bars] == rectangles
    assert (chart.granted, chart.refused, chart.width, chart.height) == (sum(granted), sum(refused), 9, 32)
