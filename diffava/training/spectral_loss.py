"""How far two sounds' spectra are from each other at several resolutions. Knows samples, not who made them."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Resolution(NamedTuple):
    """A short-time Fourier transform: its length, step and window."""

    n_fft: int
    hop_samples: int
    window_samples: int


TRAINED_AT = tuple(Resolution(n, n // 4, n) for n in (512, 1024, 2048, 4096))
# The three of Yamamoto et al. 2020 (Parallel WaveGAN, arXiv:1910.11480, table 1), the field's usual yardstick.
MEASURED_AT = (Resolution(1024, 120, 600), Resolution(2048, 240, 1200), Resolution(512, 50, 240))
AMPLITUDE_FLOOR = 1e-6  # of a full-scale sine's magnitude: -120 dB, what 16 bits cannot hold


def magnitude(samples: Float[Tensor, "B S"], resolution: Resolution) -> Float[Tensor, "B F T"]:
    """The spectrum's magnitude, scaled so that a full-scale sine has one half."""
    window = torch.hann_window(resolution.window_samples, device=samples.device)
    spectrum = torch.stft(
        samples, resolution.n_fft, resolution.hop_samples, resolution.window_samples, window, return_complex=True
    )
    power: Tensor = spectrum.real.square() + spectrum.imag.square()
    result: Tensor = power.clamp(min=1e-24).sqrt() / window.sum()  # a root has no slope at 0
    return result


def convergence(reference: Float[Tensor, "B F T"], other: Float[Tensor, "B F T"]) -> Float[Tensor, "B"]:
    """Spectral convergence: the difference's norm in parts of the reference's (Arik et al. 2018, eq. 2)."""
    floor = AMPLITUDE_FLOOR * (reference.shape[1] * reference.shape[2]) ** 0.5
    difference: Tensor = torch.linalg.matrix_norm(reference - other)
    size: Tensor = torch.linalg.matrix_norm(reference)
    return difference / size.clamp(min=floor)


def log_distance(one: Float[Tensor, "B F T"], other: Float[Tensor, "B F T"]) -> Float[Tensor, "B"]:
    """Mean absolute difference of log magnitudes (Arik et al. 2018, eq. 3)."""
    ratio = (one + AMPLITUDE_FLOOR).log() - (other + AMPLITUDE_FLOOR).log()
    return ratio.abs().mean(dim=(1, 2))


def stft_distance(
    reference: Float[Tensor, "B S"], other: Float[Tensor, "B S"], resolutions: Sequence[Resolution] = MEASURED_AT
) -> Float[Tensor, "B"]:
    """Multi-resolution STFT distance: convergence plus log distance, averaged over the resolutions."""
    total = torch.zeros(reference.shape[0], device=reference.device)
    for resolution in resolutions:
        magnitudes = magnitude(reference, resolution), magnitude(other, resolution)
        total = total + convergence(*magnitudes) + log_distance(*magnitudes)
    return total / len(resolutions)
