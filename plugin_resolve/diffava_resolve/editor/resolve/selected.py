"""Which stretch the editor means: marks, selected clips, the playhead's clip, markers. Read, never changed.

Marks and markers count from the timeline's first frame, clips in absolute frames. The out mark is taken as the last
frame inside, as the program shows it; Resolve's documents do not say.
"""

from typing import Any

from diffava_resolve.editor.resolve.program import Program, offers
from diffava_resolve.editor.resolve.records import is_ours
from diffava_resolve.editor.resolve.view import marks_of
from diffava_resolve.errors import RequestError
from diffava_resolve.spec import Region
from diffava_resolve.timeline.regions import MarkerRegion
from diffava_resolve.timeline.shot_notes import parse_shot_note


def region_of_marks(program: Program) -> Region | None:
    """Between the in and the out mark; None without any.

    Raises:
        RequestError: Only one of them is set.
    """
    marks = marks_of(program.timeline)
    chosen = marks.get("video") or marks.get("audio") or {}
    if not chosen:
        return None
    if len(chosen) == 1:
        [found] = chosen
        raise RequestError(f"Only the {found} mark is set; set both marks around what the sound is for.")
    return program.region(chosen["in"], chosen["out"] + 1)


def regions_of_selected(program: Program) -> list[Region]:
    """The selected clips, those that touch each other as one stretch; video clips alone if there are any."""
    if not offers(program.timeline, "GetSelectedClips"):
        return []
    items = list(program.timeline.GetSelectedClips() or [])
    pictures = [item for item in items if (item.GetTrackTypeAndIndex() or [""])[0] == "video"]
    spans = sorted(_span(program, item) for item in pictures or items)
    merged: list[tuple[int, int]] = []
    for start, stop in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return [program.region(start, stop) for start, stop in merged]


def region_of_playhead(program: Program) -> Region | None:
    """The clip under the playhead; None where there is none, or the page shows no playhead."""
    item = program.timeline.GetCurrentVideoItem()
    return program.region(*_span(program, item)) if item else None


def regions_of_markers(program: Program) -> tuple[MarkerRegion, ...]:
    """Every marker that spans more than one frame, with what its note asks for or its name. Ours are no shots.

    Raises:
        RequestError: What a marker asks for is not understood.
    """
    found = []
    for frame, marker in sorted((program.timeline.GetMarkers() or {}).items(), key=lambda one: float(one[0])):
        start, count = round(float(frame)), round(float(marker.get("duration", 1)))
        if count > 1 and not is_ours(marker.get("customData")):
            note = parse_shot_note(str(marker.get("note") or ""), str(marker.get("name") or ""))
            found.append(MarkerRegion(program.region(start, start + count), **vars(note)))
    return tuple(found)


def _span(program: Program, item: Any) -> tuple[int, int]:
    start = int(item.GetStart()) - program.label_frame
    return start, start + int(item.GetDuration())
