"""The takes of one generated clip: how they are kept in an OTIO clip, read from it and chosen. Knows no tracks.

The chosen take is the media reference `DEFAULT_MEDIA`, which every editor plays; the others are `take-2` and so on, by
the take's number, which never changes. `clip.metadata["diffava"]` holds the clip's id and a receipt per take:
`{"schema_version": 1, "clip_id": "foley-1", "takes": [{"number": 1, "key": "DEFAULT_MEDIA", "receipt": {...}}, ...]}`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import opentimelineio as otio

from diffava_resolve.errors import RequestError, TimelineError
from diffava_resolve.spec import SAMPLE_RATE_HZ, Region
from diffava_resolve.timeline.media_urls import media_path
from diffava_resolve.timeline.positions import format_region
from diffava_resolve.timeline.receipts import SCHEMA_VERSION, Receipt

METADATA_KEY = "diffava"
CHOSEN_KEY = "DEFAULT_MEDIA"


@dataclass(frozen=True)
class Take:
    """One take of a clip. `receipt_metadata` stays as it was read, so that nothing of it is lost in between."""

    number: int
    reference: Any = field(repr=False, compare=False)  # otio.schema.ExternalReference
    receipt_metadata: Mapping[str, Any] = field(repr=False)

    @property
    def target_url(self) -> str:
        """Where the WAV lies, as the timeline says it: usually relative to the timeline's folder."""
        return str(self.reference.target_url)

    @property
    def receipt(self) -> Receipt:
        """How the take came to be.

        Raises:
            TimelineError: The receipt is damaged or of a newer version.
        """
        return Receipt.from_metadata(self.receipt_metadata)


@dataclass(frozen=True)
class FoleyClip:
    """A generated clip on a timeline.

    `region` is what the viewer hears of it now; `take_region` where the whole take would lie. They differ once
    somebody has trimmed the clip. A clip that was moved off the frame grid is said at the nearest frame.
    """

    clip_id: str
    name: str
    track_name: str
    region: Region
    take_region: Region
    takes: tuple[Take, ...]
    chosen_number: int
    clip: Any = field(repr=False, compare=False)  # otio.schema.Clip

    @property
    def chosen(self) -> Take:
        """The take that is heard."""
        return self.take(self.chosen_number)

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """A receipt per take, in the takes' order."""
        return tuple(take.receipt for take in self.takes)

    def take(self, number: int) -> Take:
        """The take of that number.

        Raises:
            RequestError: There is none.
        """
        for take in self.takes:
            if take.number == number:
                return take
        numbers = ", ".join(str(take.number) for take in self.takes)
        raise RequestError(f"Clip {self.clip_id} has no take {number}; it has {numbers}.")

    def take_path(self, take: Take, base_directory: Path) -> Path:
        """The WAV of a take, for a timeline that lies in `base_directory`."""
        return media_path(take.target_url, base_directory)

    def samples_of(self, region: Region) -> tuple[int, int]:
        """The samples of the take that are heard during `region` of the timeline, `[start, stop)`.

        Counted from where the take was made, not from where it lies now: at 29.97 and 59.94 a frame's length in samples
        depends on its number, and the WAV has the lengths of its birthplace.

        Raises:
            RequestError: `region` is not inside the clip.
        """
        if not self.region.start_frame <= region.start_frame < region.stop_frame <= self.region.stop_frame:
            raise RequestError(
                f"{format_region(region)} is not inside clip {self.clip_id}, which lies at "
                f"{format_region(self.region)}; choose a range inside it."
            )
        return self.sample_of_frame(region.start_frame), self.sample_of_frame(region.stop_frame)

    def sample_of_frame(self, frame: int) -> int:
        """The sample of the take at which a frame of the timeline begins; as `samples_of`."""
        origin = self.chosen.receipt.region
        return origin.sample_of_frame(frame + origin.start_frame - self.take_region.start_frame)


def take_reference(target_url: str, sample_count: int) -> Any:
    """The media reference of a WAV. Its range is in samples from 0, exactly as long as the file."""
    return otio.schema.ExternalReference(
        target_url=target_url,
        available_range=otio.opentime.TimeRange(
            otio.opentime.RationalTime(0, SAMPLE_RATE_HZ), otio.opentime.RationalTime(sample_count, SAMPLE_RATE_HZ)
        ),
    )


def write_takes(clip: Any, clip_id: str, takes: Iterable[Take], chosen_number: int) -> None:
    """Make `takes` the takes of an OTIO clip, with `chosen_number` the one that is heard."""
    entries = sorted(takes, key=lambda take: take.number)
    keys = {take.number: CHOSEN_KEY if take.number == chosen_number else f"take-{take.number}" for take in entries}
    clip.set_media_references({keys[take.number]: take.reference.clone() for take in entries}, CHOSEN_KEY)
    clip.metadata[METADATA_KEY] = {
        "schema_version": SCHEMA_VERSION,
        "clip_id": clip_id,
        "takes": [
            {"number": take.number, "key": keys[take.number], "receipt": plain(take.receipt_metadata)}
            for take in entries
        ],
    }


def read_takes(clip: Any) -> tuple[str, tuple[Take, ...], int] | None:
    """The id, the takes and the chosen one's number of a clip; None if it is none of ours.

    A take whose media reference an editor has dropped is left out; the receipt alone is of no use.

    Raises:
        TimelineError: The metadata is damaged or of a newer version.
    """
    metadata = plain(clip.metadata.get(METADATA_KEY))
    if not isinstance(metadata, dict) or "clip_id" not in metadata:
        return None
    version = metadata.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise TimelineError(
            f"Clip {metadata['clip_id']} has schema version {version}, this program reads up to "
            f"{SCHEMA_VERSION}; update diffava-foley to work on it."
        )
    references = clip.media_references()
    try:
        found = [(entry["key"], int(entry["number"]), entry["receipt"]) for entry in metadata["takes"]]
    except (KeyError, TypeError, ValueError) as error:
        raise TimelineError(f"The takes of clip {metadata['clip_id']} are damaged; generate the clip anew.") from error
    takes = tuple(
        Take(number, references[key], receipt)
        for key, number, receipt in found
        if isinstance(references.get(key), otio.schema.ExternalReference)
    )
    chosen = [number for key, number, _ in found if key == clip.active_media_reference_key and key in references]
    if not takes or not chosen:
        return None
    return str(metadata["clip_id"]), takes, chosen[0]


def stored_clip_id(clip: Any) -> str | None:
    """The id that a clip's metadata has, even where the rest of it cannot be read; None if it is none of ours."""
    metadata = plain(clip.metadata.get(METADATA_KEY))
    return str(metadata["clip_id"]) if isinstance(metadata, dict) and "clip_id" in metadata else None


def plain(value: Any) -> Any:
    """OTIO's own dictionaries and vectors as Python's, all the way down."""
    if isinstance(value, Mapping | otio._otio.AnyDictionary):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | otio._otio.AnyVector):
        return [plain(item) for item in value]
    return value
