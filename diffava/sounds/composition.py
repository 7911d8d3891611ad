"""Clips composed of takes: a score drawn by a seed, and the waveform that it says. Knows no picture and no model."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from diffava.sounds.kinds import Kind, kind_named
from diffava.sounds.recordings import Split
from diffava.sounds.score import Hit, Interval, Score, Source
from diffava.sounds.takes import RATE_HZ, Take, TakeLibrary

EDGE_FADE_S = 0.03
TEXTURE_RMS = 0.06
LEAST_INTERVAL_S = 0.5


@dataclass(frozen=True)
class Clip:
    """A composed clip: its score, and which takes are heard at each hit or interval of each source."""

    score: Score
    takes: tuple[tuple[Take, ...], ...]
    gains: tuple[float, ...]


def draw_clip(
    library: TakeLibrary,
    split: Split,
    duration_s: float,
    seed: int,
    *,
    kinds: tuple[str, ...] | None = None,
) -> Clip:
    """A clip that is a function of the seed alone.

    One clip in twenty is silent (its source keeps still), one in seven has two sounds in an order; of the others the
    source of one in five leaves the picture or comes into it, and is heard only while it is seen.

    Args:
        library: Where takes come from.
        split: Whose takes are used.
        duration_s: Length of the clip.
        seed: What everything is drawn from.
        kinds: The sounds, one or two, in their order; drawn if not given. Each kind is as likely as another, so that
            a kind with many recordings does not crowd out one with few.
    """
    rng = np.random.default_rng(seed)
    known = library.kinds_in(split)
    names = kinds or tuple(str(name) for name in rng.choice(known, 2 if rng.random() < 1 / 7 else 1, replace=False))
    silent = kinds is None and rng.random() < 1 / 20
    sources: list[Source] = []
    takes: list[tuple[Take, ...]] = []
    for position, name in enumerate(names):
        span = (duration_s * position / len(names), duration_s * (position + 1) / len(names))
        source, used = _source(kind_named(name), library.of(name, split), span, duration_s, silent, rng)
        sources.append(source)
        takes.append(used)
    score = Score(duration_s, tuple(sources), int(rng.integers(2**32)))
    return Clip(score, tuple(takes), tuple(float(10 ** (rng.uniform(-9, 0) / 20)) for _ in names))


def waveform_of(clip: Clip, library: TakeLibrary) -> Float[np.ndarray, "S"]:
    """The samples of a clip at 48 kHz, never above full scale."""
    samples = np.zeros(round(clip.score.duration_s * RATE_HZ), dtype=np.float32)
    for source, takes, gain in zip(clip.score.sources, clip.takes, clip.gains, strict=True):
        if source.active:
            for interval, take in zip(source.active, takes, strict=True):
                _add_texture(samples, library.waveform(take), interval, gain)
        for hit, take in zip(source.hits, takes, strict=False):
            _add(samples, library.waveform(take)[: round(hit.duration_s * RATE_HZ)], hit.time_s, gain * hit.strength)
        for start_s, stop_s in _outside(source.in_frame, clip.score.duration_s) if len(takes) else ():
            if len(clip.score.sources) == 1:  # a tail does not go on after its source has left
                _fade_out(samples, start_s, stop_s)
    peak = float(np.abs(samples).max())
    return samples / peak if peak > 1 else samples


def _source(
    kind: Kind, takes: list[Take], span: Interval, duration_s: float, silent: bool, rng: Generator
) -> tuple[Source, tuple[Take, ...]]:
    in_frame: Interval = (0.0, duration_s)
    if span == in_frame and rng.random() < 0.2:  # comes in, or leaves
        edge = rng.uniform(0.3, 0.7) * duration_s
        in_frame = (edge, duration_s) if rng.random() < 0.5 else (0.0, edge)
    span = (max(span[0], in_frame[0]), min(span[1], in_frame[1]))
    if silent:
        return Source(kind.name, kind.motion, in_frame=(in_frame,)), ()
    if kind.action == "texture":
        active = _intervals(span, rng)
        take = takes[rng.integers(len(takes))]
        return Source(kind.name, kind.motion, active=active, in_frame=(in_frame,)), (take,) * len(active)
    hits, used = _hits(kind, takes, span, rng)
    return Source(kind.name, kind.motion, hits=hits, in_frame=(in_frame,)), used


def _intervals(span: Interval, rng: Generator) -> tuple[Interval, ...]:
    """A texture that goes on, starts, stops, or starts and stops, never for less than half a second."""
    start, stop = span
    length = stop - start
    style = rng.integers(4)
    if style == 0 or length < 3 * LEAST_INTERVAL_S:
        return ((start, stop),)
    a, b = sorted(rng.uniform(start + LEAST_INTERVAL_S, stop - LEAST_INTERVAL_S, 2))
    if style == 1:
        return ((float(a), stop),)
    if style == 2:
        return ((start, float(b)),)
    if b - a < LEAST_INTERVAL_S:
        return ((start, float(a)),)
    return ((start, float(a)), (float(b), stop)) if rng.random() < 0.5 else ((float(a), float(b)),)


def _hits(kind: Kind, takes: list[Take], span: Interval, rng: Generator) -> tuple[tuple[Hit, ...], tuple[Take, ...]]:
    """A single event, a series with its own rhythm, or events at random; one take again and again, or varied ones."""
    start, stop = span[0] + 0.1, span[1] - 0.25
    first = takes[rng.integers(len(takes))]
    # Takes of one session belong together: a series of steps is one pair of shoes.
    session = [take for take in takes if take.origin == first.origin]
    pool = session if rng.random() < 0.8 else [first]
    shortest = 0.16 if kind.action == "impact" else 0.35
    typical = max(
        shortest, float(np.median([take.duration_s for take in pool])) * (0.6 if kind.action == "impact" else 1)
    )
    style = rng.integers(3)
    if style == 0:
        times = [rng.uniform(start, max(start, stop - min(1.0, typical)))]
    elif style == 1:
        period = typical * rng.uniform(1.0, 2.2) + (0.2 if kind.motion == "step" else 0)
        count = min(12, int((stop - start) / period) + 1)
        begin = rng.uniform(start, max(start, stop - (count - 1) * period))
        times = [begin + k * period + rng.normal(0, 0.04) * period for k in range(count)]
    else:
        times = sorted(rng.uniform(start, stop, rng.integers(2, 7)))
    spaced: list[float] = []
    for time in times:
        if start <= time <= stop and (not spaced or time - spaced[-1] >= shortest):
            spaced.append(float(time))
    spaced = spaced or [start]
    used = [pool[rng.integers(len(pool))] for _ in spaced]
    room = [*spaced[1:], span[1]]
    strengths = 10 ** (rng.uniform(-8, 0, len(spaced)) / 20)
    hits = tuple(
        Hit(
            time,
            float(strength),
            min(take.duration_s, max(shortest, until - time) if kind.action == "voice" else math.inf),
        )
        for time, strength, take, until in zip(spaced, strengths, used, room, strict=True)
    )
    return hits, tuple(used)


def _outside(intervals: tuple[Interval, ...], duration_s: float) -> list[Interval]:
    edges = [0.0, *(edge for interval in intervals for edge in interval), duration_s]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 1e-6]


def _add(samples: Float[np.ndarray, "S"], take: Float[np.ndarray, "N"], time_s: float, gain: float) -> None:
    start = round(time_s * RATE_HZ)
    fade = min(round(EDGE_FADE_S * RATE_HZ), len(take) // 2)
    faded = take * np.float32(gain)
    faded[len(faded) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    part = samples[start : start + len(faded)]
    part += faded[: len(part)]


def _add_texture(
    samples: Float[np.ndarray, "S"], take: Float[np.ndarray, "N"], interval: Interval, gain: float
) -> None:
    first, stop = (round(edge * RATE_HZ) for edge in interval)
    length = stop - first
    offset = first % max(1, len(take) - length) if len(take) > length else 0
    looped = np.resize(take[offset:], length)
    looped = looped * np.float32(gain * TEXTURE_RMS / (np.sqrt(np.mean(looped**2)) + 1e-6))
    fade = min(round(2 * EDGE_FADE_S * RATE_HZ), length // 2)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    looped[:fade] *= ramp
    looped[length - fade :] *= ramp[::-1]
    samples[first:stop] += looped


def _fade_out(samples: Float[np.ndarray, "S"], start_s: float, stop_s: float) -> None:
    first, stop = round(start_s * RATE_HZ), round(stop_s * RATE_HZ)
    fade = min(round(EDGE_FADE_S * RATE_HZ), first)
    samples[first - fade : first] *= np.linspace(1, 0, fade, dtype=np.float32)
    samples[first:stop] = 0
