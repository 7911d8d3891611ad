"""A copy of a timeline in whole frames of one rate, for formats that know nothing finer. Writes nothing.

Each item's two ends are rounded from where they lie on the track, never its length: lengths rounded one by one
would add up to a drift.
"""

from collections.abc import Iterator
from fractions import Fraction

import opentimelineio as otio

from diffava_resolve.timeline.rates import seconds_of
from diffava_resolve.timeline.tracks import Span, frames, spans


def in_whole_frames(timeline: otio.schema.Timeline, rate: Fraction, written_rate: float) -> otio.schema.Timeline:
    """A copy in whole frames of `rate`, which are labelled as frames of `written_rate`.

    The label lets a writer that cannot count at 24000/1001 count the same frames at 24, to be corrected in what
    it has written. Trims of whole tracks are carried out, since few formats have them; items that shrink to no frame
    are left out.
    """
    return _Conformer(rate, written_rate).timeline(timeline)


def off_frame_items(timeline: otio.schema.Timeline, rate: Fraction) -> int:
    """How many items do not lie on whole frames of `rate`: what `in_whole_frames` would move by a part of a frame."""
    ends = [(span.start_s * rate, span.stop_s * rate) for track in all_tracks(timeline) for span in spans(track)]
    return sum(start.denominator != 1 or stop.denominator != 1 for start, stop in ends)


def all_tracks(timeline: otio.schema.Timeline) -> list[otio.schema.Track]:
    """Every track, those inside nested sequences too."""
    return list(timeline.tracks.find_children(descended_from_type=otio.schema.Track))


class _Conformer:
    def __init__(self, rate: Fraction, written_rate: float) -> None:
        self._rate, self._written_rate = rate, written_rate

    def timeline(self, timeline: otio.schema.Timeline) -> otio.schema.Timeline:
        result = _trimmed(timeline)
        if result.global_start_time is not None:
            result.global_start_time = self._time(result.global_start_time)
        self._markers(result.tracks)
        # Every span first: a nested sequence's length changes once its own tracks are conformed.
        for track, track_spans in [(track, list(spans(track))) for track in all_tracks(result)]:
            self._markers(track)
            for span in reversed(track_spans):
                self._item(track, span)
        return result

    def _item(self, track: otio.schema.Track, span: Span) -> None:
        child = span.child
        if isinstance(child, otio.schema.Transition):
            child.in_offset, child.out_offset = self._time(child.in_offset), self._time(child.out_offset)
            return
        duration = round(span.stop_s * self._rate) - round(span.start_s * self._rate)
        if duration == 0:
            del track[span.index]
            return
        start = round(seconds_of(child.trimmed_range().start_time) * self._rate)
        self._markers(child)
        if isinstance(child, otio.schema.Clip):
            self._media(child, start, start + duration)
        child.source_range = self._range(start, start + duration)

    def _media(self, clip: otio.schema.Clip, start: int, stop: int) -> None:
        """Round the media's range too, and never below what the clip shows: a take is up to a sample short of it."""
        for reference in clip.media_references().values():
            available = reference.available_range
            if available is not None:
                first = round(seconds_of(available.start_time) * self._rate)
                last = round(seconds_of(available.end_time_exclusive()) * self._rate)
                reference.available_range = self._range(min(first, start), max(last, stop))

    def _markers(self, item: otio.core.Item) -> None:
        for marker in item.markers:
            start = round(seconds_of(marker.marked_range.start_time) * self._rate)
            duration = round(seconds_of(marker.marked_range.duration) * self._rate)
            marker.marked_range = self._range(start, start + duration)

    def _range(self, start: int, stop: int) -> otio.opentime.TimeRange:
        return otio.opentime.TimeRange(frames(start, self._written_rate), frames(stop - start, self._written_rate))

    def _time(self, time: otio.opentime.RationalTime) -> otio.opentime.RationalTime:
        return frames(round(seconds_of(time) * self._rate), self._written_rate)


def _trimmed(timeline: otio.schema.Timeline) -> otio.schema.Timeline:
    result = timeline.deepcopy()
    visible = result.tracks.source_range
    result.tracks.source_range = None
    for index, track in enumerate(_top_tracks(result)):
        trimmed = track
        if track.source_range is not None:
            trimmed = otio.algorithms.track_trimmed_to_range(track, track.source_range)
            trimmed.source_range = None
        if visible is not None:
            trimmed = otio.algorithms.track_trimmed_to_range(trimmed, visible)
        if trimmed is not track:
            result.tracks[index] = trimmed
    return result


def _top_tracks(timeline: otio.schema.Timeline) -> Iterator[otio.schema.Track]:
    return (track for track in list(timeline.tracks) if isinstance(track, otio.schema.Track))
