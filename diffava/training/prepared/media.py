"""Pictures and sound of a stretch of a media file, by PyAV. Knows no model; holds only the stretch.

Whatever is wrong with a file ends as a `DataError` with its reason, so that one broken file does not stop the work on
thousands. Files come from strangers: FFmpeg reads them in this process, so read only what you would open in a player.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float, UInt8

from diffava.errors import DataError
from diffava.sounds.takes import RATE_HZ

EARLIER_S = 0.5  # a seek goes to before the stretch, since a frame before it may be what its first moment shows
LATE_S = 0.1  # a sound that begins later than this behind the stretch's start may have been jumped over


@dataclass(frozen=True, eq=False)
class Media:
    """A stretch: the picture shown at the middle of each frame of the model, and the sound at 48 kHz, one channel."""

    rgb: UInt8[np.ndarray, "F height width 3"]
    samples: Float[np.ndarray, "S"]


def duration_s_of(path: Path) -> float:
    """How long a file says that it is.

    Raises:
        DataError: It cannot be opened, or does not say.
    """
    try:
        with av.open(str(path)) as container:
            if container.duration is None:
                raise DataError(f"{path} does not say how long it is; repair it with a player or a converter.")
            return float(container.duration / av.time_base)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DataError(f"{path} cannot be opened as media ({error}).") from error


def read_media(path: Path, start_s: float, duration_s: float, frame_rate: Fraction, size_pixels: int) -> Media:
    """Decode a stretch; it is shorter than asked where the file ends.

    Raises:
        DataError: The file cannot be decoded, has no pictures or no sound, or ends before the stretch begins.
    """
    try:
        with av.open(str(path)) as container:
            for kind, what in (("video", "pictures"), ("audio", "sound")):
                if not getattr(container.streams, kind):
                    raise DataError(f"{path} has no {what}.")
            origin_s = (container.start_time or 0) / av.time_base
            rgb = _pictures(container, origin_s + start_s, duration_s, frame_rate, size_pixels)
            samples = _sound(container, origin_s + start_s, duration_s)
    except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
        raise DataError(f"{path} cannot be decoded ({type(error).__name__}: {error}).") from error
    if not len(rgb) or not len(samples):
        what = "pictures" if not len(rgb) else "sound"
        raise DataError(f"{path} has no {what} from {start_s:g} s on.")
    return Media(rgb, samples)


def _pictures(
    container: av.container.InputContainer, start_s: float, duration_s: float, frame_rate: Fraction, size_pixels: int
) -> UInt8[np.ndarray, "F height width 3"]:
    wanted = round(duration_s * frame_rate)
    centres_s = [start_s + float((k + Fraction(1, 2)) / frame_rate) for k in range(wanted)]
    shown: list[np.ndarray] = []
    last: av.VideoFrame | None = None
    fitted: np.ndarray | None = None
    stop_s = start_s
    for frame in _frames(container, "video", start_s - EARLIER_S):
        time_s = float(frame.time)
        while last is not None and len(shown) < wanted and centres_s[len(shown)] < time_s:
            fitted = fit_picture(last, size_pixels) if fitted is None else fitted
            shown.append(fitted)
        if len(shown) == wanted:
            break
        last, fitted = frame, None
        stop_s = time_s + float(frame.duration * frame.time_base if frame.duration else 1 / frame_rate)
    while last is not None and len(shown) < wanted and centres_s[len(shown)] < stop_s:
        fitted = fit_picture(last, size_pixels) if fitted is None else fitted
        shown.append(fitted)
    return np.stack(shown) if shown else np.zeros((0, size_pixels, size_pixels, 3), np.uint8)


def _sound(container: av.container.InputContainer, start_s: float, duration_s: float) -> Float[np.ndarray, "S"]:
    """From shortly before the stretch; from the file's start where its sound lies far from its pictures."""
    for earlier_s in (EARLIER_S, start_s):
        found = _sound_from(container, start_s, duration_s, earlier_s)
        if found is not None and found[0] <= start_s + LATE_S:
            break
    if found is None:
        return np.zeros(0, np.float32)
    first_s, samples = found
    early = round((start_s - first_s) * RATE_HZ)  # samples before the stretch; negative where the sound begins later
    samples = samples[early:] if early >= 0 else np.pad(samples, (-early, 0))
    return np.asarray(samples[: round(duration_s * RATE_HZ)], np.float32)


def _sound_from(
    container: av.container.InputContainer, start_s: float, duration_s: float, earlier_s: float
) -> tuple[float, Float[np.ndarray, "S"]] | None:
    """The second of the first sample that was found, and all samples up to the stretch's end."""
    resampler = av.AudioResampler("fltp", None, RATE_HZ)
    blocks: list[np.ndarray] = []
    first_s: float | None = None
    for frame in _frames(container, "audio", start_s - earlier_s):
        if float(frame.time) >= start_s + duration_s:
            break
        first_s = float(frame.time) if first_s is None else first_s
        blocks += [out.to_ndarray().mean(axis=0) for out in resampler.resample(frame)]
    if first_s is None:
        return None
    blocks += [out.to_ndarray().mean(axis=0) for out in resampler.resample(None)]
    return first_s, np.concatenate(blocks)


def _frames(container: av.container.InputContainer, kind: str, from_s: float) -> Iterator[av.VideoFrame]:
    """The frames of the first stream of a kind from before a second on; those without a time are left out."""
    container.seek(max(0, round(from_s * av.time_base)))
    for frame in container.decode(**{kind: 0}):
        if frame.time is not None:
            yield frame


def fit_picture(frame: av.VideoFrame, size_pixels: int) -> UInt8[np.ndarray, "height width 3"]:
    """The whole picture in a square with black bars, as an editor's plugin sends it."""
    scale = size_pixels / max(frame.width, frame.height)
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    inner = frame.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray()
    whole = np.zeros((size_pixels, size_pixels, 3), np.uint8)
    top, left = (size_pixels - height) // 2, (size_pixels - width) // 2
    whole[top : top + height, left : left + width] = inner
    return whole
