"""Blocks of pictures that are decoded before they are asked for, in a thread of their own, up to so many bytes."""

import threading
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

MOST_BYTES = 64 << 20  # a minute of pictures for `mini`, 18 s for a model that reads 224 x 224


class FramesAhead(Iterator[np.ndarray]):
    """The blocks of `blocks`, which is run to its end or until this is closed.

    What it raises is raised where the block would have come.
    """

    def __init__(self, blocks: Callable[[], Iterator[np.ndarray]], most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._waiting: deque[np.ndarray] = deque()
        self._waiting_bytes = 0
        self._error: BaseException | None = None
        self._has_ended = False
        self._is_closed = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, args=(blocks,), daemon=True).start()

    def __next__(self) -> np.ndarray:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._has_ended or self._is_closed)
            if self._waiting:
                block = self._waiting.popleft()
                self._waiting_bytes -= block.nbytes
                self._changed.notify_all()
                return block
        if self._error is not None:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        """Decode no further; the decoder is let go with its present block."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _run(self, blocks: Callable[[], Iterator[np.ndarray]]) -> None:
        source = blocks()
        try:
            for block in source:
                with self._changed:
                    self._waiting.append(block)
                    self._waiting_bytes += block.nbytes
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._waiting_bytes < self._most_bytes or self._is_closed)
                    if self._is_closed:
                        break
        except BaseException as error:  # an edge: raised where the pictures are used
            self._error = error
        finally:
            close_if_it_can(source)
            with self._changed:
                self._has_ended = True
                self._changed.notify_all()


def close_if_it_can(blocks: object) -> None:
    """Close a generator, and whatever else can be closed."""
    close = getattr(blocks, "close", None)
    if close is not None:
        close()
