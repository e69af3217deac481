"""How long the place of a worker stays empty when its workers keep ending."""

from __future__ import annotations

import sys

import pytest

from assay import config
from assay.listening import listening
from assay.workers.channel import Begin, Order
from assay.workers.post import LONGEST_PAUSE_SECONDS, Post, WorkerFault
from assay.workers.team import Team

SECRET = "A" * 43
ORDER = Order(1, config.read({"ASSAY_ROOT_KEY": SECRET, "ASSAY_KEY_URL_NETWORKS": "10.1.0.0/16"}), None)
PAUSES = 8


@pytest.fixture(autouse=True)
def _workers_that_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")


class Pauses:
    """Stands for sleeping; has the place given up after some pauses."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.post: Post | None = None

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        if len(self.asked) == PAUSES and self.post is not None:
            self.post.stop(at_once=False)


async def test_the_next_worker_is_started_soon_and_then_ever_later() -> None:
    pauses = Pauses()
    with listening("127.0.0.1", 0, 2) as listeners:
        post = pauses.post = Post(ORDER, listeners, lambda: None, pauses)
        post.answers.set()  # one has answered before
        await post.keep()
    assert pauses.asked == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 3.2, 3.2]
    assert pauses.asked[-1] == LONGEST_PAUSE_SECONDS


async def test_where_no_worker_has_ever_answered_none_is_started_again() -> None:
    pauses = Pauses()
    with listening("127.0.0.1", 0, 2) as listeners, pytest.raises(WorkerFault, match="worker 1 ended before"):
        await Post(ORDER, listeners, lambda: None, pauses).keep()
    assert pauses.asked == []


async def test_a_team_that_cannot_begin_says_so_and_never_that_it_answers() -> None:
    started: list[str] = []
    with listening("127.0.0.1", 0, 2) as listeners:
        team = Team(ORDER.settings, listeners, lambda: started.append("started"))
        with pytest.raises(WorkerFault):
            await team.answer()
    assert started == []


def test_an_order_arrives_as_it_was_given() -> None:
    assert Begin.of(ORDER).order() == ORDER
