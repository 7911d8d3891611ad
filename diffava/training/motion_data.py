"""What the picture encoder learns from: rendered scenes, when their sounds begin, how loud they are, what is seen.

Knows scores, pictures and samples, no model.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.random import Generator
from torch import Tensor

from diffava.condition.timing_guide import energy_curve
from diffava.scenes.render import render
from diffava.sounds.composition import draw_clip, waveform_of
from diffava.sounds.kinds import kinds
from diffava.sounds.recordings import Split
from diffava.sounds.score import Score, Source
from diffava.sounds.takes import RATE_HZ, TakeLibrary

NAMES = tuple(kind.name for kind in kinds())
SMEARED = (0.5, 1.0, 0.5)  # a hit's target in the step before, its own and the step behind
HALF_SEEN_S = 0.3  # of a second for which a source must be in the picture to be what the second shows
SHIFT_PIXELS = 6


def scene_of(
    library: TakeLibrary,
    split: Split,
    seed: int,
    *,
    seconds: int,
    frame_rate: Fraction,
    size_pixels: int,
    steps: int,
    unseen: bool,
) -> Mapping[str, Any]:
    """A clip's pictures, its curves for each part of a frame, and for each second its samples and what it shows."""
    clip = draw_clip(library, split, float(seconds), seed)
    samples = waveform_of(clip, library)
    rgb = render(clip.score, frame_rate, size_pixels, unseen=unseen)
    hop_samples = round(RATE_HZ / (frame_rate * steps))
    heard, seen = zip(*(_codes(clip.score, second) for second in range(seconds)), strict=True)
    return {
        "rgb": rgb,
        "onsets": smeared_onsets(hit_times(clip.score), float(frame_rate) * steps, len(rgb), steps),
        "energy": energy_curve(torch.from_numpy(samples), hop_samples, len(rgb), steps).numpy(),
        "samples": np.round(samples * 32767).astype(np.int16),
        "heard": np.array(heard, np.int32),
        "seen": np.array(seen, np.int32),
    }


def hit_times(score: Score) -> list[float]:
    """When anything begins that has a beginning: contacts and calls of all sources, in order."""
    return sorted(hit.time_s for source in score.sources for hit in source.hits)


def smeared_onsets(times_s: list[float], steps_per_s: float, frames: int, steps: int) -> Float[np.ndarray, "F K"]:
    """The curve that onset probabilities are trained on: `SMEARED` around the step nearest to each time."""
    curve = np.zeros(frames * steps, np.float32)
    for time_s in times_s:
        centre = round(time_s * steps_per_s)
        for step, value in enumerate(SMEARED, centre - len(SMEARED) // 2):
            if 0 <= step < len(curve):
                curve[step] = max(curve[step], value)
    return curve.reshape(frames, steps)


def code_of(names: tuple[str, ...]) -> int:
    """One number for what is heard, in its order; 0 for silence."""
    code = 0
    for name in names:
        code = code * (len(NAMES) + 1) + NAMES.index(name) + 1
    return code


def _codes(score: Score, second: int) -> tuple[int, int]:
    """What a second sounds like, and what it shows: sources that sound in it, else the nearest one in the picture."""
    apart = sorted((_apart_s(source, second), number) for number, source in enumerate(score.sources))
    heard = tuple(score.sources[number].kind for gap_s, number in sorted(apart, key=lambda pair: pair[1]) if gap_s == 0)
    shown = [
        number
        for gap_s, number in apart
        if gap_s < np.inf and sum(_overlap_s(part, second) for part in score.sources[number].in_frame) > HALF_SEEN_S
    ]
    return code_of(heard), code_of(heard or tuple(score.sources[number].kind for number in shown[:1]))


def _apart_s(source: Source, second: int) -> float:
    """How far the second is from a time at which the source is heard; 0 if it is heard in it."""
    spans = [*source.active, *((hit.time_s, hit.time_s + min(hit.duration_s, 0.5)) for hit in source.hits)]
    return min((max(start - (second + 0.9), (second + 0.1) - stop, 0.0) for start, stop in spans), default=np.inf)


def _overlap_s(span: tuple[float, float], second: int) -> float:
    return max(0.0, min(span[1], second + 1.0) - max(span[0], float(second)))


def filmed_otherwise(rgb: UInt8[np.ndarray, "F H W 3"], rng: Generator) -> UInt8[Tensor, "F H W 3"]:
    """The same scene from another camera: mirrored, shifted, in another light and colour, with more noise."""
    if rng.random() < 0.5:
        rgb = rgb[:, :, ::-1]
    down, right = rng.integers(-SHIFT_PIXELS, SHIFT_PIXELS + 1, 2)
    gain = np.exp(rng.normal(0, 0.25) + rng.normal(0, 0.08, 3))
    levels = (np.arange(256)[:, None] - 127.5) * gain + 127.5 + rng.normal(0, 14)  # of each colour
    lit = np.stack([levels.clip(0, 255).round().astype(np.uint8)[rgb[..., c], c] for c in range(3)], axis=-1)
    pictures = torch.from_numpy(np.roll(lit, (down, right), (1, 2)))
    if rng.random() < 0.4:
        noise = torch.from_numpy(rng.standard_normal(pictures.shape, np.float32)) * float(rng.uniform(1, 6))
        pictures = (pictures + noise).clamp(0, 255).to(torch.uint8)
    return pictures
