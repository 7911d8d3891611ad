"""Giving what was freed back to the system, so that a server's fullest moment does not stay its level for good."""

import asyncio
import ctypes
import sys

GIVE_BACK_EVERY_S = 60.0


async def give_back_regularly(every_s: float = GIVE_BACK_EVERY_S) -> None:
    """Give back freed memory every so often, until it is cancelled."""
    while True:
        await asyncio.sleep(every_s)
        give_back()


def give_back() -> None:
    """Return freed memory to the system, which glibc would hold, a part for each thread; others do it by themselves."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
