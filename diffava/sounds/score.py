"""A score: which sounds a clip has, when each is heard, and when its source can be seen. Knows no samples, no pixels.

The same score is heard (`composition`) and seen (`diffava.scenes`), which is what makes sound and picture agree.
"""

from dataclasses import dataclass

Interval = tuple[float, float]  # [start_s, stop_s)


@dataclass(frozen=True)
class Hit:
    """One contact or one call: when it begins, how strong it is from 0 to 1, and how long it is heard."""

    time_s: float
    strength: float
    duration_s: float


@dataclass(frozen=True)
class Source:
    """One thing that sounds.

    Contacts and calls (`action` impact and voice) have hits, textures have intervals in `active`. All of them lie
    inside `in_frame`: what cannot be seen is not heard. A source without hits and intervals keeps still and silent.
    """

    kind: str
    motion: str
    hits: tuple[Hit, ...] = ()
    active: tuple[Interval, ...] = ()
    in_frame: tuple[Interval, ...] = ()


@dataclass(frozen=True)
class Score:
    """A clip: its sources in the order in which they are first heard, and the seed of what only decorates."""

    duration_s: float
    sources: tuple[Source, ...]
    scene_seed: int
