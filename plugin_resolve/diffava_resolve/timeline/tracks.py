"""Finding room on the audio tracks of an OTIO timeline, and putting a clip there. Knows nothing of takes.

Positions are whole timeline frames, counted like `Region`'s from the timeline's first frame; in between they are exact
seconds, so that items of different rates on one track add up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Any

import opentimelineio as otio

from diffava_resolve.timeline.rates import exact_rate, seconds_of


@dataclass(frozen=True)
class Span:
    """Where a track's child lies, in seconds of the track. A transition covers what it blends."""

    index: int
    child: Any
    start_s: Fraction
    stop_s: Fraction


def spans(track: otio.schema.Track) -> Iterator[Span]:
    """The children of a track and where they lie, whatever part of the track its own source range shows."""
    position_s = Fraction(0)
    for index, child in enumerate(track):
        if isinstance(child, otio.schema.Transition):
            yield Span(
                index, child, position_s - seconds_of(child.in_offset), position_s + seconds_of(child.out_offset)
            )
        else:
            stop_s = position_s + seconds_of(child.duration())
            yield Span(index, child, position_s, stop_s)
            position_s = stop_s


def first_second(composition: otio.core.Composition) -> Fraction:
    """A stack's or track's own time at its first visible frame: 0 unless it is trimmed."""
    return seconds_of(composition.source_range.start_time) if composition.source_range else Fraction(0)


def frames(value: int, rate: float) -> otio.opentime.RationalTime:
    """An OTIO time of whole frames."""
    return otio.opentime.RationalTime(value, rate)


def spelled_rate(timeline: otio.schema.Timeline, rate: Fraction) -> float:
    """How this timeline writes `rate`: 23.976 where its own items say so, else the exact 24000/1001.

    All items of one timeline must agree on it, or editors see fractions of frames at the joins.
    """
    times = [timeline.global_start_time] if timeline.global_start_time else []
    times += [item.source_range.start_time for item in timeline.find_clips() if item.source_range]
    return next((float(time.rate) for time in times if exact_rate(time.rate) == rate), float(rate))


def put_on_track(timeline: otio.schema.Timeline, clip: otio.schema.Clip, start_frame: int, track_name: str) -> None:
    """Put `clip`, whose source range is in whole frames, on the audio track of that name.

    If that has no room there, the next of `NAME 2`, `NAME 3` ... is taken; the first of them that does not exist is
    created below all others. Nothing that is there is moved or shortened, only gaps are filled.
    """
    for number in count(1):
        name = track_name if number == 1 else f"{track_name} {number}"
        track = next((track for track in timeline.tracks if track.name == name), None)
        if track is None:
            track = otio.schema.Track(name=name, kind=otio.schema.TrackKind.Audio)
            # What Resolve writes for a track of one channel.
            track.metadata["Resolve_OTIO"] = {"Audio Type": "Mono", "Locked": False, "SoloOn": False}
            timeline.tracks.append(track)
        if _takes_audio(track) and _fill_gap(track, clip, start_frame, first_second(timeline.tracks)):
            return


def _items(track: otio.schema.Track) -> list[otio.core.Item]:
    return [child for child in track if isinstance(child, otio.core.Item)]


def is_locked(track: Any) -> bool:
    """Whether the editor has locked a track, as Resolve writes it."""
    resolve = track.metadata.get("Resolve_OTIO")
    return resolve is not None and bool(dict(resolve).get("Locked", False))


def _takes_audio(track: Any) -> bool:
    return (
        isinstance(track, otio.schema.Track)
        and track.kind == otio.schema.TrackKind.Audio
        and track.enabled
        and track.source_range is None
        and not is_locked(track)
    )


def _fill_gap(track: otio.schema.Track, clip: otio.schema.Clip, start_frame: int, origin_s: Fraction) -> bool:
    """Put the clip where nothing but gaps is, or behind the track's end; False if something else is there."""
    duration = clip.source_range.duration
    rate = exact_rate(duration.rate)
    start_s = origin_s + start_frame / rate
    stop_s = start_s + seconds_of(duration)
    overlapped = [span for span in spans(track) if span.start_s < stop_s and span.stop_s > start_s]
    if any(not isinstance(span.child, otio.schema.Gap) or span.child.markers for span in overlapped):
        return False
    if overlapped:
        first, hole_start_s = overlapped[0].index, overlapped[0].start_s
        hole_stop_s = overlapped[-1].stop_s
    else:
        first = len(track)
        hole_start_s = hole_stop_s = sum((seconds_of(item.duration()) for item in _items(track)), Fraction(0))
    before, after = (start_s - hole_start_s) * rate, (hole_stop_s - stop_s) * rate
    if before.denominator != 1 or (after > 0 and after.denominator != 1):
        return False  # the gap begins or ends between two frames: filling it would move what follows
    for _ in overlapped:
        del track[first]
    pieces = [clip]
    if before > 0:
        pieces.insert(0, otio.schema.Gap(duration=frames(int(before), duration.rate)))
    if after > 0:
        pieces.append(otio.schema.Gap(duration=frames(int(after), duration.rate)))
    for piece in reversed(pieces):
        track.insert(first, piece)
    return True
