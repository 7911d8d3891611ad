"""The pictures of a region as the video encoder wants them, streaming. `foreign` runs this in a process of its own.

Memory does not grow with the range: one block, and one open file a layer.
"""

import gc
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
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
    frame_count = frame_format.frame_count(picture.region.sample_count)
    with _Viewer(picture, frame_format) as viewer:
        for first in range(0, frame_count, block_frames):
            wanted = range(first, min(first + block_frames, frame_count))
            yield np.stack([viewer.look(timeline_frame_of(k, picture, frame_format)) for k in wanted])
        viewer.check_sources()


def timeline_frame_of(encoder_frame: int, picture: Picture, frame_format: FrameFormat) -> int:
    """The timeline frame that encoder frame `encoder_frame` of the region shows."""
    region, rate = picture.region, frame_format.rate
    passed = (2 * encoder_frame + 1) * region.rate.numerator * rate.denominator  # whole numbers: it is asked often
    passed_frames = passed // (2 * region.rate.denominator * rate.numerator)
    return min(region.start_frame + passed_frames, region.stop_frame - 1)


class _Viewer:
    """Looks at one timeline frame after another, in rising order, with only the media of the present segment open."""

    def __init__(self, picture: Picture, frame_format: FrameFormat) -> None:
        self._picture = picture
        self._format = frame_format
        self._segments = iter(picture.segments)
        self._segment: Segment | None = None
        self._open: dict[Layer, _OpenLayer] = {}
        # Of the present segment, by number: to hash a layer costs as much as to scale a picture.
        self._present: dict[int, _OpenLayer] = {}
        self._sources: dict[Path, SourceFile] = {}
        self._last_frame: int | None = None
        self._last_rgb: np.ndarray | None = None

    def __enter__(self) -> "_Viewer":
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as closing:
            for layer in self._open.values():
                closing.callback(layer.close)

    def look(self, frame: int) -> np.ndarray:
        """The picture at timeline frame `frame`, not earlier than the one before."""
        if self._last_rgb is None or frame != self._last_frame:
            self._last_frame, self._last_rgb = frame, self._compose(self._enter_segment_of(frame), frame)
            here.goes_on()
        return self._last_rgb

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

    def _compose(self, segment: Segment, frame: int) -> np.ndarray:
        layers = []
        for number, layer in enumerate(segment.layers):
            share = layer.opacity_start
            if layer.opacity_stop != share:
                done = (frame + Fraction(1, 2) - segment.start_frame) / (segment.stop_frame - segment.start_frame)
                share += (layer.opacity_stop - share) * done
            if share > 0:
                layers.append((self._opened(number, layer).look(frame), share))
        if not layers:
            return compose.plain((0, 0, 0), self._format.width_pixels, self._format.height_pixels)
        return compose.mix(layers)

    def _opened(self, number: int, layer: Layer) -> "_OpenLayer":
        """Layer `number` of the present segment."""
        if number not in self._present:
            identity = _identity(layer)
            if identity not in self._open:
                rate = self._picture.region.rate
                self._open[identity] = _OpenLayer(layer, rate, self._format, self._open_media(layer))
            self._present[number] = self._open[identity]
        return self._present[number]

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
    """A layer with its media opened, fitted to the format; a picture that is shown again is not fitted again."""

    def __init__(self, layer: Layer, rate: Fraction, frame_format: FrameFormat, pictures: _Pictures | None) -> None:
        # Of the media that pass during a timeline frame the earliest picture is shown: played backwards, a frame begins
        # where a media frame ends, and asking at its start would give the one after it.
        asked_frame = 0 if layer.speed >= 0 else 1
        self._media_s_per_frame = layer.speed / rate
        self._media_s_at_zero = layer.media_start_s + layer.speed * (asked_frame / rate - layer.timeline_start_s)
        self._fitter = compose.Fitter(frame_format.width_pixels, frame_format.height_pixels)
        self._pictures = pictures
        self._shown: StillPicture | None = None
        rgb = layer.media.rgb if isinstance(layer.media, Colour) else (0, 0, 0)
        self._fitted = compose.plain(rgb, frame_format.width_pixels, frame_format.height_pixels)

    def look(self, frame: int) -> np.ndarray:
        """What the layer shows during timeline frame `frame`."""
        if self._pictures is None:
            return self._fitted
        shown = self._pictures.picture_at(self._media_s_at_zero + self._media_s_per_frame * frame)
        if shown is not self._shown:
            self._shown, self._fitted = shown, self._fitter.fit(shown)
        return self._fitted

    def close(self) -> None:
        """Close the media."""
        if self._pictures is not None:
            self._pictures.close()


def _identity(layer: Layer) -> Layer:
    """What a layer shows, whatever its share in the mix."""
    return replace(layer, opacity_start=Fraction(1), opacity_stop=Fraction(1))
