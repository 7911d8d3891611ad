"""A generated clip in words: as lines for a person and as JSON for a program."""

from pathlib import Path
from typing import Any

from diffava_resolve.session import PlacedClip
from diffava_resolve.spec import Region
from diffava_resolve.timeline.guide_metadata import guide_to_metadata
from diffava_resolve.timeline.place import PlacedTake
from diffava_resolve.timeline.positions import format_timecode


def timecode(region: Region, frame: int) -> str:
    """A frame in the timeline's own numbering."""
    return format_timecode(frame, region.rate, region.label_frame, region.drop_frame)


def clip_json(clip: PlacedClip) -> dict[str, Any]:
    """What was placed."""
    return {
        "clip_id": clip.clip_id,
        "track": clip.track_name,
        **region_json(clip.region),
        "takes": [take_json(take) for take in clip.takes],
        "notes": list(clip.notes),
    }


def region_json(region: Region) -> dict[str, Any]:
    """Where something lies, exactly and in the timeline's numbering."""
    return {
        "start": timecode(region, region.start_frame),
        "stop": timecode(region, region.stop_frame),
        "start_frame": region.start_frame,
        "stop_frame": region.stop_frame,
        "rate": str(region.rate),
        "start_sample": region.start_sample,
        "sample_count": region.sample_count,
    }


def take_json(take: PlacedTake) -> dict[str, Any]:
    """One take's file and how it came to be."""
    receipt = take.receipt
    return {
        "path": str(take.path),
        "wav_sha256": receipt.wav_sha256,
        "prompt": receipt.job.prompt,
        "seed": receipt.seed,
        "model": receipt.job.model,
        "licence": receipt.model_licence,
        "loudness_lufs": receipt.loudness_lufs,
        "sync": receipt.sync,
        "guide": guide_to_metadata(receipt.job.guide),
        "notes": list(receipt.notes),
    }


def take_in_words(path: Path, take: PlacedTake) -> str:
    """A take on one line."""
    loudness = take.receipt.loudness_lufs
    level = "silent" if loudness is None else f"{loudness:.1f} LUFS"
    return f"{path}  seed {take.receipt.seed}, {level}"
