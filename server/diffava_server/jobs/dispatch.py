"""The house's one desk: lets jobs in, says whose turn it is, and gives the engine batch after batch.

Everything happens in one event loop, and nothing here waits for one client alone.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from structlog.typing import FilteringBoundLogger

from diffava_server.config import ServerConfig
from diffava_server.engine.protocol import AsyncEngine, EngineModel, Job
from diffava_server.errors import EngineFailedError, ServerError, wire_names
from diffava_server.jobs.admission import check_memory, check_room, memory_budget_bytes
from diffava_server.jobs.batch import batch_of
from diffava_server.jobs.channel import Channel, Waiting
from diffava_server.jobs.pace import Pace
from diffava_server.jobs.staging import JobUpload, StagedUpload, Staging
from diffava_server.jobs.ticket import Ticket
from diffava_server.jobs.turns import Turn, Turns
from diffava_server.jobs.watching import JobWatcher

MAX_RETRY_DELAY_S = 60.0
DEFECT = "The server failed on this job; its log has the story."


class Dispatcher:
    """Admits jobs and gives them to the engine, from `start` to `close`."""

    def __init__(
        self,
        engine: AsyncEngine,
        config: ServerConfig,
        watcher: JobWatcher,
        log: FilteringBoundLogger,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._config = config
        self._watcher = watcher
        self._log = log
        self._clock_s = clock_s
        self._turns = Turns()
        self._staging = Staging(config.max_staged_bytes)
        self._pace = Pace()
        self._waiting: dict[Turn, Ticket] = {}
        self._present: set[Ticket] = set()  # those whose call is open
        self._batch: list[Ticket] = []  # what was given to the engine, whether somebody still waits for it or not
        self._batch_end_s: float | None = None  # as far as can be told
        self._changed = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    @property
    def models(self) -> tuple[EngineModel, ...]:
        """What can be asked for."""
        return self._engine.models

    @property
    def waiting_count(self) -> int:
        """Jobs whose turn has not come."""
        return len(self._waiting)

    @property
    def ready_count(self) -> int:
        """Those among them that the engine could be given now."""
        return sum(ticket.is_ready(self._engine.remembered) for ticket in self._waiting.values())

    @property
    def present_count(self) -> int:
        """Jobs whose call is open, also those that are done and not yet sent."""
        return len(self._present)

    @property
    def is_busy(self) -> bool:
        """Whether the engine has a batch."""
        return bool(self._batch)

    def start(self) -> None:
        """Give the engine batches from now on."""
        self._running = asyncio.create_task(self._run_batches(), name="dispatcher")

    async def close(self) -> None:
        """Give the engine no further batch."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    @contextlib.asynccontextmanager
    async def entered(self, client_id: str, job: Job, model: EngineModel, upload: JobUpload) -> AsyncIterator[Ticket]:
        """A job in the house; on leaving, nothing of it is left, and an engine that works on it is told so.

        Raises:
            LimitError: The device could not do it.
            QueueFullError: There is no room now.
            EngineDownError: The engine is given a rest.
        """
        try:
            self._check(client_id, job, model)
        except ServerError as error:
            self._watcher.job_refused(error.code, error.reason)
            raise
        ticket = self._admit(client_id, job, model, upload)
        reading = asyncio.create_task(self._read(ticket))
        try:
            self._advance()
            yield ticket
        except BaseException as error:
            self._watch_end(ticket, *wire_names(error))
            raise
        else:
            self._watch_end(ticket, "OK", "")
        finally:
            reading.cancel()
            self._leave(ticket)
            await asyncio.wait([reading])

    def _watch_end(self, ticket: Ticket, code: str, reason: str) -> None:
        duration_s = self._clock_s() - ticket.entered_s
        self._watcher.job_ended(ticket.model.name, code, reason, duration_s, ticket.sound_s)

    def _check(self, client_id: str, job: Job, model: EngineModel) -> None:
        if (refusal := self._engine.refusal()) is not None:
            raise refusal
        check_memory(job, model, self._config)
        check_room(
            waiting_count=self.waiting_count,
            present_count=self.present_count,
            own_count=sum(ticket.turn.client_id == client_id for ticket in self._present),
            is_busy=self.is_busy,
            retry_delay_s=self._retry_delay_s(),
            config=self._config,
        )

    def _admit(self, client_id: str, job: Job, model: EngineModel, upload: JobUpload) -> Ticket:
        duration_s = job.sample_count / model.sample_rate_hz
        turn = self._turns.enter(client_id, duration_s * len(job.seeds) * job.step_count / model.default_step_count)
        received = self._watcher.frames_received
        staged = StagedUpload(job, model, upload, self._staging, self._advance, received, self._clock_s)
        channel = Channel(self._config.max_unsent_bytes)
        ticket = Ticket(turn, model, staged, channel, self._watcher, self._clock_s, self._clock_s())
        if not ticket.is_known(self._engine.remembered):
            staged.want_frames()
        self._waiting[turn] = ticket
        self._present.add(ticket)
        self._watcher.queue_changed(self.waiting_count)
        return ticket

    async def _read(self, ticket: Ticket) -> None:
        try:
            await ticket.upload.read()
        except ServerError as error:
            ticket.end(error)
        except Exception:  # as in `_run_batches`
            self._log.exception("defect in an upload")
            ticket.end(EngineFailedError(DEFECT))

    def _leave(self, ticket: Ticket) -> None:
        if ticket.is_riding:
            self._engine.cancel(ticket)
        ticket.end()
        self._present.discard(ticket)
        self._turns.leave(ticket.turn)
        if self._waiting.pop(ticket.turn, None) is not None:
            self._watcher.queue_changed(self.waiting_count)
        self._advance()

    def _advance(self) -> None:
        """Whatever changed: read ahead what there is room for, tell places, and see whether a batch can begin."""
        order = self._in_turn()
        for place, ticket in enumerate(order):
            is_granted = ticket.upload.grant(is_next=place == 0, is_called=ticket.is_called)
            # A client that named its pictures sends none before it knows whether they are wanted.
            if is_granted and ticket.upload.wants_frames and ticket.job.frames_sha256:
                ticket.call(self._engine.remembered)
            if not is_granted and not ticket.upload.is_streamed:
                break  # nobody behind may take the room that this one waits for
        self._tell_places(order)
        self._changed.set()

    def _in_turn(self) -> list[Ticket]:
        """Those that wait, the next one first."""
        return [self._waiting[turn] for turn in self._turns.order()]

    def _tell_places(self, order: list[Ticket]) -> None:
        wait_s = self._remaining_s()
        for place, ticket in enumerate(order):
            position = place + len(self._batch)
            if not ticket.is_called and position not in (0, ticket.told_position):
                ticket.told_position = position
                ticket.channel.put(Waiting(position, wait_s))
            duration_s = self._pace.duration_s(ticket.model.name, ticket.cost)
            wait_s = None if wait_s is None or duration_s is None else wait_s + duration_s

    def _remaining_s(self) -> float | None:
        """How long the running batch is going to take; None if that cannot be told."""
        if not self._batch:
            return 0.0
        return None if self._batch_end_s is None else max(0.0, self._batch_end_s - self._clock_s())

    def _retry_delay_s(self) -> float:
        """When there may be room: in the time that a waiting job takes on the average."""
        durations_s = [
            self._pace.duration_s(ticket.model.name, ticket.cost) or 0.0 for ticket in self._waiting.values()
        ]
        mean_s = sum(durations_s) / max(1, len(durations_s))
        return min(MAX_RETRY_DELAY_S, max(1.0, mean_s, self._remaining_s() or 0.0))

    async def _run_batches(self) -> None:
        while True:
            try:
                await self._engine.wait_usable()
                batch = self._next_batch()
                if batch:
                    await self._run(batch)
                else:
                    self._changed.clear()
                    await self._changed.wait()
            except Exception:  # a defect here must not leave calls without an answer for ever
                self._log.exception("defect in the dispatcher")
                for ticket in self._present:
                    ticket.end(EngineFailedError(DEFECT))
                self._changed.clear()  # they leave now, and without a pause a lasting defect would stop the loop
                await self._changed.wait()

    def _next_batch(self) -> list[Ticket]:
        """The first in turn that is ready, and who fits to it. A client that is next is called, and others go ahead."""
        remembered = self._engine.remembered
        order = self._in_turn()
        if order and not order[0].is_called:
            order[0].call(remembered)
            self._advance()
        ready = [ticket for ticket in order if ticket.is_ready(remembered)]
        if not ready and order and order[0].upload.is_nearly_there:
            ready = order[:1]  # nobody else could be served, and the engine encodes pictures while the last ones come
        if not ready:
            return []
        first, *others = ready
        budget_bytes = memory_budget_bytes(first.model, self._config)
        return batch_of(first, others, budget_bytes, self._config.max_unsent_bytes)

    async def _run(self, batch: list[Ticket]) -> None:
        first = batch[0]
        cost = sum(ticket.cost for ticket in batch)
        begun_s, duration_s = self._clock_s(), self._pace.duration_s(first.model.name, cost)
        self._batch, self._batch_end_s = batch, None if duration_s is None else begun_s + duration_s
        self._turns.take([ticket.turn for ticket in batch])
        for ticket in batch:
            del self._waiting[ticket.turn]
            ticket.call(self._engine.remembered)
            ticket.ride()
        self._watcher.queue_changed(self.waiting_count)
        self._watcher.batch_started(first.model.name, len(batch), sum(len(ticket.job.seeds) for ticket in batch))
        self._advance()
        try:
            await self._engine.run(batch)
        finally:
            self._batch = []
            self._turns.done()
        if all(ticket.sound_s for ticket in batch):  # neither failed nor cancelled
            self._pace.note(first.model.name, cost, self._clock_s() - begun_s)
        self._advance()
