"""The receipt of a clip where Resolve keeps it: with a marker that a person can read, and in the media's metadata.

A record is `{"diffava": 1, "clip_id": "foley-1", "takes": [{"number", "path", "media", "receipt"}]}` as JSON text.
`path` is the take, `media` the file that Resolve plays, which is the same unless it had to be lengthened by silence.
It is written as customData of a marker on the clip, and as third-party metadata of the media (from 19.0.2). Whether
audio clips keep markers in every version is not documented, so each is read back; where neither is kept, a marker of
the timeline has it, for the clip of that identity.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffava_resolve.editor.resolve.program import offers
from diffava_resolve.errors import OutputError, TimelineError
from diffava_resolve.timeline.receipts import SCHEMA_VERSION, Receipt

METADATA_KEY = "DiffAVA"
COLOUR = "Mint"
_MARK = '"diffava":'
_TRIED_FRAMES = 8  # a timeline has one marker a frame


@dataclass(frozen=True)
class RecordedTake:
    """One take of a clip: its file, what Resolve plays, and how it came to be."""

    number: int
    path: Path
    media: Path
    receipt: Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """What is known of the takes that one clip on the timeline holds: one, or with a take selector several."""

    clip_id: str
    takes: tuple[RecordedTake, ...]

    def text(self, item_id: str = "") -> str:
        """As JSON."""
        takes = [
            {"number": take.number, "path": str(take.path), "media": str(take.media), "receipt": dict(take.receipt)}
            for take in self.takes
        ]
        content = {"diffava": SCHEMA_VERSION, "clip_id": self.clip_id, "takes": takes}
        return json.dumps(content | ({"item": item_id} if item_id else {}), separators=(",", ":"))


def is_ours(text: object) -> bool:
    """Whether a marker's customData is a record."""
    return isinstance(text, str) and text.startswith("{" + _MARK)


def record_of(text: object) -> Record | None:
    """The record in a text; None if it is none, or was cut off.

    Raises:
        TimelineError: It is of a newer version, or damaged.
    """
    if not is_ours(text):
        return None
    try:
        content = json.loads(str(text))
    except ValueError:
        return None
    if content["diffava"] > SCHEMA_VERSION:
        raise TimelineError(
            f"Clip {content.get('clip_id')} has schema version {content['diffava']}, this program reads up to "
            f"{SCHEMA_VERSION}; update diffava-foley to work on it."
        )
    try:
        takes = tuple(
            RecordedTake(int(one["number"]), Path(one["path"]), Path(one["media"]), one["receipt"])
            for one in content["takes"]
        )
        return Record(str(content["clip_id"]), takes)
    except (KeyError, TypeError, ValueError) as error:
        raise TimelineError(f"The receipt of clip {content.get('clip_id')} is damaged; generate it anew.") from error


class Records:
    """The records of a timeline's clips; markers of the timeline itself are read once."""

    def __init__(self, timeline: Any) -> None:
        self._timeline = timeline
        texts = [marker.get("customData") for marker in (timeline.GetMarkers() or {}).values()]
        self._by_item = {json.loads(text).get("item"): text for text in texts if is_ours(text) and record_of(text)}

    def of(self, item: Any) -> Record | None:
        """The record of a clip; None if it is none of ours."""
        for marker in (item.GetMarkers() or {}).values():
            found = record_of(marker.get("customData"))
            if found:
                return found
        media = item.GetMediaPoolItem()
        if media and offers(media, "GetThirdPartyMetadata"):
            found = record_of((media.GetThirdPartyMetadata() or {}).get(METADATA_KEY))
            if found:
                return found
        return record_of(self._by_item.get(item.GetUniqueId()))


def keep(timeline: Any, item: Any, record: Record) -> None:
    """Write the record of a clip and read it back, in place of one that it has.

    Raises:
        OutputError: Resolve keeps it nowhere.
    """
    forget(timeline, item)
    receipt = Receipt.from_metadata(record.takes[-1].receipt)
    text = record.text()
    words = (f"DiffAVA {record.clip_id}", _in_words(receipt))
    item.AddMarker(0, COLOUR, *words, 1, text)
    kept = any(record_of(marker.get("customData")) == record for marker in (item.GetMarkers() or {}).values())
    media = item.GetMediaPoolItem()
    if offers(media, "SetThirdPartyMetadata"):
        media.SetThirdPartyMetadata({METADATA_KEY: text})
        kept = kept or record_of((media.GetThirdPartyMetadata() or {}).get(METADATA_KEY)) == record
    if kept:
        return
    first = int(item.GetStart()) - int(timeline.GetStartFrame())
    with_item = record.text(item.GetUniqueId())
    for frame in range(first, first + _TRIED_FRAMES):
        timeline.AddMarker(frame, COLOUR, *words, 1, with_item)
        found = timeline.GetMarkerCustomData(frame)
        if found == with_item:
            return
        if is_ours(found) and record_of(found) is None:  # cut off: of no use to anybody
            timeline.DeleteMarkerAtFrame(frame)
    raise OutputError(f"Resolve keeps no receipt for {record.clip_id}, neither with the clip nor with its media.")


def forget(timeline: Any, item: Any) -> None:
    """Take away the markers that hold the record of a clip."""
    for frame, marker in list((item.GetMarkers() or {}).items()):
        if is_ours(marker.get("customData")):
            item.DeleteMarkerAtFrame(float(frame))
    identity = item.GetUniqueId()
    for frame, marker in list((timeline.GetMarkers() or {}).items()):
        text = marker.get("customData")
        if is_ours(text) and record_of(text) and json.loads(text).get("item") == identity:
            timeline.DeleteMarkerAtFrame(float(frame))


def _in_words(receipt: Receipt) -> str:
    loudness = "" if receipt.loudness_lufs is None else f", {receipt.loudness_lufs:.1f} LUFS"
    return (
        f"{receipt.job.prompt} · {receipt.job.model}, seed {receipt.seed}{loudness}, {receipt.model_licence}, "
        f"sha256 {receipt.wav_sha256[:12]}"
    )
