"""The generated clip that a person points at in an editor's program, and what of it is to be made anew."""

from diffava_resolve.editor.protocol import Editor, Placement, Selection
from diffava_resolve.errors import RequestError
from diffava_resolve.session.in_editor import select_in_editor, takes_in_editor
from diffava_resolve.spec import Region
from diffava_resolve.timeline.takes import FoleyClip


def clip_pointed_at(editor: Editor, selection: Selection) -> tuple[FoleyClip, Region]:
    """The one generated clip under the marks, the selection or the playhead, and the stretch that is pointed at.

    Raises:
        RequestError: There is none, or more than one.
    """
    regions = [one.region for one in editor.regions(selection)]
    found = {
        clip.clip_id: (clip, region)
        for clip in takes_in_editor(editor)
        for region in regions
        if clip.region.start_frame < region.stop_frame and region.start_frame < clip.region.stop_frame
    }
    if len(found) != 1:
        names = ", ".join(found) or "none"
        raise RequestError(f"One DiffAVA clip is needed there, and there are {names}; set in and out marks over one.")
    [pair] = found.values()
    return pair


def part_pointed_at(clip: FoleyClip, region: Region) -> tuple[str, str] | None:
    """The positions between which the clip is meant to be made anew; None if it is meant as a whole."""
    start = max(clip.region.start_frame, region.start_frame)
    stop = min(clip.region.stop_frame, region.stop_frame)
    is_whole = (start, stop) == (clip.region.start_frame, clip.region.stop_frame)
    return None if is_whole else (f"f{start}", f"f{stop}")


def hear_next_take(editor: Editor, clip: FoleyClip) -> tuple[int, Placement]:
    """Let the take after the one that is heard be heard, after the last the first; its number, and where it lies.

    Raises:
        FoleyError: There is only one, or the editor did not change it.
    """
    numbers = sorted(take.number for take in clip.takes)
    if len(numbers) < 2:
        raise RequestError(f"Clip {clip.clip_id} has only one take; make new ones first.")
    following = numbers[(numbers.index(clip.chosen_number) + 1) % len(numbers)]
    return following, select_in_editor(editor, clip.clip_id, following)
