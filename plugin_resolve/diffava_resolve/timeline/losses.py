"""What an export format does not carry of a timeline, in a line each for the person who exports. Writes nothing.

The table is of the adapters as tried out with opentimelineio 0.18.1 and the versions that pyproject.toml pins.
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from diffava_resolve.timeline.conform import all_tracks, off_frame_items
from diffava_resolve.timeline.media_urls import media_path
from diffava_resolve.timeline.prepare import foreign_transitions
from diffava_resolve.timeline.rates import is_drop_frame
from diffava_resolve.timeline.takes import METADATA_KEY

_Line = Callable[[otio.schema.Timeline, Fraction, Path], str]


def losses(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path, suffix: str) -> tuple[str, ...]:
    """A line for each thing that the timeline has and the format named by `suffix` loses."""
    lines = (line(timeline, rate, base_directory) for line in _LOST_BY.get(suffix, ()))
    return tuple(line for line in lines if line)


def _takes(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    count = _further_takes(timeline)
    return f"{_counted(count, 'further take')} left out: only the chosen one of each clip is written." if count else ""


def _takes_outside(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    count = _further_takes(timeline)
    return (
        f"{_counted(count, 'further take')} not bundled; the timeline in the bundle still points to where they lie."
        if count
        else ""
    )


def _missing_media(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    references = [clip.media_reference for clip in timeline.find_clips()]
    urls = {item.target_url for item in references if isinstance(item, otio.schema.ExternalReference)}
    missing = sorted(url for url in urls if not media_path(url, base_directory).is_file())
    return f"{_counted(len(missing), 'media file')} not found and not bundled, first {missing[0]}." if missing else ""


def _receipts(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    count = sum(METADATA_KEY in clip.metadata for clip in timeline.find_clips())
    return f"{_counted(count, 'clip')} without receipts: keep the .otio, which has them." if count else ""


def _track_names(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    named = [track.name for track in timeline.tracks if track.name]
    return f"Track names are lost: {', '.join(named)}." if named else ""


def _markers(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    return _marker_line(len(timeline.tracks.markers) + _item_markers(timeline))


def _timeline_markers(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    return _marker_line(len(timeline.tracks.markers))


def _clip_markers(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    return _marker_line(_item_markers(timeline))


def _start(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    start = timeline.global_start_time
    if start is None or start.value == 0:
        return ""
    return f"The start timecode is lost: the timeline begins at 0 instead of frame {start.value:g}."


def _drop_frame(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    return "Drop frame is lost: the same frames are numbered without it." if is_drop_frame(timeline) else ""


def _transitions(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    count = len(list(timeline.tracks.find_children(descended_from_type=otio.schema.Transition)))
    return f"{_counted(count, 'transition')} written as plain cuts." if count else ""


def _foreign_transitions(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    count = len(foreign_transitions(timeline))
    return f"{_counted(count, 'transition')} written as plain cuts." if count else ""


def _retimes(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    items = timeline.tracks.find_children(descended_from_type=otio.core.Item)
    count = sum(isinstance(effect, otio.schema.TimeEffect) for item in items for effect in item.effects)
    return (
        f"{_counted(count, 'retime')} left out: what it changed plays at normal speed, as long as before."
        if count
        else ""
    )


def _effects(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    items = timeline.tracks.find_children(descended_from_type=otio.core.Item)
    count = sum(not isinstance(effect, otio.schema.TimeEffect) for item in items for effect in item.effects)
    return f"{_counted(count, 'effect')} left out." if count else ""


def _disabled(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    items = timeline.tracks.find_children(descended_from_type=otio.core.Item)
    off = [item for item in items if not item.enabled]
    tracks = sum(isinstance(item, otio.schema.Track) for item in off)
    counts = ((len(off) - tracks, "clip"), (tracks, "track"))
    found = " and ".join(f"{count} disabled {noun}{'s' * (count != 1)}" for count, noun in counts if count)
    return f"{found} will be seen and heard: disable them again there." if found else ""


def _generators(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    return _placeholder_line(timeline, otio.schema.GeneratorReference, "generated picture")


def _image_sequences(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    return _placeholder_line(timeline, otio.schema.ImageSequenceReference, "image sequence")


def _nested(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    count = sum(isinstance(child, otio.core.Composition) for track in timeline.tracks for child in track)
    return f"{_counted(count, 'nested sequence')} written as gaps of the same length." if count else ""


def _sub_frames(timeline: otio.schema.Timeline, rate: Fraction, base_directory: Path) -> str:
    count = off_frame_items(timeline, rate)
    return f"{_counted(count, 'item')} moved to whole frames, by half a frame at most." if count else ""


def _placeholder_line(timeline: otio.schema.Timeline, kind: type, noun: str) -> str:
    count = sum(isinstance(clip.media_reference, kind) for clip in timeline.find_clips())
    return f"{_counted(count, noun)} written as missing media." if count else ""


def _marker_line(count: int) -> str:
    return f"{_counted(count, 'marker')} left out." if count else ""


def _item_markers(timeline: otio.schema.Timeline) -> int:
    tracks = all_tracks(timeline)
    return sum(len(item.markers) for track in tracks for item in (track, *track) if isinstance(item, otio.core.Item))


def _further_takes(timeline: otio.schema.Timeline) -> int:
    return sum(len(clip.media_references()) - 1 for clip in timeline.find_clips())


def _counted(count: int, noun: str) -> str:
    return f"1 {noun} is" if count == 1 else f"{count} {noun}s are"


_LOST_BY: dict[str, tuple[_Line, ...]] = {
    ".otioz": (_takes_outside, _missing_media),
    ".xml": (_takes, _receipts, _track_names, _retimes, _effects, _disabled, _image_sequences, _sub_frames),
    ".fcpxml": (
        *(_takes, _receipts, _track_names, _timeline_markers, _start, _transitions),
        *(_retimes, _effects, _disabled, _generators, _image_sequences, _sub_frames),
    ),
    ".aaf": (
        *(_takes, _receipts, _markers, _drop_frame, _foreign_transitions, _retimes),
        *(_effects, _disabled, _generators, _image_sequences, _sub_frames),
    ),
    ".kdenlive": (_takes, _receipts, _clip_markers, _start, _transitions, _effects, _disabled, _nested, _sub_frames),
    ".mlt": (_takes, _receipts, _clip_markers, _start, _transitions, _effects, _disabled, _nested, _sub_frames),
}
