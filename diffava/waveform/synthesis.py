"""Latents to output samples and a kept take to its latent: the stage as the pipeline sees it."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from diffava.errors import CancelledError
from diffava.spec import Latent, Progress, Spec, Waveform
from diffava.waveform.mel import MelAnalysis
from diffava.waveform.parts import MelCodec, MelVocoder
from diffava.waveform.resample import resampled

INPUT_BLOCK_SAMPLES = 1 << 16


class WaveformSynthesis:
    """Codec, vocoder and resampler in a row, each a chunk at a time: memory does not grow with the range."""

    def __init__(self, codec: MelCodec, vocoder: MelVocoder, spec: Spec) -> None:
        self._spec = spec
        self._analysis = MelAnalysis(spec)
        self._codec, self._vocoder = codec, vocoder

    def waveforms(
        self,
        latent: Latent,
        sample_count: int,
        on_progress: Callable[[Progress], None],
        is_cancelled: Callable[[], bool],
    ) -> Iterator[Waveform]:
        """Every take's samples, take by take, `sample_count` each, clamped to [-1, 1].

        Raises:
            CancelledError: `is_cancelled` said so, asked before each chunk of the mel is decoded.
        """
        total = sample_count * latent.values.shape[0]
        for take, values in enumerate(latent.values):
            mel = _until_cancelled(self._codec.decode(values), is_cancelled)
            pieces = self._vocoder.vocode(mel)
            first_sample = 0
            for samples in resampled(pieces, self._spec.sample_rate_hz, self._spec.output_rate_hz, sample_count):
                stop_sample = first_sample + samples.shape[0]
                on_progress(Progress("waveform", take * sample_count + stop_sample, total))
                yield Waveform(take, first_sample, samples.clamp(-1, 1))
                first_sample = stop_sample

    def encode(self, samples: Float[Tensor, "S"], is_cancelled: Callable[[], bool]) -> Float[Tensor, "C L latent_M"]:
        """The latent of a whole take at the output rate, `Spec.latent_frames` long.

        Raises:
            CancelledError: `is_cancelled` said so, asked before each chunk of the mel is encoded.
        """
        length = self._spec.latent_frames(samples.shape[0]) * self._spec.samples_per_latent_frame
        blocks = resampled(
            torch.split(samples, INPUT_BLOCK_SAMPLES), self._spec.output_rate_hz, self._spec.sample_rate_hz, length
        )
        at_model_rate, first = torch.empty(length), 0  # filled in place: a list and its join would be held at once
        for block in blocks:
            at_model_rate[first : first + block.shape[0]] = block
            first += block.shape[0]
        pieces = self._codec.encode(self._analysis(at_model_rate))
        return torch.cat(list(_until_cancelled(pieces, is_cancelled))).permute(1, 0, 2)


def _until_cancelled(pieces: Iterator[Tensor], is_cancelled: Callable[[], bool]) -> Iterator[Tensor]:
    while True:
        if is_cancelled():
            raise CancelledError("The job was cancelled between latents and sound; nothing was kept.")
        piece = next(pieces, None)
        if piece is None:
            return
        yield piece
