"""Several requests at once: who fails falls out, and the others go on. Knows no stage and no request."""

import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch

from diffava.errors import DiffavaError, MemoryRanOutError

T = TypeVar("T")


@dataclass(frozen=True)
class Ended:
    """Nothing more comes: it is complete, or an error was in the way."""

    error: DiffavaError | None = None


def survivors_of(numbers: Iterable[int], work: Callable[[int], T], lost: dict[int, DiffavaError]) -> dict[int, T]:
    """What the work gives for each number; whose work raises an error of ours is `lost` with it instead."""
    done: dict[int, T] = {}
    for number in numbers:
        try:
            with want_of_memory_told():
                done[number] = work(number)
        except DiffavaError as error:
            lost[number] = error
    return done


def until_ended(pieces: Iterable[T]) -> Iterator[T | Ended]:
    """The pieces, and how they ended."""
    try:
        with want_of_memory_told():
            yield from pieces
    except DiffavaError as error:
        yield Ended(error)
    else:
        yield Ended()


@contextmanager
def want_of_memory_told() -> Iterator[None]:
    """Turn torch's and Python's own errors for a want of memory into one of ours, and let go of what they hold.

    Raises:
        MemoryRanOutError: The memory did not suffice.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        # On a CPU torch has no class of its own for it.
        is_of_memory = isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(error)
        if not is_of_memory:
            raise
        traceback.clear_frames(error.__traceback__)  # they hold tensors as long as the error lives (pytorch#27600)
    else:
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise MemoryRanOutError(
        "The memory did not suffice for this job; ask for a shorter range, fewer takes or a smaller model."
    )
