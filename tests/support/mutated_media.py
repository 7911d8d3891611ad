"""Small real movies, stills and sounds, and what becomes of them when bytes are lost, changed or put elsewhere.

Seeded: number n of a seed is always the same file.
"""

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from support.clips import numbered_picture, write_numbered_clip

os.environ.setdefault("SVT_LOG", "1")  # its AV1 encoder tells the terminal of itself otherwise

_MOVIES = {
    "h264.mp4": {"b_frames": 2},
    "hevc.mp4": {"codec": "libx265"},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mpeg2.ts": {"codec": "mpeg2video"},
    "mpeg1.mpg": {"codec": "mpeg1video"},
    "h264.mkv": {"b_frames": 1},
    "ffv1.mkv": {"codec": "ffv1"},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "av1.mp4": {"codec": "libsvtav1"},
    "prores.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le"},
    "mjpeg.mov": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "dnxhr.mxf": {"codec": "dnxhd", "pixel_format": "yuv422p"},
    "gif.gif": {"codec": "gif", "pixel_format": "rgb8"},
}
_STILLS = {
    "png.png": ("png", "rgb24"),
    "jpeg.jpg": ("mjpeg", "yuvj420p"),
    "tiff.tif": ("tiff", "rgb24"),
    "exr.exr": ("exr", "gbrpf32le"),
    "dpx.dpx": ("dpx", "rgb24"),
    "webp.webp": ("libwebp", "yuv420p"),
    "bmp.bmp": ("bmp", "bgr24"),
}


def written(folder: Path) -> list[Path]:
    """Media of every kind that this FFmpeg can write, a few kB each."""
    made = []
    for name, properties in _MOVIES.items():
        size = {"width": 256, "height": 120} if "dnx" in name else {"width": 96, "height": 72}
        extra = {"container_options": {}, "gop_frames": 4} | properties
        if "dnx" in name:
            continue  # its profiles want sizes of television; ProRes stands for what is cut with
        made.append(write_numbered_clip(folder / name, 10, Fraction(25), **size, **extra))
    made += [_still(folder / name, *how) for name, how in _STILLS.items()]
    return [path for path in made if path.stat().st_size]


def _still(path: Path, codec: str, pixel_format: str) -> Path:
    context = av.CodecContext.create(codec, "w")
    picture = numbered_picture(77)
    context.height, context.width = picture.shape[:2]
    context.pix_fmt, context.time_base = pixel_format, Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)
    path.write_bytes(b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)]))
    return path


def mutated(originals: Sequence[bytes], number: int, seed: int = 0) -> tuple[int, bytes]:
    """Which original it was, and the file that became of it."""
    rng = np.random.default_rng((seed, number))
    which = int(rng.integers(len(originals)))
    data = bytearray(originals[which])
    for _ in range(int(rng.integers(1, 4))):
        change = _CHANGES[int(rng.integers(len(_CHANGES)))]
        data = change(data, rng, originals) or bytearray(b"\0")
    return which, bytes(data)


_Change = Callable[[bytearray, np.random.Generator, Sequence[bytes]], bytearray]


def _flip_bits(data: bytearray, rng: np.random.Generator, _: Sequence[bytes]) -> bytearray:
    for position in rng.integers(len(data), size=int(rng.integers(1, 30))):
        data[position] ^= 1 << int(rng.integers(8))
    return data


def _overwrite_header(data: bytearray, rng: np.random.Generator, _: Sequence[bytes]) -> bytearray:
    """Headers are small, so that a byte in one is seldom hit by chance."""
    for position in rng.integers(min(len(data), 256), size=int(rng.integers(1, 6))):
        data[position] = int(rng.integers(256))
    return data


def _cut_off(data: bytearray, rng: np.random.Generator, _: Sequence[bytes]) -> bytearray:
    return data[: int(rng.integers(len(data) + 1))]


def _cut_out(data: bytearray, rng: np.random.Generator, _: Sequence[bytes]) -> bytearray:
    start, stop = sorted(int(at) for at in rng.integers(len(data) + 1, size=2))
    return data[:start] + data[stop:]


def _splice(data: bytearray, rng: np.random.Generator, originals: Sequence[bytes]) -> bytearray:
    other = originals[int(rng.integers(len(originals)))]
    start, stop = sorted(int(at) for at in rng.integers(len(other) + 1, size=2))
    at = int(rng.integers(len(data) + 1))
    return data[:at] + other[start:stop] + data[at:]


def _change_a_size(data: bytearray, rng: np.random.Generator, _: Sequence[bytes]) -> bytearray:
    """Four bytes become a number at the edge of what fits: where they were a size or a count, memory is asked for."""
    at = int(rng.integers(max(len(data) - 4, 1)))
    number = int(rng.choice([0, 1, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1]))
    data[at : at + 4] = number.to_bytes(4, "big" if rng.integers(2) else "little")
    return data


_CHANGES: tuple[_Change, ...] = (_flip_bits, _overwrite_header, _cut_off, _cut_out, _splice, _change_a_size)
