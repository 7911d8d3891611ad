"""A look-ahead limiter of true peaks. It looks as far ahead as back, so that it delays nothing. Ours, no standard's.

The gain each sample needs is held for 5 ms to both sides and then smoothed over the same 10 ms: a mean of gains of
which none is larger than what the sample needs is not larger either, so that no peak escapes, and no gain jumps.
"""

from collections.abc import Callable, Iterator

import numpy as np

from diffava_resolve.spec import SAMPLE_RATE_HZ
from diffava_resolve.timeline.true_peak import HALF_TAPS, reach

LOOK_SAMPLES = SAMPLE_RATE_HZ // 200
BLOCK_SAMPLES = 1 << 16
_MARGIN_DB = 0.05  # gains that change move the peaks between samples by a little
_HALO_SAMPLES = 2 * LOOK_SAMPLES + 2 * HALF_TAPS

Read = Callable[[int, int], np.ndarray]
"""Samples `[start, stop)` of a sound, as float32 `[stop - start]`."""


def limited(read: Read, sample_count: int, gain_db: float, limit_dbtp: float) -> Iterator[np.ndarray]:
    """A sound with a gain and no true peak above the limit, as float32 blocks; silence surrounds it.

    Each block is computed from the samples around it alone, so that memory does not grow with the sound.
    """
    gain = 10 ** (gain_db / 20)
    ceiling = 10 ** ((limit_dbtp - _MARGIN_DB) / 20)
    smooth = np.hanning(2 * LOOK_SAMPLES + 3)[1:-1]
    smooth /= smooth.sum()
    for start in range(0, sample_count, BLOCK_SAMPLES):
        stop = min(start + BLOCK_SAMPLES, sample_count)
        first, last = max(start - _HALO_SAMPLES, 0), min(stop + _HALO_SAMPLES, sample_count)
        around = read(first, last).astype(np.float64) * gain
        inside = around[start - first : stop - first]
        peaks = reach(around, ceiling)
        if peaks.max(initial=0.0) > ceiling:
            needed = np.minimum(1.0, ceiling / np.maximum(peaks, ceiling))
            wide = np.pad(needed, 2 * LOOK_SAMPLES, constant_values=1.0)
            held = np.lib.stride_tricks.sliding_window_view(wide, 2 * LOOK_SAMPLES + 1).min(axis=1)
            shares = np.convolve(held, smooth, "valid")
            inside = inside * shares[start - first : stop - first]
        yield inside.astype(np.float32)
