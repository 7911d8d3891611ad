"""Copies of a timeline without what a format's writer would stumble over. Writes nothing; `losses` says what goes."""

from typing import Any

import opentimelineio as otio

from diffava_resolve.timeline.rates import is_drop_frame
from diffava_resolve.timeline.tracks import frames

AAF_KEY = "AAF"


def without_nested(timeline: otio.schema.Timeline) -> otio.schema.Timeline:
    """A copy in which each nested sequence is a gap of its length, so that what follows it stays in place."""
    flat = timeline.deepcopy()
    for track in flat.tracks:
        for index, child in enumerate(track):
            if isinstance(child, otio.core.Composition):
                track[index] = otio.schema.Gap(duration=child.duration())
    return flat


def from_zero(timeline: otio.schema.Timeline) -> otio.schema.Timeline:
    """A copy in which each clip's media begin at 0, for players that know no timecode of the media."""
    shifted = timeline.deepcopy()
    for clip in shifted.find_clips():
        reference = clip.media_reference
        if reference is not None and reference.available_range is not None:
            origin = reference.available_range.start_time
            reference.available_range = otio.opentime.TimeRange(
                frames(0, origin.rate), reference.available_range.duration
            )
            trimmed = clip.source_range or otio.opentime.TimeRange(origin, reference.available_range.duration)
            clip.source_range = otio.opentime.TimeRange(trimmed.start_time - origin, trimmed.duration)
    return shifted


def with_tracks_in_stacks(timeline: otio.schema.Timeline) -> otio.schema.Timeline:
    """A copy in which stacks hold tracks and tracks hold no tracks: what lies there by itself is wrapped in one."""
    wrapped = timeline.deepcopy()
    stacks = list(wrapped.tracks.find_children(descended_from_type=otio.schema.Stack))
    for stack in (wrapped.tracks, *stacks):
        for index, child in enumerate(stack):
            if not isinstance(child, otio.schema.Track):
                stack[index] = otio.schema.Track(kind=otio.schema.TrackKind.Video, children=[child.clone()])
    for track in list(wrapped.tracks.find_children(descended_from_type=otio.schema.Track)):
        for index, child in enumerate(track):
            if isinstance(child, otio.schema.Track):
                track[index] = otio.schema.Stack(children=[child.clone()])
    return wrapped


def with_placeholders(timeline: otio.schema.Timeline, *kinds: Any) -> otio.schema.Timeline:
    """A copy in which media references of these kinds are missing ones of the same length."""
    changed = timeline.deepcopy()
    for clip in changed.find_clips():
        reference = clip.media_reference
        if isinstance(reference, kinds):
            clip.media_reference = otio.schema.MissingReference(
                name=reference.name or clip.name, available_range=reference.available_range
            )
    return changed


def with_media_ranges(timeline: otio.schema.Timeline) -> otio.schema.Timeline:
    """A copy in which media of unknown length reach from 0, where such media begin, to the last frame shown of them."""
    changed = timeline.deepcopy()
    for clip in changed.find_clips():
        shown = clip.source_range
        if clip.media_reference.available_range is None and shown is not None:
            start = min(frames(0, shown.start_time.rate), shown.start_time)
            clip.media_reference.available_range = otio.opentime.TimeRange.range_from_start_end_time(
                start, shown.end_time_exclusive()
            )
    return changed


def without_foreign_transitions(timeline: otio.schema.Timeline) -> otio.schema.Timeline:
    """A copy with plain cuts for the transitions that no AAF has described: only those can be written to one."""
    changed = timeline.deepcopy()
    for transition in foreign_transitions(changed):
        track = transition.parent()
        del track[track.index(transition)]
    return changed


def foreign_transitions(timeline: otio.schema.Timeline) -> list[otio.schema.Transition]:
    """The transitions that did not come from an AAF."""
    transitions = timeline.tracks.find_children(descended_from_type=otio.schema.Transition)
    return [transition for transition in transitions if "PointList" not in transition.metadata.get(AAF_KEY, {})]


def with_possible_timecode(timeline: otio.schema.Timeline) -> otio.schema.Timeline:
    """A copy whose FCP7 metadata asks for drop frame where its labels drop frames, and nowhere but at 30 and 60.

    Without being asked the writer drops none; Premiere's own files ask for it at 24 too.
    """
    changed = timeline.deepcopy()
    if is_drop_frame(timeline):
        metadata = changed.metadata.setdefault("fcp_xml", {})
        metadata.setdefault("timecode", {})["displayformat"] = "DF"
    stacks = changed.tracks.find_children(descended_from_type=otio.schema.Stack)
    references = [clip.media_reference for clip in changed.find_clips()]
    for holder in (changed, changed.tracks, *stacks, *references):
        timecode = holder.metadata.get("fcp_xml", {}).get("timecode", {})
        if timecode.get("displayformat") == "DF" and int(timecode.get("rate", {}).get("timebase", 0)) % 30 != 0:
            timecode["displayformat"] = "NDF"
    return changed


def told_apart(timeline: otio.schema.Timeline) -> otio.schema.Timeline:
    """A copy in which no two clips are equal: the FCP7 writer writes equal ones once, wherever else they lie."""
    changed = timeline.deepcopy()
    for number, clip in enumerate(changed.find_clips()):
        clip.metadata["number"] = number
    return changed
