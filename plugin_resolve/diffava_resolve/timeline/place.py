"""Placing takes on a timeline as a clip, listing such clips, choosing and replacing their takes.

Every function gives a new timeline; the one passed in stays as it was. A clip is placed in whole frames at the
timeline's own rate, in the gap as in its source range, since that is what every editor reads; its media reference has
the WAV's exact samples. Both agree: the second at which frame n begins, times 48000 and rounded, is
`sample_of_frame(n)`, and the WAV has exactly the samples between its two ends, although at 29.97 the frames alone would
give a fraction of one more or less. Media of a timeline are relative to a `base_directory`, the folder in which it
lies. Writes no files.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import opentimelineio as otio

from diffava_resolve.errors import OutputError, RequestError
from diffava_resolve.spec import Region
from diffava_resolve.timeline.audio_file import sample_count_of
from diffava_resolve.timeline.media_urls import media_url
from diffava_resolve.timeline.rates import is_drop_frame, label_frame, seconds_of, timeline_rate
from diffava_resolve.timeline.receipts import Receipt
from diffava_resolve.timeline.takes import FoleyClip, Take, read_takes, stored_clip_id, take_reference, write_takes
from diffava_resolve.timeline.tracks import first_second, frames, put_on_track, spans, spelled_rate

CLIP_ID_PREFIX = "foley-"
CLIP_NAME_CHARACTERS = 60


@dataclass(frozen=True)
class PlacedTake:
    """A finished WAV and how it came to be."""

    path: Path
    receipt: Receipt


def media_folder(output: Path) -> Path:
    """The folder beside an output timeline for its takes: `cut.otio` has `cut.foley`.

    Characters that mean something in a URL or are refused by Windows become `_`: some readers take a media path for a
    URL, others do not, and `#`, `?` or `%` break half of them.
    """
    return output.with_name(re.sub(r'[#?%:*"<>|\\\x00-\x1f]', "_", output.stem) + ".foley")


def new_clip_id(timeline: otio.schema.Timeline, taken: Iterable[str] = ()) -> str:
    """The first of `foley-1`, `foley-2` ... that no clip of the timeline has and that is not `taken`.

    It is good as the stem of the clip's files too.
    """
    used = {*taken, *(stored_clip_id(clip) for clip in timeline.find_clips())}
    return next(name for name in (f"{CLIP_ID_PREFIX}{number}" for number in count(1)) if name not in used)


def place_takes(
    timeline: otio.schema.Timeline,
    region: Region,
    takes: Sequence[PlacedTake],
    base_directory: Path,
    *,
    track_name: str = "Foley",
    clip_name: str = "",
    clip_id: str = "",
) -> otio.schema.Timeline:
    """The timeline with `takes` as one clip at `region`, the first take chosen.

    Args:
        timeline: The timeline; it stays as it was.
        region: Where, in the timeline's frames; each take has exactly its samples.
        takes: At least one.
        base_directory: The folder in which the timeline lies.
        track_name: An audio track. If it has no room there, a further one (`Foley 2`) is taken or created.
        clip_name: By default the prompt.
        clip_id: By default `new_clip_id`.

    Raises:
        RequestError: There are no takes.
        MediaError: A take cannot be read.
        OutputError: A take has another length than the region, or the clip did not land where it should.
    """
    if not takes:
        raise RequestError("There is no take to place; ask for at least one.")
    for take in takes:
        _check_length(take.path, region)
    placed = timeline.deepcopy()
    rate = spelled_rate(timeline, region.rate)
    clip = otio.schema.Clip(
        name=(clip_name or takes[0].receipt.job.prompt)[:CLIP_NAME_CHARACTERS],
        source_range=otio.opentime.TimeRange(frames(0, rate), frames(region.stop_frame - region.start_frame, rate)),
    )
    clip_id = clip_id or new_clip_id(timeline)
    write_takes(clip, clip_id, _numbered(takes, base_directory, first_number=1), chosen_number=1)
    put_on_track(placed, clip, region.start_frame, track_name)
    _verify(placed, clip, region)
    return placed


def foley_clips(timeline: otio.schema.Timeline) -> tuple[FoleyClip, ...]:
    """The generated clips on the timeline's tracks, by track and then by time.

    Of clips with the same id (an editor copied one), the second is called `foley-1~2` and so on.

    Raises:
        TimelineError: A clip's metadata is damaged or of a newer version.
    """
    found: list[FoleyClip] = []
    seen: dict[str, int] = {}
    for track in timeline.tracks:
        for child in track if isinstance(track, otio.schema.Track) else ():
            takes = read_takes(child) if isinstance(child, otio.schema.Clip) else None
            if takes is None:
                continue
            clip_id = takes[0]
            seen[clip_id] = seen.get(clip_id, 0) + 1
            shown_id = clip_id if seen[clip_id] == 1 else f"{clip_id}~{seen[clip_id]}"
            found.append(_foley_clip(timeline, track, child, shown_id, takes[1], takes[2]))
    return tuple(found)


def find_clip(timeline: otio.schema.Timeline, clip_id: str) -> FoleyClip:
    """The generated clip of that id.

    Raises:
        RequestError: There is none.
    """
    clips = foley_clips(timeline)
    for clip in clips:
        if clip.clip_id == clip_id:
            return clip
    known = "it has " + ", ".join(clip.clip_id for clip in clips) if clips else "it has no generated clips"
    raise RequestError(f"The timeline has no generated clip {clip_id}; {known}.")


def replace_takes(
    timeline: otio.schema.Timeline,
    clip_id: str,
    takes: Sequence[PlacedTake],
    base_directory: Path,
    *,
    keep_former: bool = True,
) -> otio.schema.Timeline:
    """The timeline with new takes in a clip, the first of them chosen; where the clip lies stays as it is.

    The former takes stay as further ones unless `keep_former` is False; numbers go on, so that one never means two.

    Raises:
        RequestError: There is no such clip, or there are no takes.
        MediaError: A take cannot be read.
        OutputError: A take has another length than the clip's former ones.
    """
    if not takes:
        raise RequestError("There is no take to put in; ask for at least one.")
    changed = timeline.deepcopy()
    found = find_clip(changed, clip_id)
    for take in takes:
        _check_length(take.path, found.chosen.receipt.region)
    first_number = max(take.number for take in found.takes) + 1
    former = found.takes if keep_former else ()
    new = _numbered(takes, base_directory, first_number)
    write_takes(found.clip, _stored_id(found), (*former, *new), chosen_number=first_number)
    return changed


def select_take(timeline: otio.schema.Timeline, clip_id: str, take_number: int) -> otio.schema.Timeline:
    """The timeline with another take of a clip heard.

    Raises:
        RequestError: There is no such clip or take.
    """
    changed = timeline.deepcopy()
    found = find_clip(changed, clip_id)
    write_takes(found.clip, _stored_id(found), found.takes, found.take(take_number).number)
    return changed


def _numbered(takes: Sequence[PlacedTake], base_directory: Path, first_number: int) -> list[Take]:
    return [
        Take(
            number,
            take_reference(media_url(take.path, base_directory), take.receipt.region.sample_count),
            take.receipt.to_metadata(),
        )
        for number, take in enumerate(takes, first_number)
    ]


def _foley_clip(
    timeline: otio.schema.Timeline, track: Any, clip: Any, clip_id: str, takes: tuple[Take, ...], chosen: int
) -> FoleyClip:
    rate = timeline_rate(timeline)
    span = next(span for span in spans(track) if span.child is clip)
    origin_s = first_second(timeline.tracks) + first_second(track)
    start, stop = round((span.start_s - origin_s) * rate), round((span.stop_s - origin_s) * rate)
    birthplace = takes[0].receipt.region
    take_start = start - round(seconds_of(clip.trimmed_range().start_time) * rate)
    label, drop = label_frame(timeline), is_drop_frame(timeline)
    return FoleyClip(
        clip_id=clip_id,
        name=clip.name,
        track_name=track.name,
        region=Region(rate, label, start, stop, drop),
        take_region=Region(rate, label, take_start, take_start + birthplace.stop_frame - birthplace.start_frame, drop),
        takes=takes,
        chosen_number=chosen,
        clip=clip,
    )


def _stored_id(found: FoleyClip) -> str:
    return found.clip_id.partition("~")[0]


def _check_length(path: Path, region: Region) -> None:
    found = sample_count_of(path)
    if found != region.sample_count:
        raise OutputError(
            f"{path} has {found} samples and its range {region.sample_count}; it cannot be placed. Generate it anew."
        )


def _verify(timeline: otio.schema.Timeline, clip: otio.schema.Clip, region: Region) -> None:
    """Read back what was placed: a wrong position must be an error here, not a surprise in the editor."""
    read = read_takes(clip)
    if read is None:
        raise OutputError("The placed clip cannot be read back; nothing was written. Please report this timeline.")
    found = _foley_clip(timeline, clip.parent(), clip, *read)
    placed = (found.region.start_frame, found.region.stop_frame)
    if placed != (region.start_frame, region.stop_frame) or found.region.rate != region.rate:
        raise OutputError(
            f"The clip should lie at frames {region.start_frame} to {region.stop_frame} at {region.rate} and landed at "
            f"{placed[0]} to {placed[1]} at {found.region.rate}; nothing was written. Please report this timeline."
        )
