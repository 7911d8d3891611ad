"""A timeline's file as an editor: a change reads one file and writes another, whole or not at all."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diffava_resolve.editor.protocol import Cut, Placement, Selection
from diffava_resolve.editor.selections import regions_of_timeline
from diffava_resolve.errors import RequestError
from diffava_resolve.files import refuse_overwriting
from diffava_resolve.spec import Region
from diffava_resolve.timeline.export import write_otio
from diffava_resolve.timeline.place import (
    PlacedTake,
    find_clip,
    media_folder,
    place_takes,
    replace_takes,
    select_take,
)
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import MarkerRegion
from diffava_resolve.timeline.takes import FoleyClip
from diffava_resolve.timeline.tracks import is_locked

_NOT_IN_A_FILE = ("marks", "selected", "playhead")


class FileEditor:
    """The timeline in `source`; changes are written to `output` (.otio), and from then on that is the timeline.

    Raises:
        RequestError: They are the same file.
    """

    def __init__(self, source: Path, output: Path) -> None:
        refuse_overwriting(source, output)
        self._present = source
        self._output = output

    @property
    def name(self) -> str:
        """The file's name."""
        return self._present.name

    def cut(self) -> Cut:
        """The timeline as the file has it."""
        return Cut(read_timeline(self._present), self._present.parent)

    def regions(self, selection: Selection) -> tuple[MarkerRegion, ...]:
        """The regions that are meant; `auto` is the whole timeline.

        Raises:
            RequestError: A file has no marks, no selection and no playhead, or nothing is there.
        """
        if selection.where in _NOT_IN_A_FILE:
            raise RequestError(
                f"{self.name} is a file and has no {selection.where}; give a range, a clip or markers that span one."
            )
        return regions_of_timeline(self.cut().timeline, selection)

    def rendered(self, region: Region, folder: Path) -> Path:
        """A file cannot be rendered.

        Raises:
            RequestError: Always.
        """
        raise RequestError(
            f"{self.name} is a file and has no graded picture; take the source media, or work inside the editor."
        )

    def media_folder(self) -> Path:
        """The folder beside the output."""
        return media_folder(self._output)

    @contextmanager
    def changing(self) -> Iterator["FileChange"]:
        """A change that is written at its end."""
        change = FileChange(self.cut())
        yield change
        write_otio(change.timeline, self._present.parent, self._output)
        self._present = self._output


class FileChange:
    """A change of a timeline in memory."""

    def __init__(self, cut: Cut) -> None:
        self.timeline: Any = cut.timeline
        self._base_directory = cut.base_directory

    def place(self, region: Region, takes: Sequence[PlacedTake], clip_id: str, track_name: str) -> Placement:
        """Put takes on the timeline as one clip."""
        self.timeline = place_takes(
            self.timeline, region, takes, self._base_directory, track_name=track_name, clip_id=clip_id
        )
        return self._placement(clip_id)

    def add_takes(self, clip: FoleyClip, takes: Sequence[PlacedTake]) -> Placement:
        """Put further takes into a clip."""
        self._refuse_locked(clip.clip_id)
        self.timeline = replace_takes(self.timeline, clip.clip_id, takes, self._base_directory)
        return self._placement(clip.clip_id)

    def select(self, clip: FoleyClip, take_number: int) -> Placement:
        """Let another take of a clip be heard."""
        self._refuse_locked(clip.clip_id)
        self.timeline = select_take(self.timeline, clip.clip_id, take_number)
        return self._placement(clip.clip_id)

    def _placement(self, clip_id: str) -> Placement:
        found = find_clip(self.timeline, clip_id)
        return Placement(clip_id, found.track_name, found.region)

    def _refuse_locked(self, clip_id: str) -> None:
        found = find_clip(self.timeline, clip_id)
        if is_locked(found.clip.parent()):
            raise RequestError(f"The track {found.track_name} of clip {clip_id} is locked; unlock it in the editor.")
