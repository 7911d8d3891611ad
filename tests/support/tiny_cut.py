"""A cut of two small clips as an .otio on disk, for tests of what is done with timelines as a whole.

Both clips are black but for flashes of one frame, so that a test can follow a picture to a sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from support.clips import write_flash_clip

CLIP_FRAMES = 36


@dataclass(frozen=True)
class TinyCut:
    """The timeline's file, 72 frames from 01:00:00:00, and its two clips of 36 frames each."""

    path: Path
    media: tuple[Path, Path]
    rate: Fraction


def write_tiny_cut(
    directory: Path,
    *,
    rate: Fraction = Fraction(24),
    flash_frames: Sequence[int] = (),
    markers: Sequence[tuple] = (),
    clip_frames: int = CLIP_FRAMES,
) -> TinyCut:
    """Write the cut of two clips of `clip_frames`.

    `flash_frames` count from the timeline's start; `markers` are (start, count, note).
    """
    media = (directory / "first.mp4", directory / "second.mp4")
    for number, path in enumerate(media):
        first = number * clip_frames
        own = [frame - first for frame in flash_frames if first <= frame < first + clip_frames]
        write_flash_clip(path, clip_frames, rate, own, width=64, height=36)
    path = directory / "cut.otio"
    otio.adapters.write_to_file(timeline_of(media, rate, clip_frames, markers), str(path))
    return TinyCut(path, media, rate)


def timeline_of(
    media: Sequence[Path], rate: Fraction, clip_frames: int = CLIP_FRAMES, markers: Sequence[tuple] = ()
) -> otio.schema.Timeline:
    """One video track with the clips one after another."""

    def frames(value: int) -> otio.opentime.RationalTime:
        return otio.opentime.RationalTime(value, float(rate))

    timeline = otio.schema.Timeline("tiny cut", global_start_time=frames(3600 * round(rate)))
    track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    for path in media:
        whole = otio.opentime.TimeRange(frames(0), frames(clip_frames))
        reference = otio.schema.ExternalReference(path.name, available_range=whole)
        track.append(otio.schema.Clip(path.stem, reference, whole))
    timeline.tracks.append(track)
    for start, count, note in markers:
        marked = otio.opentime.TimeRange(frames(start), frames(count))
        timeline.tracks.markers.append(otio.schema.Marker(name="foley", marked_range=marked, comment=note))
    return timeline
