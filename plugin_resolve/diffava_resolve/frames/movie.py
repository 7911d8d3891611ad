"""One opened movie: the picture that is shown at any second of the media, exact to the frame.

Time moving on costs one decode of each packet; jumps and reverse playback seek to keyframes. Media second 0 is the
first picture that a player would show, whatever timestamp, timecode or edit list the file has. Knows nothing of
timelines, sizes or colours.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import floor, lcm
from typing import Self

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from diffava_resolve.errors import MediaError
from diffava_resolve.frames.source import SourceFile, open_video

# A second that falls this close before a picture means that picture, up to a quarter of a frame: containers round times
# to their ticks (Matroska to milliseconds), phones stamp their frames with some jitter, and timelines ask at the very
# begin of a frame.
_MAX_JITTER_S = Fraction(4, 1000)

# Decoding on beats seeking for jumps up to this.
_FORWARD_SEEK_S = 4

# How far before the asked second to look for a keyframe: containers index decode times, which precede what is shown.
_SEEK_MARGINS_S = (Fraction(0), Fraction(1), Fraction(4), Fraction(16))

# Decoded pictures kept while time runs backwards; a longer group of pictures is decoded again piece by piece.
_REVERSE_BYTES = 256 << 20


@dataclass(frozen=True)
class StillPicture:
    """One decoded picture: shown from `start` for `duration` or until the next; a pixel is `pixel_aspect` wide.

    Both are counted in its movie's ticks, since whole numbers cost a tenth of what fractions do.
    """

    frame: av.VideoFrame
    start: int
    duration: int
    pixel_aspect: Fraction


class Movie:
    """A movie file, or a single picture, which is shown for ever.

    Args:
        source: The file.
        tolerance_s: How far outside its pictures a second may lie and still mean the first or last one; at least one
            picture's own duration is always granted, since editors round a clip's length to their own frames.

    Raises:
        MediaError: See `open_video`; also where the file has no picture that can be decoded.
    """

    def __init__(self, source: SourceFile, *, tolerance_s: Fraction = Fraction(0)) -> None:
        self.decoded_frames = 0  # so far, for tests and benchmarks
        self._source = source
        self._tolerance_s = tolerance_s
        self._container: InputContainer
        self._stream: VideoStream
        self._pictures: Iterator[StillPicture]
        self._origin: int | None = None  # the first picture's time in the file
        self._asked_s = Fraction(0)
        # Consecutive pictures; the last is the decoder's latest and ends the one before it.
        self._window: deque[StillPicture] = deque()
        self._container, self._stream = open_video(source)
        kind = self._container.format.name
        self._is_single_picture = kind == "image2" or kind.endswith("_pipe")
        try:
            self._begin()
        except MediaError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._container.close()
        self._window.clear()

    @property
    def held_pictures(self) -> int:
        """How many decoded pictures are in memory."""
        return len(self._window)

    def picture_at(self, second: Fraction) -> StillPicture:
        """The picture that is shown at `second` of the media: the last one that starts at or before it.

        Raises:
            MediaError: The second lies outside the pictures by more than the tolerance, or the file is damaged there or
                changed while it was read.
        """
        if self._is_single_picture:
            return self._window[0]
        backwards, self._asked_s = second < self._asked_s, second
        until = floor((second + self._jitter_s) * self._ticks_per_s)
        is_before_window = until < self._window[0].start and self._window[0].start > 0
        if is_before_window or until > self._window[-1].start + self._forward_seek:
            self._seek(second)
        ended = False
        while not ended and self._window[-1].start <= until:
            ended = not self._decode_next(_REVERSE_BYTES if backwards else 0)
        shown = next((p for p in reversed(self._window) if p.start <= until), self._window[0])
        if ended or second < 0:
            self._check_inside(second, shown, ended)
        return shown

    @cached_property
    def _usual_duration_s(self) -> Fraction:
        return 1 / Fraction(self._stream.average_rate or self._stream.guessed_rate or 25)

    @cached_property
    def _time_base_s(self) -> Fraction:
        return Fraction(self._stream.time_base or 1)

    @cached_property
    def _ticks_per_s(self) -> int:
        """So many that both the file's times and the usual duration are whole."""
        return lcm(self._time_base_s.denominator, self._usual_duration_s.denominator)

    @cached_property
    def _forward_seek(self) -> int:
        return _FORWARD_SEEK_S * self._ticks_per_s

    @cached_property
    def _jitter_s(self) -> Fraction:
        return min(_MAX_JITTER_S, self._usual_duration_s / 4)

    def _check_inside(self, second: Fraction, shown: StillPicture, ended: bool) -> None:
        tolerance_s = max(self._tolerance_s, Fraction(shown.duration, self._ticks_per_s))
        stop_s = Fraction(shown.start + shown.duration, self._ticks_per_s)
        if second >= -tolerance_s and (not ended or second < stop_s + tolerance_s):
            return
        self._source.check_unchanged()
        if second < 0:
            raise MediaError(
                f"The timeline asks {self._source.path} for the picture {float(-second):.3f} s before its first; "
                "relink the clip or trim its start."
            )
        promised_s = (self._stream.duration or 0) * self._time_base_s
        advice = (
            f", though it should last {float(promised_s):.3f} s: it is damaged or cut off, copy it again"
            if promised_s > stop_s + tolerance_s
            else "; relink the clip or trim its end"
        )
        raise MediaError(
            f"The timeline asks {self._source.path} for the picture at {float(second):.3f} s, "
            f"but its pictures end at {float(stop_s):.3f} s{advice}."
        )

    def _begin(self) -> None:
        """Stand at the first picture of the freshly opened file."""
        self._window.clear()
        self._pictures = self._decode(from_start=True)
        if not self._decode_next(0):
            self._source.check_unchanged()
            raise MediaError(
                f"The file {self._source.path} has a video track without a single picture; copy or export it again."
            )

    def _seek(self, second: Fraction) -> None:
        """Stand at a picture at or before `second` from which decoding runs right: a keyframe, or the file's first."""
        for margin_s in _SEEK_MARGINS_S:
            target_s = second - margin_s + Fraction(self._origin or 0, self._ticks_per_s)
            if second - margin_s <= 0:
                break
            try:
                self._container.seek(int(target_s / self._time_base_s), stream=self._stream)
            except av.FFmpegError:
                break  # a container that cannot seek is read from its start
            # Pictures before the keyframe lean on some that were skipped.
            self._pictures = self._decode(from_start=False)
            key_picture = next((picture for picture in self._pictures if picture.frame.key_frame), None)
            if key_picture is not None and key_picture.start <= second * self._ticks_per_s:
                self._window = deque([key_picture])
                return
        self._container.close()
        self._container, self._stream = open_video(self._source)
        self._source.check_unchanged()
        self._begin()

    def _decode_next(self, keep_bytes: int) -> bool:
        """Take the next picture into the window, which keeps two or `keep_bytes` of them; False at the end."""
        for picture in self._pictures:
            if self._window and picture.start <= self._window[-1].start:
                continue  # never shown: a broken file gives two pictures one time
            self._window.append(picture)
            most = 2
            if keep_bytes:
                most = max(most, keep_bytes // sum(plane.buffer_size for plane in picture.frame.planes))
            while len(self._window) > most:
                self._window.popleft()
            return True
        return False

    def _decode(self, *, from_start: bool) -> Iterator[StillPicture]:
        """The pictures from where the container stands, in the order in which they are shown.

        A raw stream has no times: its pictures follow each other at the usual rate, counted from the file's start; from
        anywhere else there are none that could be placed.
        """
        unit = self._ticks_per_s // self._time_base_s.denominator * self._time_base_s.numerator
        usual = floor(self._usual_duration_s * self._ticks_per_s)
        aspect = Fraction(self._stream.sample_aspect_ratio or 1)
        start = -usual
        try:
            for packet in self._container.demux(self._stream):
                for frame in packet.decode():
                    self.decoded_frames += 1
                    pts = frame.pts
                    if pts is None and not from_start:
                        return
                    start = start + usual if pts is None else pts * unit
                    if self._origin is None:
                        self._origin = start
                    yield StillPicture(frame, start - self._origin, frame.duration * unit or usual, aspect)
        except MemoryError:  # one of FFmpeg's errors too, and says nothing of the file
            raise
        except (av.FFmpegError, OSError) as error:
            self._source.check_unchanged()
            good_until_s = max(start - (self._origin or 0), 0) / self._ticks_per_s
            where = f"after {good_until_s:.3f} s" if good_until_s else "from its start on"
            raise MediaError(
                f"The file {self._source.path} is damaged {where}; copy it again or convert it."
            ) from error
