"""The timing guide: when and how loudly things are heard, at the latent's rate. Knows no picture and no denoiser.

Each latent frame holds as many sub-steps as mel frames (4 of 10 ms for `mini`), so a hit is placed finer than a frame.
What is not known is zero and flagged, since "nobody said" and "silence" are different wishes.

The guide is our addition to T2AV's temporal input (design of this project; the curve of energy is Video-Foley's idea,
the track of onsets SyncFusion's).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

ENERGY_RANGE_DB = 60.0  # below full scale: what a curve of 0 to 1 spans


@dataclass(frozen=True, eq=False)
class TimingGuide:
    """Energy from 0 (60 dB below full scale, or less) to 1 (full scale), and onsets (1 at a hit); None if unknown."""

    energy: Float[Tensor, "L K"] | None
    onsets: Float[Tensor, "L K"] | None

    def channels(self, frames: int, steps: int) -> Float[Tensor, "L G"]:
        """What a network reads: energy, onsets, and for each whether it is known; `G = 2 K + 2`."""
        parts = [torch.zeros(frames, steps) if part is None else part for part in (self.energy, self.onsets)]
        known = [torch.full((frames, 1), float(part is not None)) for part in (self.energy, self.onsets)]
        return torch.cat([*parts, *known], dim=1)


def guide_channels(steps: int) -> int:
    """How many numbers a latent frame's guide has."""
    return 2 * steps + 2


def energy_curve(samples: Float[Tensor, "S"], hop_samples: int, frames: int, steps: int) -> Float[Tensor, "L K"]:
    """The level of a waveform in each sub-step; step k is centred on sample `k * hop_samples`, as mel frames are."""
    count = frames * steps
    half = hop_samples // 2
    wanted = count * hop_samples
    padded = torch.nn.functional.pad(samples[: wanted - half], (half, max(0, wanted - half - samples.shape[0])))
    power = padded[:wanted].view(count, hop_samples).square().mean(dim=1)
    level_db = 10 * torch.log10(power + 1e-12)
    return (1 + level_db / ENERGY_RANGE_DB).clamp(0, 1).view(frames, steps)


def onset_curve(hit_samples: Iterable[int | float], hop_samples: int, frames: int, steps: int) -> Float[Tensor, "L K"]:
    """1 at each hit, shared between the two sub-steps that it lies between; hits outside are left out."""
    curve = torch.zeros(frames * steps)
    for sample in hit_samples:
        place = sample / hop_samples
        first = int(place)
        for step, share in ((first, 1 - (place - first)), (first + 1, place - first)):
            if 0 <= step < len(curve):
                curve[step] = max(float(curve[step]), share)
    return curve.view(frames, steps)
