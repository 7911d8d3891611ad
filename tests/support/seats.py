"""Seats of a batch without a process around them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from diffava_server.engine.protocol import Event, FrameBlock, Job
from diffava_server.errors import ServerError


@dataclass
class CollectingSeat:
    """`Seat` that keeps what it is told: `events` (unless `emit` takes them), and `errors`, one entry for each end."""

    job: Job
    given: Iterable[FrameBlock] = ()
    is_cancelled: Callable[[], bool] = lambda: False
    emit: Callable[[Event], None] | None = None
    events: list[Event] = field(default_factory=list)
    errors: list[ServerError | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.emit = self.emit or self.events.append

    def frames(self) -> Iterator[FrameBlock]:
        return iter(self.given)

    def end(self, error: ServerError | None = None) -> None:
        self.errors.append(error)
