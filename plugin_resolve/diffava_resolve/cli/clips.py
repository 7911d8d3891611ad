"""A generated clip in words: as lines for a person and as JSON for a program."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffava_resolve.session import PlacedClip
from diffava_resolve.spec import Region
from diffava_resolve.timeline.finish_metadata import finish_to_metadata
from diffava_resolve.timeline.guide_metadata import guide_to_metadata
from diffava_resolve.timeline.place import PlacedTake
from diffava_resolve.timeline.positions import format_timecode
from diffava_resolve.timeline.receipts import Receipt


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
        "negative_prompt": receipt.job.negative_prompt,
        "seed": receipt.seed,
        "model": receipt.job.model,
        "licence": receipt.model_licence,
        "loudness_lufs": receipt.loudness_lufs,
        "true_peak_dbtp": receipt.true_peak_dbtp,
        "finish": finish_to_metadata(receipt.finish, receipt.finished),
        "sync": receipt.sync,
        "leaks": receipt.leaks,
        "guide": guide_to_metadata(receipt.job.guide),
        "notes": list(receipt.notes),
    }


def take_in_words(path: Path, take: PlacedTake) -> str:
    """A take on one line."""
    return f"{path}  seed {take.receipt.seed}, {measured_in_words(take.receipt)}"


def measured_in_words(receipt: Receipt) -> str:
    """How loud a take is, and how it meets the hits: `-23.0 LUFS, 5 of 6 hits met, off by 21 ms (0.5 frames)`."""
    loudness = receipt.loudness_lufs
    if loudness is None and receipt.finished is not None:  # too short for the standard's measure
        loudness = receipt.finished.loudness_lufs
    level = "silent" if loudness is None else f"{loudness:.1f} LUFS"
    return f"{level}, {sync_in_words(receipt.sync)}"


def sync_in_words(sync: Mapping[str, Any] | None) -> str:
    """How the onsets of a take meet the hits, in milliseconds and frames; the error is the median of the pairs met."""
    if sync is None:
        return "sync not measured"
    hits = "given hits" if sync.get("hits_from") == "given" else "hits in the picture"
    if not sync["hit_count"]:
        return f"no {hits}"
    met = f"{sync['matched_count']} of {sync['hit_count']} {hits} met"
    error_ms, error_frames = sync["median_absolute_error_ms"], sync["median_absolute_error_frames"]
    return met if error_ms is None else f"{met}, off by {error_ms:.0f} ms ({error_frames:.1f} frames)"
