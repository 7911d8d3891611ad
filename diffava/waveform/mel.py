"""AudioLDM's log-mel of a waveform, a block at a time. Knows no model."""

import torch
from jaxtyping import Float
from torch import Tensor
from transformers.audio_utils import mel_filter_bank

from diffava.spec import Spec

LOG_FLOOR = 1e-5
BLOCK_FRAMES = 1024  # of a spectrum that is held at once


class MelAnalysis:
    """Log-mel as AudioLDM was trained on: magnitude (not power) spectrum, Slaney's scale and norm, natural log.

    Mel frame `i` is centred on sample `i * hop_samples`. Source: haoheliu/AudioLDM, audio/stft.py. What its
    loader does before (mean off, peak scaled to 0.5) is not done here, since a kept take must keep its level.
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._window = torch.hann_window(spec.window_samples, periodic=True)
        bank = mel_filter_bank(
            num_frequency_bins=spec.window_samples // 2 + 1,
            num_mel_filters=spec.mel_bins,
            min_frequency=0.0,
            max_frequency=float(spec.mel_max_hz),
            sampling_rate=spec.sample_rate_hz,
            norm="slaney",
            mel_scale="slaney",
        )
        self._filters = torch.from_numpy(bank).float()

    def __call__(self, samples: Float[Tensor, "S"]) -> Float[Tensor, "T M"]:
        """The log-mel of samples at the model's rate, one frame a started hop (`T = ceil(S / hop_samples)`)."""
        hop, reach = self._spec.hop_samples, self._spec.window_samples // 2
        frames = -(-samples.shape[0] // hop)
        missing = max(frames * hop, reach + 1) - samples.shape[0]
        if missing > 0:  # a long sound is not copied for nothing
            samples = torch.nn.functional.pad(samples, (0, missing))
        padded = torch.nn.functional.pad(samples[None], (reach, reach), mode="reflect")[0]
        blocks = []
        for first in range(0, frames, BLOCK_FRAMES):
            count = min(BLOCK_FRAMES, frames - first)
            spanned = padded[first * hop : (first + count - 1) * hop + 2 * reach]
            blocks.append(self._log_mel(spanned.unfold(0, 2 * reach, hop)))
        return torch.cat(blocks)

    def _log_mel(self, framed: Float[Tensor, "T window"]) -> Float[Tensor, "T M"]:
        magnitude = torch.fft.rfft(framed * self._window).abs()
        mel: Tensor = magnitude @ self._filters
        return mel.clamp(min=LOG_FLOOR).log()
