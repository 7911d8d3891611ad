"""One seat of a batch as the model library sees it: a cue to make, and an error to end with. Knows no model."""

from collections.abc import Iterator

from diffava.errors import CancelledError, DiffavaError, MemoryRanOutError, RequestError
from diffava.pipeline import FoleyPipeline
from diffava.spec import Cue, Frames
from diffava.spec import Progress as MadeProgress
from diffava_server.engine.conversion import frames_of, request_of
from diffava_server.engine.protocol import Note, Progress, Seat
from diffava_server.errors import (
    EngineFailedError,
    InvalidRequestError,
    JobCancelledError,
    OutOfMemoryError,
    ServerError,
)


class Sitting:
    """A seat at a pipeline's table.

    Raises:
        diffava.errors.RequestError: The job is no request that the library takes.
    """

    def __init__(self, seat: Seat, pipeline: FoleyPipeline) -> None:
        """Read the job, and say what is to be known of it."""
        self.seat = seat
        self._size_pixels = pipeline.spec.frame_size_pixels
        self._lost_frames: ServerError | None = None
        request = request_of(seat.job)
        for note in pipeline.notes(request):
            seat.emit(Note(note))
        self.cue = Cue(request, self._frames(), self._tell, seat.is_cancelled)

    def end(self, error: DiffavaError | None) -> None:
        """End the seat, in the server's words."""
        self.seat.end(None if error is None else self._lost_frames or told(error))

    def _frames(self) -> Iterator[Frames]:
        """What the seat's own frames raise ends it; the library is told that nobody waits any more."""
        try:
            yield from frames_of(self.seat.frames(), self._size_pixels)
        except ServerError as error:
            self._lost_frames = error
            raise CancelledError(str(error)) from error

    def _tell(self, progress: MadeProgress) -> None:
        self.seat.emit(Progress(progress.stage, progress.completed, progress.total))


def told(error: DiffavaError) -> ServerError:
    """The library's error in the server's classes."""
    if isinstance(error, CancelledError):
        return JobCancelledError("The job was cancelled.")
    if isinstance(error, RequestError):
        return InvalidRequestError(str(error))
    if isinstance(error, MemoryRanOutError):
        return OutOfMemoryError(str(error))
    return EngineFailedError(str(error))
