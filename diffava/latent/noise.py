"""The noise that a take starts from. Knows no model; the same in any batch, whatever device computes with it."""

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK_FRAMES = 8


class TakeNoise:
    """A take's own stream of Gaussian noise, on the CPU, where one seed gives the same noise on every machine.

    The same to float rounding: torch draws with other instructions on other processors.

    Noise is drawn in blocks of latent frames, time first, so that the first draw of a longer range begins with that of
    a shorter one: moving a range's end leaves what the take starts from.
    """

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator(device="cpu").manual_seed(seed)

    def draw(self, channels: int, frames: int, mel_bins: int) -> Float[Tensor, "C L M"]:
        """The next `frames` latent frames of unit Gaussian noise."""
        blocks = -(-frames // BLOCK_FRAMES)
        drawn = [torch.randn(BLOCK_FRAMES, channels, mel_bins, generator=self._generator) for _ in range(blocks)]
        return torch.cat(drawn)[:frames].permute(1, 0, 2).contiguous()
