"""A job's timing guide as a receipt keeps it: plain values, and back. Knows neither files nor timelines.

    {"source": "picture", "strength": 1.0, "hit_samples": [480, 9600], "performance": null or
     {"source_name": "voice.wav", "source_sha256": "...", "file_name": "performance-....wav", "file_sha256": "..."}}

`file_name` lies in the folder of the take that has the receipt.
"""

from collections.abc import Mapping
from typing import Any, get_args

from diffava_resolve.spec import GuideSource, Performance, TimingGuide


def guide_to_metadata(guide: TimingGuide) -> dict[str, Any]:
    """The guide as plain values."""
    return {
        "source": guide.source,
        "strength": guide.strength,
        "hit_samples": list(guide.hit_samples),
        "performance": dict(vars(guide.performance)) if guide.performance else None,
    }


def guide_from_metadata(metadata: Mapping[str, Any] | None) -> TimingGuide:
    """The guide that `guide_to_metadata` wrote; the picture's for a receipt from before there were guides.

    Raises:
        KeyError, TypeError, ValueError: Something is missing from it, or of another kind.
    """
    if metadata is None:
        return TimingGuide()
    if metadata["source"] not in get_args(GuideSource):
        raise ValueError(f"a timing guide from {metadata['source']!r}")
    performance = metadata["performance"]
    return TimingGuide(
        source=metadata["source"],
        strength=float(metadata["strength"]),
        hit_samples=tuple(int(hit) for hit in metadata["hit_samples"]),
        performance=Performance(**{key: str(value) for key, value in performance.items()}) if performance else None,
    )
