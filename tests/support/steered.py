"""A fake engine that a test steers through its prompts, wherever it runs: in this process's child or on a cluster.

`Hold` stops a job at each of its steps; `SLEEP`, `DIE` and `FAIL` are prompts of their own. What steers is known by
its place in the file system alone, so that all of it can be pickled.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from diffava_server.engine.fake import FakeEngine
from diffava_server.engine.protocol import Job

DIE = "die"  # the engine's process ends, as by a kill
FAIL = "fail with "  # and a name of FAILURES
SLEEP = "sleep "  # and seconds, in each job
HOLD = "hold at "  # and an address
NOTE = "This engine is steered by its tests."
FAILURES = {"memory": MemoryError(), "a defect": ValueError("a defect")}

_held_at = ""  # of the job that the engine does now


def steered_engine(**fields: Any) -> Any:
    """A factory of such engines, which do one job at a time."""
    return partial(FakeEngine, notes=(NOTE,), on_job=_begin, before_step=_step, max_batch_rows=1, **fields)


def _begin(job: Job) -> None:
    global _held_at
    _held_at = job.prompt.removeprefix(HOLD) if job.prompt.startswith(HOLD) else ""
    if job.prompt == DIE:
        os._exit(70)
    if job.prompt.startswith(FAIL):
        raise FAILURES[job.prompt.removeprefix(FAIL)]
    if job.prompt.startswith(SLEEP):
        time.sleep(float(job.prompt.removeprefix(SLEEP)))


def _step(step: int) -> None:
    if not _held_at:
        return
    host, port = _held_at.split(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port))) as connection:
        connection.sendall(bytes([step]))
        connection.recv(1)  # until the test closes its end


class Hold:
    """Jobs with this `prompt` wait before each step until they are let on."""

    def __init__(self) -> None:
        self.prompt = ""
        self._reached: asyncio.Queue[tuple[int, asyncio.StreamWriter]] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []

    async def reached(self) -> int:
        """Return once a job waits at its next step, with the step's number."""
        async with asyncio.timeout(60):
            step, writer = await self._reached.get()
        self._writers.append(writer)
        return step

    def let_on(self) -> None:
        """Let the job that was reached do its step, and so every job that was reached before."""
        while self._writers:
            self._writers.pop().close()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Let every step on at once meanwhile."""
        letting_on = asyncio.create_task(self._let_all_on())
        try:
            yield
        finally:
            letting_on.cancel()

    async def _let_all_on(self) -> None:
        while True:
            self.let_on()
            self._writers.append((await self._reached.get())[1])

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reached.put_nowait(((await reader.readexactly(1))[0], writer))

    async def _close(self) -> None:
        while not self._reached.empty():
            await self.reached()
        self.let_on()


@contextlib.asynccontextmanager
async def hold() -> AsyncIterator[Hold]:
    """A place where jobs wait, on this machine's loopback; at the end all are let on."""
    held = Hold()
    server = await asyncio.start_server(held._connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    held.prompt = f"{HOLD}{host}:{port}"
    try:
        yield held
    finally:
        server.close()
        await held._close()
