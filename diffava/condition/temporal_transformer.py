"""The temporal multi-head attention transformer over video tokens. Knows tokens, not what they show."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffava.config import AlignmentSection


class TemporalTransformer(nn.Module):
    """Lets the tokens of one clip attend to each other, and ends in the text's space.

    Linear in, learned positions, pre-norm layers with GELU and a feed-forward of four widths, layer norm and linear
    out. The paper fixes depth 4, width 768 and 8 heads; the rest is our choice.

    Source: arXiv:2305.12903, section 3.2.
    """

    def __init__(self, config: AlignmentSection, video_dim: int, text_dim: int) -> None:
        super().__init__()
        width = config.hidden_size
        self.linear_in = nn.Linear(video_dim, width)
        self.positions = nn.Parameter(torch.empty(config.clip_tokens, width))
        nn.init.normal_(self.positions, std=0.02)
        layer = nn.TransformerEncoderLayer(
            width,
            config.num_heads,
            dim_feedforward=4 * width,
            dropout=config.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(layer, config.num_layers, enable_nested_tensor=False)
        self._make_layers_differ()
        self.norm_out = nn.LayerNorm(width)
        self.linear_out = nn.Linear(width, text_dim)
        # Unit length at the start, like the text beside it; torch's default would be some thirteen times louder.
        nn.init.normal_(self.linear_out.weight, std=1 / math.sqrt(width * text_dim))
        nn.init.zeros_(self.linear_out.bias)

    def _make_layers_differ(self) -> None:
        """Draw every matrix anew: `nn.TransformerEncoder` starts all layers as copies of one."""
        for parameter in self.layers.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, tokens: Float[Tensor, "B T V"]) -> Float[Tensor, "B T D"]:
        """Read clips of at most `clip_tokens` tokens, which is what positions exist for.

        Args:
            tokens: X-CLIP tokens `[B, T, V]` in time order, all of one shot.
        """
        hidden = self.linear_in(tokens) + self.positions[: tokens.shape[1]]
        aligned: Tensor = self.linear_out(self.norm_out(self.layers(hidden)))
        return aligned
