"""Training the vocoder on excerpts of real recordings and of clips composed of them. Knows no latent's meaning.

The network must bear what it will be fed: mels that come out of the latent space, and errors of the denoiser. So half
of the excerpts' mels go through the stacked PCA, and some noise is added; the target is always the real sound.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int16
from numpy.random import Generator
from torch import Tensor
from transformers.audio_utils import mel_filter_bank

from diffava.sounds.composition import draw_clip, waveform_of
from diffava.sounds.recordings import Split
from diffava.sounds.takes import TakeLibrary
from diffava.spec import Spec
from diffava.training.processes import device_of
from diffava.training.spectral_loss import TRAINED_AT, convergence, log_distance, magnitude, stft_distance
from diffava.waveform.istft_vocoder import NOISE_FRAMES, IstftVocoder
from diffava.waveform.mel import LOG_FLOOR, MelAnalysis
from diffava.waveform.stacked_pca import StackedPca

COMPOSED_S = 5.12
EDGE_FRAMES = 4  # whose analysis would reach beyond the excerpt


@dataclass(frozen=True)
class VocoderPlan:
    """What the vocoder is trained on, and how its errors are weighed."""

    batch_size: int = 10
    excerpt_frames: int = 72
    composed_clips: int = 300
    round_trip_share: float = 0.5  # of excerpts whose mel goes through the latent space
    click_share: float = 0.15  # of excerpts that are synthetic clicks, which teach where between two frames a sound is
    mel_noise: float = 0.15  # the largest standard deviation, in natural log
    mel_weight: float = 1.0
    repulsion: float = 0.0  # of two sounds of one mel by other noise; 1 makes the energy distance a proper score
    validation_excerpts: int = 64


@dataclass(frozen=True)
class VocoderBatch:
    """Excerpts, their mels with the vocoder's context around them, and places in its noise."""

    mel: Float[Tensor, "B T M"]
    samples: Float[Tensor, "B S"]
    noise_frames: tuple[int, int]


class VocoderTask:
    """Multi-resolution STFT loss and mel L1 between real excerpts and what the vocoder makes of their mels.

    With `repulsion` the loss is the generalised energy distance of Gritsenko et al. 2020 (arXiv:2008.01160, eq. 3):
    two sounds of one mel that differ in their noise are pushed apart by half as much as each is pulled to the target.
    """

    def __init__(
        self, module: IstftVocoder, pca: StackedPca, library: TakeLibrary, spec: Spec, plan: VocoderPlan
    ) -> None:
        self.module = module
        self._pca, self._library, self._spec, self._plan = pca, library, spec, plan
        self._analysis = MelAnalysis(spec)
        self._margin = (module.context_frames + EDGE_FRAMES) * spec.hop_samples
        self._composed = {"generator": self._compose("generator", plan.composed_clips)}
        bank = mel_filter_bank(
            2048 // 2 + 1, spec.mel_bins, 0.0, float(spec.mel_max_hz), spec.sample_rate_hz, "slaney", "slaney"
        )
        self._filters = torch.from_numpy(bank).float()

    def batch(self, step: int) -> VocoderBatch:
        """Excerpts of the generator's split, half of them recordings, half composed."""
        rng = np.random.default_rng((1, step))
        items = [self._item("generator", rng) for _ in range(self._plan.batch_size)]
        mels = [self._disturbed(mel, rng) for mel, _ in items]
        first, second = (int(frame) for frame in rng.integers(NOISE_FRAMES, size=2))
        return VocoderBatch(torch.stack(mels), torch.stack([samples for _, samples in items]), (first, second))

    def loss(self, batch: VocoderBatch) -> dict[str, Tensor]:
        """The distance to the target, and its terms."""
        spectrum = self.module.spectrum(batch.mel)
        first = self.module.samples_of(spectrum, batch.noise_frames[0])
        terms = self._distance(batch.samples, first)
        total = sum(terms.values())
        if self._plan.repulsion:
            second = self.module.samples_of(spectrum, batch.noise_frames[1])
            terms["apart"] = sum(self._distance(first, second).values())  # type: ignore[assignment]
            total = total - self._plan.repulsion / 2 * terms["apart"]
        return {"loss": total, **terms}  # type: ignore[dict-item]

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The measured distance on held-out recordings, from their own mel and after the latent space's round trip."""
        rng = np.random.default_rng(2)
        items = [self._item("held_out", rng, composed=False, gain=False) for _ in range(self._plan.validation_excerpts)]
        mels, samples = (torch.stack(part) for part in zip(*items, strict=True))
        device = device_of(self.module)
        clean = stft_distance(samples.to(device), self.module(mels.to(device)))
        round_trip = stft_distance(samples.to(device), self.module(self._round_trip(mels, 0).to(device)))
        return {"clean": float(clean.mean()), "round_trip": float(round_trip.mean())}

    def _distance(self, reference: Tensor, other: Tensor) -> dict[str, Tensor]:
        converged, logarithmic = [], []
        mel = reference.new_zeros(())
        for resolution in TRAINED_AT:
            magnitudes = magnitude(reference, resolution), magnitude(other, resolution)
            converged.append(convergence(*magnitudes).mean())
            logarithmic.append(log_distance(*magnitudes).mean())
            if resolution.n_fft == 2048:
                mel = self._mel_distance(*magnitudes)
        return {
            "convergence": torch.stack(converged).mean(),
            "log": torch.stack(logarithmic).mean(),
            "mel": self._plan.mel_weight * mel,
        }

    def _mel_distance(self, reference: Tensor, other: Tensor) -> Tensor:
        filters = self._filters.to(reference)
        logs = [((m * 1024).transpose(1, 2) @ filters).clamp(min=LOG_FLOOR).log() for m in (reference, other)]
        return (logs[0] - logs[1]).abs().mean()

    def _compose(self, split: Split, count: int) -> Int16[np.ndarray, "clips S"]:
        clips = (draw_clip(self._library, split, COMPOSED_S, seed) for seed in range(count))
        return np.stack([np.round(waveform_of(clip, self._library) * 32767).astype(np.int16) for clip in clips])

    def _item(
        self, split: Split, rng: Generator, composed: bool | None = None, gain: bool = True
    ) -> tuple[Tensor, Tensor]:
        """An excerpt's mel with context, and its samples."""
        length = self._plan.excerpt_frames * self._spec.hop_samples
        wanted = length + 2 * self._margin
        if composed is None:
            composed = bool(rng.random() < 0.5)
        if gain and rng.random() < self._plan.click_share:
            source = clicks(wanted, rng)
        elif composed:
            source = self._composed[split][rng.integers(len(self._composed[split]))].astype(np.float32) / 32768
        else:
            takes = self._library.of(str(rng.choice(self._library.kinds_in(split))), split)
            source = self._library.waveform(takes[rng.integers(len(takes))])
        # The excerpt itself begins anywhere from shortly before the sound to half an excerpt before its end.
        start = int(rng.integers(-length // 2, max(1, len(source) - length // 2))) - self._margin
        samples = np.zeros(wanted, dtype=np.float32)
        first, stop = max(0, start), min(len(source), start + wanted)
        samples[first - start : stop - start] = source[first:stop]
        if gain:
            samples *= np.float32(10 ** (rng.uniform(-24, 5) / 20))
        around = torch.from_numpy(samples)
        mel = self._analysis(around)[EDGE_FRAMES : wanted // self._spec.hop_samples - EDGE_FRAMES]
        return mel, around[self._margin : self._margin + length]

    @torch.no_grad()
    def _disturbed(self, mel: Tensor, rng: Generator) -> Tensor:
        if rng.random() < self._plan.round_trip_share:
            mel = self._round_trip(mel, int(rng.integers(self._pca.frames)))
        noise = torch.from_numpy(rng.standard_normal(mel.shape, dtype=np.float32))
        strength = float(rng.uniform(0, self._plan.mel_noise)) * (rng.random() < 0.5)
        return (mel + strength * noise).clamp(min=float(np.log(LOG_FLOOR)))

    def _round_trip(self, mel: Tensor, offset: int) -> Tensor:
        """Through the latent space and back, `offset` frames after the beginning of a latent frame."""
        length = mel.shape[-2]
        missing = -(offset + length) % self._pca.frames
        padded = torch.nn.functional.pad(mel, (0, 0, offset, missing), value=float(np.log(LOG_FLOOR)))
        return self._pca.decode(self._pca.encode(padded))[..., offset : offset + length, :]


def clicks(sample_count: int, rng: Generator) -> Float[np.ndarray, "S"]:
    """One to eight bursts of noise that die away, from a single sample to some milliseconds long, at half scale."""
    samples = np.zeros(sample_count, dtype=np.float32)
    for start in rng.integers(sample_count, size=rng.integers(1, 9)):
        decay_samples = 10 ** rng.uniform(-1, 2.4)
        length = min(sample_count - start, 2400)
        burst = rng.standard_normal(length) * np.exp(-np.arange(length) / decay_samples)
        samples[start : start + len(burst)] += (burst * rng.uniform(0.1, 1) / np.abs(burst).max()).astype(np.float32)
    return 0.5 * samples / np.float32(np.abs(samples).max())
