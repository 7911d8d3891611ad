"""A vocoder that predicts a spectrum and inverts it: log-mel to samples, 480 samples a frame. Knows no latent.

Siuzdak 2023 (Vocos, arXiv:2306.00814): ConvNeXt blocks at the mel's own rate, then one inverse Fourier transform a
frame, so that no layer runs at the sample rate. Ours are the valid convolutions (a piece with its context equals one
run over everything), the magnitude that starts from the mel's own envelope, and the noise branch: beside magnitude and
phase a gain is predicted for each bin of a fixed white noise, because a network that hears a mel without any change
must otherwise repeat itself every hop, which buzzes. A distance alone leaves that gain at nothing; only the repulsion
in `diffava.training.vocoder` makes use of it.
"""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from transformers.audio_utils import hertz_to_mel, mel_to_hertz

from diffava.config import IstftVocoderSection
from diffava.spec import Spec

OVERLAP = 4  # frames that add up in each sample; Hann squared then sums to the constant 1.5
NOISE_FRAMES = 512  # after which the noise repeats: about 5 s
NOISE_SEED = 230600814
MEL_MEAN, MEL_STD = -7.0, 4.0  # of a log-mel with silence in it, roughly
PIECE_FRAMES = 512  # of mel that are run at once, beside their context
LOG_CEILING = 9.0  # of a bin's magnitude: above full scale, and far below what overflows


class PredictedSpectrum(NamedTuple):
    """What the network says of each frame: a fixed part, and how loud each bin of the noise is."""

    fixed: Complex[Tensor, "B T F"]
    noise_gain: Float[Tensor, "B T F"]


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution over time, then two pointwise layers, around which the input is added (Vocos, 3.2)."""

    def __init__(self, width: int, kernel: int, layer_scale: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, kernel, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 3 * width)
        self.narrow = nn.Linear(3 * width, width)
        self.layer_scale = nn.Parameter(torch.full((width,), layer_scale))
        self.reach = kernel // 2

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T2 D"]:
        """Shorter by `reach` frames at either end."""
        update = self.norm(self.depthwise(x.transpose(1, 2)).transpose(1, 2))
        update = self.narrow(nn.functional.gelu(self.widen(update), approximate="tanh"))
        changed: Tensor = x[:, self.reach : x.shape[1] - self.reach] + self.layer_scale * update
        return changed


class IstftVocoder(nn.Module):
    """Frame `i` of the mel is the spectrum centred on sample `i * hop`, as `MelAnalysis` has it.

    Args:
        section: Width, blocks and kernel.
        spec: Of the mel. The Fourier transform spans four hops.
    """

    noise: Tensor
    window: Tensor

    def __init__(self, section: IstftVocoderSection, spec: Spec) -> None:
        super().__init__()
        self.hop, self.n_fft = spec.hop_samples, OVERLAP * spec.hop_samples
        bins = self.n_fft // 2 + 1
        kernel, width = section.kernel_frames, section.width
        self.inward = nn.Conv1d(spec.mel_bins, width, kernel)
        self.inward_norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(width, kernel, 1 / section.block_count) for _ in range(section.block_count)
        )
        self.outward_norm = nn.LayerNorm(width)
        self.outward = nn.Linear(width, 3 * bins)
        self.envelope = nn.Linear(spec.mel_bins, bins)
        self._network_reach = kernel // 2 * (section.block_count + 1)
        self.context_frames = self._network_reach + OVERLAP // 2
        self.register_buffer("noise", _noise_spectrum(self.n_fft, self.hop), persistent=False)
        self.register_buffer("window", torch.hann_window(self.n_fft), persistent=False)
        self._start(spec)

    def forward(self, mel: Float[Tensor, "B T M"], first_frame: int = 0) -> Float[Tensor, "B S"]:
        """The samples of all frames but `context_frames` at either end, which are only looked at.

        Args:
            mel: At least `2 * context_frames + 1` frames.
            first_frame: Which place of the noise the first of `mel`'s frames has.
        """
        return self.samples_of(self.spectrum(mel), first_frame + self._network_reach)

    @torch.no_grad()
    def vocode(self, pieces: Iterable[Float[Tensor, "_ M"]]) -> Iterator[Float[Tensor, "S"]]:
        """Samples of consecutive mel pieces, `hop` samples a frame, on the CPU; holds a piece and its context.

        Before the first frame and behind the last one these two are taken to go on: silence there would fade the edges.
        """
        held: Tensor | None = None  # begins with the context of what comes next
        done = 0
        for piece in pieces:
            if held is None and piece.shape[0]:
                held = piece[:1].expand(self.context_frames, -1)
            for part in torch.split(piece, PIECE_FRAMES):
                held = part if held is None else torch.cat([held, part])
                if held.shape[0] > 2 * self.context_frames:
                    yield self._run(held, done)
                    done += held.shape[0] - 2 * self.context_frames
                    held = held[held.shape[0] - 2 * self.context_frames :]
        if held is not None:
            yield self._run(torch.cat([held, held[-1:].expand(self.context_frames, -1)]), done)

    def _run(self, mel: Tensor, first_frame: int) -> Tensor:
        samples: Tensor = self(mel[None].to(self.window), first_frame)[0]
        return samples.float().cpu()

    def spectrum(self, mel: Float[Tensor, "B T M"]) -> PredictedSpectrum:
        """The prediction of all frames that have the network's reach around them."""
        inner = mel[:, self._network_reach : mel.shape[1] - self._network_reach]
        scaled = ((mel - MEL_MEAN) / MEL_STD).transpose(1, 2)
        x = self.inward_norm(self.inward(scaled).transpose(1, 2))
        for block in self.blocks:
            x = block(x)
        magnitude, phase, noise = self.outward(self.outward_norm(x)).float().chunk(3, dim=-1)
        envelope = self.envelope(inner).float()
        return PredictedSpectrum(
            torch.polar((envelope + magnitude).clamp(max=LOG_CEILING).exp(), phase),
            (envelope + noise).clamp(max=LOG_CEILING).exp(),
        )

    def samples_of(self, spectrum: PredictedSpectrum, first_frame: int) -> Float[Tensor, "B S"]:
        """The inverse transform, `hop` samples for each frame that has `OVERLAP / 2` others at either side."""
        count = spectrum.fixed.shape[1]
        places = (torch.arange(count, device=self.noise.device) + first_frame) % NOISE_FRAMES
        frames = torch.fft.irfft(spectrum.fixed + spectrum.noise_gain * self.noise[places], n=self.n_fft)
        # Zero phase means a pulse at the frame's centre, so that the linear layer begins with pulses in time.
        frames = frames.roll(self.n_fft // 2, dims=-1) * self.window / 1.5
        parts = frames.reshape(*frames.shape[:-1], OVERLAP, self.hop)
        # Part k of frame i holds the samples of hop i - OVERLAP / 2 + k.
        hops = count - OVERLAP
        added = torch.stack([parts[:, OVERLAP - k : OVERLAP - k + hops, k] for k in range(OVERLAP)]).sum(dim=0)
        return added.flatten(1)

    @torch.no_grad()
    def _start(self, spec: Spec) -> None:
        """Begin with the mel's own envelope as magnitude and silence as noise, near zero phase."""
        nn.init.normal_(self.outward.weight, std=0.02)
        bins = self.n_fft // 2 + 1
        self.outward.bias.zero_()
        self.outward.bias[2 * bins :] = -1.0
        self.envelope.weight.copy_(_interpolation(spec, bins))
        # Slaney's filters have an area of 1 Hz, so a band of mel is the mean magnitude over the bins' spacing.
        bin_hz = spec.sample_rate_hz / spec.window_samples
        self.envelope.bias.fill_(math.log(bin_hz * self.n_fft / spec.window_samples))


def _interpolation(spec: Spec, bins: int) -> Float[Tensor, "F M"]:
    """From mel bands to Fourier bins: each bin between the two bands whose centres are around it."""
    top = hertz_to_mel(float(spec.mel_max_hz), mel_scale="slaney")
    centres_hz = mel_to_hertz(np.linspace(0.0, top, spec.mel_bins + 2)[1:-1], mel_scale="slaney")
    bins_hz = np.linspace(0, spec.sample_rate_hz / 2, bins)
    rows = [np.interp(bins_hz, centres_hz, unit) for unit in np.eye(spec.mel_bins)]
    return torch.from_numpy(np.stack(rows, axis=1)).float()


def _noise_spectrum(n_fft: int, hop: int) -> Complex[Tensor, "512 F"]:
    """The spectra of a white noise that repeats, with a mean square of 1 in each bin, by a pinned generator."""
    samples = np.random.Generator(np.random.PCG64(NOISE_SEED)).standard_normal(NOISE_FRAMES * hop)
    around = torch.from_numpy(np.concatenate([samples[-n_fft // 2 :], samples, samples[: n_fft // 2]])).float()
    window = torch.hann_window(n_fft, device=around.device)
    framed = around.unfold(0, n_fft, hop)[:NOISE_FRAMES] * (window / window.square().sum().sqrt())
    spectrum: Tensor = torch.fft.rfft(framed.roll(n_fft // 2, dims=-1))
    return spectrum
