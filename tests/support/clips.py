"""Small video files for tests, whose pictures say which frame they are.

Builders of numbered frames, of flashes and of any pictures, with every awkward property of real files: odd rates,
variable frame rate, B-frames, edit lists, rotation, non-square pixels. `number_of` reads the number back from a
decoded picture of any size, letterboxed or not.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

_CELLS = 6  # a white ring around 4 x 4 cells, one bit each
_BITS = 16


def numbered_picture(number: int, width: int = 96, height: int = 72) -> np.ndarray:
    """A white frame around 16 black or white cells: `number` in binary, highest bit at the top left."""
    if not 0 <= number < 2**_BITS:
        raise ValueError(f"{number} does not fit in {_BITS} bits")
    cells = np.ones((_CELLS, _CELLS), bool)
    bits = [(number >> bit) & 1 for bit in reversed(range(_BITS))]
    cells[1:-1, 1:-1] = np.array(bits, bool).reshape(4, 4)
    rows = np.arange(height) * _CELLS // height
    columns = np.arange(width) * _CELLS // width
    grey = np.where(cells[rows[:, None], columns[None, :]], 255, 0).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def number_of(picture: np.ndarray) -> int:
    """The number in a decoded picture `[height, width, 3]`, black bars around it ignored."""
    bright = picture.astype(np.int64).mean(axis=2) > 127
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    if not rows.size:
        raise ValueError("the picture is black: there is no number in it")
    top, left = rows[0], columns[0]
    height, width = rows[-1] + 1 - top, columns[-1] + 1 - left
    number = 0
    for row in range(1, 5):
        for column in range(1, 5):
            y, x = top + (2 * row + 1) * height // (2 * _CELLS), left + (2 * column + 1) * width // (2 * _CELLS)
            number = 2 * number + int(bright[y, x])
    return number


def write_clip(
    path: Path,
    pictures: Iterable[np.ndarray],
    rate: Fraction,
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    b_frames: int = 0,
    gop_frames: int = 12,
    times_s: Sequence[Fraction] | None = None,
    start_s: Fraction = Fraction(0),
    sample_aspect_ratio: Fraction = Fraction(1),
    full_range: bool = False,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write `pictures` (uint8 `[height, width, 3]`) as a movie; the container follows from the suffix of `path`.

    Args:
        path: Where to write: .mp4, .mov, .mkv, .avi, .ts ...
        pictures: Shown in this order.
        rate: Frames a second; the time base is one frame, unless `times_s` is given.
        codec: Any encoder of the PyAV wheel (libx264, mpeg4, ffv1, prores_ks, mjpeg, libx265).
        pixel_format: For instance yuv420p10le or yuv444p.
        b_frames: How many in a row; decode order then differs from presentation order.
        gop_frames: The distance of keyframes.
        times_s: Presentation second of each picture, for a variable frame rate; in steps of 1/90000 s.
        start_s: Added to all times; .mp4 and .mov say it with an edit list (an empty edit).
        sample_aspect_ratio: Width of a pixel over its height.
        full_range: Luma from 0 to 255, as a phone writes it, and flagged so.
        container_options: For the muxer.
    """
    tick_s = 1 / rate if times_s is None else Fraction(1, 90_000)
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = None
        for k, picture in enumerate(pictures):
            if stream is None:
                stream = container.add_stream(codec, rate=rate, options=_encoder_options(codec, b_frames))
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = pixel_format
                context = stream.codec_context
                context.gop_size, context.max_b_frames, context.thread_count = gop_frames, b_frames, 1
                context.time_base = tick_s
                if full_range:
                    context.color_range = 2
                if sample_aspect_ratio != 1:
                    context.sample_aspect_ratio = sample_aspect_ratio
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame = frame.reformat(format=pixel_format, dst_color_range="JPEG" if full_range else "MPEG")
            frame.time_base = tick_s
            frame.pts = round((start_s + (k / rate if times_s is None else times_s[k])) / tick_s)
            container.mux(stream.encode(frame))
        if stream is None:
            raise ValueError("a movie needs at least one picture")
        container.mux(stream.encode(None))
    return path


def _encoder_options(codec: str, b_frames: int) -> dict[str, str]:
    if codec == "libx264":
        # Scene cut detection off: the pictures are all "cuts", and keyframes must come only every `gop_frames`.
        return {"crf": "18", "preset": "veryfast", "sc_threshold": "0", "bf": str(b_frames), "b_strategy": "0"}
    if codec == "libx265":
        return {"crf": "18", "preset": "ultrafast", "x265-params": "log-level=none"}
    return {"q:v": "3"}


def write_numbered_clip(
    path: Path, frame_count: int, rate: Fraction, *, width: int = 96, height: int = 72, **properties
) -> Path:
    """A movie whose frame `n` shows the number `n`; `properties` are those of `write_clip`."""
    pictures = (numbered_picture(n, width, height) for n in range(frame_count))
    return write_clip(path, pictures, rate, **properties)


def write_flash_clip(
    path: Path,
    frame_count: int,
    rate: Fraction,
    flash_frames: Sequence[int],
    *,
    width: int = 96,
    height: int = 72,
    **properties,
) -> Path:
    """A black movie whose `flash_frames` are white for one frame each; `properties` are those of `write_clip`."""
    black = np.zeros((height, width, 3), np.uint8)
    white = np.full((height, width, 3), 255, np.uint8)
    flashes = frozenset(flash_frames)
    pictures = (white if n in flashes else black for n in range(frame_count))
    return write_clip(path, pictures, rate, **properties)


def write_numbered_pictures(
    directory: Path, prefix: str, suffix: str, numbers: Iterable[int], *, zero_padding: int = 4
) -> Path:
    """An image sequence `prefix0001suffix` (suffix .png or .jpg) whose file `n` shows the number `n`."""
    codec, pixel_format = {".png": ("png", "rgb24"), ".jpg": ("mjpeg", "yuvj420p")}[suffix]
    for number in numbers:
        context = av.CodecContext.create(codec, "w")
        picture = numbered_picture(number)
        context.height, context.width = picture.shape[:2]
        context.pix_fmt, context.time_base = pixel_format, Fraction(1, 25)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)
        data = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
        (directory / f"{prefix}{number:0{zero_padding}d}{suffix}").write_bytes(data)
    return directory


def rotate_by_display_matrix(path: Path, clockwise_degrees: int) -> Path:
    """Mark an .mp4 or .mov as filmed with the camera turned, as phones do: the player turns it by the matrix."""
    one = 1 << 16
    a, b = {0: (one, 0), 90: (0, one), 180: (-one, 0), 270: (0, -one)}[clockwise_degrees]
    matrix = struct.pack(">9i", a, b, 0, -b, a, 0, 0, 0, 1 << 30)

    def turned(body: bytes) -> bytes:
        start = 40 if body[0] == 0 else 52  # version 1 has 64-bit times
        return body[:start] + matrix + body[start + len(matrix) :]

    return _patch_box(path, b"tkhd", turned)


def skip_by_edit_list(path: Path, skipped_s: Fraction) -> Path:
    """Let an .mp4 or .mov begin `skipped_s` later, as a phone's own trimming does: the media stays, the edit moves."""
    data = path.read_bytes()
    media_header = data.index(b"mdhd") + 4
    timescale = struct.unpack(">I", data[media_header + 12 : media_header + 16])[0]

    def later(body: bytes) -> bytes:
        version, entries = body[0], struct.unpack(">I", body[4:8])[0]
        layout = ">Iii" if version == 0 else ">Qqi"
        size = struct.calcsize(layout)
        start = 8 + (entries - 1) * size
        duration, media_time, media_rate = struct.unpack(layout, body[start : start + size])
        shortened = duration - round(skipped_s * 1000)  # in the movie's timescale, which our muxer sets to 1/1000 s
        return body[:start] + struct.pack(layout, shortened, media_time + round(skipped_s * timescale), media_rate)

    return _patch_box(path, b"elst", later)


def _patch_box(path: Path, name: bytes, change: Callable[[bytes], bytes]) -> Path:
    """Replace the body of the one MP4 box `name` by a body of the same length."""
    data = path.read_bytes()
    at = data.index(name)
    size = struct.unpack(">I", data[at - 4 : at])[0]
    body = data[at + 4 : at - 4 + size]
    changed = change(body)
    if len(changed) != len(body):
        raise ValueError(f"the box {name!r} would change its length")
    path.write_bytes(data[: at + 4] + changed + data[at - 4 + size :])
    return path
