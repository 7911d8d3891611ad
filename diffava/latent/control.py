"""T2AV's audio-visual ControlNet on the latent transformer: a copy of its first blocks that reads when things happen.

The branch starts as a copy of the denoiser's first blocks. What it reads (`Condition.control`: the fused visual-text
sequence with the timing guide) enters through a layer that starts at zero, and so does what it adds to the denoiser.
Untrained it therefore changes nothing, and what the denoiser knew is not lost while it learns.

Source: T2AV (arXiv:2403.07938) for what is read; Zhang et al. 2023 (arXiv:2302.05543) for the zero layers. T2AV's own
topology is not published; copying the first half of the blocks is our choice
(PixArt does so too).
"""

import copy
from typing import TypeVar

from jaxtyping import Float
from torch import Tensor, nn

from diffava.latent.transformer import LatentTransformer, rotary

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)


class ControlBranch(nn.Module):
    """Reads `[B, L, G]` control and returns what is added after each of the denoiser's first blocks."""

    def __init__(self, denoiser: LatentTransformer, control_dim: int, block_count: int) -> None:
        super().__init__()
        width, self.head_dim = denoiser.width, denoiser.head_dim
        self.zero_in = zero(nn.Linear(control_dim, width))
        self.blocks = nn.ModuleList(copy.deepcopy(denoiser.blocks[k]) for k in range(block_count))
        self.zero_out = nn.ModuleList(zero(nn.Linear(width, width)) for _ in range(block_count))

    def forward(
        self,
        hidden: Float[Tensor, "B L W"],
        steering: Float[Tensor, "B W"],
        control: Float[Tensor, "B L G"],
    ) -> list[Float[Tensor, "B L W"]]:
        """What to add, one entry a block.

        Args:
            hidden: The denoiser's tokens before its first block (`LatentTransformer.embedded`).
            steering: What steers the denoiser's blocks.
            control: What happens when.
        """
        hidden = hidden + self.zero_in(control)
        rotation = rotary(hidden.shape[1], self.head_dim, hidden)
        added = []
        for block, zero_out in zip(self.blocks, self.zero_out, strict=True):
            hidden = block(hidden, steering, rotation)
            added.append(zero_out(hidden))
        return added


def zero(layer: Layer) -> Layer:
    """A linear layer or a convolution that says nothing until it has learned something."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
