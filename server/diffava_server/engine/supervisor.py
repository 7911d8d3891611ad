"""Keeps an engine's process alive: a new one at once when it is lost, later if that did not help, and an honest word.

Knows no jobs by their contents. What runs when a process is lost ends with an error that may be tried again; what waits
does not notice but for the time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from diffava_server.config import ServerConfig
from diffava_server.engine.deaths import Deaths
from diffava_server.engine.process import EngineProcess
from diffava_server.engine.protocol import AsyncSeat, EngineFactory, EngineModel
from diffava_server.errors import EngineDownError, ServerError

BLAMELESS = ("exhausted", "deaf")  # how a process ends that is well, and is replaced all the same


class EngineWatcher(Protocol):
    """Who is told of lost and new processes; `jobs.watching.JobWatcher` has these too."""

    def engine_lost(self, reason: str) -> None:
        """The process is gone."""
        ...

    def engine_started(self, duration_s: float) -> None:
        """A new one answers, so long after the start."""
        ...


class SupervisedEngine:
    """`AsyncEngine` over one process after another.

    Args:
        make_process: A process that is not started yet.
        watcher: Told of what happened, for whoever counts.
        on_health: Told whether the engine can be counted on, whenever that changes; first when it was started.
        clock_s: Monotonic.
    """

    def __init__(
        self,
        make_process: Callable[[], EngineProcess],
        watcher: EngineWatcher,
        log: FilteringBoundLogger,
        on_health: Callable[[bool], None] = lambda _: None,
        *,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._make_process = make_process
        self._watcher = watcher
        self._log = log
        self._on_health = on_health
        self._clock_s = clock_s
        self._sleep = sleep
        self._process = make_process()
        self._models: tuple[EngineModel, ...] = ()
        self._deaths = Deaths()
        self._started = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._start_s = 0.0  # how long the latest start took
        self._next_start_s: float | None = None  # by the clock; None while it is not down

    @property
    def models(self) -> tuple[EngineModel, ...]:
        """What it has, or had when it was last up; empty before `start`."""
        return self._process.models or self._models

    @property
    def remembered(self) -> frozenset[str]:
        """The `picture_key`s of which it needs no frames."""
        return self._process.remembered if self.is_usable else frozenset()

    @property
    def pid(self) -> int | None:
        """The worker's process id, None while there is none."""
        return self._process.pid

    @property
    def is_usable(self) -> bool:
        """Whether a batch would begin now."""
        return self._process.is_usable

    @property
    def is_cancelling(self) -> bool:
        """Whether it is busy with a batch that nobody waits for."""
        return self._process.is_cancelling

    def refusal(self) -> ServerError | None:
        """Why no new job makes sense now, if so."""
        if self._next_start_s is None:
            return None
        delay_s = max(1.0, self._next_start_s - self._clock_s() + self._start_s)
        return EngineDownError(
            f"The engine has ended again and again and is given a rest; please try again in {delay_s:.0f} s. If that "
            "does not help, the server's log has the reason.",
            retry_delay_s=delay_s,
        )

    async def start(self) -> None:
        """Start the first process; from then on there is one, unless it cannot be started.

        Raises:
            ServerError: It cannot be started now, in its own words.
        """
        await self._start()
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """End the process, whatever it does."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        await self._process.close()

    async def wait_usable(self) -> None:
        """Return once a batch would begin."""
        while not self.is_usable:
            self._started.clear()
            await self._started.wait()

    async def run(self, seats: Sequence[AsyncSeat]) -> None:
        """As `AsyncEngine.run`."""
        process = self._process
        await process.run(seats)
        if process.how_lost is None:
            self._deaths.note_work()

    def cancel(self, seat: AsyncSeat) -> None:
        """As `AsyncEngine.cancel`."""
        self._process.cancel(seat)

    async def _keep(self) -> None:
        while True:
            how = await self._process.wait_gone()
            self._note_lost(how, is_blameless=how in BLAMELESS)
            while not await self._started_again():
                pass

    async def _started_again(self) -> bool:
        now_s, delay_s = self._clock_s(), self._deaths.delay_s
        if self._deaths.are_too_many(now_s):
            self._next_start_s = now_s + delay_s
            self._on_health(False)
        await self._sleep(delay_s)
        self._models = self.models
        self._process = self._make_process()
        try:
            await self._start()
        except ServerError as error:
            self._log.error("engine not started", sentence=str(error))
            self._note_lost("not loaded", is_blameless=False)
            return False
        return True

    async def _start(self) -> None:
        begun_s = self._clock_s()
        await self._process.start()
        self._start_s = self._clock_s() - begun_s
        self._next_start_s = None
        self._watcher.engine_started(self._start_s)
        self._log.info("engine started", pid=self._process.pid, duration_s=round(self._start_s, 3))
        self._on_health(True)
        self._started.set()

    def _note_lost(self, how: str, *, is_blameless: bool) -> None:
        if not is_blameless:
            self._deaths.note(self._clock_s())
        self._watcher.engine_lost(how)
        self._log.warning("engine lost", how=how)


def supervised(
    factory: EngineFactory,
    config: ServerConfig,
    watcher: EngineWatcher,
    log: FilteringBoundLogger,
    on_health: Callable[[bool], None] = lambda _: None,
) -> SupervisedEngine:
    """An engine with the settings' patience."""

    def make_process() -> EngineProcess:
        return EngineProcess(factory, step_timeout_s=config.step_timeout_s, cancel_grace_s=config.cancel_grace_s)

    return SupervisedEngine(make_process, watcher, log, on_health)
