"""C3D: 4096 numbers for every 16 frames of a film, as FAVD reads them. Knows pictures, no files but weights.

The network of Tran et al. 2015 (arXiv:1412.0767), trained on Sports-1M, in the names of OpenMMLab's file
(`c3d_sports1m_pretrain_20201016-dcc47ddc.pth`, open-mmlab/mmaction2, models/backbones/c3d.py) with the front end of
that repository's configuration: 128 x 171, the middle 112 x 112, the mean colour taken off.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.functional import max_pool3d, relu

from diffava.evaluation.networks.weights import fill, read_weights

CLIP_FRAMES = 16
HEIGHT_PIXELS, WIDTH_PIXELS, CROP_PIXELS = 128, 171, 112
MEAN_COLOUR = (104.0, 117.0, 128.0)  # in the order red, green, blue, as that configuration has it
DIMENSIONS = 4096
LAYERS = {
    "conv1a": (3, 64), "conv2a": (64, 128), "conv3a": (128, 256), "conv3b": (256, 256),
    "conv4a": (256, 512), "conv4b": (512, 512), "conv5a": (512, 512), "conv5b": (512, 512),
}  # fmt: skip
CLASSIFIER = ("fc8.", "cls_head.")  # some copies of the file have it; features do not need it


class Convolution(nn.Module):
    """A 3 x 3 x 3 convolution with its ReLU."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(before, channels, 3, padding=1)

    def forward(self, maps: Float[Tensor, "B C F h w"]) -> Float[Tensor, "B K F h w"]:
        """Maps of the same size."""
        return relu(self.conv(maps))


class C3D(nn.Module):
    """From clips to features. Its parameters have the names and shapes of the published file."""

    def __init__(self) -> None:
        super().__init__()
        for name, (before, channels) in LAYERS.items():
            setattr(self, name, Convolution(before, channels))
        self.fc6 = nn.Linear(8192, DIMENSIONS)
        self.fc7 = nn.Linear(DIMENSIONS, DIMENSIONS)

    def forward(self, clips: Float[Tensor, "B 3 F h w"]) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B D"]]:
        """`fc6` and `fc7`, each after its ReLU."""
        maps = clips
        for name in LAYERS:
            maps = getattr(self, name)(maps)
            if name == "conv1a":
                maps = max_pool3d(maps, (1, 2, 2))
            elif name == "conv5b":
                maps = max_pool3d(maps, 2, padding=(0, 1, 1))
            elif name not in ("conv3a", "conv4a", "conv5a"):
                maps = max_pool3d(maps, 2)
        sixth = relu(self.fc6(maps.flatten(1)))
        return sixth, relu(self.fc7(sixth))


def open_c3d(path: Path, device: torch.device | str = "cpu") -> C3D:
    """The network with the weights of a file.

    Raises:
        CheckpointError: The file cannot be read or is of another network.
    """
    with torch.device("meta"):
        network = C3D()
    fill(network, read_weights(path, inside=("state_dict",)), path, ignored=CLASSIFIER)
    return network.to(device)


def clips_of(pictures: Iterable[UInt8[np.ndarray, "height width 3"]]) -> Iterator[Float[Tensor, "3 F h w"]]:
    """Clips of 16 pictures of 128 x 171, none overlapping, ready for the network.

    What is left at the end is dropped, but for a film of fewer than 16 pictures, whose last one stands still.
    """
    top, left = (HEIGHT_PIXELS - CROP_PIXELS) // 2, (WIDTH_PIXELS - CROP_PIXELS) // 2
    held: list[np.ndarray] = []
    given = 0
    for picture in pictures:
        held.append(picture[top : top + CROP_PIXELS, left : left + CROP_PIXELS])
        if len(held) == CLIP_FRAMES:
            yield _clip(held)
            given += 1
            held = []
    if held and not given:
        yield _clip(held + [held[-1]] * (CLIP_FRAMES - len(held)))


@torch.inference_mode()
def c3d_features(network: C3D, pictures: Iterable[UInt8[np.ndarray, "height width 3"]]) -> Float[Tensor, "N D"]:
    """`fc6` of every clip, the layer that the paper takes for its descriptor; pictures of 128 x 171, streamed."""
    device = next(network.parameters()).device
    rows = [network(clip[None].to(device))[0].cpu() for clip in clips_of(pictures)]
    return torch.cat(rows) if rows else torch.zeros(0, DIMENSIONS)


def _clip(pictures: list[np.ndarray]) -> Float[Tensor, "3 F h w"]:
    stacked = torch.from_numpy(np.stack(pictures)).float() - torch.tensor(MEAN_COLOUR)
    return stacked.permute(3, 0, 1, 2)
