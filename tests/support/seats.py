"""Seats of a batch without a process around them."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from dataclasses import dataclass, field

from diffava_server.engine.protocol import Audio, Event, FrameBlock, Job
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


class AwaitedSeat:
    """`AsyncSeat` that keeps what it is told; `blocks` is what its client sends."""

    def __init__(self, job: Job, blocks: AsyncIterable[FrameBlock] | None = None) -> None:
        self.job = job
        self.events: list[Event] = []
        self.errors: list[ServerError | None] = []
        self.has_ended = asyncio.Event()
        self._blocks = aiter(blocks) if blocks is not None else None

    @property
    def samples(self) -> int:
        return sum(len(event.pcm_f32le) // 4 for event in self.events if isinstance(event, Audio))

    async def next_block(self) -> FrameBlock | None:
        return None if self._blocks is None else await anext(self._blocks, None)

    async def emit(self, event: Event) -> None:
        self.events.append(event)

    def end(self, error: ServerError | None = None) -> None:
        self.errors.append(error)
        self.has_ended.set()
