"""One life of the engine's process, so that the server answers while it computes and survives when it dies.

Knows the worker's exchange (`worker.py`), nothing of the wire or of the queue. The process is spawned, never forked:
a fork would copy gRPC's threads' locks in whatever state they are. Whoever keeps it alive is `supervisor.py`.
"""

import asyncio
import contextlib
import itertools
import multiprocessing
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import RawArray
from typing import Any, Literal

from diffava_server.engine.pipe import AsyncPipe
from diffava_server.engine.protocol import AsyncSeat, EngineFactory, EngineModel
from diffava_server.engine.worker import (
    MAX_SEATS,
    Batch,
    BatchEnded,
    Happened,
    Message,
    NotLoaded,
    Ready,
    SeatEnded,
    WantFrames,
    work,
)
from diffava_server.errors import EngineFailedError, EngineHungError, EngineLostError

HowLost = Literal["died", "hung", "deaf", "exhausted", "closed"]
"""By itself; silent for too long; still busy long after its last job was cancelled; out of memory; on our wish."""

LOST = "The engine process ended in the middle of the work; a new one is started, please try again."
HUNG = "The engine did nothing for longer than a step may take, and is started anew; please try again."
HUNG_WHILE_LOADING = "The engine did not load its models within {:.0f} min, and is given up; the log may say why."
LOAD_TIMEOUT_S = 1800.0  # the largest model from a slow disk takes minutes
LOST_WHILE_LOADING = (
    "The engine process ended while it loaded its models, perhaps for want of memory; the server's log may say more."
)


class EngineProcess:
    """A worker process from its start to its end, which is final.

    Args:
        factory: Builds the engine, in the worker.
        step_timeout_s: How long the engine may say nothing about a batch that makes a minute of sound or less, all
            rows together; longer in proportion for more.
        cancel_grace_s: How long it may go on with a batch that nobody waits for.
        load_timeout_s: How long it may take to load its models.
    """

    def __init__(
        self,
        factory: EngineFactory,
        *,
        step_timeout_s: float,
        cancel_grace_s: float,
        load_timeout_s: float = LOAD_TIMEOUT_S,
    ) -> None:
        self._factory = factory
        self._step_timeout_s = step_timeout_s
        self._cancel_grace_s = cancel_grace_s
        self._load_timeout_s = load_timeout_s
        self._cancelled: Any = RawArray("Q", MAX_SEATS)
        self._numbers = itertools.count(1)
        self._process: BaseProcess | None = None
        self._pump: asyncio.Task[None] | None = None
        self._seats: dict[int, AsyncSeat] = {}  # of the batch that runs, those that have not ended
        self._unwanted: set[int] = set()  # of these, the cancelled ones
        self._answer: asyncio.Task[None] | None = None
        self._batch_over = asyncio.Event()
        self._batch_over.set()
        self._silence_s = 0.0
        self._watchdog: asyncio.TimerHandle | None = None
        self._is_loaded = False
        self.models: tuple[EngineModel, ...] = ()
        self.remembered: frozenset[str] = frozenset()
        self.how_lost: HowLost | None = None
        self._gone = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The worker's process id, None while there is none."""
        return self._process.pid if self._process is not None and not self._gone.is_set() else None

    @property
    def is_usable(self) -> bool:
        """Whether it is loaded and nothing is known against it."""
        return self._is_loaded and self.how_lost is None

    @property
    def is_cancelling(self) -> bool:
        """Whether it is busy with a batch that nobody waits for."""
        return not self._batch_over.is_set() and len(self._unwanted) == len(self._seats)

    async def start(self) -> None:
        """Start the worker and wait until its models are loaded.

        Raises:
            ServerError: The engine could not be built, in its own words; the process is gone.
            EngineLostError: The worker died while loading.
            EngineHungError: It took too long.
        """
        context = multiprocessing.get_context("spawn")
        incoming, worker_outgoing = context.Pipe(duplex=False)
        worker_incoming, outgoing = context.Pipe(duplex=False)
        self._process = context.Process(
            target=work,
            args=(self._factory, worker_incoming, worker_outgoing, self._cancelled),
            name="diffava-engine",
            daemon=True,
        )
        starting = asyncio.create_task(asyncio.to_thread(self._process.start))
        loading: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            try:
                await asyncio.shield(starting)
            finally:  # cancelled or not: a thread cannot be stopped, and what it has started must be known, to be ended
                await starting
                # Only the worker may hold its ends, or its death would not be seen as the end of the pipe.
                worker_incoming.close()
                worker_outgoing.close()
                self._pipe = AsyncPipe(incoming, outgoing)
                self._pump = asyncio.create_task(self._pump_messages(loading))
            async with asyncio.timeout(self._load_timeout_s):
                await loading
        except TimeoutError as error:
            await self.close()
            raise EngineHungError(HUNG_WHILE_LOADING.format(self._load_timeout_s / 60)) from error
        except OSError as error:
            await self.close()
            raise EngineFailedError(f"The engine's process could not be started: {error}.") from error
        except BaseException:
            await self.close()
            raise

    async def run(self, seats: Sequence[AsyncSeat]) -> None:
        """Do a batch, of at most `MAX_SEATS` seats. Every seat has ended when this returns, if need be as lost."""
        if self._process is not None and not self._process.is_alive():
            self._give_up("died")
        self._seats = dict(zip(self._numbers, seats, strict=False))
        self._unwanted.clear()
        if self.how_lost is not None:
            self._end_seats()
            return
        self._batch_over.clear()
        sound_s = sum(seat.job.sample_count * len(seat.job.seeds) / self._rate_hz(seat) for seat in seats)
        self._silence_s = self._step_timeout_s * max(1.0, sound_s / 60)
        self._watch()  # before anything is sent: the answer may be here before the sending has returned
        with contextlib.suppress(OSError):  # the worker is gone, as the pump sees too
            await self._pipe.send(Batch(tuple((number, seat.job) for number, seat in self._seats.items())))
        await self._batch_over.wait()

    def cancel(self, seat: AsyncSeat) -> None:
        """Nobody waits for this seat's job any more: it is left out from the next step on. Twice does no harm."""
        for number, other in self._seats.items():
            if other is seat:
                self._cancelled[number % MAX_SEATS] = number
                self._unwanted.add(number)
        if self.is_cancelling:
            self._watch()

    async def close(self) -> None:
        """End the worker, whatever it does."""
        self._give_up("closed")
        await self.wait_gone()

    async def wait_gone(self) -> HowLost:
        """Return how the process was lost, once it is gone."""
        if self._pump is not None:
            await self._gone.wait()
        return self.how_lost or "closed"

    def _rate_hz(self, seat: AsyncSeat) -> int:
        return next(model.sample_rate_hz for model in self.models if model.name == seat.job.model)

    async def _pump_messages(self, loading: "asyncio.Future[None]") -> None:
        try:
            while True:
                await self._take(await self._pipe.receive(), loading)
        except (EOFError, OSError):
            self._give_up("died")
        finally:
            self._give_up("died")  # after a defect of our own, too
            if self._process is not None:
                await asyncio.to_thread(self._process.join)
            if self._answer is not None:
                self._answer.cancel()
            self._pipe.close()
            self._gone.set()
            if not loading.done():
                loading.set_exception(EngineLostError(LOST_WHILE_LOADING))
                loading.exception()  # who asked for the start may have been cancelled

    async def _take(self, message: Message, loading: "asyncio.Future[None]") -> None:
        self._unwatch()  # what a seat does with it is not the engine's time
        match message:
            case Ready(models=models):
                self.models, self._is_loaded = models, True
                if not loading.done():
                    loading.set_result(None)
            case NotLoaded(error=error):
                if not loading.done():
                    loading.set_exception(error)
            case WantFrames(seat=number):
                # A task, so that the pump sees a death while a client is slow: the worker says nothing else meanwhile.
                self._answer = asyncio.create_task(self._send_frames(number))
                return
            case Happened(seat=number, event=event):
                if number in self._seats:
                    await self._seats[number].emit(event)
            case SeatEnded(seat=number, remembered=remembered, error=error):
                self.remembered = remembered
                self._unwanted.discard(number)
                if (seat := self._seats.pop(number, None)) is not None:
                    seat.end(error)
            case BatchEnded(models=models, is_exhausted=is_exhausted):
                self.models = models
                if is_exhausted:
                    self._give_up("exhausted")
                self._batch_over.set()
        self._watch()

    async def _send_frames(self, number: int) -> None:
        seat = self._seats.get(number)
        block = None if seat is None or number in self._unwanted else await seat.next_block()
        self._watch()
        with contextlib.suppress(OSError):
            await self._pipe.send(block)

    def _watch(self) -> None:
        """Count from now on how long the engine says nothing."""
        self._unwatch()
        if self.how_lost is not None or self._batch_over.is_set():
            return
        loop = asyncio.get_running_loop()
        if self.is_cancelling:
            self._watchdog = loop.call_later(self._cancel_grace_s, self._give_up, "deaf")
        else:
            self._watchdog = loop.call_later(self._silence_s, self._give_up, "hung")

    def _unwatch(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()

    def _give_up(self, how: HowLost) -> None:
        """End the seats first: whoever waits for them learns of it before the process has been buried."""
        self.how_lost = self.how_lost or how
        self._unwatch()
        self._end_seats()
        self._batch_over.set()
        if self._process is not None and self._process.pid is not None:
            self._process.kill()

    def _end_seats(self) -> None:
        seats, self._seats = self._seats, {}
        self._unwanted.clear()
        for seat in seats.values():
            seat.end(EngineHungError(HUNG) if self.how_lost == "hung" else EngineLostError(LOST))
