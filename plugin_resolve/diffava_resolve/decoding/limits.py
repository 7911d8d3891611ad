"""What one file may cost, and the operating system's means to hold it to that.

Where the system has them (Linux; macOS counts no address space; Windows has none of these) the process cannot take more
memory or processor time, write a file, or open more than a few. Time on the clock is kept by the parent everywhere.
"""

import contextlib
import os
import sys
from dataclasses import dataclass

_BYTES_PER_PIXEL = 64  # some ten pictures that a codec refers to, at 16 bits, and as many on their way through threads


@dataclass(frozen=True)
class Limits:
    """What the process may use.

    `answer_s` is the longest time between two pictures, on the clock; processor time is `threads` times that.
    `memory_bytes` is address space with all libraries in it (0.2 GiB), and grows with the size of the pictures that
    the reading code has looked at and found to be allowed, up to `most_memory_bytes`. With a `niceness` (POSIX, to 19)
    others come first.
    """

    answer_s: float = 60.0
    threads: int = 4
    memory_bytes: int = 1 << 30
    most_memory_bytes: int = 8 << 30
    open_files: int = 64
    niceness: int = 0

    def apply(self) -> None:
        """Hold this process to the limits, for good."""
        if sys.platform == "win32":
            return
        import resource

        os.nice(self.niceness)
        _lower(resource.RLIMIT_CORE, 0, 0)
        _lower(resource.RLIMIT_FSIZE, 0, 0)
        _lower(resource.RLIMIT_NOFILE, self.open_files, self.open_files)
        _lower(resource.RLIMIT_AS, self.memory_bytes, self.most_memory_bytes)
        self.allow_answer()

    def allow_answer(self) -> None:
        """Grant the processor time for one more answer; without an answer the process ends."""
        if sys.platform == "win32":
            return
        import resource

        usage = resource.getrusage(resource.RUSAGE_SELF)
        seconds = usage.ru_utime + usage.ru_stime + self.answer_s * self.threads
        _lower(resource.RLIMIT_CPU, int(seconds) + 1, resource.RLIM_INFINITY)

    def allow_pixels(self, pixel_count: int) -> None:
        """Grant the memory for pictures of so many pixels."""
        if sys.platform == "win32":
            return
        import resource

        soft_bytes, hard_bytes = resource.getrlimit(resource.RLIMIT_AS)
        wanted_bytes = min(self.memory_bytes + _BYTES_PER_PIXEL * pixel_count, self.most_memory_bytes)
        if wanted_bytes > soft_bytes != resource.RLIM_INFINITY:
            _lower(resource.RLIMIT_AS, wanted_bytes, hard_bytes)


def _lower(kind: int, soft: int, hard: int) -> None:
    """Set a limit, as far as a lower one of the whole session allows; a system that refuses is left as it is."""
    import resource

    _, most = resource.getrlimit(kind)
    if most != resource.RLIM_INFINITY:
        hard = most if hard == resource.RLIM_INFINITY else min(hard, most)
        soft = min(soft, most)
    with contextlib.suppress(OSError, ValueError):  # macOS refuses some of them
        resource.setrlimit(kind, (soft, hard))
