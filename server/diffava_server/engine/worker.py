"""The loop inside the engine's process: one batch after another over two pipes. Knows no network and no event loop.

The exchange, all pickled between two processes of one version: the worker says `Ready`, then for each `Batch` it asks
for a seat's frames with `WantFrames`, sends what `Happened`, says `SeatEnded` once for each seat, and `BatchEnded`. The
parent cancels a seat by writing its number into a shared word, which is read between steps: a word left over from an
earlier batch cancels nothing.
"""

import logging
import signal
import traceback
import uuid
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from diffava_server.engine.protocol import Engine, EngineFactory, EngineModel, Event, FrameBlock, Job
from diffava_server.errors import (
    EngineFailedError,
    JobCancelledError,
    OutOfMemoryError,
    PictureForgottenError,
    ServerError,
)

MAX_SEATS = 64
"""Seats of one batch, each with its own word: `cancelled[number % MAX_SEATS]`."""

MIN_WITHHELD_CHARACTERS = 4
"""Shorter prompts are no secrets, and taking them out of a log would leave nothing readable."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ready:
    """The engine is loaded."""

    models: tuple[EngineModel, ...]


@dataclass(frozen=True)
class Batch:
    """Jobs to be done together, each under a number that is never used again; at most `MAX_SEATS`, consecutive."""

    jobs: tuple[tuple[int, Job], ...]


@dataclass(frozen=True)
class WantFrames:
    """The parent answers with the seat's next `FrameBlock`, or with None when there are no more."""

    seat: int


@dataclass(frozen=True)
class Happened:
    """An event of one seat."""

    seat: int
    event: Event


@dataclass(frozen=True)
class SeatEnded:
    """One job is over, well or with an error.

    What is `remembered` by then stands here and not only at the end of the batch: a client that has its take asks for
    the next one of the same shot at once.
    """

    seat: int
    remembered: frozenset[str]
    error: ServerError | None = None


@dataclass(frozen=True)
class BatchEnded:
    """Every seat has ended, and this is how the engine stands. One that `is_exhausted` is to be replaced.

    After a failed allocation the exception's frames hold on to tensors, and what is free stays in pieces.
    """

    models: tuple[EngineModel, ...]
    is_exhausted: bool


@dataclass(frozen=True)
class NotLoaded:
    """The engine could not be built, and the process ends."""

    error: ServerError


Message = Ready | NotLoaded | WantFrames | Happened | SeatEnded | BatchEnded


def work(factory: EngineFactory, incoming: Connection, outgoing: Connection, cancelled: MutableSequence[int]) -> None:
    """Load the engine and serve batches until the parent closes its ends."""
    # Ctrl-C reaches the whole process group; the parent decides when the engine ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        engine = _load(factory)
        if isinstance(engine, NotLoaded):
            outgoing.send(engine)
            return
        outgoing.send(Ready(engine.models()))
        while True:
            outgoing.send(_run(engine, incoming.recv(), incoming, outgoing, cancelled))
    except (EOFError, ConnectionError):
        return  # the parent is gone: so is the wish for sound


@dataclass
class PipeSeat:
    """`Seat` over the pipes to the parent."""

    number: int
    job: Job
    incoming: Connection = field(repr=False)
    outgoing: Connection = field(repr=False)
    cancelled: MutableSequence[int] = field(repr=False)
    remembered: Callable[[], frozenset[str]] = field(repr=False)
    has_ended: bool = False
    error: ServerError | None = None

    def frames(self) -> Iterator[FrameBlock]:
        """As `Seat.frames`."""
        received = 0
        while received < self.job.frame_count:
            self.outgoing.send(WantFrames(self.number))
            block: FrameBlock | None = self.incoming.recv()
            if self.is_cancelled():
                raise JobCancelledError("The job was cancelled.")
            if block is None:
                if not received and self.job.frames_sha256:
                    raise PictureForgottenError(
                        "The server no longer knows what these pictures say; send the job again with its frames."
                    )
                return
            received += block.frame_count
            yield block

    def emit(self, event: Event) -> None:
        """As `Seat.emit`."""
        self.outgoing.send(Happened(self.number, event))

    def is_cancelled(self) -> bool:
        """As `Seat.is_cancelled`."""
        return self.cancelled[self.number % MAX_SEATS] == self.number

    def end(self, error: ServerError | None = None) -> None:
        """As `Seat.end`."""
        self.has_ended, self.error = True, error
        self.outgoing.send(SeatEnded(self.number, self.remembered(), error))


def _load(factory: EngineFactory) -> Engine | NotLoaded:
    try:
        return factory()
    except ServerError as error:
        return NotLoaded(error)
    except Exception as error:  # the process's edge, as in `_run`
        return NotLoaded(_defect(error))


def _run(
    engine: Engine, batch: Batch, incoming: Connection, outgoing: Connection, cancelled: MutableSequence[int]
) -> BatchEnded:
    seats = [PipeSeat(number, job, incoming, outgoing, cancelled, engine.remembered) for number, job in batch.jobs]
    error = _error_of(engine, seats)
    for seat in seats:
        if not seat.has_ended:
            seat.end(error)
    is_exhausted = any(isinstance(seat.error, OutOfMemoryError) for seat in seats)
    return BatchEnded(engine.models(), is_exhausted)


def _error_of(engine: Engine, seats: list[PipeSeat]) -> ServerError:
    """Run the batch; what seats end with that the engine has left without an end."""
    try:
        engine.run(seats)
        return EngineFailedError("The engine left this job unfinished; this is a defect, please report it.")
    except ServerError as error:
        return error
    except (EOFError, ConnectionError):
        raise
    except MemoryError:
        return OutOfMemoryError(
            "The machine's memory did not suffice for this job; ask for a shorter range or fewer takes."
        )
    except Exception as error:  # the process's edge: a defect in one batch must not cost the next one a model load
        return _defect(error, [seat.job for seat in seats])


def _defect(error: Exception, jobs: Sequence[Job] = ()) -> EngineFailedError:
    error_id = uuid.uuid4().hex[:8]
    story = "".join(traceback.format_exception(error))
    # A library may well repeat what it was given; what editors ask for does not belong into a log.
    for text in (text for job in jobs for text in (job.prompt, job.negative_prompt)):
        if len(text) >= MIN_WITHHELD_CHARACTERS:
            story = story.replace(text, "[prompt]")
    log.error("engine failed, error id %s\n%s", error_id, story)
    return EngineFailedError(
        f"The engine failed ({type(error).__name__}, error id {error_id}); the server's log has the whole story."
    )
