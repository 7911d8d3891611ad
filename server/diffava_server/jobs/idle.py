"""When a server that started itself for one command may end: after a while without a call. Knows no calls' contents."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager


class Activity:
    """Counts calls in flight."""

    def __init__(self) -> None:
        self._in_flight = 0
        self._begun = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Mark one call, for as long as it lasts."""
        self._in_flight += 1
        self._begun += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_flight -= 1
            if self._in_flight == 0:
                self._idle.set()

    async def wait_idle(self, duration_s: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Return once no call was in flight for a whole `duration_s`."""
        while True:
            await self._idle.wait()
            begun = self._begun
            await sleep(duration_s)
            # A call that came and went meanwhile starts the wait anew.
            if self._begun == begun and self._in_flight == 0:
                return
