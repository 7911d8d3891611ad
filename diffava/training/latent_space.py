"""Fitting the stacked PCA to the mel of composed clips. Knows clips and mel, not what the latents are for."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from diffava.sounds.composition import draw_clip, waveform_of
from diffava.sounds.recordings import Split
from diffava.sounds.takes import TakeLibrary
from diffava.spec import Spec
from diffava.waveform.mel import MelAnalysis
from diffava.waveform.stacked_pca import FittedPca, StackedPca


def composed_mel(
    library: TakeLibrary, split: Split, spec: Spec, duration_s: float, seeds: Iterable[int]
) -> Float[Tensor, "clips T M"]:
    """The mel of one composed clip a seed; a duration that is no whole number of hops is cut to one."""
    analysis = MelAnalysis(spec)
    frames = math.floor(duration_s * spec.sample_rate_hz / spec.hop_samples)
    clips = (draw_clip(library, split, duration_s, seed) for seed in seeds)
    return torch.stack([analysis(torch.from_numpy(waveform_of(clip, library)))[:frames] for clip in clips])


def fit_latent_space(mel: Float[Tensor, "clips T M"], frames: int, components: int) -> FittedPca:
    """The stacked PCA of some clips' mel; each clip's length is a multiple of `frames`."""
    stacked = mel.reshape(-1, frames * mel.shape[-1])
    return StackedPca.fit(stacked, components, mel.shape[-1])


@torch.no_grad()
def round_trip_rmse(pca: StackedPca, mel: Float[Tensor, "clips T M"]) -> float:
    """How far the log-mel is from itself after encoding and decoding: root mean square over frames and bins."""
    return float((pca.decode(pca.encode(mel)) - mel).square().mean().sqrt())
