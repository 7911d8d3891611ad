"""Regions that people ask for: a typed range, a clip, the markers, the whole timeline.

A region is whole frames of the timeline, OUT exclusive. Every refusal shows the timeline's range in its own timecode.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import opentimelineio as otio

from diffava_resolve.errors import RequestError
from diffava_resolve.spec import Region
from diffava_resolve.timeline.durations import children_with_start_s, duration_s, source_start_s
from diffava_resolve.timeline.markers import placed_markers
from diffava_resolve.timeline.positions import format_timecode, is_dropping_text, parse_position
from diffava_resolve.timeline.rates import has_drop_frame, is_drop_frame, label_frame, timeline_rate
from diffava_resolve.timeline.shot_notes import parse_shot_note


@dataclass(frozen=True)
class MarkerRegion:
    """A marker with a duration: what it spans, and what its note asks for (`shot_notes.ShotNote`)."""

    region: Region
    prompt: str = ""
    negative_prompt: str = ""
    take_count: int | None = None
    seed: int | None = None


@dataclass(frozen=True)
class TimelineClip:
    """A clip or a nested timeline on a video track; `index` counts from 1 in the order of viewing."""

    index: int
    name: str
    region: Region


def region_of_timeline(timeline: otio.schema.Timeline) -> Region:
    """The whole timeline, to the end of its longest track.

    Raises:
        TimelineError: it has no frame rate. RequestError: it is empty.
    """
    whole = _whole(timeline)
    if whole.stop_frame <= 0:
        raise RequestError(f"The timeline “{timeline.name}” is empty: it holds no frame to make sound for.")
    return whole


def region_of_range(timeline: otio.schema.Timeline, start_text: str, stop_text: str) -> Region:
    """The region between two typed positions (see `parse_position`); the second is exclusive.

    Raises:
        RequestError: not a position, nothing between them, or outside the timeline.
    """
    whole = region_of_timeline(timeline)
    typed_dropping = (is_dropping_text(start_text) or is_dropping_text(stop_text)) and has_drop_frame(whole.rate)
    whole = replace(whole, drop_frame=whole.drop_frame or typed_dropping)
    start, stop = (
        parse_position(text, whole.rate, whole.label_frame, drop_frame=whole.drop_frame)
        for text in (start_text, stop_text)
    )
    for text, frame in ((start_text, start), (stop_text, stop)):
        if not 0 <= frame <= whole.stop_frame:
            side = "before the start" if frame < 0 else "after the end"
            raise RequestError(f"{text} lies {side} of the timeline, which runs {describe_range(whole)}.")
    if start >= stop:
        fault = "is empty" if start == stop else "is reversed"
        raise RequestError(
            f"The range {start_text} to {stop_text} {fault}; OUT is the first frame no longer in it and must come "
            f"after IN. The timeline runs {describe_range(whole)}."
        )
    return replace(whole, start_frame=start, stop_frame=stop)


def region_of_clip(timeline: otio.schema.Timeline, name_or_index: str | int) -> Region:
    """The region that one clip takes on a video track, by name, or by number from 1 in the order of viewing.

    A name that looks like a number is tried as a name first.

    Raises:
        RequestError: no such clip, several of that name, or a clip shorter than half a frame.
    """
    clips = clips_of(timeline)
    wanted = str(name_or_index)
    found = [clip for clip in clips if clip.name == wanted]
    if not found and wanted.isdigit():
        found = [clip for clip in clips if clip.index == int(wanted)]
    if not found:
        raise RequestError(f"There is no clip “{wanted}” on the video tracks; there is {_list_of(clips)}.")
    if len(found) > 1:
        raise RequestError(f"{len(found)} clips are called “{wanted}”; choose one by its number: {_list_of(found)}.")
    region = found[0].region
    if region.start_frame >= region.stop_frame:
        raise RequestError(
            f"The clip “{found[0].name}” at {_timecode(region, region.start_frame)} has no length, so there is nothing "
            "to make sound for; choose another clip or a range."
        )
    return region


def clips_of(timeline: otio.schema.Timeline) -> tuple[TimelineClip, ...]:
    """Enabled clips and nested timelines of the enabled video tracks, by start and then from the bottom track up."""
    whole = _whole(timeline)
    placed = []
    for track in timeline.video_tracks():
        if not track.enabled:
            continue
        offset_s = source_start_s(track) if track.source_range is not None else Fraction(0)
        for child, start_s in children_with_start_s(track):
            if isinstance(child, (otio.schema.Clip, otio.core.Composition)) and child.enabled:
                start = start_s - offset_s
                placed.append((frames_of_span(whole, start, start + duration_s(child)), child.name))
    placed.sort(key=lambda clip: clip[0].start_frame)  # stable: tracks stay in their order
    return tuple(TimelineClip(number, name, region) for number, (region, name) in enumerate(placed, start=1))


def regions_of_markers(timeline: otio.schema.Timeline) -> tuple[MarkerRegion, ...]:
    """Every marker that spans more than one frame, in the order of viewing, with what its comment asks for or its name.

    A one-frame marker is a point, not a region. What reaches past the timeline is cut off.

    Raises:
        RequestError: What a marker asks for is not understood; it says where the marker is.
    """
    whole = region_of_timeline(timeline)
    found = []
    for placed in placed_markers(timeline):
        spanned = frames_of_span(whole, placed.start_s, placed.start_s + placed.duration_s)
        if spanned.stop_frame - spanned.start_frame <= 1:
            continue
        start, stop = max(spanned.start_frame, 0), min(spanned.stop_frame, whole.stop_frame)
        if start < stop:
            region = replace(whole, start_frame=start, stop_frame=stop)
            try:
                note = parse_shot_note(placed.marker.comment, placed.marker.name)
            except RequestError as error:
                raise RequestError(f"At {_timecode(region, start)}: {error}") from error
            found.append(MarkerRegion(region, **vars(note)))
    return tuple(sorted(found, key=lambda marker: (marker.region.start_frame, marker.region.stop_frame)))


def describe_range(region: Region) -> str:
    """The region for a person: `from 01:00:00:00 to 01:00:46:21 (1125 frames at 24)`."""
    count = region.stop_frame - region.start_frame
    start, stop = (_timecode(region, frame) for frame in (region.start_frame, region.stop_frame))
    return f"from {start} to {stop} ({count} frame{'s' * (count != 1)} at {float(region.rate):.5g})"


def _timecode(region: Region, frame: int) -> str:
    return format_timecode(frame, region.rate, region.label_frame, region.drop_frame)


def _whole(timeline: otio.schema.Timeline) -> Region:
    rate = timeline_rate(timeline)
    empty = Region(rate, label_frame(timeline), 0, 0, is_drop_frame(timeline))
    return frames_of_span(empty, Fraction(0), duration_s(timeline.tracks))


def frames_of_span(like: Region, start_s: Fraction, stop_s: Fraction) -> Region:
    """The frames whose middle lies in `[start_s, stop_s)`."""
    start, stop = (-int(-(second * like.rate - Fraction(1, 2)) // 1) for second in (start_s, stop_s))
    return replace(like, start_frame=start, stop_frame=stop)


def _list_of(clips: tuple[TimelineClip, ...] | list[TimelineClip], at_most: int = 12) -> str:
    if not clips:
        return "they hold none"
    shown = [
        f"{clip.index} “{clip.name}” at {_timecode(clip.region, clip.region.start_frame)}" for clip in clips[:at_most]
    ]
    rest = len(clips) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
