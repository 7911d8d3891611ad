"""Pictures to tokens: what a video encoder is, which frames become which token, and X-CLIP. Knows no text, no sound.

X-CLIP's vision tower lets the 8 frames of a group exchange messages, so one frame changes the feature of all 8: a
group must never reach across a cut. Other encoders look further than a group, but never beyond a shot.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from transformers import XCLIPVisionModel
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from diffava.errors import RequestError
from diffava.spec import FoleyRequest, Frames, PictureGuide, Spec

COLOURS = (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)


@dataclass(frozen=True, eq=False)
class SeenGroup:
    """What an encoder says of one group of frames: its token, and the timing of its frames if it tells time."""

    token: Float[Tensor, "V"]
    guide: PictureGuide | None = None


@runtime_checkable  # so that tests can check arguments against it
class VideoEncoder(Protocol):
    """What the features stage needs of a video encoder."""

    group_frames: int
    token_dim: int

    def encode_shot(self, groups: Iterable[UInt8[Tensor, "_ height width 3"]]) -> Iterator[SeenGroup]:
        """Say what is seen in each group of one shot, in order; groups are pulled when they are needed."""
        ...


@dataclass(frozen=True)
class FrameGroup:
    """Frames `[first_frame, stop_frame)` of one shot, which become one token, and the time that it stands for."""

    first_frame: int
    stop_frame: int
    shot: int
    start_s: Fraction
    stop_s: Fraction


class XClipVideoEncoder:
    """The frozen vision tower of Microsoft's X-CLIP.

    DiffAVA cites the X-CLIP of Ma et al., for which no trained weights are published; that this is Microsoft's, whose
    hidden width is the paper's 768, is our choice.
    """

    def __init__(self, model: XCLIPVisionModel) -> None:
        self.model = model.eval().requires_grad_(False)
        self.group_frames: int = model.config.num_frames
        self.token_dim: int = model.config.hidden_size

    def encode_shot(self, groups: Iterable[UInt8[Tensor, "_ height width 3"]]) -> Iterator[SeenGroup]:
        """The token of each group; X-CLIP looks at no other group and tells no time."""
        return (SeenGroup(self.encode(rgb)) for rgb in groups)

    @torch.no_grad()
    def encode(self, rgb: UInt8[Tensor, "F height width 3"]) -> Float[Tensor, "V"]:
        """One token for a group: the mean of its frames' class features, before the projection (our choice).

        A group with fewer frames than the tower wants is filled by repeating its last one. Colours are normalised as
        X-CLIP was trained, by ImageNet's figures (microsoft/VideoX, X-CLIP/datasets/build.py), and not by CLIP's.
        """
        missing = self.group_frames - len(rgb)
        filled = torch.cat([rgb, rgb[-1:].expand(missing, -1, -1, -1)]) if missing else rgb
        seen = on_device(filled, self.model.device)
        mean, std = (seen.new_tensor(values, dtype=torch.float32).view(3, 1, 1) for values in COLOURS)
        pixels = (seen.permute(0, 3, 1, 2).float() / 255 - mean) / std
        output = self.model(pixel_values=pixels.to(self.model.dtype))
        token: Tensor = output.pooler_output.float().mean(dim=0)
        return token


def on_device(
    rgb: UInt8[Tensor, "*batch height width 3"], device: torch.device
) -> UInt8[Tensor, "*batch height width 3"]:
    """Pictures where they are looked at, as bytes: a quarter of what their floats would take on the way.

    To a GPU from pinned memory, so that the copy needs not wait for the work before it.
    """
    if device.type != "cuda":
        return rgb.to(device)
    return rgb.pin_memory().to(device, non_blocking=True)


def shot_of_frame(frame: int, request: FoleyRequest, spec: Spec) -> int:
    """The shot, from 0, that is on screen at the centre of a frame."""
    return bisect_right(request.cut_samples, spec.frame_centre_s(frame) * spec.output_rate_hz)


def frame_groups(request: FoleyRequest, spec: Spec, group_frames: int) -> list[FrameGroup]:
    """Which frames become which token: full groups from each cut on, and the rest of a shot in a last one.

    The groups of a shot fill it from cut to cut, though cuts lie between frames.
    """
    cuts_s = [Fraction(sample, spec.output_rate_hz) for sample in (0, *request.cut_samples, request.sample_count)]
    groups = []
    for shot, frames in groupby(range(request.frame_count), key=lambda frame: shot_of_frame(frame, request, spec)):
        numbers = list(frames)
        begin, end = numbers[0], numbers[-1] + 1
        for first in range(begin, end, group_frames):
            stop = min(first + group_frames, end)
            start_s = cuts_s[shot] if first == begin else first / spec.frame_rate
            stop_s = cuts_s[shot + 1] if stop == end else stop / spec.frame_rate
            groups.append(FrameGroup(first, stop, shot, start_s, stop_s))
    return groups


def pictures_of(
    frames: Iterable[Frames], request: FoleyRequest, spec: Spec, hasher: Any
) -> Iterator[UInt8[Tensor, "height width 3"]]:
    """The pictures one by one, pulled a chunk at a time; the `hasher` (one of hashlib's) is given the bytes of all.

    Raises:
        RequestError: Pictures are missing, too many, out of order, of another size, or not those that the request
            names; at the end for missing and for other ones.
    """
    size = spec.frame_size_pixels
    received = 0
    for chunk in frames:
        if chunk.first_frame != received:
            raise RequestError(f"Frame {chunk.first_frame} came where frame {received} belongs; send them in order.")
        if tuple(chunk.rgb.shape[1:]) != (size, size, 3):
            raise RequestError(
                f"The frames have the shape {tuple(chunk.rgb.shape[1:])}, this model reads {(size, size, 3)}; "
                "scale them to the size that the model names."
            )
        received += len(chunk.rgb)
        if received > request.frame_count:
            break
        hasher.update(chunk.rgb.contiguous().numpy())
        yield from chunk.rgb
    if received != request.frame_count:
        found = "more" if received > request.frame_count else f"only {received}"
        raise RequestError(f"The range has {request.frame_count} frames, but {found} came; send exactly that many.")
    if request.frames_sha256 not in (b"", hasher.digest()):
        raise RequestError(
            f"The frames have the sha256 {hasher.hexdigest()}, the request says {request.frames_sha256.hex()}; send "
            "the frames that it names, or name none."
        )
