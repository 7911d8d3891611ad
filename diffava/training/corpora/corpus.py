"""What a corpus is: clips of media files with captions. Knows no format and no file."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

LEAST_SHARE = 0.5  # of a window that must be left at a source's end to be a clip of its own


@dataclass(frozen=True)
class Clip:
    """A stretch of a media file; `source_id` is what it was cut from, so that its neighbours can be kept together."""

    clip_id: str
    source_id: str
    path: Path
    start_s: float
    duration_s: float
    captions: tuple[str, ...]


@runtime_checkable  # so that tests can check arguments against it
class Corpus(Protocol):
    """Clips in a fixed order, so that work on them can be stopped and go on."""

    @property
    def info(self) -> Mapping[str, Any]:
        """Which corpus it is, in plain values: its name, part, licence."""
        ...

    @property
    def missing(self) -> tuple[str, ...]:
        """The listed clips whose media are not there."""
        ...

    def clips(self, clip_s: float) -> Iterator[Clip]:
        """Every clip whose media are there, none longer than `clip_s`."""
        ...


def windows(whole: Clip, clip_s: float) -> Iterator[Clip]:
    """A stretch as clips of `clip_s` one after another; the rest is one too if it is at least half as long."""
    count = max(1, math.floor(whole.duration_s / clip_s + LEAST_SHARE))
    for number in range(count):
        start_s = number * clip_s
        clip_id = whole.clip_id if number == 0 else f"{whole.clip_id}@{start_s:g}"
        duration_s = min(clip_s, whole.duration_s - start_s)
        yield replace(whole, clip_id=clip_id, start_s=whole.start_s + start_s, duration_s=duration_s)
