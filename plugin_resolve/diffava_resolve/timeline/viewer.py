"""What the viewer sees in a region, frame by frame: segments of layers, and the cuts.

The one place where exact seconds become frames: a frame shows what is seen at its middle, so an edge inside a frame
moves to the nearer end of it, and what no frame's middle falls into is not seen.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import opentimelineio as otio

from diffava_resolve.spec import Colour, Layer, Picture, Region, Segment
from diffava_resolve.timeline.exposures import Exposure, Piece
from diffava_resolve.timeline.media import MediaFinder, ShownMedia, is_overlay
from diffava_resolve.timeline.positions import format_timecode
from diffava_resolve.timeline.showing import Showing

# A jump of no more than this in the media's time is no cut: half a frame at 24. Resolve rounds its ranges, a freeze
# holds the middle of its frame, and a frame that is covered in part is moved into its clip.
_CONTINUITY_S = Fraction(1, 48)
_HALF = Fraction(1, 2)


def picture_of(timeline: otio.schema.Timeline, region: Region, base_directory: Path) -> Picture:
    """What the viewer sees in a region of the timeline.

    The topmost enabled clip of each moment hides what lies below; gaps, disabled clips and titles let it through; where
    nothing is left the picture is black. Every kind of transition counts as a dissolve over its range.

    A through edit, where one clip ends and the next goes on in the same media, counts as a cut: finished films come
    back split like that at their real shots, and a cut too many costs less than a shot change that is smoothed over.
    A change of speed in running media is no cut, and neither is a change that is hidden.

    Args:
        timeline: as read by `read_timeline`; left as it is.
        region: whole frames of it.
        base_directory: the timeline file's folder, from which relative media paths start.

    Raises:
        MediaError: a clip that is seen in the region is offline or its file is missing.
        TimelineError: the timeline does not say how long one of its clips is.
    """
    notes: list[str] = []
    showing = Showing(is_overlay, notes.append)
    finder = MediaFinder(base_directory, notes.append)
    start_s, stop_s = region.start_frame / region.rate, region.stop_frame / region.rate
    exposures = showing.of_item(timeline.tracks, start_s, stop_s)
    on_frames = list(_on_frames(exposures, region))
    segments = _merged(_segment(*framed, region, finder) for framed in on_frames)
    cuts = {*_cuts(segments, region.rate), *_through_edits(on_frames)}
    return Picture(region, segments, tuple(sorted(cuts)), tuple(dict.fromkeys(notes)))


def _on_frames(exposures: list[Exposure], region: Region) -> Iterator[tuple[Exposure, int, int]]:
    """The exposures with their first frame and the one past their last; frames covered only in part stand alone."""
    for exposure in exposures:
        start, stop = (_first_frame_from(second, region.rate) for second in (exposure.start_s, exposure.stop_s))
        if start >= stop:
            continue
        edges = {start, stop}
        if exposure.start_s > start / region.rate:
            edges.add(start + 1)
        if exposure.stop_s < stop / region.rate:
            edges.add(stop - 1)
        for first, last in pairwise(sorted(edges)):
            yield exposure, first, last


def _first_frame_from(second: Fraction, rate: Fraction) -> int:
    """The first frame whose middle is not before `second`."""
    return -int(-(second * rate - _HALF) // 1)


def _segment(exposure: Exposure, start: int, stop: int, region: Region, finder: MediaFinder) -> Segment:
    start_s, stop_s = start / region.rate, stop / region.rate
    timecode = format_timecode(start, region.rate, region.label_frame, region.drop_frame)
    within_s = max(start_s, exposure.start_s), min(stop_s, exposure.stop_s)
    layers = [_layer(piece, (start_s, stop_s), within_s, finder.of(piece.clip, timecode)) for piece in exposure.pieces]
    seen = [layer for layer in layers if layer.opacity_start or layer.opacity_stop]
    black_start, black_stop = (1 - _clamped(exposure.share(second)) for second in (start_s, stop_s))
    if black_start or black_stop or not seen:
        black = Layer(Colour(), start_s, Fraction(0), Fraction(0), black_start, black_stop)
        seen.insert(0, black)
    return Segment(start, stop, tuple(seen))


def _layer(
    piece: Piece, frames_s: tuple[Fraction, Fraction], within_s: tuple[Fraction, Fraction], shown: ShownMedia
) -> Layer:
    """The piece during whole frames.

    In a frame that the clip covers only in part, its media move by less than half a frame, so that the frame shows
    the clip's first picture (its last, played backwards) and never the one outside the clip.
    """
    start_s, stop_s = frames_s
    source_s, speed = piece.source_s, piece.source_s.slope
    moved_s = source_s(within_s[0]) - source_s(start_s) if speed > 0 else source_s(within_s[1]) - source_s(stop_s)
    return Layer(
        media=shown.media,
        timeline_start_s=start_s,
        media_start_s=Fraction(0) if shown.is_still else source_s(start_s) + moved_s - shown.zero_s,
        speed=Fraction(0) if shown.is_still else speed,
        opacity_start=_clamped(piece.share(start_s)),
        opacity_stop=_clamped(piece.share(stop_s)),
    )


def _clamped(share: Fraction) -> Fraction:
    return min(Fraction(1), max(Fraction(0), share))


def _merged(segments: Iterator[Segment]) -> tuple[Segment, ...]:
    """Neighbours in which the same media simply goes on become one."""
    merged: list[Segment] = []
    for segment in segments:
        if merged and _goes_on_exactly(merged[-1], segment):
            merged[-1] = replace(merged[-1], stop_frame=segment.stop_frame)
        else:
            merged.append(segment)
    return tuple(merged)


def _goes_on_exactly(before: Segment, after: Segment) -> bool:
    if len(before.layers) != 1 or len(after.layers) != 1:
        return False
    old, new = before.layers[0], after.layers[0]
    return (
        old.media == new.media and old.speed == new.speed and _media_s(old, new.timeline_start_s) == new.media_start_s
    )


def _media_s(layer: Layer, second: Fraction) -> Fraction:
    return layer.media_start_s + layer.speed * (second - layer.timeline_start_s)


def _cuts(segments: tuple[Segment, ...], rate: Fraction) -> Iterator[int]:
    """Frames at which the media with the greatest share of the mix is another than in the frame before, or jumps."""
    shots = [shot for segment in segments for shot in _shots(segment)]
    for (_, before), (frame, after) in pairwise(shots):
        second = frame / rate
        jump_s = abs(_media_s(before, second) - _media_s(after, second))
        tolerance_s = max(_CONTINUITY_S, _HALF / rate) * max(Fraction(1), abs(before.speed), abs(after.speed))
        if before.media != after.media or jump_s > tolerance_s:
            yield frame


def _through_edits(on_frames: list[tuple[Exposure, int, int]]) -> Iterator[int]:
    """Frames at which one clip hands over to another, each alone in the picture and equally fast."""
    for (before, _, _), (after, frame, _) in pairwise(on_frames):
        if len(before.pieces) == len(after.pieces) == 1:
            old, new = before.pieces[0], after.pieces[0]
            if old.clip is not new.clip and old.source_s.slope == new.source_s.slope:
                yield frame


def _shots(segment: Segment) -> Iterator[tuple[int, Layer]]:
    """The layers that take the lead in a segment, each with its first frame; the upper wins a tie."""
    leader: Layer | None = None
    frame_count = segment.stop_frame - segment.start_frame
    for offset in range(frame_count if len(segment.layers) > 1 else 1):
        progress = (offset + _HALF) / frame_count
        lead = max(
            reversed(segment.layers),
            key=lambda layer: layer.opacity_start + (layer.opacity_stop - layer.opacity_start) * progress,
        )
        if lead is not leader:
            leader = lead
            yield segment.start_frame + offset, lead
