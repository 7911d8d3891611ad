"""A one-dimensional transformer over latent frames: the cheaper denoiser of `mini`. Knows no solver and no guide.

Each latent frame is one token. The noise level and the FiLM vector steer every block by adaptive layer norm, as the
paper's U-Net lets them steer every residual block; a short depth-wise convolution in each block carries what lies
within a few frames, attention what repeats. It predicts the velocity of flow matching.

Source: DiT (Peebles & Xie 2023, arXiv:2212.09748) for adaptive layer norm with a zero start, RoFormer (Su et al. 2021)
for the rotary positions, Lipman et al. 2023 (arXiv:2210.02747) for the velocity. The convolution, and that one FiLM
vector stands where DiT has a class, are our choice.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu

TIME_WIDTH = 128


class LatentTransformer(nn.Module):
    """`[B, C, L, 1]` noisy latent, noise level and FiLM vector to `[B, C, L, 1]` velocity; L may be any length."""

    def __init__(
        self, channels: int, film_dim: int, width: int, block_count: int, head_count: int, kernel_frames: int = 5
    ) -> None:
        super().__init__()
        self.width, self.head_dim = width, width // head_count
        self.linear_in = nn.Linear(channels, width)
        self.time_in = nn.Sequential(nn.Linear(TIME_WIDTH, width), nn.SiLU(), nn.Linear(width, width))
        self.film_in = nn.Linear(film_dim, width)
        # A unit vector has numbers near 0.1. Without this it stays a whisper beside the noise level, and thousands of
        # steps pass before the sound hears its condition (training/LOG.md, "Generator").
        self.film_scale = math.sqrt(film_dim)
        self.blocks = nn.ModuleList(TransformerBlock(width, head_count, kernel_frames) for _ in range(block_count))
        self.norm_out = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation_out = nn.Linear(width, 2 * width)
        self.linear_out = nn.Linear(width, channels)
        for layer in (self.modulation_out, self.linear_out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.linear_in.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """What the weights are stored in."""
        return self.linear_in.weight.dtype

    def embedded(
        self, latent: Float[Tensor, "B C L 1"], time: Float[Tensor, "B"], film: Float[Tensor, "B D"]
    ) -> tuple[Float[Tensor, "B L W"], Float[Tensor, "B W"]]:
        """The tokens before the first block, and what steers the blocks; a control branch starts from both."""
        steering = self.time_in(time_features(time).to(latent)) + self.film_in(self.film_scale * film)
        return self.linear_in(latent[..., 0].transpose(1, 2)), silu(steering)

    def forward(
        self,
        latent: Float[Tensor, "B C L 1"],
        time: Float[Tensor, "B"],
        film: Float[Tensor, "B D"],
        control: list[Float[Tensor, "B L W"]] | None = None,
    ) -> Float[Tensor, "B C L 1"]:
        """Predict the velocity.

        Args:
            latent: `(1 - t) x + t noise`.
            time: t in [0, 1]; 1 is pure noise.
            film: One condition vector an item.
            control: What a control branch adds after each of the first blocks, one entry a block.
        """
        hidden, steering = self.embedded(latent, time, film)
        rotation = rotary(hidden.shape[1], self.head_dim, hidden)
        for number, block in enumerate(self.blocks):
            hidden = block(hidden, steering, rotation)
            if control is not None and number < len(control):
                hidden = hidden + control[number]
        shift, scale = self.modulation_out(steering)[:, None].chunk(2, dim=-1)
        velocity: Tensor = self.linear_out(self.norm_out(hidden) * (1 + scale) + shift)
        return velocity.transpose(1, 2)[..., None]


class TransformerBlock(nn.Module):
    """Attention, convolution and feed-forward, each behind a norm that the steering vector shifts, scales and gates."""

    def __init__(self, width: int, head_count: int, kernel_frames: int) -> None:
        super().__init__()
        self.head_count, self.head_dim = head_count, width // head_count
        self.norm_attention = nn.LayerNorm(width, elementwise_affine=False)
        self.norm_mlp = nn.LayerNorm(width, elementwise_affine=False)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.convolution = nn.Conv1d(width, width, kernel_frames, padding=kernel_frames // 2, groups=width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(
        self, hidden: Float[Tensor, "B L W"], steering: Float[Tensor, "B W"], rotation: Float[Tensor, "2 L R"]
    ) -> Float[Tensor, "B L W"]:
        """One block; at its start it passes its input on unchanged."""
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = self.modulation(steering)[:, None].chunk(6, dim=-1)
        normed = self.norm_attention(hidden) * (1 + scale_a) + shift_a
        mixed = self._attention(normed, rotation) + self.convolution(normed.transpose(1, 2)).transpose(1, 2)
        hidden = hidden + gate_a * mixed
        hidden = hidden + gate_m * self.mlp(self.norm_mlp(hidden) * (1 + scale_m) + shift_m)
        return hidden

    def _attention(self, hidden: Tensor, rotation: Tensor) -> Tensor:
        batch, length, width = hidden.shape
        heads = self.query_key_value(hidden).view(batch, length, 3, self.head_count, self.head_dim).unbind(dim=2)
        query, key, value = (part.transpose(1, 2) for part in heads)
        attended = scaled_dot_product_attention(rotated(query, rotation), rotated(key, rotation), value)
        out: Tensor = self.attention_out(attended.transpose(1, 2).reshape(batch, length, width))
        return out


def time_features(time: Float[Tensor, "B"]) -> Float[Tensor, "B F"]:
    """Sines and cosines of the noise level, from one period in 2 pi to a thousand."""
    rates = torch.exp(torch.linspace(0, math.log(1000), TIME_WIDTH // 2, device=time.device))
    phase = time.float()[:, None] * rates
    return torch.cat([phase.sin(), phase.cos()], dim=-1)


def rotary(length: int, head_dim: int, like: Tensor) -> Float[Tensor, "2 L R"]:
    """Cosine and sine by which position turns each pair of a head's numbers; only distances reach the attention."""
    rates = 1000.0 ** (-torch.arange(0, head_dim, 2, device=like.device) / head_dim)
    phase = torch.arange(length, device=like.device)[:, None] * rates
    return torch.stack([phase.cos(), phase.sin()]).to(like.dtype)


def rotated(heads: Float[Tensor, "B H L D"], rotation: Float[Tensor, "2 L R"]) -> Float[Tensor, "B H L D"]:
    """Turn the first half of each head's numbers against the second."""
    first, second = heads.chunk(2, dim=-1)
    cosine, sine = rotation.to(heads.dtype)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)
