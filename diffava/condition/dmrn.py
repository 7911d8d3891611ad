"""The dual multi-modal residual network that fuses text and video. Knows two streams of equal width."""

from jaxtyping import Float
from torch import Tensor, nn


class DualMultimodalResidualNetwork(nn.Module):
    """One block: both streams take the same residual, made of both.

    With `U_m(x) = W2_m tanh(W1_m x + b1_m) + b2_m` for m in {text, video}, per time step:
    `g = (U_t(h_t) + U_v(h_v)) / 2`, `h_t' = tanh(h_t + g)`, `h_v' = tanh(h_v + g)`, and the result is
    `h* = (h_t' + h_v') / 2`, so every entry is inside (-1, 1).

    Source: Tian et al., ECCV 2018 (arXiv:1803.08842), as its authors' code has it. There the streams are audio and
    video; DiffAVA puts text in the audio's place. `zero_init` is our choice: it makes the untrained network
    `(tanh h_t + tanh h_v) / 2`.
    """

    def __init__(self, dim: int, *, zero_init: bool = True) -> None:
        super().__init__()
        self.text_residual = _residual(dim)
        self.video_residual = _residual(dim)
        if zero_init:
            for residual in (self.text_residual, self.video_residual):
                nn.init.zeros_(residual[-1].weight)  # type: ignore[arg-type]  # an nn.Linear
                nn.init.zeros_(residual[-1].bias)  # type: ignore[arg-type]

    def forward(self, text: Float[Tensor, "*steps D"], video: Float[Tensor, "*steps D"]) -> Float[Tensor, "*steps D"]:
        """Fuse step by step; weights are shared over time."""
        shared = (self.text_residual(text) + self.video_residual(video)) / 2
        fused: Tensor = ((text + shared).tanh() + (video + shared).tanh()) / 2
        return fused


def _residual(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, dim), nn.Tanh(), nn.Linear(dim, dim))
