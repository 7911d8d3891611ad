"""A pipe to another process, as the event loop can await it. Knows nothing of what goes through.

asyncio can watch pipes on Linux and macOS but not `multiprocessing`'s named pipes on Windows, so a thread does the
blocking calls on all three. It is a daemon: an executor's threads would be joined at exit, and one that waits for a
process which never answers would keep the server from ending.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any


class AsyncPipe:
    """Sends and receives whole objects in order; reads one only when asked, so that a slow reader holds the writer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._receiving: asyncio.Future[Any] | None = None
        threading.Thread(target=self._work, name="engine-pipe", daemon=True).start()

    async def send(self, value: object) -> None:
        """Send one object. Cancelling the caller does not cut it in half.

        Raises:
            OSError: The other end is gone.
        """
        await asyncio.shield(self._call(lambda: self._connection.send(value)))

    async def receive(self) -> Any:
        """The next object. A cancelled `receive` loses nothing: the next one gets what it would have got.

        Raises:
            EOFError | OSError: The other end is gone.
        """
        if self._receiving is None:
            self._receiving = self._call(self._connection.recv)
        value = await asyncio.shield(self._receiving)
        self._receiving = None
        return value

    def close(self) -> None:
        """Close this end after the calls under way. To end a blocked `receive`, end the other process first."""
        self._calls.put(None)

    def _call(self, function: Callable[[], Any]) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self._loop.create_future()
        # A caller that was cancelled never asks for the outcome; without this the loop would report it as lost.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._calls.put((function, future))
        return future

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            function, future = call
            try:
                self._settle(future.set_result, function())
            except Exception as error:  # relayed to whoever awaits the call
                self._settle(future.set_exception, error)
        self._connection.close()

    def _settle(self, settle: Callable[[Any], None], value: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended; nobody waits
            self._loop.call_soon_threadsafe(settle, value)
