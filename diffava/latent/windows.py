"""Where the denoiser's windows lie on a range, and how much each counts for each latent frame. Numbers only, no model.

AudioLDM denoises 10.24 s at once; how a longer range, or one with cuts, is denoised is our choice. As in MultiDiffusion
(Bar-Tal et al. 2023) all windows share one latent: at each step every window predicts the noise of its frames, and the
predictions are averaged with weights that sum to 1 at each frame, so windows cannot disagree and no seam is left. A
window counts only for frames of its own shot: each shot has its own condition, and the change at a cut is hard. A shot
too short for a window sees its neighbours' latents as context, without a vote there. Cost is linear in the length.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from diffava.spec import Spec


@dataclass(frozen=True)
class Window:
    """Latent frames `[start, stop)` that are denoised at once, for one shot, and their weights."""

    start: int
    stop: int
    shot: int
    weights: Float[Tensor, "L"]


@dataclass(frozen=True)
class WindowPlan:
    """Windows over `padded_frames` latent frames, of which the first `frames` are wanted; rows of weights sum to 1."""

    frames: int
    padded_frames: int
    windows: tuple[Window, ...]


def plan_windows(spec: Spec, sample_count: int, cut_samples: tuple[int, ...], multiple: int) -> WindowPlan:
    """Cover a range with windows.

    Args:
        spec: Rates and the length of a whole window.
        sample_count: Length of the range in output samples.
        cut_samples: Where new shots begin, in output samples.
        multiple: What a window's length must divide by: 2 to the number of the U-Net's downsamplings.
    """
    frames = spec.latent_frames(sample_count)
    # Below an eighth of what the model was trained on (1.28 s for AudioLDM) a sound has too little room to happen in.
    shortest = _round_up(max(1, spec.window_latent_frames // 8), multiple)
    padded = max(shortest, _round_up(frames, multiple))
    edges = [0, *(min(frames, spec.latent_frame_of(cut)) for cut in cut_samples), padded]
    if edges[-2] == frames:  # a last shot shorter than half a latent frame leaves the padding to the one before it
        edges[-2] = padded
    windows = [
        window
        for shot, (start, stop) in enumerate(pairwise(edges))
        if start < stop
        for window in _windows_of_shot(shot, start, stop, padded, spec.window_latent_frames, shortest, multiple)
    ]
    return WindowPlan(frames, padded, tuple(windows))


def _windows_of_shot(
    shot: int, start: int, stop: int, padded: int, longest: int, shortest: int, multiple: int
) -> list[Window]:
    length = stop - start
    if length <= longest:
        size = max(shortest, _round_up(length, multiple))
        first = min(max(0, start - (size - length) // 2), padded - size)  # centred, but inside the latent
        starts = [first]
    else:
        size = longest
        count = math.ceil((length - size) / (size * 3 // 4)) + 1  # neighbours share at least a quarter
        starts = [start + round(k * (length - size) / (count - 1)) for k in range(count)]
    ramps = [_ramp(size, fades_in=k > 0, fades_out=k < len(starts) - 1) for k in range(len(starts))]
    origin = starts[0]
    total = torch.zeros(starts[-1] + size - origin)
    for first, ramp in zip(starts, ramps, strict=True):
        total[first - origin : first - origin + size] += ramp
    windows = []
    for first, ramp in zip(starts, ramps, strict=True):
        weights = ramp / total[first - origin : first - origin + size]
        weights[: max(0, start - first)] = 0  # no vote beyond the cuts
        weights[max(0, stop - first) :] = 0
        windows.append(Window(first, first + size, shot, weights))
    return windows


def _ramp(size: int, *, fades_in: bool, fades_out: bool) -> Tensor:
    """Raised cosine over a window, flat towards a side where nothing overlaps; never 0."""
    phase = (torch.arange(size) + 0.5) / size
    ramp = torch.sin(math.pi * phase).square()
    half = size // 2
    if not fades_in:
        ramp[:half] = 1
    if not fades_out:
        ramp[half:] = 1
    return ramp


def _round_up(value: int, multiple: int) -> int:
    return math.ceil(value / multiple) * multiple
