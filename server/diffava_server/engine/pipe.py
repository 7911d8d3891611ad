"""Two pipes to another process, as the event loop can await them. Knows nothing of what goes through.

asyncio can watch pipes on Linux and macOS but not `multiprocessing`'s named pipes on Windows, so a thread for each
direction does the blocking calls on all three: whoever waits for what the other end may never send can still send. The
threads are daemons: an executor's would be joined at exit, and one that waits for a process which never answers would
keep the server from ending.
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

    def __init__(self, incoming: Connection, outgoing: Connection) -> None:
        self._receiver = _Direction(incoming, "engine-receiver")
        self._sender = _Direction(outgoing, "engine-sender")

    async def send(self, value: object) -> None:
        """Send one object. Cancelling the caller does not cut it in half.

        Raises:
            OSError: The other end is gone.
        """
        await asyncio.shield(self._sender.call(lambda connection: connection.send(value)))

    async def receive(self) -> Any:
        """The next object; for one caller, which is not cancelled before its last call.

        Raises:
            EOFError | OSError: The other end is gone.
        """
        return await self._receiver.call(lambda connection: connection.recv())

    def close(self) -> None:
        """Close both ends after the calls under way. To end a blocked `receive`, end the other process first."""
        self._receiver.close()
        self._sender.close()


class _Direction:
    """One connection, and the thread that alone uses it."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._calls: queue.SimpleQueue[tuple[Callable[[Connection], Any], asyncio.Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def call(self, function: Callable[[Connection], Any]) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self._loop.create_future()
        # A caller that was cancelled never asks for the outcome; without this the loop would report it as lost.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._calls.put((function, future))
        return future

    def close(self) -> None:
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            function, future = call
            try:
                self._settle(future, future.set_result, function(self._connection))
            except Exception as error:  # relayed to whoever awaits the call
                self._settle(future, future.set_exception, error)
            del call, function, future  # an idle thread would keep the last message in memory
        self._connection.close()

    def _settle(self, future: "asyncio.Future[Any]", settle: Callable[[Any], None], value: Any) -> None:
        def settle_unless_cancelled() -> None:
            if not future.done():
                settle(value)

        with contextlib.suppress(RuntimeError):  # the loop has ended; nobody waits
            self._loop.call_soon_threadsafe(settle_unless_cancelled)
