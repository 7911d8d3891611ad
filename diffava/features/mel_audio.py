"""The small CLAP audio tower: a log-mel of any length to one unit vector. Knows neither words nor how a mel is made."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

MEL_CENTRE, MEL_SCALE = -5.0, 4.0  # of natural-log magnitudes between the floor (-11.5) and full scale (about 4)


@runtime_checkable  # so that tests can check arguments against it
class AudioEncoder(Protocol):
    """What training and measuring need of a CLAP audio tower."""

    sample_rate_hz: int

    def encode(self, waveforms: Float[Tensor, "B S"]) -> Float[Tensor, "B D"]:
        """Embed whole sounds as unit vectors."""
        ...

    def encode_seconds(self, waveforms: Float[Tensor, "B S"]) -> Float[Tensor, "B T D"]:
        """Embed each second by itself, as eq. 2's audio side needs."""
        ...


class MelAudioTower(nn.Module):
    """Four strided convolutions over the mel, then mean and maximum over time and frequency, so that any length fits.

    The maximum keeps a single short contact in a long silence, which a mean alone would drown. The layout is ours;
    CLAP's own tower (HTSAT) has 30 times the cost and needs 10 s of sound.
    """

    def __init__(self, channels: tuple[int, ...], projection_dim: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(zip((1, *channels), channels, strict=False)):
            stride = (2, 2) if level < 3 else (1, 2)
            size = 5 if level == 0 else 3
            layers += [
                nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False),
                nn.BatchNorm2d(after),
                nn.GELU(),
            ]
        self.layers = nn.Sequential(*layers)
        self.projection = nn.Sequential(
            nn.Linear(2 * channels[-1], 2 * channels[-1]), nn.GELU(), nn.Linear(2 * channels[-1], projection_dim)
        )

    def forward(self, log_mel: Float[Tensor, "B T M"]) -> Float[Tensor, "B D"]:
        """Embed mels; the result has no fixed length."""
        maps = self.layers(((log_mel - MEL_CENTRE) / MEL_SCALE)[:, None])
        embeddings: Tensor = self.projection(torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1))
        return embeddings


class MelAudioEncoder:
    """The frozen small tower with the mel of its model, given as a function of samples at the model's rate."""

    def __init__(
        self, model: MelAudioTower, mel: Callable[[Float[Tensor, "S"]], Float[Tensor, "T M"]], sample_rate_hz: int
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.mel = mel
        self.sample_rate_hz = sample_rate_hz

    @torch.no_grad()
    def encode(self, waveforms: Float[Tensor, "B S"]) -> Float[Tensor, "B D"]:
        """Embed sounds of equal length, of any length.

        Returns:
            Unit vectors `[B, D]`.
        """
        mels = torch.stack([self.mel(waveform) for waveform in waveforms])
        return normalize(self.model(mels.to(next(self.model.parameters()).device)).float(), dim=-1)

    @torch.no_grad()
    def encode_seconds(self, waveforms: Float[Tensor, "B S"]) -> Float[Tensor, "B T D"]:
        """Embed each second by itself, the last one as long as it is (eq. 2 of arXiv:2305.12903; the cut is ours)."""
        seconds = [self.encode(window) for window in torch.split(waveforms, self.sample_rate_hz, dim=-1)]
        return torch.stack(seconds, dim=1)
