"""How a server ends without breaking what it has begun: no new jobs, time for those that it has, then an end for all.

Knows jobs as coroutines only.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from diffava_server.errors import DrainingError

REFUSED = "The server is about to stop and takes no new job; try again in a moment, or at another server."
ENDED = "The server stopped before the job was done; send it again in a moment, or to another server."


class Drain:
    """Knows the jobs that are in the house. Made and used in one event loop."""

    def __init__(self) -> None:
        self.is_draining = False
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs: set[asyncio.Task[None]] = set()

    @property
    def job_count(self) -> int:
        """Jobs that have not ended."""
        return len(self._jobs)

    async def run(self, job: Coroutine[Any, Any, None]) -> None:
        """Carry out a job.

        Raises:
            DrainingError: No new job is taken, or the time for this one is up.
        """
        if self.is_draining:
            job.close()
            raise DrainingError(REFUSED)
        task = asyncio.create_task(job)
        self._jobs.add(task)
        task.add_done_callback(self._ended)
        try:
            await asyncio.wait((task, self._over), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                # Its client is told now, and not when the engine has come to the end of a step.
                raise DrainingError(ENDED)
        finally:
            if not task.done():
                task.cancel()
                if not self._over.done():  # its client is gone: what it held is given back before its call is over
                    await asyncio.wait([task])
        await task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._jobs.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, or asyncio would complain of one whose client is gone

    async def close(self, within_s: float, hurry: asyncio.Event) -> None:
        """Take no new jobs and return when the last one has ended.

        Those that are left after `within_s`, or on `hurry`, are cancelled and raise `DrainingError` in their `run`.
        """
        self.is_draining = True
        hurried = asyncio.create_task(hurry.wait())
        loop = asyncio.get_running_loop()
        end_s = loop.time() + within_s
        while self._jobs and not hurried.done() and loop.time() < end_s:
            waits = {*self._jobs, hurried}
            await asyncio.wait(waits, timeout=end_s - loop.time(), return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        self._over.set_result(None)

    async def settled(self) -> None:
        """Return once what was cancelled has ended too; after the engine was closed, which some may wait for."""
        if self._jobs:
            await asyncio.wait(set(self._jobs))
