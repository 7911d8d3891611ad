"""The pictures of a region as the video encoder wants them, streaming. `foreign` runs this in a process of its own.

Memory does not grow with the range: one block, and one open file a layer.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from heapq import merge
from pathlib import Path
from typing import Protocol

import numpy as np

from diffava_resolve.decoding import here
from diffava_resolve.frames import compose
from diffava_resolve.frames.movie import Movie, StillPicture
from diffava_resolve.frames.sequence import SequencePictures
from diffava_resolve.frames.source import SourceFile
from diffava_resolve.spec import Colour, FrameFormat, ImageSequence, Layer, Media, Picture, Segment

BLOCK_FRAMES = 16


class _Pictures(Protocol):
    """Opened media."""

    def picture_at(self, second: Fraction) -> StillPicture: ...

    def close(self) -> None: ...


def frames_of(picture: Picture, frame_format: FrameFormat, *, block_frames: int = BLOCK_FRAMES) -> Iterator[np.ndarray]:
    """What the viewer sees, at the encoder's rate and size.

    Encoder frame k shows the region's second (k + 1/2) / rate: the timeline frame that is on screen at that moment,
    at the latest the region's last. That timeline frame shows what its layers have at its start, as editors do: at
    200 % every second media frame, beginning with the first; played backwards, every frame from the last one on.

    Args:
        picture: The region and what is seen in it.
        frame_format: Rate and size of the encoder.
        block_frames: Frames a block; the last block may be shorter.

    Yields:
        uint8 `[n, height_pixels, width_pixels, 3]`, RGB; in all `frame_format.frame_count(region.sample_count)` frames.

    Raises:
        MediaError: A source is missing, damaged, too short, or changed while it was read.
    """
    for _, block in views_of(picture, (frame_format,), block_frames=block_frames):
        yield block


def views_of(
    picture: Picture, formats: Sequence[FrameFormat], *, block_frames: int = BLOCK_FRAMES
) -> Iterator[tuple[int, np.ndarray]]:
    """As `frames_of`, in several formats from one decoding: each block with the number of its format.

    Raises:
        MediaError: As there.
    """
    counts = [frame_format.frame_count(picture.region.sample_count) for frame_format in formats]
    passing: list[list[np.ndarray]] = [[] for _ in formats]
    with _Viewer(picture, formats) as viewer:
        # In the order of the timeline, for a viewer does not look back.
        for frame, number in merge(*(_looks(picture, formats, number, count) for number, count in enumerate(counts))):
            block = passing[number]
            block.append(viewer.look(frame, number))
            counts[number] -= 1
            if len(block) == block_frames or not counts[number]:
                yield number, np.stack(block)
                block.clear()
        viewer.check_sources()


def _looks(picture: Picture, formats: Sequence[FrameFormat], number: int, count: int) -> Iterator[tuple[int, int]]:
    """Which timeline frames the pictures of a format show, each with the format's number."""
    return ((timeline_frame_of(k, picture, formats[number]), number) for k in range(count))


def timeline_frame_of(encoder_frame: int, picture: Picture, frame_format: FrameFormat) -> int:
    """The timeline frame that encoder frame `encoder_frame` of the region shows."""
    region, rate = picture.region, frame_format.rate
    passed = (2 * encoder_frame + 1) * region.rate.numerator * rate.denominator  # whole numbers: it is asked often
    passed_frames = passed // (2 * region.rate.denominator * rate.numerator)
    return min(region.start_frame + passed_frames, region.stop_frame - 1)


class _Viewer:
    """Looks at one timeline frame after another, in rising order, with only the media of the present segment open."""

    def __init__(self, picture: Picture, formats: Sequence[FrameFormat]) -> None:
        self._picture = picture
        self._formats = formats
        self._segments = iter(picture.segments)
        self._segment: Segment | None = None
        self._open: dict[Layer, _OpenLayer] = {}
        # Of the present segment, by number: to hash a layer costs as much as to scale a picture.
        self._present: dict[int, _OpenLayer] = {}
        self._sources: dict[Path, SourceFile] = {}
        self._last: list[tuple[int, np.ndarray] | None] = [None] * len(formats)

    def __enter__(self) -> "_Viewer":
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as closing:
            for layer in self._open.values():
                closing.callback(layer.close)

    def look(self, frame: int, number: int) -> np.ndarray:
        """The picture at timeline frame `frame`, not earlier than the one before, in format `number`."""
        last = self._last[number]
        if last is None or last[0] != frame:
            last = self._last[number] = frame, self._compose(self._enter_segment_of(frame), frame, number)
            here.goes_on()
        return last[1]

    def check_sources(self) -> None:
        """Raises MediaError if any file that was read is no longer what it was."""
        for source in self._sources.values():
            source.check_unchanged()

    def _enter_segment_of(self, frame: int) -> Segment:
        segment = self._segment
        while segment is None or frame >= segment.stop_frame:
            segment = next(self._segments)
        if segment is not self._segment:
            self._segment = segment
            self._present.clear()
            # A layer goes on from a dissolve into its shot without being opened again.
            kept = {_identity(layer) for layer in segment.layers}
            done_with = [identity for identity in self._open if identity not in kept]
            for identity in done_with:
                self._open.pop(identity).close()
            if done_with:
                # PyAV's container, streams and decoder refer to each other: until the collector comes by, every clip
                # of a long range would keep its decoder's memory, about a MiB each even of small pictures.
                gc.collect()
        return segment

    def _compose(self, segment: Segment, frame: int, number: int) -> np.ndarray:
        layers = []
        for position, layer in enumerate(segment.layers):
            share = layer.opacity_start
            if layer.opacity_stop != share:
                done = (frame + Fraction(1, 2) - segment.start_frame) / (segment.stop_frame - segment.start_frame)
                share += (layer.opacity_stop - share) * done
            if share > 0:
                layers.append((self._opened(position, layer).look(frame, number), share))
        if not layers:
            frame_format = self._formats[number]
            return compose.plain((0, 0, 0), frame_format.width_pixels, frame_format.height_pixels)
        return compose.mix(layers)

    def _opened(self, position: int, layer: Layer) -> "_OpenLayer":
        """The layer at `position` of the present segment."""
        if position not in self._present:
            identity = _identity(layer)
            if identity not in self._open:
                rate = self._picture.region.rate
                self._open[identity] = _OpenLayer(layer, rate, self._formats, self._open_media(layer))
            self._present[position] = self._open[identity]
        return self._present[position]

    def _open_media(self, layer: Layer) -> _Pictures | None:
        # Rounding a clip to timeline frames may ask for up to one of them more than the media has.
        tolerance_s = abs(layer.speed) / self._picture.region.rate
        media: Media = layer.media
        if isinstance(media, Colour):
            return None
        if isinstance(media, ImageSequence):
            return SequencePictures(media, tolerance_s=tolerance_s)
        if media.path not in self._sources:
            self._sources[media.path] = SourceFile.of(media.path)
        source = self._sources[media.path]
        source.check_unchanged()
        return Movie(source, tolerance_s=tolerance_s)


class _OpenLayer:
    """A layer with its media opened, fitted to the formats; a picture that is shown again is not fitted again."""

    def __init__(
        self, layer: Layer, rate: Fraction, formats: Sequence[FrameFormat], pictures: _Pictures | None
    ) -> None:
        # Of the media that pass during a timeline frame the earliest picture is shown: played backwards, a frame begins
        # where a media frame ends, and asking at its start would give the one after it.
        asked_frame = 0 if layer.speed >= 0 else 1
        self._media_s_per_frame = layer.speed / rate
        self._media_s_at_zero = layer.media_start_s + layer.speed * (asked_frame / rate - layer.timeline_start_s)
        self._pictures = pictures
        sizes = [(one.width_pixels, one.height_pixels) for one in formats]
        rgb = layer.media.rgb if isinstance(layer.media, Colour) else (0, 0, 0)
        self._fitters = [compose.Fitter(*size) for size in sizes]
        self._shown: list[StillPicture | None] = [None] * len(sizes)
        self._fitted = [compose.plain(rgb, *size) for size in sizes]

    def look(self, frame: int, number: int) -> np.ndarray:
        """What the layer shows during timeline frame `frame`, in format `number`."""
        if self._pictures is not None:
            shown = self._pictures.picture_at(self._media_s_at_zero + self._media_s_per_frame * frame)
            if shown is not self._shown[number]:
                self._shown[number], self._fitted[number] = shown, self._fitters[number].fit(shown)
        return self._fitted[number]

    def close(self) -> None:
        """Close the media."""
        if self._pictures is not None:
            self._pictures.close()


def _identity(layer: Layer) -> Layer:
    """What a layer shows, whatever its share in the mix."""
    return replace(layer, opacity_start=Fraction(1), opacity_stop=Fraction(1))
