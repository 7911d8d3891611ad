"""When something begins, read off a curve of how likely it is. Knows no pictures."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

APART_S = 0.08  # two hits closer than this are one: the curve of one hit is about that wide
THRESHOLD = 0.3  # chosen on scenes of training recordings with other seeds; see training/LOG.md, "Motion"


def pick_hits(
    onsets: Float[Tensor, "F K"], frame_rate: float, threshold: float = THRESHOLD, apart_s: float = APART_S
) -> list[float]:
    """The times of the curve's peaks, in seconds from the centre of its first step.

    Args:
        onsets: How likely a sound begins in each of the `K` steps of each frame, from 0 to 1.
        frame_rate: Frames a second.
        threshold: The least height of a peak.
        apart_s: Within this time of a higher peak there is no other.

    Returns:
        Rising times. A peak lies where the parabola through its three highest steps does.
    """
    curve = onsets.flatten().double().cpu().numpy()
    step_s = 1 / (frame_rate * onsets.shape[1])
    reach = max(1, round(apart_s / step_s))
    padded = np.pad(curve, reach, constant_values=-1.0)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    # The first of equal steps is the peak: strictly above all before it, not below any behind it.
    first = (curve > windows[:, :reach].max(axis=1)) & (curve >= windows[:, reach:].max(axis=1))
    return [(step + _offset(curve, int(step))) * step_s for step in np.flatnonzero(first & (curve >= threshold))]


def _offset(curve: Float[np.ndarray, "N"], step: int) -> float:
    if not 0 < step < len(curve) - 1:
        return 0.0
    before, peak, after = curve[step - 1 : step + 2]
    bend = before - 2 * peak + after
    return float(0.5 * (before - after) / bend) if bend < 0 else 0.0
