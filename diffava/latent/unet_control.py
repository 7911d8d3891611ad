"""T2AV's audio-visual ControlNet on AudioLDM's U-Net: a copy of its encoder half that reads when things happen.

The branch starts as a copy of the U-Net's input, embeddings, encoder half and middle. What it reads
(`Condition.control`: the fused visual-text sequence with the timing guide) enters behind the first convolution through
a layer that starts at zero, and so does everything that it adds to the U-Net's skips and middle. Untrained it changes
nothing, and what the U-Net knew is not lost while the branch learns. Knows no solver and no guide.

Source: T2AV (arXiv:2403.07938) for what is read; Zhang et al. 2023 (arXiv:2302.05543) for the topology, which T2AV does
not publish. The blocks are diffusers' own, copied; its `ControlNetModel` reads pictures and has no FiLM, so it does not
fit.
"""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from diffava.latent.control import zero


class Residuals(NamedTuple):
    """What is added to the U-Net: one map a skip, in the order of its encoder, and one to its middle."""

    down: tuple[Tensor, ...]
    mid: Tensor

    def scaled(self, strength: float | Tensor) -> "Residuals":
        """How strongly the branch counts; at 0 it is as if there were none."""
        return Residuals(tuple(strength * part for part in self.down), strength * self.mid)

    @property
    def arguments(self) -> dict[str, Any]:
        """As `UNet2DConditionModel` takes them."""
        return {"down_block_additional_residuals": self.down, "mid_block_additional_residual": self.mid}


class UNetControl(nn.Module):
    """Reads `[B, L, G]` control beside what the U-Net reads, and returns what is added to it."""

    def __init__(self, unet: Any, control_dim: int) -> None:
        """Copy the encoder half of a `UNet2DConditionModel` with AudioLDM's FiLM (`diffava.model_parts.unet`)."""
        super().__init__()
        self.conv_in, self.time_proj = copy.deepcopy(unet.conv_in), copy.deepcopy(unet.time_proj)
        self.time_embedding = copy.deepcopy(unet.time_embedding)
        self.class_embedding = copy.deepcopy(unet.class_embedding)
        self.down_blocks, self.mid_block = copy.deepcopy(unet.down_blocks), copy.deepcopy(unet.mid_block)
        widths = skip_channels(unet.config.block_out_channels, unet.config.layers_per_block)
        self.zero_in = zero(nn.Linear(control_dim, widths[0]))
        self.zero_down = nn.ModuleList(zero(nn.Conv2d(width, width, 1)) for width in widths)
        self.zero_mid = zero(nn.Conv2d(widths[-1], widths[-1], 1))

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return self.zero_in.weight.dtype

    def forward(
        self,
        latent: Float[Tensor, "B C L M"],
        timestep: Shaped[Tensor, "*batch"] | int | float,
        film: Float[Tensor, "B D"],
        control: Float[Tensor, "B L G"],
    ) -> Residuals:
        """What to add.

        Args:
            latent: What the U-Net is given; L divides by 2 to the number of its downsamplings.
            timestep: The same for all, or one an item.
            film: The condition vectors, the U-Net's `class_labels`.
            control: What happens when, a row a latent frame. It counts alike for all heights of the latent.
        """
        steps = torch.as_tensor(timestep, device=latent.device).expand(len(latent))
        time = self.time_embedding(self.time_proj(steps).to(latent.dtype))
        steering = torch.cat([time, self.class_embedding(film)], dim=-1)
        hidden = self.conv_in(latent) + self.injected(control)
        skips: Sequence[Tensor] = (hidden,)
        for block in self.down_blocks:
            # Self-attention alone: without `encoder_hidden_states` both attentions look at the level itself.
            extra = {"encoder_hidden_states": None} if getattr(block, "has_cross_attention", False) else {}
            hidden, of_block = block(hidden, steering, **extra)
            skips = (*skips, *of_block)
        hidden = self.mid_block(hidden, steering, encoder_hidden_states=None)
        down = tuple(layer(skip) for layer, skip in zip(self.zero_down, skips, strict=True))
        return Residuals(down, self.zero_mid(hidden))

    def injected(self, control: Float[Tensor, "B L G"]) -> Float[Tensor, "B W L 1"]:
        """What of the control enters the copy: row for row, so that what is a frame later enters a frame later."""
        entering: Tensor = self.zero_in(control)
        return entering.transpose(1, 2)[..., None]


def skip_channels(block_out_channels: Sequence[int], layers_per_block: int) -> list[int]:
    """The widths of a U-Net's skips: of its first convolution, and of each layer and each downsampling."""
    last = len(block_out_channels) - 1
    counts = [layers_per_block + (level < last) for level in range(last + 1)]
    of_levels = [width for width, count in zip(block_out_channels, counts, strict=True) for _ in range(count)]
    return [block_out_channels[0], *of_levels]
