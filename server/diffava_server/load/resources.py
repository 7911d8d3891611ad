"""What a server's processes hold: memory, open files, threads. Knows processes, nothing of what they do."""

from dataclasses import asdict, dataclass
from typing import Any

import psutil


@dataclass(frozen=True)
class Held:
    """By one process, at one moment. `descriptor_count` is of handles on Windows."""

    memory_bytes: int
    descriptor_count: int
    thread_count: int


@dataclass(frozen=True)
class Holding:
    """By a server: its parent and its engines' processes added up."""

    parent: Held
    engines: Held


def holding(pid: int) -> Holding | None:
    """What the server holds now; None once it has ended."""
    try:
        parent = psutil.Process(pid)
        children = parent.children(recursive=True)
        return Holding(_held(parent), _sum(_held_or_none(child) for child in children))
    except psutil.NoSuchProcess:
        return None


def summary(series: list[Holding]) -> dict[str, Any] | None:
    """First, largest and last of each figure."""
    if not series:
        return None
    told: dict[str, Any] = {}
    for part in ("parent", "engines"):
        rows = [asdict(getattr(each, part)) for each in series]
        told[part] = {
            name: {"first": rows[0][name], "max": max(row[name] for row in rows), "last": rows[-1][name]}
            for name in rows[0]
        }
    return told


def _held(process: psutil.Process) -> Held:
    with process.oneshot():
        descriptors = process.num_handles() if psutil.WINDOWS else process.num_fds()
        return Held(process.memory_info().rss, descriptors, process.num_threads())


def _held_or_none(process: psutil.Process) -> Held | None:
    try:
        return _held(process)
    except psutil.NoSuchProcess:  # between the listing and the reading
        return None


def _sum(parts: Any) -> Held:
    known = [part for part in parts if part is not None]
    return Held(
        sum(part.memory_bytes for part in known),
        sum(part.descriptor_count for part in known),
        sum(part.thread_count for part in known),
    )
