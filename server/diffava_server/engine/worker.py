"""The loop inside the engine's process: one job after another over a pipe. Knows no network and no event loop.

The exchange, all pickled between two processes of one version: the worker says `Ready`, then for each (number, `Job`)
it asks for frames with `WantFrames`, sends `Event`s, and ends with `Ended`. The parent cancels by writing the job's
number into a shared word, which is read between steps: a word left over from an earlier job cancels nothing.
"""

import logging
import signal
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Protocol

from diffava_server.engine.protocol import Engine, EngineFactory, EngineModel, Event, FrameBlock, Job
from diffava_server.errors import EngineFailedError, JobCancelledError, OutOfMemoryError, ServerError

log = logging.getLogger(__name__)


class SharedWord(Protocol):
    """One integer in memory that both processes see."""

    value: int


@dataclass(frozen=True)
class Ready:
    """The engine is loaded."""

    models: tuple[EngineModel, ...]


@dataclass(frozen=True)
class WantFrames:
    """The parent answers with the next `FrameBlock`, or with None when there are no more."""


@dataclass(frozen=True)
class Ended:
    """The job (or the loading) is over, well or with an error."""

    error: ServerError | None = None


Message = Ready | WantFrames | Event | Ended


def work(factory: EngineFactory, connection: Connection, cancelled_job: SharedWord) -> None:
    """Load the engine and serve jobs until the parent closes its end."""
    # Ctrl-C reaches the whole process group; the parent decides when the engine ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        engine, error = _load(factory)
        if engine is None:
            connection.send(Ended(error))
            return
        connection.send(Ready(engine.models()))
        while True:
            number, job = connection.recv()
            connection.send(Ended(_run(engine, number, job, connection, cancelled_job)))
    except (EOFError, ConnectionError):
        return  # the parent is gone: so is the wish for sound


def _load(factory: EngineFactory) -> tuple[Engine | None, ServerError | None]:
    try:
        return factory(), None
    except ServerError as error:
        return None, error
    except Exception as error:  # the process's edge, as in `_run`
        return None, _defect(error)


def _run(
    engine: Engine, number: int, job: Job, connection: Connection, cancelled_job: SharedWord
) -> ServerError | None:
    def is_cancelled() -> bool:
        return cancelled_job.value == number

    def frames() -> Iterator[FrameBlock]:
        while True:
            connection.send(WantFrames())
            block = connection.recv()
            if is_cancelled():
                raise JobCancelledError("The job was cancelled.")
            if block is None:
                return
            yield block

    try:
        engine.run(job, frames() if job.frame_count else iter(()), emit=connection.send, is_cancelled=is_cancelled)
    except ServerError as error:
        return error
    except (EOFError, ConnectionError):
        raise
    except MemoryError:
        return OutOfMemoryError(
            "The machine's memory did not suffice for this job; ask for a shorter range or fewer takes."
        )
    except Exception as error:  # the process's edge: a defect in one job must not cost the next one a model load
        return _defect(error)
    return None


def _defect(error: Exception) -> EngineFailedError:
    error_id = uuid.uuid4().hex[:8]
    log.error("engine failed, error id %s", error_id, exc_info=error)
    return EngineFailedError(
        f"The engine failed ({type(error).__name__}, error id {error_id}); the server's log has the whole story."
    )
