"""Resampling exactly as torchaudio does by default, since FD and KL move with it. Knows no files.

audioldm_eval's authors saw FD move by 30 and KL by 0.4 between ways of resampling; so a table that wants to be theirs
resamples as they do. torchaudio itself is no dependency: its wheels do not load with every build of torch.
"""

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

ZERO_CROSSINGS = 6  # to either side; torchaudio's `lowpass_filter_width`
ROLLOFF = 0.99  # of the lower Nyquist frequency


def sinc_resample(samples: Float[Tensor, "S"], rate_hz: int, new_rate_hz: int) -> Float[Tensor, "N"]:
    """Band-limited interpolation under Hann's window (torchaudio.functional.resample, version 2.11, its defaults).

    Returns:
        `ceil(S * new / old)` samples.
    """
    if rate_hz == new_rate_hz:
        return samples
    divisor = math.gcd(rate_hz, new_rate_hz)
    old, new = rate_hz // divisor, new_rate_hz // divisor
    filters, reach = _filters(old, new)
    padded = torch.nn.functional.pad(samples, (reach, reach + old))
    rows = torch.nn.functional.conv1d(padded[None, None], filters[:, None], stride=old)
    count = math.ceil(new * len(samples) / old)
    return rows[0].T.reshape(-1)[:count]


@lru_cache(maxsize=16)
def _filters(old: int, new: int) -> tuple[Float[Tensor, "new taps"], int]:
    """A filter for each of the `new` phases, and how many samples it reaches to either side."""
    cutoff = min(old, new) * ROLLOFF
    reach = math.ceil(ZERO_CROSSINGS * old / cutoff)
    taps = torch.arange(-reach, reach + old, dtype=torch.float64) / old
    phases = -torch.arange(new)[:, None] / new  # in float32, as torchaudio has it, or the last digits differ
    times = ((phases + taps) * cutoff).clamp(-ZERO_CROSSINGS, ZERO_CROSSINGS)
    window = torch.cos(times * math.pi / ZERO_CROSSINGS / 2) ** 2
    return (torch.sinc(times) * window * (cutoff / old)).float(), reach
