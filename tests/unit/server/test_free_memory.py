"""What was freed goes back to the system, at once and again and again."""

import asyncio
import ctypes
import sys

import psutil
import pytest

from diffava_server.machine import free_memory

BLOCK_BYTES, BLOCK_COUNT = 60_000, 1_000


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_what_lies_free_between_blocks_in_use_is_given_back():
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_size_t],
        [ctypes.c_void_p],
    )
    blocks = [libc.malloc(BLOCK_BYTES) for _ in range(BLOCK_COUNT)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK_BYTES)
    kept = blocks[::20]
    for block in set(blocks) - set(kept):
        libc.free(block)
    before_bytes = psutil.Process().memory_info().rss
    free_memory.give_back()
    given_bytes = before_bytes - psutil.Process().memory_info().rss
    for block in kept:
        libc.free(block)
    assert given_bytes > BLOCK_BYTES * BLOCK_COUNT / 2


def test_it_is_done_again_and_again_until_it_is_cancelled(monkeypatch):
    async def scenario():
        twice, count = asyncio.Event(), 0

        def count_one():
            nonlocal count
            count += 1
            if count == 2:
                twice.set()

        monkeypatch.setattr(free_memory, "give_back", count_one)
        task = asyncio.create_task(free_memory.give_back_regularly(every_s=0.0))
        await asyncio.wait_for(twice.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
