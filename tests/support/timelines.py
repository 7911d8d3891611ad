"""Builders of small timelines, and the relinking of real editors' timelines to files that are here.

Frames are at the timeline's rate unless said otherwise; a rate is a Fraction or a number that `float` takes.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

Rate = Fraction | float


def time(frames: float, rate: Rate) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(float(frames), float(rate))


def span(start: float, count: float, rate: Rate) -> otio.opentime.TimeRange:
    return otio.opentime.TimeRange(time(start, rate), time(count, rate))


def movie(path: Path | str, rate: Rate, count: int, first: int = 0) -> otio.schema.ExternalReference:
    """A reference to a file of `count` frames whose own timecode starts at frame `first`."""
    return otio.schema.ExternalReference(str(path), span(first, count, rate))


def clip(
    reference: otio.core.MediaReference | None,
    start: float,
    count: float,
    rate: Rate,
    name: str = "clip",
    speed: float = 1,
) -> otio.schema.Clip:
    """A clip that shows `count` frames from frame `start` of its media's own time, retimed where `speed` is not 1."""
    made = otio.schema.Clip(name, reference, span(start, count, rate))
    if speed == 0:
        made.effects.append(otio.schema.FreezeFrame())
    elif speed != 1:
        made.effects.append(otio.schema.LinearTimeWarp(time_scalar=speed))
    return made


def gap(count: float, rate: Rate) -> otio.schema.Gap:
    return otio.schema.Gap(source_range=span(0, count, rate))


def dissolve(before: float, after: float, rate: Rate) -> otio.schema.Transition:
    """A dissolve that starts `before` frames ahead of the cut and ends `after` frames behind it."""
    return otio.schema.Transition("dissolve", "SMPTE_Dissolve", time(before, rate), time(after, rate))


def track(items: Iterable[otio.core.Composable], name: str = "Video 1", kind: str = "Video") -> otio.schema.Track:
    made = otio.schema.Track(name, kind=kind)
    made.extend(list(items))
    return made


def timeline(
    tracks: Sequence[otio.schema.Track | Sequence[otio.core.Composable]],
    rate: Rate | None = None,
    label_frame: int = 0,
    name: str = "cut",
) -> otio.schema.Timeline:
    """A timeline of tracks, bottom first; a list of items becomes a video track. With a rate it has a start time."""
    made = otio.schema.Timeline(name, global_start_time=None if rate is None else time(label_frame, rate))
    for number, content in enumerate(tracks, start=1):
        made.tracks.append(content if isinstance(content, otio.schema.Track) else track(content, f"Video {number}"))
    return made


def relink(timeline: otio.schema.Timeline, choose: Callable[[otio.schema.Clip], Path | None]) -> otio.schema.Timeline:
    """A copy in which every clip (offline, of a file, of numbered pictures) refers to the file that `choose` gives.

    `available_range` stays, so that source ranges keep their meaning; generators stay, and so does a clip for which
    `choose` gives None.
    """
    changed = timeline.deepcopy()
    for found in changed.find_clips():
        old = found.media_reference
        if isinstance(old, otio.schema.GeneratorReference):
            continue
        path = choose(found)
        if path is not None:
            found.media_reference = otio.schema.ExternalReference(str(path), old.available_range)
    return changed


def relink_all(timeline: otio.schema.Timeline, stand_in: Path) -> otio.schema.Timeline:
    """A copy in which every clip refers to one and the same file."""
    return relink(timeline, lambda _: stand_in)


def relink_fitted(timeline: otio.schema.Timeline, path: Path, rate: Rate, frame_count: int) -> otio.schema.Timeline:
    """A copy in which every clip shows some of one short file, slowed down where it would run out.

    For real editors' timelines over real clips: the structure (tracks, gaps, nesting, transitions, lengths) stays, and
    the source ranges move into the file, with a quarter of it or a second at each end left as handles.
    """
    changed = relink_all(timeline, path)
    file_s = frame_count / float(rate)
    handle_s = min(1.0, file_s / 4)
    for found in changed.find_clips():
        if not isinstance(found.media_reference, otio.schema.ExternalReference):
            continue
        duration = found.duration()
        warps = [effect for effect in found.effects if isinstance(effect, otio.schema.LinearTimeWarp)]
        speed = abs(math.prod(effect.time_scalar for effect in warps))
        if duration.to_seconds() * speed > file_s - 2 * handle_s:
            slower = (file_s - 2 * handle_s) / (duration.to_seconds() * speed)
            found.effects.append(otio.schema.LinearTimeWarp(time_scalar=math.floor(slower * 1000) / 1000))
        found.media_reference.available_range = span(0, frame_count, rate)
        start = otio.opentime.RationalTime.from_seconds(handle_s, duration.rate).round()
        found.source_range = otio.opentime.TimeRange(start, duration)
    return changed
