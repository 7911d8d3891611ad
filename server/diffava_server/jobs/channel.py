"""What one call has yet to tell its client. A client that takes nothing fills its own channel and nobody else's."""

import asyncio
from collections import deque
from dataclasses import dataclass

from diffava_server.engine.protocol import Audio, Event, Progress
from diffava_server.errors import ServerError


@dataclass(frozen=True)
class Waiting:
    """The job waits behind `position` others, for about so long; None where nothing is known yet."""

    position: int
    estimated_wait_s: float | None


@dataclass(frozen=True)
class Started:
    """The client is awaited: for its frames, unless the engine remembers what they say."""

    has_frames: bool


Told = Waiting | Started | Event


class Channel:
    """Events in order, from one writer to one reader in one event loop.

    Sound counts against `limit_bytes`; of what only says how things stand, the latest replaces the one before.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._events: deque[Told] = deque()
        self._unsent_bytes = 0
        self._is_closed = False
        self._error: ServerError | None = None
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def put(self, event: Told) -> None:
        """Add an event; never waits. What comes after the end is dropped."""
        if self._is_closed:
            return
        if self._events and _replaces(event, self._events[-1]):
            self._events.pop()
        self._events.append(event)
        self._count(_bytes(event))
        self._changed.set()

    async def room(self) -> None:
        """Return once no more than `limit_bytes` of sound wait for the reader."""
        await self._room.wait()

    def close(self, error: ServerError | None = None) -> None:
        """No more will come; with an error, the reader gets that instead of what it has not read. Counts once."""
        if self._is_closed:
            return
        self._is_closed, self._error = True, error
        if error is not None:
            self._events.clear()
        self._changed.set()
        self._room.set()

    async def get(self) -> Told | None:
        """The next event; None after the last.

        Raises:
            ServerError: The channel was closed with it.
        """
        while not self._events:
            if self._error is not None:
                raise self._error
            if self._is_closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        event = self._events.popleft()
        self._count(-_bytes(event))
        return event

    def _count(self, added_bytes: int) -> None:
        self._unsent_bytes += added_bytes
        if self._unsent_bytes <= self._limit_bytes or self._is_closed:
            self._room.set()
        else:
            self._room.clear()


def _replaces(event: Told, before: Told) -> bool:
    if isinstance(event, Progress) and isinstance(before, Progress):
        return event.stage == before.stage
    return isinstance(event, Waiting) and isinstance(before, Waiting)


def _bytes(event: Told) -> int:
    return len(event.pcm_f32le) if isinstance(event, Audio) else 0
