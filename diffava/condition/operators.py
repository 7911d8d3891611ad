"""T2AV's four condition operators: how seen and said become one sequence in time. Knows tokens, not what they show.

T2AV (arXiv:2403.07938) compares LSTM, cross-attention, addition and temporal self-attention and keeps the last; the
inner sizes are our choice, since its text is not precise there. `diffava/training/LOG.md` has our own comparison.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffava.config import OperatorName


class ConditionOperator(Protocol):
    """Fuses what is seen at each second with what the prompt says."""

    def __call__(self, video: Float[Tensor, "B T D"], text: Float[Tensor, "B D"]) -> Float[Tensor, "B T D"]:
        """One fused vector a token, in the order of time."""
        ...


class AdditionOperator(nn.Module):
    """The simple one: both projected and added; tokens do not know of each other."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.video, self.text = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, video: Float[Tensor, "B T D"], text: Float[Tensor, "B D"]) -> Float[Tensor, "B T D"]:
        """Fuse token by token."""
        fused: Tensor = self.video(video) + self.text(text)[:, None]
        return fused


class LstmOperator(nn.Module):
    """Both side by side through a bidirectional LSTM."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2 * dim, dim // 2, batch_first=True, bidirectional=True)

    def forward(self, video: Float[Tensor, "B T D"], text: Float[Tensor, "B D"]) -> Float[Tensor, "B T D"]:
        """Fuse with memory in both directions."""
        fused: Tensor = self.lstm(torch.cat([video, text[:, None].expand_as(video)], dim=-1))[0]
        return fused


class CrossAttentionOperator(nn.Module):
    """The prompt, once a token, asks the picture."""

    def __init__(self, dim: int, head_count: int = 4) -> None:
        super().__init__()
        self.place = nn.Linear(dim, dim)
        self.attention = nn.MultiheadAttention(dim, head_count, batch_first=True)
        self.norm = nn.LayerNorm(dim)

    def forward(self, video: Float[Tensor, "B T D"], text: Float[Tensor, "B D"]) -> Float[Tensor, "B T D"]:
        """Fuse by asking; the query carries its own token, or every second would get the same answer."""
        asked = text[:, None] + self.place(video)
        answer = self.attention(asked, video, video, need_weights=False)[0]
        fused: Tensor = self.norm(asked + answer)
        return fused


class TemporalSelfAttentionOperator(nn.Module):
    """Sum of both, then layers in which the seconds attend to each other: T2AV's choice."""

    def __init__(self, dim: int, head_count: int = 4, layer_count: int = 2) -> None:
        super().__init__()
        self.addition = AdditionOperator(dim)
        layer = nn.TransformerEncoderLayer(
            dim, head_count, 4 * dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layer_count, enable_nested_tensor=False)

    def forward(self, video: Float[Tensor, "B T D"], text: Float[Tensor, "B D"]) -> Float[Tensor, "B T D"]:
        """Fuse with every second in view."""
        fused: Tensor = self.layers(self.addition(video, text))
        return fused


OPERATORS: dict[OperatorName, Callable[[int], nn.Module]] = {
    "lstm": LstmOperator,
    "cross_attention": CrossAttentionOperator,
    "addition": AdditionOperator,
    "temporal_self_attention": TemporalSelfAttentionOperator,
}
