"""The editor's own view of Resolve: page, marks, current bin, playhead and timeline, put back after what was done."""

from types import TracebackType
from typing import Any, Self

from diffava_resolve.editor.resolve.program import Program, offers


def marks_of(timeline: Any) -> dict[str, dict[str, int]]:
    """The in and out marks by kind, frames from the timeline's first; empty where this version does not tell."""
    if not offers(timeline, "GetMarkInOut"):
        return {}
    found = timeline.GetMarkInOut() or {}
    return {str(kind): {str(end): int(frame) for end, frame in marks.items()} for kind, marks in found.items()}


class KeptView:
    """While it is entered, the meant timeline is the current one; leaving puts everything back."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def __enter__(self) -> Self:
        program = self._program
        program.check_unchanged()
        self._page = program.resolve.GetCurrentPage()
        self._bin = program.pool.GetCurrentFolder()
        self._current = program.project.GetCurrentTimeline()
        if not _is_same(self._current, program.timeline):
            program.project.SetCurrentTimeline(program.timeline)
        self._marks = marks_of(program.timeline)
        self._playhead = program.timeline.GetCurrentTimecode()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        program = self._program
        if self._page and program.resolve.GetCurrentPage() != self._page:
            program.resolve.OpenPage(self._page)
        self._put_marks_back()
        if self._bin:
            program.pool.SetCurrentFolder(self._bin)
        # The playhead is read and set only on pages that show one; on the others it was not moved.
        if self._playhead and program.timeline.GetCurrentTimecode() != self._playhead:
            program.timeline.SetCurrentTimecode(self._playhead)
        if self._current and not _is_same(self._current, program.timeline):
            program.project.SetCurrentTimeline(self._current)

    def _put_marks_back(self) -> None:
        timeline = self._program.timeline
        if not offers(timeline, "SetMarkInOut") or marks_of(timeline) == self._marks:
            return
        timeline.ClearMarkInOut("all")
        for kind, marks in self._marks.items():
            if "in" in marks and "out" in marks:
                timeline.SetMarkInOut(marks["in"], marks["out"], kind)


def _is_same(one: Any, other: Any) -> bool:
    return bool(one) and one.GetUniqueId() == other.GetUniqueId()
