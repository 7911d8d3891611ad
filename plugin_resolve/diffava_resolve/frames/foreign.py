"""Foreign media behind the wall: what `session` may know of them, each read in a decoding process."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from diffava_resolve.decoding.decoders import decoded
from diffava_resolve.errors import MediaError
from diffava_resolve.frames import reader
from diffava_resolve.frames.source import SourceFile, open_video
from diffava_resolve.spec import FrameFormat, Picture

_MAX_DURATION_S = 24 * 3600
_MAX_RATE_HZ = 1000


def frames_of(
    picture: Picture,
    frame_format: FrameFormat,
    *,
    block_frames: int = reader.BLOCK_FRAMES,
    in_background: bool = False,
) -> Iterator[np.ndarray]:
    """What the viewer sees; see `reader.frames_of` and `decoded`.

    Raises:
        MediaError: As there; also where a file brings its decoder down or takes more than it may.
    """
    read = partial(reader.frames_of, block_frames=block_frames)
    return decoded(read, picture, frame_format, in_background=in_background)


def views_of(
    picture: Picture, formats: Sequence[FrameFormat], *, in_background: bool = False
) -> Iterator[tuple[int, np.ndarray]]:
    """The same in several formats from one decoding, each block with its format's number; see `reader.views_of`.

    Raises:
        MediaError: As `frames_of`.
    """
    answers = decoded(_views, picture, formats, in_background=in_background)
    try:
        for number in answers:
            yield number, next(answers)
    finally:
        answers.close()


def _views(picture: Picture, formats: Sequence[FrameFormat]) -> Iterator[int | np.ndarray]:
    """As the pipe carries them: a number, then its block."""
    for number, block in reader.views_of(picture, formats):
        yield number
        yield block


def length_of(path: Path) -> tuple[int, Fraction]:
    """How many frames a movie says it has, and its frames a second.

    Raises:
        MediaError: It is missing, no movie, has no picture, or says no length that could be.
    """
    [(frame_count, rate)] = decoded(_length, path)
    return frame_count, Fraction(rate)


def _length(path: Path) -> Iterator[tuple[int, str]]:
    container, stream = open_video(SourceFile.of(path))
    with container:
        rate = Fraction(stream.average_rate or stream.guessed_rate or 0)
        duration_s = Fraction(0)
        if stream.duration and stream.time_base:
            duration_s = stream.duration * Fraction(stream.time_base)
        elif container.duration:
            duration_s = Fraction(container.duration, 1_000_000)  # libav counts a container's length in microseconds
    frame_count = round(duration_s * rate)
    if frame_count < 1:
        raise MediaError(f"{path} does not say how long it is; convert it to .mp4 or .mov first.")
    if duration_s > _MAX_DURATION_S or rate > _MAX_RATE_HZ:
        raise MediaError(
            f"{path} says that it lasts {float(duration_s):.0f} s at {float(rate):.0f} frames a second, which no movie "
            "does; it is damaged: copy it again or convert it."
        )
    yield frame_count, str(rate)
