"""Forwards side by side on the cores of a CPU, each on its own. Knows no denoiser.

An operation of a small denoiser takes less than a millisecond: shared by all cores, most of it is waking the other
cores and waiting for them, and beside a busy program for a core that it has taken. A whole forward on one core waits
for nobody until it is done.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from threading import Barrier
from typing import TypeVar

import torch

T = TypeVar("T")
SIDE_BY_SIDE = 4  # forwards at most; with more cores than that each has several of them. Our choice


class Cores:
    """What torch's threads would do together, they do side by side."""

    def __init__(self, thread_count: int | None = None) -> None:
        """Use so many threads; by default as many as torch does."""
        self._thread_count = thread_count or torch.get_num_threads()
        self._worker_count = min(self._thread_count, SIDE_BY_SIDE)

    def in_order(self, calls: Iterable[Callable[[], T]]) -> Iterator[T]:
        """The calls' results in their order; a call is fetched only when a core is about to be free for it."""
        waiting: deque[Future[T]] = deque()
        try:
            for call in calls:
                waiting.append(self._pool.submit(_without_gradients, call))
                if len(waiting) > self._worker_count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        each, before = self._thread_count // self._worker_count, torch.get_num_threads()
        pool = ThreadPoolExecutor(self._worker_count, "diffava-core", _use_threads, (each,))
        barrier = Barrier(self._worker_count)
        list(pool.map(lambda _: barrier.wait(), range(self._worker_count)))
        torch.set_num_threads(before)
        return pool


def _use_threads(count: int) -> None:
    """Let the thread that this runs in compute on so many threads from now on.

    A thread that computes for the first time takes the number that was last set in any thread, and forgets one that
    was set before in it; asking counts as computing (`lazy_init_num_threads` in ATen/Parallel.h).
    """
    torch.get_num_threads()
    torch.set_num_threads(count)


def _without_gradients(call: Callable[[], T]) -> T:
    with torch.inference_mode():  # each thread's own as well
        return call()
