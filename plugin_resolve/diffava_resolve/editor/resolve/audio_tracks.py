"""Audio tracks for the sound: one of the right name, free over a range, found or made, and read back."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from diffava_resolve.editor.resolve.program import offers
from diffava_resolve.editor.resolve.steps import Steps
from diffava_resolve.errors import OutputError


def track_indices(timeline: Any, kind: str = "audio") -> range:
    """The tracks of a kind, which count from 1."""
    return range(1, int(timeline.GetTrackCount(kind) or 0) + 1)


def items_on(timeline: Any, index: int, kind: str = "audio") -> list[Any]:
    """The clips of a track that exist: what Resolve has dropped has no identity."""
    return [item for item in timeline.GetItemListInTrack(kind, index) or [] if item.GetUniqueId()]


def audio_items(timeline: Any) -> Iterator[tuple[int, Any]]:
    """Every clip on an audio track, with the track's index."""
    for index in track_indices(timeline):
        for item in items_on(timeline, index):
            yield index, item


def track_with_room(timeline: Any, name: str, start: int, stop: int, steps: Steps) -> int:
    """The index of an audio track called `name`, or `name 2`, `name 3` ..., free over absolute frames `[start, stop)`.

    Locked and silent tracks are left alone. A new one is mono, as our takes are, and stands below all others.

    Raises:
        OutputError: Resolve makes no track, or another than was asked for.
    """
    known = {timeline.GetTrackName("audio", index): index for index in track_indices(timeline)}
    for number in count(1):
        wanted = name if number == 1 else f"{name} {number}"
        index = known.get(wanted)
        if index is None:
            return _new_track(timeline, wanted, steps)
        usable = timeline.GetIsTrackEnabled("audio", index) and not timeline.GetIsTrackLocked("audio", index)
        if usable and is_free(timeline, index, start, stop):
            return index
    raise AssertionError("unreachable: count has no end")


def is_free(timeline: Any, index: int, start: int, stop: int) -> bool:
    """Whether nothing lies on an audio track over absolute frames `[start, stop)`."""
    return not any(
        int(item.GetStart()) < stop and start < int(item.GetStart()) + int(item.GetDuration())
        for item in items_on(timeline, index)
    )


def _new_track(timeline: Any, name: str, steps: Steps) -> int:
    before = len(track_indices(timeline))
    timeline.AddTrack("audio", "mono")
    index = len(track_indices(timeline))
    if index != before + 1:
        raise OutputError("Resolve made no audio track for the sound; add one in the timeline and try again.")
    steps.done(f"the audio track {name}", lambda: _track_removed(timeline, index))
    timeline.SetTrackName("audio", index, name)
    kind = timeline.GetTrackSubType("audio", index) if offers(timeline, "GetTrackSubType") else "mono"
    if timeline.GetTrackName("audio", index) != name or kind != "mono":
        raise OutputError(
            f"Resolve made the audio track “{timeline.GetTrackName('audio', index)}” ({kind}) instead of “{name}” "
            "(mono); nothing was placed."
        )
    return index


def _track_removed(timeline: Any, index: int) -> bool:
    if index > len(track_indices(timeline)) or items_on(timeline, index):
        return False  # somebody else has put something there meanwhile, or the tracks were moved
    timeline.DeleteTrack("audio", index)
    return len(track_indices(timeline)) == index - 1
