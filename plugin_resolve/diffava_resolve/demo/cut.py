"""Write the demo's cut: three movie files at 24000/1001 and a timeline that plays a part of each.

The clips start inside their media (handles before and after), the media carry their own timecode and the timeline
starts at 01:00:00:00, as a real cut would.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import opentimelineio as otio

from diffava_resolve.demo.shots import Shot, demo_shots
from diffava_resolve.demo.stage import HEIGHT_PIXELS, WIDTH_PIXELS
from diffava_resolve.files import write_whole
from diffava_resolve.timeline.export import write_otio

RATE = Fraction(24000, 1001)
SHOT_FRAMES = 64
HANDLE_FRAMES = 6
MEDIA_LABEL_FRAME = 36_000 * 24  # 10:00:00:00
TIMELINE_LABEL_FRAME = 3_600 * 24  # 01:00:00:00


@dataclass(frozen=True)
class DemoCut:
    """The cut on disk, what to ask for in each clip, and the timeline seconds at which something visibly hits."""

    timeline_path: Path
    prompts: tuple[str, ...]
    hits_s: tuple[float, ...]


def write_cut(directory: Path) -> DemoCut:
    """Render the shots into `directory` and write `cut.otio` beside them; what is already there is kept."""
    directory.mkdir(parents=True, exist_ok=True)
    media_frames = SHOT_FRAMES + 2 * HANDLE_FRAMES
    shots = demo_shots(RATE)
    for shot in shots:
        path = directory / f"{shot.name}.mp4"
        if not path.exists():
            write_whole(path, partial(_render, shot=shot, frame_count=media_frames))
    timeline_path = directory / "cut.otio"
    write_otio(_timeline(shots, media_frames), directory, timeline_path)
    return DemoCut(timeline_path, tuple(shot.prompt for shot in shots), _visible_hits(shots))


def _render(target: Path, shot: Shot, frame_count: int) -> None:
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "16", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PIXELS, HEIGHT_PIXELS, "yuv420p"
        for number in range(frame_count):
            image = shot.draw(float((number + Fraction(1, 2)) / RATE))  # a frame shows the middle of its time
            pixels = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def _timeline(shots: tuple[Shot, ...], media_frames: int) -> otio.schema.Timeline:
    rate = float(RATE)
    start = otio.opentime.RationalTime(MEDIA_LABEL_FRAME, rate)
    label = otio.opentime.RationalTime(TIMELINE_LABEL_FRAME, rate)
    timeline = otio.schema.Timeline("DiffAVA demo", global_start_time=label)
    track = otio.schema.Track("Video 1", kind=otio.schema.TrackKind.Video)
    for shot in shots:
        media = otio.schema.ExternalReference(
            target_url=f"{shot.name}.mp4",
            available_range=otio.opentime.TimeRange(start, otio.opentime.RationalTime(media_frames, rate)),
        )
        used = otio.opentime.TimeRange(
            start + otio.opentime.RationalTime(HANDLE_FRAMES, rate), otio.opentime.RationalTime(SHOT_FRAMES, rate)
        )
        track.append(otio.schema.Clip(shot.name, media_reference=media, source_range=used))
    timeline.tracks.append(track)
    return timeline


def _visible_hits(shots: tuple[Shot, ...]) -> tuple[float, ...]:
    handle_s, length_s = float(HANDLE_FRAMES / RATE), float(SHOT_FRAMES / RATE)
    return tuple(
        number * length_s + hit - handle_s
        for number, shot in enumerate(shots)
        for hit in shot.hits_s
        if handle_s <= hit < handle_s + length_s
    )
