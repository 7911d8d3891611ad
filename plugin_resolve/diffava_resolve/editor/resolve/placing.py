"""Putting a take on a track at its exact frame, by reading back what Resolve did: its return values are not evidence.

What is measured of AppendToTimeline, and what is done about it: the end frame of the source is exclusive in some builds
and inclusive in others, so the duration is read and the next end tried; before 20.2.2 an audio track needs a video
track of the same number, so empty ones are added for the moment; in 20.3 a clip must be selected in the pool; what
would lie over another clip is dropped, with or without an answer, so the track is listed again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

from diffava_resolve.editor.resolve.audio_tracks import items_on, track_indices
from diffava_resolve.editor.resolve.media import imported, lengthened, media_path_of, media_rate_of
from diffava_resolve.editor.resolve.program import Program, offers, setting
from diffava_resolve.editor.resolve.steps import Steps
from diffava_resolve.errors import OutputError
from diffava_resolve.spec import Region
from diffava_resolve.timeline.positions import format_region

_AUDIO_ONLY = 2
_SLIVER = Fraction(1, 1000)  # of a frame, so that what Resolve rounds down still covers the range


@dataclass(frozen=True)
class Spot:
    """Where a take is to be heard: over `region` on an audio track, from frame `left_frames` of the take on."""

    region: Region
    track: int
    left_frames: int = 0

    @property
    def start(self) -> int:
        """The absolute frame, as Resolve counts."""
        return self.region.label_frame + self.region.start_frame

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.region.stop_frame - self.region.start_frame


class Placer:
    """Places takes on one timeline; knows after the first how this build counts the end of a source range."""

    def __init__(self, program: Program, steps: Steps) -> None:
        self._program = program
        self._steps = steps
        self._end_corrections: list[int | Fraction] = [0, -1, 1]

    def put(self, path: Path, spot: Spot) -> Any:
        """The clip of a take, read back at exactly `spot`.

        Raises:
            OutputError: It cannot be had there. Nothing of the try is left.
        """
        item = self._put(path, spot)
        if item is None:
            item = self._put(lengthened(path, self._steps), spot)
        if item is None:
            raise OutputError(self._why_not(path, spot))
        return item

    def _why_not(self, path: Path, spot: Spot) -> str:
        what = f"{path.name} {format_region(spot.region)} on audio track {spot.track}"
        project_rate = setting(self._program.project, "timelineFrameRate")
        if str(project_rate).split()[0] != str(setting(self._program.timeline, "timelineFrameRate")).split()[0]:
            return (
                f"Resolve did not place {what}: it counts audio in the project's {project_rate} frames a second, "
                "not in the timeline's; choose a range that is whole in both, or export the timeline and use "
                "`diffava foley`."
            )
        return (
            f"Resolve did not place {what}: something lies there, the track is locked, or this version counts "
            "otherwise than any known one."
        )

    def _put(self, path: Path, spot: Spot) -> Any | None:
        media = imported(self._program, path, self._steps)
        rate, timeline_rate = media_rate_of(media), spot.region.rate
        first = spot.left_frames * rate / timeline_rate
        if first.denominator != 1:
            raise OutputError(
                f"{path.name} counts in {float(rate):g} frames a second, the project's rate, and the clip was trimmed "
                f"to a frame at {float(timeline_rate):g} that this rate does not have; undo the trim and try again."
            )
        exact_last = first + spot.frames * rate / timeline_rate
        last = ceil(exact_last)
        # In a project of another rate the end may fall between two frames of the media; whether Resolve takes that is
        # not documented.
        between = [] if exact_last == last else [exact_last - last + _SLIVER, exact_last - last + _SLIVER - 1]
        for correction in [*self._end_corrections, *between]:
            item = self._append(media, spot, int(first), last + correction)
            if item is not None and int(item.GetDuration()) == spot.frames:
                if correction in self._end_corrections:
                    self._end_corrections.remove(correction)
                    self._end_corrections.insert(0, correction)
                self._steps.done(f"{path.name} on the timeline", partial(self.removed, spot.track, item.GetUniqueId()))
                return item
            if item is not None and not self.removed(spot.track, item.GetUniqueId()):
                raise OutputError(f"{path.name} landed with another length and could not be removed; use Edit, Undo.")
        return None

    def _append(self, media: Any, spot: Spot, first: int, last: int | Fraction) -> Any | None:
        """Append once, and with what older versions need; None if nothing is found at the spot afterwards."""
        info = {
            "mediaPoolItem": media,
            "startFrame": first,
            "endFrame": int(last) if last == int(last) else float(last),
            "mediaType": _AUDIO_ONLY,
            "trackIndex": spot.track,
            "recordFrame": spot.start,
        }
        before = {item.GetUniqueId() for item in items_on(self._program.timeline, spot.track)}
        for prepared in (_as_it_is, _with_selection, _with_video_tracks):
            with prepared(self._program, media, spot.track) as may_help:
                if not may_help:
                    continue
                returned = self._program.pool.AppendToTimeline([info]) or []
            new = [item for item in items_on(self._program.timeline, spot.track) if item.GetUniqueId() not in before]
            path = media_path_of(media)
            here = [item for item in new if media_path_of(item.GetMediaPoolItem()) == path]
            if here and int(here[0].GetStart()) == spot.start:
                return here[0]
            for stray in [*here, *returned]:
                self._remove_stray(stray)
        return None

    def _remove_stray(self, item: Any) -> None:
        """Take away what landed elsewhere. What a call returned is no evidence, but says where to look."""
        kind, index = (item.GetTrackTypeAndIndex() if item and item.GetUniqueId() else None) or ("", 0)
        if kind == "audio" and not self.removed(int(index), item.GetUniqueId()):
            raise OutputError(
                f"A clip landed on audio track {index} by mistake and could not be removed; use Edit, Undo."
            )

    def removed(self, track: int, identity: str) -> bool:
        """Delete a clip of ours; on some pages and at the first call of a session Resolve only says that it cannot."""
        timeline = self._program.timeline
        for attempt in range(3):
            found = [item for item in items_on(timeline, track) if item.GetUniqueId() == identity]
            if not found:
                return True
            if attempt == 2:
                self._program.resolve.OpenPage("edit")
            timeline.DeleteClips(found, False)
        return not any(item.GetUniqueId() == identity for item in items_on(timeline, track))


@contextmanager
def _as_it_is(program: Program, media: Any, track: int) -> Iterator[bool]:
    yield True


@contextmanager
def _with_selection(program: Program, media: Any, track: int) -> Iterator[bool]:
    """20.3 before 20.3.2 appends nothing while no clip is selected in the media pool (list of changes, 20.3.2).

    The take stays selected: no call takes a selection away.
    """
    pool = program.pool
    wanted = offers(pool, "SetSelectedClip") and offers(pool, "GetSelectedClips") and not pool.GetSelectedClips()
    if wanted:
        pool.SetSelectedClip(media)
    yield bool(wanted)


@contextmanager
def _with_video_tracks(program: Program, media: Any, track: int) -> Iterator[bool]:
    """Before 20.2.2 the number of an audio track was checked against the video tracks (list of changes, 20.2.2)."""
    timeline = program.timeline
    before = len(track_indices(timeline, "video"))
    for _ in range(track - before):
        timeline.AddTrack("video")
    try:
        yield track > before
    finally:
        for index in range(len(track_indices(timeline, "video")), before, -1):
            if not items_on(timeline, index, "video"):
                timeline.DeleteTrack("video", index)
