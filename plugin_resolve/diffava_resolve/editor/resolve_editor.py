"""DaVinci Resolve's open timeline as an editor.

Written from Blackmagic's documents, from what third parties measured, and against a fake of both: Resolve itself was
not seen running.
"""

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs

from diffava_resolve.editor.protocol import Cut, Selection
from diffava_resolve.editor.resolve.change import ResolveChange
from diffava_resolve.editor.resolve.generated import describe_in, generated_clips
from diffava_resolve.editor.resolve.program import Program, offers
from diffava_resolve.editor.resolve.render_job import RenderJob
from diffava_resolve.editor.resolve.selected import (
    region_of_marks,
    region_of_playhead,
    regions_of_markers,
    regions_of_selected,
)
from diffava_resolve.editor.resolve.steps import Steps
from diffava_resolve.editor.resolve.view import KeptView
from diffava_resolve.editor.selections import regions_of_timeline
from diffava_resolve.errors import OutputError, RequestError, TimelineError
from diffava_resolve.files import make_folder
from diffava_resolve.spec import Region
from diffava_resolve.timeline.place import media_folder
from diffava_resolve.timeline.rates import label_frame, timeline_rate
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import MarkerRegion


class ResolveEditor:
    """The timeline that is open in Resolve when this is made; it stays the one that is meant.

    Args of note: `resolve` is any object with Blackmagic's documented interface. `media_root` is the folder for takes,
    in which each timeline has one of its own; the user's documents unless given. `clock_s` and `sleep` are for renders.

    Raises:
        TimelineError: No timeline is open.
    """

    def __init__(
        self,
        resolve: Any,
        media_root: Path | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._program = Program(resolve)
        self._media_root = (media_root or platformdirs.user_documents_path() / "DiffAVA Foley").absolute()
        self._render_job = RenderJob(self._program, clock_s, sleep)

    @property
    def name(self) -> str:
        """Product and version."""
        return self._program.name

    def cut(self) -> Cut:
        """The timeline by Resolve's own OTIO export, with our takes and receipts written into it.

        Raises:
            TimelineError: It cannot be exported, or says another frame rate than Resolve.
        """
        program = self._program
        kind = getattr(program.resolve, "EXPORT_OTIO", None)
        if kind is None:
            raise TimelineError(f"{self.name} exports no OTIO; that needs Resolve 18.5 or newer.")
        with tempfile.TemporaryDirectory(prefix="diffava-cut-") as folder:
            path = Path(folder) / "cut.otio"
            program.timeline.Export(str(path), kind, program.resolve.EXPORT_NONE)
            if not path.is_file():
                raise TimelineError(f"Resolve did not export the timeline “{program.timeline.GetName()}” as OTIO.")
            timeline = read_timeline(path)
        if timeline_rate(timeline) != program.rate or label_frame(timeline) != program.label_frame:
            raise TimelineError(
                f"Resolve's export starts at frame {label_frame(timeline)} at {timeline_rate(timeline)}, its timeline "
                f"at {program.label_frame} at {program.rate}; export it by hand and use `diffava foley`."
            )
        timeline.metadata["diffava"] = {"drop_frame": program.is_drop_frame}  # OTIO has no such field
        describe_in(timeline, generated_clips(program), program)
        return Cut(timeline, self._media_root)

    def regions(self, selection: Selection) -> tuple[MarkerRegion, ...]:
        """The regions that are meant.

        Raises:
            RequestError: Nothing is selected in that way, or this version does not tell scripts.
        """
        where = selection.where
        if where == "markers":
            found = regions_of_markers(self._program)
            if not found:
                raise RequestError("No marker of the timeline spans a range; drag one out (Alt-drag) and try again.")
            return found
        if where in ("range", "clip", "whole"):
            return regions_of_timeline(self.cut().timeline, selection)
        regions = self._pointed_at(where)
        if not regions:
            raise RequestError(self._what_is_missing(where))
        return tuple(MarkerRegion(region) for region in regions)

    def rendered(self, region: Region, folder: Path) -> Path:
        """The graded picture, by the render queue."""
        return self._render_job.movie(region, folder)

    def media_folder(self) -> Path:
        """`<media_root>/<project> - <timeline>.foley`."""
        project, timeline = self._program.project.GetName(), self._program.timeline.GetName()
        name = re.sub(r"[/\\]", "_", f"{project} - {timeline}")
        self._media_root.parent.mkdir(parents=True, exist_ok=True)
        make_folder(self._media_root)
        return media_folder(self._media_root / f"{name}.otio")

    @contextmanager
    def changing(self) -> Iterator[ResolveChange]:
        """A change of the open timeline, taken back step by step if it fails."""
        steps = Steps()
        with KeptView(self._program):
            try:
                yield ResolveChange(self._program, steps)
            except BaseException as error:
                left = steps.take_back()
                if left:
                    raise OutputError(
                        f"{error} Resolve could not take back everything; remove by hand: {', '.join(left)}."
                    ) from error
                raise

    def _pointed_at(self, where: str) -> list[Region]:
        if where in ("auto", "marks"):
            marked = region_of_marks(self._program)
            if marked is not None:
                return [marked]
        if where in ("auto", "selected"):
            selected = regions_of_selected(self._program)
            if selected:
                return selected
        if where in ("auto", "playhead"):
            under = region_of_playhead(self._program)
            if under is not None:
                return [under]
        return []

    def _what_is_missing(self, where: str) -> str:
        timeline = self._program.timeline
        if where == "marks" and not offers(timeline, "GetMarkInOut"):
            return f"{self.name} does not tell scripts its in and out marks; type the range instead."
        if where == "selected" and not offers(timeline, "GetSelectedClips"):
            return f"{self.name} does not tell scripts which clips are selected (21.0.4 does); set in and out marks."
        missing = {
            "marks": "no in and out marks",
            "selected": "no selected clips",
            "playhead": "no clip at the playhead",
            "auto": "no marks, no selected clip and no clip at the playhead",
        }
        return f"The timeline has {missing[where]}; mark the stretch that the sound is for, and try again."
