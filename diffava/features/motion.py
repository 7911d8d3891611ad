"""Sees when things stop and start, and what moves: the network of the small picture encoder. Knows no prompt, no sound.

What carries timing is motion that is local and directed and then stops; how much a whole picture changes does not.
So every patch keeps its own account of its last and next pictures before any pooling, and pooling keeps the strongest
place beside the mean.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from diffava.config import MotionSection

PATCH_PIXELS = 4
HEAD_DILATIONS = (1, 2)  # of kernels of 5 frames
CONTEXT_FRAMES = 1 + 4 + 2 * sum(HEAD_DILATIONS)  # one difference, four kernels of 3 frames, the head


@dataclass(frozen=True, eq=False)
class Seen:
    """What the network says of each frame: features for tokens, and the timing guide's two curves."""

    features: Float[Tensor, "B F C"]
    onset_logits: Float[Tensor, "B F K"]
    energy: Float[Tensor, "B F K"]


class SpaceThenTime(nn.Module):
    """A (2+1)D block (Tran et al. 2018, arXiv:1711.11248): a 3 x 3 kernel over space, then 3 frames over time."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.space = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.space_norm = nn.BatchNorm2d(after)
        self.time = nn.Conv2d(after, after, (3, 1), padding=(1, 0), bias=False)
        self.time_norm = nn.BatchNorm2d(after)
        self.act = nn.GELU()

    def forward(self, maps: Float[Tensor, "BF before H W"], frames: int) -> Float[Tensor, "BF after h w"]:
        """The block; `frames` says how many consecutive pictures of the batch belong together."""
        mixed = self.act(self.space_norm(self.space(maps)))
        change = self.time_norm(over_time(self.time, mixed, frames))
        result: Tensor = self.act(mixed + change)
        return result


def over_time(layer: nn.Module, maps: Float[Tensor, "BF C h w"], frames: int) -> Float[Tensor, "BF C h w"]:
    """Apply a layer whose kernel is (frames, 1) to pictures one behind another, without moving them in memory."""
    count, channels, height, width = maps.shape
    lines = maps.permute(0, 2, 3, 1).reshape(count // frames, frames, height * width, channels).permute(0, 3, 1, 2)
    mixed: Tensor = layer(lines)
    return mixed.permute(0, 2, 3, 1).reshape(count, height, width, channels).permute(0, 3, 1, 2)


class FramesAround(nn.Module):
    """A residual layer over each frame's neighbours."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.act = nn.GELU()

    def forward(self, features: Float[Tensor, "B C F"]) -> Float[Tensor, "B C F"]:
        """The features with what the frames around add."""
        result: Tensor = features + self.act(self.norm(self.mix(features)))
        return result


class MotionEncoder(nn.Module):
    """From the pictures of one shot to features, onsets and energy of each frame, and a token for each second.

    Everything is a convolution over time with zeros beyond the shot's edges, so a frame hangs on `CONTEXT_FRAMES` on
    either side and on nothing else. The layout is ours; about 9 million multiplications a frame.
    """

    def __init__(self, config: MotionSection, embedding_dim: int) -> None:
        super().__init__()
        first, *widths = config.channels
        self.patches = nn.Sequential(
            nn.Conv2d(6, first, PATCH_PIXELS, PATCH_PIXELS, bias=False), nn.BatchNorm2d(first), nn.GELU()
        )
        self.patch_time = nn.Conv2d(first, first, (3, 1), padding=(1, 0), groups=first)
        self.blocks = nn.ModuleList(
            SpaceThenTime(before, after, stride)
            for before, after, stride in zip((first, *widths), widths, (2, 2, 1), strict=False)
        )
        pooled = sum(2 * width for width in (widths[0], widths[-1]))
        self.frame_in = nn.Linear(pooled, config.hidden_size)
        self.head = nn.Sequential(*(FramesAround(config.hidden_size, dilation) for dilation in HEAD_DILATIONS))
        self.onsets = nn.Linear(config.hidden_size, config.guide_steps)
        self.energy = nn.Linear(config.hidden_size, config.guide_steps)
        self.token = nn.Linear(2 * (config.hidden_size + pooled), config.token_dim)
        self.to_sound = nn.Sequential(nn.GELU(), nn.Linear(config.token_dim, embedding_dim))

    def forward(self, rgb: UInt8[Tensor, "B F height width 3"]) -> Seen:
        """Look at the pictures of one shot each; what lies before the first is taken to be the first again."""
        shots, frames = rgb.shape[:2]
        before = torch.cat([rgb[:, :1], rgb[:, :-1]], dim=1)
        # In place, and not concatenated along so short an axis: that took a third of the encoder's time on a CPU.
        pixels = rgb.new_empty((*rgb.shape[:-1], 6), dtype=torch.float32)
        pixels[..., :3] = rgb.float().div_(127.5).sub_(1)
        pixels[..., 3:] = rgb.float().sub_(before).div_(32)
        maps = self.patches(pixels.flatten(0, 1).permute(0, 3, 1, 2))
        maps = maps + over_time(self.patch_time, maps, frames)
        pooled = []
        for number, block in enumerate(self.blocks):
            maps = block(maps, frames)
            if number in (0, len(self.blocks) - 1):  # fine places for small things, coarse ones for their surroundings
                pooled += [maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))]
        places = torch.cat(pooled, dim=1).reshape(shots, frames, -1)
        features = self.head(self.frame_in(places).transpose(1, 2)).transpose(1, 2)
        return Seen(torch.cat([features, places], dim=-1), self.onsets(features), self.energy(features))

    def tokens(self, features: Float[Tensor, "B F C"]) -> Float[Tensor, "B V"]:
        """One token for frames that belong together: what they have on average, and what was strongest."""
        token: Tensor = self.token(torch.cat([features.mean(dim=1), features.amax(dim=1)], dim=-1))
        return token
