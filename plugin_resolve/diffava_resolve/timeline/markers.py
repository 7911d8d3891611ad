"""Where each marker of a timeline lies on the timeline, in exact seconds. Knows nothing of what a marker is for.

Markers of the timeline and of tracks count from the timeline's first frame, or in its own timecode where only that
falls inside. Markers of clips count in the clip's media, as OTIO has it, and those of nested stacks and tracks in the
nested time. Media time is taken at normal speed: how editors count the markers of a retimed clip is not documented.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import opentimelineio as otio

from diffava_resolve.timeline.durations import children_with_start_s, duration_s, source_start_s
from diffava_resolve.timeline.rates import label_frame, seconds_of, timeline_rate


@dataclass(frozen=True)
class PlacedMarker:
    """A marker, the second of the timeline at which it begins, and the seconds in which its owner is shown."""

    marker: otio.schema.Marker
    start_s: Fraction
    shown_s: tuple[Fraction, Fraction]

    @property
    def duration_s(self) -> Fraction:
        """How long it is; 0 or a frame for a point."""
        return seconds_of(self.marker.marked_range.duration)

    @property
    def is_shown(self) -> bool:
        """Whether its first moment is: a clip keeps the markers of what was trimmed away."""
        return self.shown_s[0] <= self.start_s < self.shown_s[1]


def placed_markers(timeline: otio.schema.Timeline) -> Iterator[PlacedMarker]:
    """Every marker: the timeline's, the tracks', and those of the tracks' items however deeply nested.

    Raises:
        TimelineError: A clip says neither how long it is nor which part of its media it shows.
    """
    whole_s = (Fraction(0), duration_s(timeline.tracks))
    label_s = label_frame(timeline) / timeline_rate(timeline)
    for owner in (timeline.tracks, *timeline.tracks):
        for marker in owner.markers:
            start_s = seconds_of(marker.marked_range.start_time)
            in_own_timecode = start_s >= whole_s[1] and 0 <= start_s - label_s < whole_s[1]
            yield PlacedMarker(marker, start_s - label_s if in_own_timecode else start_s, whole_s)
    for track in timeline.tracks:
        if isinstance(track, otio.core.Composition):
            yield from _of_children(track, -source_start_s(track), whole_s)


def _of_children(
    parent: otio.core.Composition, parent_s: Fraction, shown_s: tuple[Fraction, Fraction]
) -> Iterator[PlacedMarker]:
    """Markers of a composition's items; `parent_s` is the timeline's second at the composition's own second 0."""
    for child, at_s in children_with_start_s(parent):
        if not isinstance(child, otio.core.Item):
            continue
        start_s = parent_s + at_s
        child_shown_s = (max(shown_s[0], start_s), min(shown_s[1], start_s + duration_s(child)))
        own_s = start_s - source_start_s(child)
        for marker in child.markers:
            yield PlacedMarker(marker, own_s + seconds_of(marker.marked_range.start_time), child_shown_s)
        if isinstance(child, otio.core.Composition):
            yield from _of_children(child, own_s, child_shown_s)
