"""The generated clips on Resolve's timeline: which items belong together, which take is heard; and the same as OTIO.

The takes of a clip lie over each other: the one that is heard on its own track, the others beside it on further tracks,
silenced; or all in one item's take selector. What was made in one place belongs together, so that a copy of a clip
that the editor made is a clip of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import opentimelineio as otio

from diffava_resolve.editor.resolve.audio_tracks import audio_items
from diffava_resolve.editor.resolve.media import media_path_of
from diffava_resolve.editor.resolve.program import Program, offers
from diffava_resolve.editor.resolve.records import Record, RecordedTake, Records
from diffava_resolve.timeline.receipts import Receipt
from diffava_resolve.timeline.takes import Take, take_reference, write_takes
from diffava_resolve.timeline.tracks import first_second, spans


@dataclass(frozen=True)
class TakeItem:
    """An item of the timeline that holds takes of ours. `start` is absolute, `left_frames` what was trimmed off."""

    item: Any
    track: int
    record: Record
    start: int
    left_frames: int
    is_heard: bool

    @property
    def heard_take(self) -> RecordedTake:
        """The take that this item plays if it is heard."""
        path = media_path_of(self.item.GetMediaPoolItem())
        return next((take for take in self.record.takes if take.media == path), self.record.takes[0])


@dataclass(frozen=True)
class GeneratedClip:
    """All takes of one clip."""

    clip_id: str
    items: tuple[TakeItem, ...]

    @property
    def heard(self) -> TakeItem:
        """The item that is heard; the first one where the editor has silenced all of them."""
        return next((one for one in self.items if one.is_heard), self.items[0])

    @property
    def takes(self) -> tuple[RecordedTake, ...]:
        """By number."""
        found = {take.number: take for one in self.items for take in one.record.takes}
        return tuple(found[number] for number in sorted(found))

    def item_of(self, number: int) -> TakeItem:
        """The item that holds a take."""
        return next(one for one in self.items if any(take.number == number for take in one.record.takes))


def is_enabled(item: Any) -> bool:
    """Whether a clip is switched on; always, where no script may ask."""
    return not offers(item, "GetClipEnabled") or item.GetClipEnabled() is not False


def generated_clips(program: Program) -> tuple[GeneratedClip, ...]:
    """Every generated clip of the timeline, by where it lies."""
    timeline = program.timeline
    records = Records(timeline)
    groups: dict[tuple[str, int], list[TakeItem]] = {}
    for track, item in audio_items(timeline):
        record = records.of(item)
        if record is None:
            continue
        start, left = int(item.GetStart()), int(item.GetLeftOffset())
        is_heard = bool(timeline.GetIsTrackEnabled("audio", track)) and is_enabled(item)
        one = TakeItem(item, track, record, start, left, is_heard)
        groups.setdefault((record.clip_id, start - left), []).append(one)
    ordered = sorted(groups.items(), key=lambda group: group[0][1])
    return tuple(GeneratedClip(clip_id, tuple(items)) for (clip_id, _), items in ordered)


def describe_in(timeline: Any, clips: Iterable[GeneratedClip], program: Program) -> None:
    """Write takes and receipts into the exported OTIO, where the clip that is heard lies in it."""
    tracks = timeline.audio_tracks()
    for clip in clips:
        heard = clip.heard
        found = (
            _clip_at(timeline, tracks[heard.track - 1], heard.start, program) if heard.track <= len(tracks) else None
        )
        if found is not None:
            write_takes(found, clip.clip_id, [_take_of(take) for take in clip.takes], heard.heard_take.number)
            # In the take's own time, whatever start timecode the editor has given the file.
            length = found.source_range.duration
            start = otio.opentime.RationalTime(heard.left_frames, length.rate)
            found.source_range = otio.opentime.TimeRange(start, length)


def _clip_at(timeline: Any, track: Any, start: int, program: Program) -> Any | None:
    origin_s = first_second(timeline.tracks) + first_second(track)
    for span in spans(track):
        is_clip = isinstance(span.child, otio.schema.Clip)
        if is_clip and round((span.start_s - origin_s) * program.rate) == start - program.label_frame:
            return span.child
    return None


def _take_of(take: RecordedTake) -> Take:
    sample_count = Receipt.from_metadata(take.receipt).region.sample_count
    return Take(take.number, take_reference(str(take.path), sample_count), take.receipt)
