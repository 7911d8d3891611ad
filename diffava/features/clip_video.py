"""CLIP's picture tower as a video encoder: one picture a second, no look at its neighbours. Knows no text, no sound.

These are the frame features of the X-CLIP that DiffAVA cites (Ma et al. 2022, github.com/xuguohai/X-CLIP), for which no
trained weights of its own are published: CLIP's ViT-B/32 at 1 frame a second, projected into CLIP's joint space. That
the second's middle frame stands for it is our choice; X-CLIP samples uniformly.
"""

from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from transformers import CLIPVisionModelWithProjection
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from diffava.features.video import SeenGroup, on_device

COLOURS = (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD)


class ClipVideoEncoder:
    """The frozen tower as a `VideoEncoder`: a group is a second, its token the embedding of its middle frame."""

    def __init__(self, model: CLIPVisionModelWithProjection, group_frames: int) -> None:
        self.model = model.eval().requires_grad_(False)
        self.group_frames = group_frames
        self.token_dim: int = model.config.projection_dim

    def encode_shot(self, groups: Iterable[UInt8[Tensor, "_ height width 3"]]) -> Iterator[SeenGroup]:
        """The token of each group; CLIP looks at no other frame and tells no time."""
        return (SeenGroup(self.encode(rgb)) for rgb in groups)

    @torch.no_grad()
    def encode(self, rgb: UInt8[Tensor, "F height width 3"]) -> Float[Tensor, "V"]:
        """One token for a group, of whatever length CLIP gives it; colours are normalised by CLIP's own figures."""
        middle = on_device(rgb[len(rgb) // 2], self.model.device)
        mean, std = (middle.new_tensor(values, dtype=torch.float32).view(3, 1, 1) for values in COLOURS)
        pixels = (middle.permute(2, 0, 1).float() / 255 - mean) / std
        output = self.model(pixel_values=pixels[None].to(self.model.dtype))
        token: Tensor = output.image_embeds[0].float()
        return token
