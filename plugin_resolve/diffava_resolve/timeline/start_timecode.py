"""The start timecode that a media file carries. The file is foreign and opened in a decoding process."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from diffava_resolve.decoding import here
from diffava_resolve.decoding.allowed import OPEN_OPTIONS
from diffava_resolve.decoding.decoders import decoded
from diffava_resolve.errors import MediaError, RequestError


def start_timecode_s(path: Path) -> Fraction | None:
    """The file's own start timecode in seconds, or None where it carries none that can be read."""
    # Not above: the decoding process loads this file too, and would load OpenTimelineIO with it.
    from diffava_resolve.timeline.positions import parse_position
    from diffava_resolve.timeline.rates import exact_rate

    try:
        for text, rate_hz in list(decoded(_start_timecode, path)):  # to its end: left early it would end the process
            rate = exact_rate(rate_hz)
            return parse_position(text, rate, 0) / rate if rate else None
    except (MediaError, RequestError):
        pass  # whoever decodes the file will say what is wrong with it
    return None


def _start_timecode(path: Path) -> Iterator[tuple[str, float]]:
    """The text and the rate, where there are both."""
    import av

    here.reads(path)
    with (
        contextlib.suppress(av.FFmpegError, OSError, IndexError),
        av.open(f"file:{path.absolute()}", options=OPEN_OPTIONS) as container,
    ):
        video = container.streams.video[0]
        tags = [container.metadata, *(stream.metadata for stream in container.streams)]
        texts = [tag["timecode"] for tag in tags if "timecode" in tag]
        if texts:
            yield texts[0], float(video.average_rate or video.guessed_rate or 0)
