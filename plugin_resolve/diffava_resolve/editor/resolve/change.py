"""A change of Resolve's timeline: takes placed, added to a clip, or chosen. Each step can be taken back.

Several takes go into the take selector of the item where audio has one, which is tried and read back; else the further
ones lie over the same range on tracks of their own, silenced. No item of the editor's is ever moved or deleted.
"""

from collections.abc import Sequence
from typing import Any

from diffava_resolve.editor.protocol import Placement
from diffava_resolve.editor.resolve.audio_tracks import items_on, track_with_room
from diffava_resolve.editor.resolve.generated import GeneratedClip, TakeItem, generated_clips, is_enabled
from diffava_resolve.editor.resolve.media import imported, media_path_of
from diffava_resolve.editor.resolve.placing import Placer, Spot
from diffava_resolve.editor.resolve.program import Program, offers
from diffava_resolve.editor.resolve.records import Record, RecordedTake, Records, forget, keep
from diffava_resolve.editor.resolve.steps import Steps
from diffava_resolve.errors import OutputError, RequestError
from diffava_resolve.spec import Region
from diffava_resolve.timeline.place import CLIP_NAME_CHARACTERS, PlacedTake
from diffava_resolve.timeline.positions import format_region
from diffava_resolve.timeline.takes import FoleyClip


class ResolveChange:
    """See `editor.protocol.Change`."""

    def __init__(self, program: Program, steps: Steps) -> None:
        self._program = program
        self._timeline = program.timeline
        self._steps = steps
        self._placer = Placer(program, steps)

    def place(self, region: Region, takes: Sequence[PlacedTake], clip_id: str, track_name: str) -> Placement:
        """Put takes on the timeline as one clip."""
        if not takes:
            raise RequestError("There is no take to place; ask for at least one.")
        self._refuse_other_rate(region)
        spot = self._spot(region, track_name)
        first = self._put(spot, clip_id, 1, takes[0])
        self._add(first, clip_id, 2, takes[1:], f"{track_name} takes")
        return self._read_back(first, clip_id, region)

    def add_takes(self, clip: FoleyClip, takes: Sequence[PlacedTake]) -> Placement:
        """Put further takes beside those of a clip; the first of them is heard."""
        found = self._found(clip)
        heard = found.heard
        number = max(take.number for take in found.takes) + 1
        track_name = self._timeline.GetTrackName("audio", heard.track)
        new = self._add(heard, found.clip_id, number, takes, f"{_plain(track_name)} takes")
        return self._hear(self._found(clip), new[0])

    def select(self, clip: FoleyClip, take_number: int) -> Placement:
        """Let another take of a clip be heard."""
        found = self._found(clip)
        if take_number not in [take.number for take in found.takes]:
            numbers = ", ".join(str(take.number) for take in found.takes)
            raise RequestError(f"Clip {clip.clip_id} has no take {take_number}; it has {numbers}.")
        return self._hear(found, take_number)

    def _spot(self, region: Region, track_name: str, left_frames: int = 0) -> Spot:
        start = region.label_frame + region.start_frame
        stop = region.label_frame + region.stop_frame
        track = track_with_room(self._timeline, track_name, start, stop, self._steps)
        return Spot(region, track, left_frames)

    def _put(self, spot: Spot, clip_id: str, number: int, take: PlacedTake) -> TakeItem:
        """One take as an item of its own, with its receipt."""
        item = self._placer.put(take.path, spot)
        if offers(item, "SetName"):
            item.SetName(take.receipt.job.prompt[:CLIP_NAME_CHARACTERS])
        media = media_path_of(item.GetMediaPoolItem())
        record = Record(clip_id, (RecordedTake(number, take.path, media, take.receipt.to_metadata()),))
        self._steps.done(f"the receipt of {clip_id}", lambda: _forgotten(self._timeline, item))
        keep(self._timeline, item, record)
        return TakeItem(item, spot.track, record, spot.start, spot.left_frames, True)

    def _add(
        self, beside: TakeItem, clip_id: str, number: int, takes: Sequence[PlacedTake], track_name: str
    ) -> list[int]:
        """Further takes, silenced; their numbers."""
        numbers = list(range(number, number + len(takes)))
        start = beside.start - self._program.label_frame
        region = self._program.region(start, start + int(beside.item.GetDuration()))
        for take_number, take in zip(numbers, takes, strict=True):
            if self._into_selector(beside, clip_id, take_number, take, region):
                continue
            spot = self._spot(region, track_name, beside.left_frames)
            self._set_heard(self._put(spot, clip_id, take_number, take), False)
        return numbers

    def _into_selector(self, beside: TakeItem, clip_id: str, number: int, take: PlacedTake, region: Region) -> bool:
        """Put a take into the item's take selector; False where audio has none, with nothing left of the try."""
        item = beside.item
        before, selected = int(item.GetTakesCount() or 0), int(item.GetSelectedTakeIndex() or 0)
        place = (int(item.GetStart()), int(item.GetDuration()))
        media = imported(self._program, take.path, self._steps)
        frames = region.stop_frame - region.start_frame
        item.AddTake(media, beside.left_frames, beside.left_frames + frames)
        count = int(item.GetTakesCount() or 0)
        if count == before:
            return False
        self._steps.done(f"take {number} of {clip_id}", lambda: _take_removed(item, count, selected))
        item.SelectTakeByIndex(max(selected, 1))
        if (int(item.GetStart()), int(item.GetDuration())) != place or media_path_of(
            item.GetMediaPoolItem()
        ) != media_path_of(beside.item.GetMediaPoolItem()):
            raise OutputError(f"Resolve's take selector moved {clip_id}; nothing was placed.")
        former = next(one for one in generated_clips(self._program) if one.clip_id == clip_id).item_of(
            beside.record.takes[0].number
        )
        recorded = RecordedTake(number, take.path, media_path_of(media), take.receipt.to_metadata())
        self._steps.done(f"the receipt of {clip_id}", lambda: _rewritten(self._timeline, item, former.record))
        keep(self._timeline, item, Record(clip_id, (*former.record.takes, recorded)))
        return True

    def _hear(self, found: GeneratedClip, number: int) -> Placement:
        """Let exactly one take be heard, and read back that it is."""
        for one in found.items:
            if self._timeline.GetIsTrackLocked("audio", one.track):
                name = self._timeline.GetTrackName("audio", one.track)
                raise RequestError(f"The track {name} of clip {found.clip_id} is locked; unlock it in the editor.")
        wanted = found.item_of(number)
        if len(wanted.record.takes) > 1:
            self._turn_selector(wanted, number)
        for one in found.items:
            self._set_heard(one, one is wanted)
        start = wanted.start - self._program.label_frame
        region = self._program.region(start, start + int(wanted.item.GetDuration()))
        return self._read_back(wanted, found.clip_id, region)

    def _turn_selector(self, wanted: TakeItem, number: int) -> None:
        item = wanted.item
        media = next(take.media for take in wanted.record.takes if take.number == number)
        before = int(item.GetSelectedTakeIndex() or 0)
        index = _selector_index(item, media)
        self._steps.done("the chosen take", lambda: bool(item.SelectTakeByIndex(before)) or before == 0)
        item.SelectTakeByIndex(index)
        if media_path_of(item.GetMediaPoolItem()) != media:
            raise OutputError(f"Resolve did not choose take {number} of {wanted.record.clip_id}; choose it by hand.")

    def _set_heard(self, one: TakeItem, is_heard: bool) -> None:
        """Let an item be heard or not, by itself or, where Resolve cannot, by its track if that has nothing else."""
        item, timeline = one.item, self._timeline
        if is_enabled(item) != is_heard:
            if offers(item, "SetClipEnabled"):
                item.SetClipEnabled(is_heard)
            if is_enabled(item) != is_heard:
                self._set_track_heard(one, is_heard)
            else:
                self._steps.done("a clip switched on or off", lambda: bool(item.SetClipEnabled(not is_heard)))
        elif is_heard and not timeline.GetIsTrackEnabled("audio", one.track):
            self._set_track_heard(one, True)

    def _set_track_heard(self, one: TakeItem, is_heard: bool) -> None:
        timeline = self._timeline
        ours = {each.item.GetUniqueId() for clip in generated_clips(self._program) for each in clip.items}
        others = [
            item for item in timeline.GetItemListInTrack("audio", one.track) or [] if item.GetUniqueId() not in ours
        ]
        name = timeline.GetTrackName("audio", one.track)
        if others or not name.endswith(" takes"):
            raise OutputError(
                f"This Resolve lets no script switch single clips on or off, and {one.record.clip_id} shares the track "
                f"{name}; disable or enable the clip by hand (D)."
            )
        timeline.SetTrackEnable("audio", one.track, is_heard)
        if bool(timeline.GetIsTrackEnabled("audio", one.track)) != is_heard:
            raise OutputError(f"Resolve did not switch the track {name}; do it by hand.")
        self._steps.done(f"the track {name}", lambda: bool(timeline.SetTrackEnable("audio", one.track, not is_heard)))

    def _read_back(self, wanted: TakeItem, clip_id: str, region: Region) -> Placement:
        """Where the clip lies now, by listing its track again: that of a long timeline alone, not all of them."""
        identity, timeline = wanted.item.GetUniqueId(), self._timeline
        item = next((one for one in items_on(timeline, wanted.track) if one.GetUniqueId() == identity), None)
        record = None if item is None else Records(timeline).of(item)
        if item is None or record is None or record.clip_id != clip_id:
            raise OutputError(f"{clip_id} is not on the timeline after it was placed; nothing was changed.")
        start = int(item.GetStart()) - self._program.label_frame
        found = self._program.region(start, start + int(item.GetDuration()))
        if found != region or not is_enabled(item):
            raise OutputError(
                f"{clip_id} should be heard {format_region(region)} and lies {format_region(found)}; nothing was "
                "changed."
            )
        name = timeline.GetTrackName("audio", wanted.track)
        return Placement(clip_id, name, found, tuple(self._program.notes))

    def _found(self, clip: FoleyClip) -> GeneratedClip:
        clip_id = clip.clip_id.partition("~")[0]
        start = clip.take_region.start_frame + self._program.label_frame
        for found in generated_clips(self._program):
            if found.clip_id == clip_id and found.heard.start - found.heard.left_frames == start:
                return found
        raise RequestError(f"The clip {clip.clip_id} is not where it was; it was moved or deleted. Try again.")

    def _refuse_other_rate(self, region: Region) -> None:
        if region.rate != self._program.rate:
            raise OutputError(
                f"The range counts in {float(region.rate):g} frames a second and the timeline in "
                f"{float(self._program.rate):g}; choose the range again."
            )


def _plain(track_name: str) -> str:
    """`Foley` of `Foley takes`, on which a chosen take may lie."""
    return track_name.partition(" takes")[0]


def _selector_index(item: Any, media: Any) -> int:
    for index in range(1, int(item.GetTakesCount() or 0) + 1):
        take = item.GetTakeByIndex(index) or {}
        if take.get("mediaPoolItem") and media_path_of(take["mediaPoolItem"]) == media:
            return index
    raise RequestError("The take is not in the clip's take selector any more; it was deleted there.")


def _take_removed(item: Any, index: int, selected: int) -> bool:
    item.SelectTakeByIndex(max(selected, 1))
    item.DeleteTakeByIndex(index)
    return int(item.GetTakesCount() or 0) < index


def _rewritten(timeline: Any, item: Any, record: Record) -> bool:
    keep(timeline, item, record)
    return True


def _forgotten(timeline: Any, item: Any) -> bool:
    forget(timeline, item)
    return True
