"""The engine in a process of its own, so that the server answers while it computes and survives when it dies.

Knows the worker's exchange (`worker.py`), nothing of the wire or of the queue. The process is spawned, never forked:
a fork would copy gRPC's threads' locks in whatever state they are.
"""

import asyncio
import multiprocessing
from collections.abc import AsyncGenerator, AsyncIterator
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import RawArray
from typing import Any

from diffava_server.engine.pipe import AsyncPipe
from diffava_server.engine.protocol import EngineFactory, EngineModel, Event, FrameBlock, Job
from diffava_server.engine.worker import (
    MAX_SEATS,
    Batch,
    BatchEnded,
    Happened,
    NotLoaded,
    Ready,
    SeatEnded,
    WantFrames,
    work,
)
from diffava_server.errors import EngineLostError

LOST = "The engine process ended in the middle of the work; a new one is started, please try again."
LOST_WHILE_LOADING = (
    "The engine process ended while it loaded its models, perhaps for want of memory; the server's log may say more."
)


class EngineProcess:
    """`AsyncEngine` over a worker process. A dead worker is replaced when the next job begins."""

    def __init__(self, factory: EngineFactory, cancel_grace_s: float) -> None:
        self._factory = factory
        self._cancel_grace_s = cancel_grace_s
        self._context = multiprocessing.get_context("spawn")
        self._cancelled: Any = RawArray("Q", MAX_SEATS)
        self._models: tuple[EngineModel, ...] = ()
        self._process: BaseProcess | None = None
        self._pipe: AsyncPipe | None = None
        self._job_number = 0
        self._owes_frames = False
        self._background: asyncio.Task[None] | None = None

    @property
    def models(self) -> tuple[EngineModel, ...]:
        """What is loaded; empty before `start`."""
        return self._models

    @property
    def pid(self) -> int | None:
        """The worker's process id, None while there is none."""
        return self._process.pid if self._process is not None else None

    @property
    def is_cancelling(self) -> bool:
        """Whether a cancelled job still has the worker."""
        return self._background is not None and not self._background.done() and self._pipe is not None

    async def start(self) -> None:
        """Start the worker and wait until its models are loaded.

        Raises:
            ServerError: The engine could not be built, in its own words.
            EngineLostError: The worker died while loading.
        """
        parent_end, worker_end = self._context.Pipe()
        process = self._context.Process(
            target=work, args=(self._factory, worker_end, self._cancelled), name="diffava-engine", daemon=True
        )
        await asyncio.to_thread(process.start)
        # Only the worker may hold its end, or its death would not be seen as the end of the pipe.
        worker_end.close()
        self._process, self._pipe = process, AsyncPipe(parent_end)
        try:
            message = await self._receive()
        except EngineLostError as lost:
            raise EngineLostError(LOST_WHILE_LOADING) from lost
        match message:
            case Ready(models=models):
                self._models = models
            case NotLoaded(error=error):
                await self.close()
                raise error

    async def close(self) -> None:
        """End the worker, whatever it does."""
        process, pipe, self._process, self._pipe = self._process, self._pipe, None, None
        if process is not None:
            process.kill()
            await asyncio.to_thread(process.join)
        if pipe is not None:
            pipe.close()

    async def run(self, job: Job, frames: AsyncIterator[FrameBlock]) -> AsyncGenerator[Event, None]:
        """As `AsyncEngine.run`."""
        await self._make_ready()
        self._job_number += 1
        is_over = False
        try:
            await self._send(Batch(((self._job_number, job),)))
            ended = None
            while True:
                match await self._receive():
                    case WantFrames():
                        await self._answer_with(frames)
                    case SeatEnded(error=error):
                        ended = error
                    case BatchEnded():
                        is_over = True
                        if ended is not None:
                            raise ended
                        return
                    case Happened(event=event):
                        yield event
        finally:
            if not is_over and self._pipe is not None:
                self._cancelled[self._job_number % MAX_SEATS] = self._job_number
                self._background = asyncio.create_task(self._settle())
                await asyncio.shield(self._background)

    async def _make_ready(self) -> None:
        # Starting and settling are tasks of their own: a cancelled caller must not leave the worker half-way through
        # an exchange, for the next job would read its answers.
        if self._background is not None:
            await asyncio.wait([self._background])
        if self._process is not None and not self._process.is_alive():
            await self.close()  # it died between two jobs, which is no reason to fail the next one
        if self._pipe is None:
            self._background = asyncio.create_task(self.start())
            await asyncio.shield(self._background)

    async def _answer_with(self, frames: AsyncIterator[FrameBlock]) -> None:
        self._owes_frames = True
        block = await anext(frames, None)
        self._owes_frames = False
        await self._send(block)

    async def _settle(self) -> None:
        """Wait for the worker to end its cancelled job; kill it if it does not listen."""
        try:
            async with asyncio.timeout(self._cancel_grace_s):
                await self._drain()
        except TimeoutError:
            await self.close()
        except EngineLostError:
            return  # nothing is left to cancel

    async def _drain(self) -> None:
        if self._owes_frames:
            self._owes_frames = False
            await self._send(None)
        while True:
            match await self._receive():
                case WantFrames():
                    await self._send(None)
                case BatchEnded():
                    return

    async def _send(self, message: object) -> None:
        try:
            await self._open_pipe().send(message)
        except OSError as error:
            raise await self._lost() from error

    async def _receive(self) -> Any:
        try:
            return await self._open_pipe().receive()
        except (EOFError, OSError) as error:
            raise await self._lost() from error

    def _open_pipe(self) -> AsyncPipe:
        if self._pipe is None:
            raise EngineLostError(LOST)
        return self._pipe

    async def _lost(self) -> EngineLostError:
        await self.close()
        return EngineLostError(LOST)
