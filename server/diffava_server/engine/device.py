"""The device that models compute on: which one, and how much memory it has. Loads torch when it is asked."""

import ctypes
import os
import sys
from typing import TYPE_CHECKING

from diffava_server.errors import EngineFailedError

if TYPE_CHECKING:
    import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_OWN_BLOCK_BYTES = 32 << 20  # the most that glibc takes: blocks from here on still come and go by themselves
_KEPT_BYTES = 256 << 20  # at the heap's end; what lies before is kept anyway. Our choice


def let_threads_sleep() -> None:
    """Make torch's CPU threads sleep while they wait for each other; read once, when torch is first loaded.

    By default they spin, each holding a core. Beside a busy editor every one of thousands of short steps then waits
    for a thread that has no core: measured ten times slower and more (`tests/benchmarks/README.md`).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def keep_freed_memory() -> None:
    """Make glibc keep what tensors leave and use it again; other systems' allocators do as they do.

    By default it returns every block of some MB to the system, and the next tensor's memory is new pages, each of which
    is cleared first: up to a tenth of a short job's time (`tests/benchmarks/README.md`).
    """
    if sys.platform == "linux":
        set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if set_option is not None:
            set_option(_M_MMAP_THRESHOLD, _OWN_BLOCK_BYTES)
            set_option(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def found_device(asked: str) -> "torch.device":
    """The device that is asked for. Metal only when asked for: no model of ours has been seen running on it.

    Raises:
        EngineFailedError: This machine, or this build of torch, has no such device.
    """
    import torch

    kind = asked.partition(":")[0]
    if kind == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}[kind]
    device = torch.device(asked)
    if (device.index or 0) >= found:
        raise EngineFailedError(
            f"The device {asked} was asked for, and torch {torch.__version__} finds {found} of kind {kind} on this "
            "machine; start the server with --device auto, or run `diffava doctor`."
        )
    return device


def device_bytes(device: "torch.device") -> int:
    """The device's memory in all; 0 where nothing tells it."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no such call, and not every system the names
        return 0


def give_back(device: "torch.device") -> None:
    """Return freed memory to the device, so that another model or another program finds it."""
    import gc

    import torch

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
