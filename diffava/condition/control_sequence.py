"""What T2AV's ControlNet reads: the fused visual-text sequence and the timing guide, one row a latent frame.

Knows tokens and guides, not where they come from, and no denoiser.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from diffava.condition.operators import OPERATORS
from diffava.condition.timing_guide import guide_channels
from diffava.config import ControlSection


class ControlSequence(nn.Module):
    """A condition operator over the seconds of a shot, spread over latent frames, beside the guide.

    Without a picture a learned token stands for it, so that hits or a performance alone work.
    """

    def __init__(self, config: ControlSection, dim: int, guide_steps: int) -> None:
        super().__init__()
        self.no_picture = nn.Parameter(torch.zeros(dim))
        self.unit_scale = math.sqrt(dim)  # brings unit vectors to numbers near 1, as in `LatentTransformer`
        self.operator = OPERATORS[config.operator](dim)
        self.guide_in = nn.Sequential(
            nn.Conv1d(guide_channels(guide_steps), config.guide_width, 3, padding=1),
            nn.GELU(),
            nn.Conv1d(config.guide_width, config.guide_width, 3, padding=1),
        )
        self.dim = dim + config.guide_width

    def forward(
        self,
        seen: Float[Tensor, "B T D"] | None,
        text: Float[Tensor, "B D"],
        guide: Float[Tensor, "B L G"],
        token_of_frame: Int[Tensor, "L"] | None,
    ) -> Float[Tensor, "B L C"]:
        """One clip of at most the reach of the temporal transformer.

        Args:
            seen: The temporal transformer's output for each token; None if there is no picture.
            text: The prompt's embedding.
            guide: `TimingGuide.channels` at the latent's rate.
            token_of_frame: Which token each latent frame lies in; None if there is no picture.
        """
        fused = self.fused(seen, text)
        places = fused.new_zeros(guide.shape[1], dtype=torch.long) if token_of_frame is None else token_of_frame
        return torch.cat([fused[:, places.to(text.device)], self.curve(guide)], dim=-1)

    def fused(self, seen: Float[Tensor, "B T D"] | None, text: Float[Tensor, "B D"]) -> Float[Tensor, "B T D"]:
        """What the condition operator makes of picture and prompt; one token if there is no picture."""
        tokens = self.no_picture.expand(len(text), 1, -1) if seen is None else seen
        fused: Tensor = self.operator(self.unit_scale * tokens, self.unit_scale * text)
        return fused

    def curve(self, guide: Float[Tensor, "B L G"]) -> Float[Tensor, "B L W"]:
        """The guide as features, each frame with its neighbours."""
        curve: Tensor = self.guide_in(guide.transpose(1, 2)).transpose(1, 2)
        return curve
