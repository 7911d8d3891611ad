"""The launcher at the other end of two pipes: a JSON object a line, one request at a time."""

import json
import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, BinaryIO

from diffava_resolve.bridge.channel import gone, value_of
from diffava_resolve.bridge.failures import CallRefusedError, EditorTimeoutError

MAX_LINE_BYTES = 8 * 1024 * 1024  # as the launcher has it
_END: Mapping[str, Any] = {}


class PipeChannel:
    """A `Channel` over pipes.

    A thread reads, and closes `reader` at its end, so that a launcher that ends is noticed at once and one that hangs
    after the timeout. Requests of several threads wait for each other. `on_gone` is called, in that thread, when the
    launcher ends while no request waits for it; a request that waits fails instead.
    """

    def __init__(self, reader: BinaryIO, writer: BinaryIO, *, on_gone: Callable[[], None] = lambda: None) -> None:
        self._reader = reader
        self._writer = writer
        self._on_gone = on_gone
        self._answers: queue.Queue[Mapping[str, Any]] = queue.Queue()
        self._lock = threading.Lock()
        self._number = 0
        self._is_closed = False
        self._is_waiting = False
        threading.Thread(target=self._read, daemon=True, name="diffava-bridge").start()

    def greeting(self, timeout_s: float) -> Mapping[str, Any]:
        """See `Channel.greeting`."""
        return self._next(timeout_s)

    def request(self, request: Mapping[str, Any], timeout_s: float) -> Any:
        """See `Channel.request`."""
        with self._lock:
            if self._is_closed:
                raise gone()
            self._number += 1
            line = json.dumps({"id": self._number, **request}, allow_nan=False).encode()
            if len(line) >= MAX_LINE_BYTES:
                raise CallRefusedError(f"A call to Resolve has {len(line)} bytes, more than are passed on.")
            try:
                self._writer.write(line + b"\n")
                self._writer.flush()
            except (OSError, ValueError):
                self.close()
                raise gone() from None
            answer = self._next(timeout_s)
            if answer.get("id") != self._number:
                self.close()
                raise gone()
            return value_of(answer)

    def close(self) -> None:
        """See `Channel.close`."""
        self._is_closed = True
        with suppress(OSError):  # what is still in its buffer can go nowhere
            self._writer.close()

    def _next(self, timeout_s: float) -> Mapping[str, Any]:
        self._is_waiting = True
        try:
            answer = self._answers.get(timeout=timeout_s)
            self._is_waiting = False
        except queue.Empty:
            self.close()
            raise EditorTimeoutError(
                f"Resolve did not answer within {timeout_s:.0f} s. Close any dialog that is open there, then try "
                "again; what was begun is undone."
            ) from None
        if answer is _END:
            self._answers.put(_END)  # for whoever asks next
            self.close()
            raise gone()
        return answer

    def _read(self) -> None:
        try:
            while line := self._reader.readline(MAX_LINE_BYTES + 1):
                answer = json.loads(line) if len(line) <= MAX_LINE_BYTES else None
                if not isinstance(answer, dict):
                    break
                self._answers.put(answer)
        except (OSError, ValueError):
            pass  # told as its end
        with suppress(OSError):
            self._reader.close()
        is_news = not self._is_closed and not self._is_waiting
        self._is_closed = True
        self._answers.put(_END)
        if is_news:
            self._on_gone()
