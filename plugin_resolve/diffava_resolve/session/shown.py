"""What the model is shown of a region: the source media of the cut, or the picture that the editor renders."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import opentimelineio as otio

from diffava_resolve.editor.protocol import Cut, Editor
from diffava_resolve.errors import MediaError, RequestError
from diffava_resolve.spec import Picture, Region
from diffava_resolve.timeline.tracks import frames, spelled_rate
from diffava_resolve.timeline.viewer import picture_of

PictureWish = Literal["auto", "source", "graded"]
_NO_CUTS = "The cuts of the range are not known, since its media could not be read."


@dataclass(frozen=True)
class Shown:
    """A cut in which `region` shows what is wished; `notes` are what a person must know of it."""

    cut: Cut
    region: Region
    notes: tuple[str, ...] = ()

    @property
    def picture(self) -> Picture:
        """What is seen of the region."""
        seen = picture_of(self.cut.timeline, self.region, self.cut.base_directory)
        return replace(seen, notes=(*self.notes, *seen.notes))


def shown(editor: Editor, cut: Cut, region: Region, wish: PictureWish, folder: Path) -> Shown:
    """The cut with the source media, or with the region as the editor renders it into the new folder `folder`.

    A rendered movie lies above all else on the timeline, cut where the shots are cut.

    Raises:
        MediaError: The media cannot be read, or rendering failed.
        RequestError: A graded picture is wanted of an editor that has none.
    """
    try:
        cut_frames: Sequence[int] = picture_of(cut.timeline, region, cut.base_directory).cut_frames
    except MediaError as unreadable:
        if wish == "source":
            raise
        folder.mkdir()
        try:
            movie = editor.rendered(region, folder)
        except RequestError:
            if wish == "auto":
                raise unreadable from None
            raise
        return Shown(replace(cut, timeline=covered(cut.timeline, region, movie, ())), region, (_NO_CUTS,))
    if wish != "graded":
        return Shown(cut, region)
    folder.mkdir()
    movie = editor.rendered(region, folder)
    return Shown(replace(cut, timeline=covered(cut.timeline, region, movie, cut_frames)), region)


def covered(timeline: Any, region: Region, movie: Path, cut_frames: Sequence[int]) -> Any:
    """A copy of the timeline with a movie of exactly the region's frames above everything, a clip a shot."""
    copy = timeline.deepcopy()
    rate = spelled_rate(timeline, region.rate)
    length = region.stop_frame - region.start_frame
    available = otio.opentime.TimeRange(frames(0, rate), frames(length, rate))
    track = otio.schema.Track("graded", kind=otio.schema.TrackKind.Video)
    if region.start_frame:
        track.append(otio.schema.Gap(duration=frames(region.start_frame, rate)))
    for start, stop in pairwise((region.start_frame, *cut_frames, region.stop_frame)):
        reference = otio.schema.ExternalReference(str(movie), available)
        within = otio.opentime.TimeRange(frames(start - region.start_frame, rate), frames(stop - start, rate))
        track.append(otio.schema.Clip("graded", reference, within))
    copy.tracks.append(track)
    return copy
