"""The HiFi-GAN vocoder over a mel of any length, a piece at a time. Knows no latent and no output rate."""

import math
from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig


def context_frames(config: SpeechT5HifiGanConfig) -> int:
    """Mel frames on either side that a piece of output hangs on: the vocoder's receptive field, walked backwards."""
    first, last = -3, math.prod(config.upsample_rates) - 1 + 3  # output samples of one mel frame; conv_post, kernel 7
    blocks = zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
    block_reach = max(sum((kernel - 1) // 2 * (dilation + 1) for dilation in dilations) for kernel, dilations in blocks)
    stages = list(zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True))
    for rate, kernel in reversed(stages):
        padding = (kernel - rate) // 2
        first = math.ceil((first - block_reach + padding - (kernel - 1)) / rate)
        last = math.floor((last + block_reach + padding) / rate)
    return int(max(3 - first, last + 3))  # conv_pre, kernel 7


class Vocoder:
    """Sample `i * hop` of the output belongs to mel frame `i`, as upstream cuts it: from the start, the rest cropped.

    That is where a vocoder trained on `MelAnalysis` puts it. The shape alone cannot say: the centre of AudioLDM's
    kernels lies 95.5 samples later, and what its weights make of that was not measured here.

    Kernels wider than their rate leave extra samples at the end (32 for AudioLDM's), which are dropped. Pieces are run
    with the vocoder's whole receptive field around them, so that they equal one run over everything.
    """

    def __init__(self, vocoder: SpeechT5HifiGan) -> None:
        self._vocoder = vocoder
        self._hop = math.prod(vocoder.config.upsample_rates)
        self._context = context_frames(vocoder.config)

    def vocode(self, pieces: Iterable[Float[Tensor, "_ M"]]) -> Iterator[Float[Tensor, "S"]]:
        """Samples of consecutive mel pieces, `hop` samples a frame, on the CPU; holds a piece and its context."""
        held: Tensor | None = None
        left = 0  # frames at the head of `held` that are only context
        for piece in pieces:
            held = piece if held is None else torch.cat([held, piece])
            ready = held.shape[0] - self._context - left
            if ready > 0:
                yield self._run(held, left, left + ready)
                drop = max(0, left + ready - self._context)
                held, left = held[drop:], left + ready - drop
        if held is not None and held.shape[0] > left:
            yield self._run(held, left, held.shape[0])

    @torch.no_grad()
    def _run(self, mel: Tensor, start: int, stop: int) -> Tensor:
        samples: Tensor = self._vocoder(mel[None].to(self._vocoder.device, self._vocoder.dtype))[0]
        return samples[start * self._hop : stop * self._hop].float().cpu()
