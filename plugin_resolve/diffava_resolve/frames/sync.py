"""How well the onsets of a sound fit the hits in the picture: counts and errors, nothing else. Pure arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

DEFAULT_TOLERANCE_S = Fraction(1, 10)  # as the onset accuracy of CondFoleyGen


_SHIFTS = 8  # cyclic shifts of the onsets, evenly over the region, that stand for chance


@dataclass(frozen=True)
class SyncMeasurement:
    """Onsets of the sound against stops of downward motion in the picture, matched one to one.

    This compares with motion in the picture, not with truth: the picture shows hits that make no sound and hides
    others, and onsets include echoes and what happens off screen. Where both are dense nearly everything matches
    something: read `matched_count` against `matched_by_chance`. Not comparable with AV-Align or DeSync.

    Attributes:
        hit_count: Stops of downward motion found in the picture.
        onset_count: Onsets found in the sound.
        matched_count: Pairs that lie no farther apart than the tolerance.
        matched_by_chance: The mean of the same count with the onsets shifted along the region, cyclically.
        tolerance_s: The tolerance.
        median_absolute_error_ms: Of the pairs' distances; None where there is no pair.
        median_absolute_error_frames: The same in timeline frames; None where there is no pair.
        median_offset_ms: Median of onset minus hit: positive where the sound is late; None where there is no pair.
    """

    hit_count: int
    onset_count: int
    matched_count: int
    matched_by_chance: float
    tolerance_s: Fraction
    median_absolute_error_ms: float | None
    median_absolute_error_frames: float | None
    median_offset_ms: float | None


def measure_sync(
    hits_s: Sequence[float | Fraction],
    onsets_s: Sequence[float | Fraction],
    rate: Fraction,
    duration_s: float | Fraction,
    tolerance_s: Fraction = DEFAULT_TOLERANCE_S,
) -> SyncMeasurement:
    """Match onsets to hits, nearest pairs first, each used once.

    Args:
        hits_s: Seconds from the region's start, in any order.
        onsets_s: Seconds from the region's start, in any order.
        rate: The timeline's, to say the error in frames.
        duration_s: The region's length.
        tolerance_s: Pairs farther apart are no pairs; exactly as far apart are.
    """
    hits, onsets = np.array(sorted(map(float, hits_s))), np.array(sorted(map(float, onsets_s)))
    offsets_s = _matched_offsets_s(hits, onsets, float(tolerance_s))
    shifts_s = [float(duration_s) * (k + 0.5) / _SHIFTS for k in range(_SHIFTS)]
    by_chance = [
        len(_matched_offsets_s(hits, np.sort((onsets + shift_s) % float(duration_s)), float(tolerance_s)))
        for shift_s in shifts_s
    ]
    error_s = float(np.median(np.abs(offsets_s))) if offsets_s else None
    return SyncMeasurement(
        hit_count=len(hits),
        onset_count=len(onsets),
        matched_count=len(offsets_s),
        matched_by_chance=float(np.mean(by_chance)),
        tolerance_s=tolerance_s,
        median_absolute_error_ms=None if error_s is None else error_s * 1000,
        median_absolute_error_frames=None if error_s is None else error_s * float(rate),
        median_offset_ms=float(np.median(offsets_s)) * 1000 if offsets_s else None,
    )


def _matched_offsets_s(hits_s: np.ndarray, onsets_s: np.ndarray, tolerance_s: float) -> list[float]:
    """Onset minus hit of every pair; both inputs rise."""
    limit_s = tolerance_s + 1e-9  # seconds in floats: a pair exactly at the tolerance counts
    pairs = []
    for hit_index, hit_s in enumerate(hits_s):
        first, stop = np.searchsorted(onsets_s, [hit_s - limit_s, hit_s + limit_s])
        pairs += [(abs(onsets_s[k] - hit_s), hit_index, int(k)) for k in range(first, stop)]
    used_hits: set[int] = set()
    used_onsets: set[int] = set()
    offsets_s: list[float] = []
    for _, hit_index, onset_index in sorted(pairs):
        if hit_index not in used_hits and onset_index not in used_onsets:
            used_hits.add(hit_index)
            used_onsets.add(onset_index)
            offsets_s.append(float(onsets_s[onset_index] - hits_s[hit_index]))
    return offsets_s
