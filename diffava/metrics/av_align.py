"""AV-Align: how many onsets of a sound and peaks of its picture's motion coincide. Knows times, no sound and no film.

TempoTokens (arXiv:2309.16429) defines it three times over, and the three do not agree:

    2023   av_align.py at 34d9502: any local maximum is a peak, and it may be matched again and again, so that 3 onsets
           beside one peak score 3.0. (Its finder of peaks has an undefined name; forks that run, as that of
           Seeing-and-Hearing, mend only that.) Both papers' tables are of this rule.
    2025   the same file at bf0b1e3: peaks are of at least 0.1 pixels, each is matched once.
    paper  eq. 9: membership is counted from both sides and halved, within a window of three frames. The union is not
           defined there; ours is |A| + |V| - the most pairs that match one to one.

Tolerances are frames, so scores of films of different rates are not alike, and two random sequences score some 0.26.
"""

import math
from collections.abc import Sequence
from typing import Literal, get_args

from diffava.metrics.matching import match

Variant = Literal["2023", "2025", "paper"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
LEAST_FLOW_PIXELS = 0.1  # of variant 2025


def flow_peaks_s(trajectory: Sequence[float], frame_rate: float, variant: Variant = "2025") -> list[float]:
    """The times of the strict local maxima of the mean flow; neither the first nor the last frame can be one.

    Args:
        trajectory: Mean length of the flow in pixels, one value a frame (see `motion_onsets.flow_trajectory`).
        frame_rate: Frames per second.
        variant: "2023" takes maxima of any size; the paper's text names no least size either.
    """
    least = LEAST_FLOW_PIXELS if variant == "2025" else -math.inf
    return [
        index / frame_rate
        for index in range(1, len(trajectory) - 1)
        if trajectory[index - 1] < trajectory[index] > trajectory[index + 1] and trajectory[index] >= least
    ]


def av_align(
    onsets_s: Sequence[float], peaks_s: Sequence[float], frame_rate: float, variant: Variant = "2025"
) -> float:
    """The score of one clip: 1 if all coincide, 0 if none does or one of the two has none.

    With neither onset nor peak there is nothing to align: NaN, which a mean over clips leaves out (the upstream code
    divides by zero).
    """
    if not onsets_s and not peaks_s:
        return math.nan
    if variant == "paper":
        return _two_sided(onsets_s, peaks_s, frame_rate)
    unused = list(peaks_s)
    together = 0
    for onset in onsets_s:
        # The comparison is upstream's, sums and all: what lies exactly a frame apart must stay unmatched.
        near = next((peak for peak in unused if peak - 1 / frame_rate < onset < peak + 1 / frame_rate), None)
        if near is not None:
            together += 1
            if variant == "2025":
                unused.remove(near)
    return together / (len(onsets_s) + len(peaks_s) - together)


def _two_sided(onsets_s: Sequence[float], peaks_s: Sequence[float], frame_rate: float) -> float:
    reach_s = 1 / frame_rate  # one frame to either side: a window of three

    def met(times: Sequence[float], others: Sequence[float]) -> int:
        return sum(any(abs(time - other) <= reach_s + 1e-9 for other in others) for time in times)

    pairs = len(match(onsets_s, peaks_s, reach_s).errors_s)
    union = len(onsets_s) + len(peaks_s) - pairs
    return (met(onsets_s, peaks_s) + met(peaks_s, onsets_s)) / (2 * union)
