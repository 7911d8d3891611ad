"""What the use cases need of an editor's program: which region, what is seen, and a change that is whole or not at all.

`ResolveEditor` works on the open timeline of DaVinci Resolve, `FileEditor` on a timeline's file; both pass the same
contract tests. Frames count from the timeline's first frame, as everywhere in the plugin.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from diffava_resolve.spec import Region
from diffava_resolve.timeline.place import PlacedTake
from diffava_resolve.timeline.regions import MarkerRegion
from diffava_resolve.timeline.takes import FoleyClip

Where = Literal["auto", "marks", "selected", "playhead", "range", "clip", "markers", "whole"]


@dataclass(frozen=True)
class Selection:
    """Which stretches of the timeline are meant.

    `auto` asks for the in and out marks, else the selected clips, else the clip under the playhead, as far as the
    editor has them. `range` reads `start` and `stop` as `parse_position` does, `clip` takes `clip` by name or number,
    `markers` every marker that spans a range.
    """

    where: Where = "auto"
    start: str = ""
    stop: str = ""
    clip: str = ""


@dataclass(frozen=True)
class Cut:
    """The timeline as it is at this moment, generated clips with their takes and receipts among it.

    `timeline` is an `otio.schema.Timeline`; relative paths of its media start at `base_directory`.
    """

    timeline: Any
    base_directory: Path


@dataclass(frozen=True)
class Placement:
    """Where a clip lies, as read back from the editor after it was placed; never what a call returned."""

    clip_id: str
    track_name: str
    region: Region
    notes: tuple[str, ...] = ()


class Change(Protocol):
    """A change of the timeline in the making. Each step reads back what it did."""

    def place(self, region: Region, takes: Sequence[PlacedTake], clip_id: str, track_name: str) -> Placement:
        """Put takes on the audio track of that name as one clip, exactly over `region`; the first is heard.

        Where that track is taken, locked or silent there, the next of `NAME 2`, `NAME 3` ... is found or made. Nothing
        that is on the timeline moves.

        Raises:
            OutputError: It did not land where it should.
        """
        ...

    def add_takes(self, clip: FoleyClip, takes: Sequence[PlacedTake]) -> Placement:
        """Put further takes beside those of a clip, as it was trimmed; the first of the new ones is heard.

        Raises:
            RequestError: Its track is locked, or the clip is not there any more.
            OutputError: They did not land where they should.
        """
        ...

    def select(self, clip: FoleyClip, take_number: int) -> Placement:
        """Let another take of a clip be heard.

        Raises:
            RequestError: There is no such take, its track is locked, or the clip is not there any more.
            OutputError: The editor did not change it.
        """
        ...


class Editor(Protocol):
    """An editor's program with a timeline open, or a timeline's file."""

    @property
    def name(self) -> str:
        """What it is, for people: `DaVinci Resolve Studio 20.3.2`, or the file's name."""
        ...

    def cut(self) -> Cut:
        """The timeline now.

        Raises:
            TimelineError: There is none open, or it cannot be exported.
        """
        ...

    def regions(self, selection: Selection) -> tuple[MarkerRegion, ...]:
        """The regions that are meant, at least one, in order; a marker brings its own prompt, others have none.

        Raises:
            RequestError: Nothing is selected in that way, or this editor has no such thing.
        """
        ...

    def rendered(self, region: Region, folder: Path) -> Path:
        """A movie of exactly the frames of a region as they are graded and composited, written into `folder`.

        Raises:
            RequestError: This editor cannot render. MediaError: It failed.
        """
        ...

    def media_folder(self) -> Path:
        """Where takes are kept so that the timeline finds them tomorrow; its parent exists."""
        ...

    def changing(self) -> AbstractContextManager[Change]:
        """A change of the timeline: leaving it by an exception undoes every step of it, Ctrl-C too.

        In either case the editor's page, marks, bin and playhead are what they were.
        """
        ...
