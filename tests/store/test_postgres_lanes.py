"""The queue of the PostgreSQL writer, when the commits in front of it hang: nobody waits in it for ever."""

from __future__ import annotations

import asyncio
from typing import cast

from assay.store.postgres_transactions import Work
from assay.store.postgres_writer import Job, Lane

SECONDS = 0.05


class Commits:
    """Hang until ``free``; the jobs that were committed, and those that were put back undone."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.done: list[Job] = []
        self.undone: list[Job] = []
        self.lane = Lane(self.settle, self.put_back, at_once=1, most=1, seconds=SECONDS)

    async def settle(self, jobs: list[Job]) -> None:
        await self.free.wait()
        self._answer(self.done, jobs)

    def put_back(self, job: Job) -> None:
        self._answer(self.undone, [job])

    def add(self) -> Job:
        loop = asyncio.get_running_loop()
        job = Job(cast("Work", None), loop.time(), loop.create_future())
        self.lane.add([job])
        return job

    @staticmethod
    def _answer(those: list[Job], jobs: list[Job]) -> None:
        those.extend(jobs)
        for job in jobs:
            job.answer.set_result(None)


async def test_those_behind_a_commit_that_hangs_are_put_back_and_those_in_it_are_not() -> None:
    commits = Commits()
    hanging, first, second = commits.add(), commits.add(), commits.add()
    await asyncio.wait_for(second.answer, 10)
    later = commits.add()
    await asyncio.wait_for(later.answer, 10)
    assert commits.undone == [first, second, later]
    assert not hanging.answer.done()
    commits.free.set()
    await asyncio.wait_for(hanging.answer, 10)
    assert commits.done == [hanging]


async def test_after_that_jobs_are_taken_as_before() -> None:
    commits = Commits()
    commits.add()
    await asyncio.wait_for(commits.add().answer, 10)
    commits.free.set()
    jobs = [commits.add() for _ in range(3)]
    await asyncio.wait_for(asyncio.gather(*(job.answer for job in jobs)), 10)
    assert commits.done[1:] == jobs
    assert len(commits.undone) == 1
