"""Holding a kept part of the latent still while the rest is made anew. Knows no denoiser and no solver.

Holding: at each step the prediction of the kept frames is replaced by the one that leads to the kept latents,
which equals re-noising them with one fixed noise. Alone it leaves a seam, because what is made anew sees the kept part
only through noise. So at each noise level the latent goes a step down and back up with fresh noise several times
(RePaint, Lugmayr et al. 2022, jump length 1), until both sides agree. README.md of this folder has the figures.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from diffava.latent.noise_schedule import NoiseLevel, Sampler
from diffava.spec import KeptPart, Spec


@dataclass(frozen=True)
class KeptLatent:
    """The latent of the take that is kept, and the frames of it that are made anew (True)."""

    values: Float[Tensor, "C L M"]
    made_anew: Bool[Tensor, "L"]

    def hold(self, latent: Tensor, prediction: Tensor, sampler: Sampler, step: int) -> Tensor:
        """Replace the prediction in the kept frames by the one whose data is the kept latent; [B, C, L, M]."""
        held = sampler.prediction_of(latent, self.values, step)
        return torch.where(self.made_anew[:, None], prediction, held)

    def noised(self, noise: Tensor, level: NoiseLevel) -> Tensor:
        """Pure noise where frames are made anew, the kept latent at this noise level elsewhere; [B, C, L, M]."""
        return torch.where(self.made_anew[:, None], noise, level[0] * self.values + level[1] * noise)


def frames_made_anew(spec: Spec, kept: KeptPart, padded_frames: int) -> Bool[Tensor, "L"]:
    """Every latent frame that the part to make anew touches; padding goes with the last frame of the range."""
    first = kept.regenerate_start_sample * spec.latent_rate_hz // spec.output_rate_hz
    stop = -(-kept.regenerate_stop_sample * spec.latent_rate_hz // spec.output_rate_hz)
    mask = torch.zeros(padded_frames, dtype=torch.bool)
    mask[first:stop] = True
    frames = spec.latent_frames(kept.waveform.shape[-1])
    mask[frames:] = mask[frames - 1].clone()
    return mask


def step_down_and_back_up(
    latent: Tensor, prediction: Tensor, sampler: Sampler, step: int, fresh_noise: Tensor
) -> Tensor:
    """One deterministic step to the next noise level, and the forward process back to this one; [B, C, L, M]."""
    signal, noise = sampler.noise_level(step)
    lower = sampler.noise_level(step + 1)
    data, predicted_noise = sampler.split(latent, prediction, step)
    stepped = lower[0] * data + lower[1] * predicted_noise
    ratio = signal / lower[0]
    return ratio * stepped + math.sqrt(noise**2 - (ratio * lower[1]) ** 2) * fresh_noise
