"""From decoded pictures to the encoder's: fitted whole into its format, and mixed where shots dissolve.

Knows nothing of time. The whole picture is fitted inside the format with black bars, where others crop the middle: a
hit near the edge of the frame must be seen. Values are full-range RGB as the file's own colour space and range say;
HDR is not tone-mapped.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from diffava_resolve.frames.movie import StillPicture

_UNSPECIFIED_COLOUR_SPACE = 2  # AVCOL_SPC_UNSPECIFIED, H.273
_HD_LINES = 720  # untagged video from here on is BT.709, below BT.601: what players and editors assume
_EXACT = Interpolation.ACCURATE_RND.value | Interpolation.BITEXACT.value  # the same on every processor
_DOWN, _UP = Interpolation.AREA.value | _EXACT, Interpolation.BICUBIC.value | _EXACT


class Fitter:
    """Fits whole pictures, upright and in their true shape, inside a format; the rest is black.

    The display matrix of phone video is applied in quarter turns (a mirrored one stays mirrored), non-square pixels are
    stretched, interlaced fields are left woven.
    """

    def __init__(self, width_pixels: int, height_pixels: int) -> None:
        self._size = width_pixels, height_pixels
        self._reformatter = VideoReformatter()  # it keeps its tables from one picture to the next like it

    def fit(self, picture: StillPicture) -> np.ndarray:
        """The picture as uint8 `[height_pixels, width_pixels, 3]`, RGB."""
        frame = picture.frame
        quarter_turns = round(frame.rotation / 90) % 4  # anticlockwise, as numpy turns
        is_sideways = quarter_turns % 2 == 1
        inner_width, inner_height = _inner_size(
            frame.width, frame.height, picture.pixel_aspect, self._size, is_sideways=is_sideways
        )
        upright = (inner_height, inner_width) if is_sideways else (inner_width, inner_height)
        inner = np.rot90(self._rgb(frame, *upright), quarter_turns)
        width_pixels, height_pixels = self._size
        if inner.shape[:2] == (height_pixels, width_pixels):
            return np.ascontiguousarray(inner)
        fitted = np.zeros((height_pixels, width_pixels, 3), np.uint8)
        top, left = (height_pixels - inner_height) // 2, (width_pixels - inner_width) // 2
        fitted[top : top + inner_height, left : left + inner_width] = inner
        return fitted

    def _rgb(self, frame: av.VideoFrame, width: int, height: int) -> np.ndarray:
        """Scale and convert: area averaging down, so that nothing small flickers between frames; bicubic up."""
        shrinks = width < frame.width or height < frame.height
        untagged = frame.colorspace == _UNSPECIFIED_COLOUR_SPACE
        has_alpha = _has_alpha(frame.format.name)
        scaled = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgba" if has_alpha else "rgb24",
            interpolation=_DOWN if shrinks else _UP,
            src_colorspace=(Colorspace.ITU709 if frame.height >= _HD_LINES else Colorspace.ITU601)
            if untagged
            else None,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        rgb: np.ndarray = scaled.to_ndarray()
        if not has_alpha:
            return rgb
        on_black: np.ndarray = np.round(rgb[..., :3] * (rgb[..., 3:] / 255.0)).astype(np.uint8)
        return on_black


@lru_cache(maxsize=64)  # few shapes, and thousands of pictures of each
def _inner_size(
    width: int, height: int, pixel_aspect: Fraction, size_pixels: tuple[int, int], *, is_sideways: bool
) -> tuple[int, int]:
    """Width and height of an upright picture inside the format."""
    width_pixels, height_pixels = size_pixels
    shown_width, shown_height = width * pixel_aspect, Fraction(height)
    if is_sideways:
        shown_width, shown_height = shown_height, shown_width
    scale = min(width_pixels / shown_width, height_pixels / shown_height)
    return (
        min(max(round(shown_width * scale), 1), width_pixels),
        min(max(round(shown_height * scale), 1), height_pixels),
    )


@lru_cache(maxsize=64)
def _has_alpha(pixel_format: str) -> bool:
    return any(component.is_alpha for component in av.VideoFormat(pixel_format).components)


def plain(rgb: tuple[int, int, int], width_pixels: int, height_pixels: int) -> np.ndarray:
    """A picture of one colour: uint8 `[height_pixels, width_pixels, 3]`."""
    return np.full((height_pixels, width_pixels, 3), rgb, np.uint8)


def mix(layers: Sequence[tuple[np.ndarray, Fraction]]) -> np.ndarray:
    """The sum of pictures times their shares, on the encoded values as editors dissolve; what is left over is black."""
    picture, share = layers[0]
    if len(layers) == 1 and share == 1:
        return picture
    total = np.zeros(picture.shape, np.float64)
    for picture, share in layers:
        total += picture * float(share)
    return np.clip(np.round(total), 0, 255).astype(np.uint8)
