"""All workers of a server, as one thing that answers, is told to stop, and tells what it counted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from assay.config import Settings
from assay.tls import Tls
from assay.workers.channel import Order
from assay.workers.post import Post
from assay.workers.tally import Counts


class Team:
    """One worker for each of the sockets; ``on_started`` is called once all of them answer.

    The sockets stay open here until the workers are told to stop. What comes in at the socket of a worker that ended
    is taken by the others, until the next one is there.
    """

    def __init__(
        self,
        settings: Settings,
        listeners: tuple[socket.socket, ...],
        on_started: Callable[[], None],
        certificate: Tls | None = None,
    ) -> None:
        files = certificate.files if certificate else None
        self._posts = [
            Post(Order(number, settings, files), listeners, self._cover) for number in range(1, len(listeners) + 1)
        ]
        self._listeners = listeners
        self._on_started = on_started
        if certificate is not None:
            certificate.on_reload = self._reload

    async def answer(self) -> None:
        """Have requests answered until told to stop. Raises WorkerFault when a worker cannot start at all."""
        keeping = [asyncio.create_task(post.keep()) for post in self._posts]
        announcing = asyncio.create_task(self._announce())
        try:
            await asyncio.wait(keeping, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            announcing.cancel()
            self.stop(at_once=True)
            await asyncio.wait(keeping)
        for fault in [kept.exception() for kept in keeping]:
            if fault is not None:
                raise fault

    def stop(self, *, at_once: bool) -> None:
        """As ``Stoppable.stop`` says."""
        for listener in self._listeners:
            listener.close()
        for post in self._posts:
            post.stop(at_once=at_once)

    async def counts(self) -> list[Counts]:
        """What the workers counted, and those before them that ended."""
        return await asyncio.gather(*(post.counts() for post in self._posts))

    async def _announce(self) -> None:
        for post in self._posts:
            await post.answers.wait()
        self._on_started()

    def _cover(self) -> None:
        away = tuple(post.number for post in self._posts if not post.serves)
        for post in self._posts:
            post.cover(away)

    def _reload(self) -> None:
        for post in self._posts:
            post.reload()
