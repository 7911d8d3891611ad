"""The demo's story: a cut is drawn, foley is made for it, and the result is shown as a movie and a picture."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from diffava_resolve.client.protocol import Event, FoleyClient
from diffava_resolve.demo.cut import DemoCut, write_cut
from diffava_resolve.demo.picture import TakePicture, Thumbnail, draw
from diffava_resolve.demo.preview import write_preview
from diffava_resolve.demo.stage import HEIGHT_PIXELS, WIDTH_PIXELS
from diffava_resolve.files import write_whole
from diffava_resolve.frames.foreign import frames_of
from diffava_resolve.frames.onsets import onsets_s
from diffava_resolve.frames.sync import SyncMeasurement, measure_sync
from diffava_resolve.session import FoleySettings, PlacedClip, Wanted, generate_foley
from diffava_resolve.spec import FrameFormat, Picture
from diffava_resolve.timeline.audio_file import read_blocks
from diffava_resolve.timeline.positions import format_timecode
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import clips_of, region_of_timeline
from diffava_resolve.timeline.viewer import picture_of

TAKE_COUNT = 2
SEED = 7
TOLERANCE_S = Fraction(1, 20)  # what a viewer still takes for one event
_THUMBNAIL_COUNT = 9


@dataclass(frozen=True)
class DemoResult:
    """The results, the cut that they were made from, and how the first takes' onsets meet the cut's own hits."""

    cut: DemoCut
    timeline_path: Path
    take_paths: tuple[Path, ...]
    preview_path: Path
    picture_path: Path
    sync: SyncMeasurement


def run_demo(
    directory: Path, model: str, client: FoleyClient, *, on_event: Callable[[Event], None] = lambda event: None
) -> DemoResult:
    """Draw the cut, make two takes of foley for each of its clips, and show the first ones.

    Args:
        directory: Made if it is missing. `demo.otio`, `demo.foley/`, `demo.mp4` and `demo.png` in it are replaced.
        model: One of the server's; empty for its default.
        client: The server.
        on_event: Told of the job's progress.

    Raises:
        FoleyError: The server, the disk or the media failed.
    """
    cut = write_cut(directory / "demo.media")
    timeline = read_timeline(cut.timeline_path)
    region = region_of_timeline(timeline)
    wanted = [
        Wanted(clip.region, FoleySettings(prompt=prompt, model=model, take_count=TAKE_COUNT, seed=SEED))
        for clip, prompt in zip(clips_of(timeline), cut.prompts, strict=True)
    ]
    timeline_path = directory / "demo.otio"
    clips = generate_foley(timeline, cut.timeline_path, wanted, client, timeline_path, on_event=on_event)
    picture = picture_of(timeline, region, cut.timeline_path.parent)
    samples = np.concatenate(
        [block for clip in clips for block in read_blocks(clip.takes[0].path, 0, clip.region.sample_count)]
    )
    onsets = _onsets(clips)
    duration_s = (region.stop_frame - region.start_frame) / region.rate
    sync = measure_sync(cut.hits_s, onsets, region.rate, duration_s, TOLERANCE_S)
    preview_path, picture_path = directory / "demo.mp4", directory / "demo.png"
    each_frame = FrameFormat(region.rate, WIDTH_PIXELS, HEIGHT_PIXELS)
    write_whole(
        preview_path, lambda target: write_preview(target, frames_of(picture, each_frame), region.rate, samples)
    )
    content = _take_picture(picture, clips, samples, cut.hits_s, onsets, sync)
    write_whole(picture_path, lambda target: draw(content, target))
    take_paths = tuple(take.path for clip in clips for take in clip.takes)
    return DemoResult(cut, timeline_path, take_paths, preview_path, picture_path, sync)


def in_words(sync: SyncMeasurement) -> str:
    """How sound and picture meet, for a person."""
    count = (
        f"{sync.matched_count} of {sync.hit_count} hits have an onset within {float(sync.tolerance_s) * 1000:.0f} ms"
    )
    chance = f"{sync.matched_by_chance:.1f} would by chance"
    if sync.median_absolute_error_ms is None:
        return f"{count}; {chance}"
    return f"{count}, {sync.median_absolute_error_ms:.0f} ms apart in the median; {chance}"


def _onsets(clips: Sequence[PlacedClip]) -> tuple[float, ...]:
    """When the first takes' sounds begin, in seconds of the timeline."""
    return tuple(
        float(clip.region.start_frame / clip.region.rate) + second
        for clip in clips
        for second in onsets_s(clip.takes[0].path)
    )


def _take_picture(
    picture: Picture,
    clips: Sequence[PlacedClip],
    samples: np.ndarray,
    hits_s: tuple[float, ...],
    heard_s: tuple[float, ...],
    sync: SyncMeasurement,
) -> TakePicture:
    """What the picture of the clips' first takes shows; `samples` is those takes in a row, float32 `[S]`."""
    region = picture.region
    receipts = [clip.takes[0].receipt for clip in clips]

    def timecode(frame: int) -> str:
        return format_timecode(frame, region.rate, region.label_frame, region.drop_frame)

    nominal = round(region.rate)
    return TakePicture(
        title=f"Foley for {timecode(region.start_frame)} – {timecode(region.stop_frame)}",
        subtitle=" · ".join(f"“{receipt.job.prompt}”" for receipt in receipts)
        + f" · take 1 of {len(clips[0].takes)} · model {receipts[0].job.model}",
        measured=in_words(sync),
        thumbnails=list(_thumbnails(picture)),
        samples=samples,
        cuts_s=[_second_of(picture, frame) for frame in picture.cut_frames],
        hits_s=hits_s,
        onsets_s=heard_s,
        labels=[
            (_second_of(picture, frame), timecode(frame))
            for frame in range(region.start_frame, region.stop_frame, nominal)
        ],
    )


def _second_of(picture: Picture, frame: float) -> float:
    return (frame - picture.region.start_frame) / float(picture.region.rate)


def _thumbnails(picture: Picture) -> Iterator[Thumbnail]:
    """Pictures from the middle of equal parts of each shot, so that none stands for two shots."""
    region = picture.region
    edges = (region.start_frame, *picture.cut_frames, region.stop_frame)
    for start, stop in pairwise(edges):
        shot = replace(picture, region=replace(region, start_frame=start, stop_frame=stop))
        share = (stop - start) / (region.stop_frame - region.start_frame)
        count = max(1, round(_THUMBNAIL_COUNT * share))
        coarse = FrameFormat(count * region.rate / (stop - start), WIDTH_PIXELS // 2, HEIGHT_PIXELS // 2)
        pictures = (rgb for block in frames_of(shot, coarse) for rgb in block)
        width = (stop - start) / count
        for number, rgb in enumerate(islice(pictures, count)):
            yield Thumbnail(
                _second_of(picture, start + number * width), _second_of(picture, start + (number + 1) * width), rgb
            )
