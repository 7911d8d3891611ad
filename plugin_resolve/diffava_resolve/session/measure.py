"""What is measured of a finished take, for its receipt: loudness, and how its onsets meet the picture's hits."""

from pathlib import Path
from typing import Any

from diffava_resolve.spec import Picture
from diffava_resolve.timeline.loudness import integrated_loudness_lufs


def measured(path: Path, picture: Picture) -> dict[str, Any]:
    """The measured fields of a `Receipt`."""
    return {"loudness_lufs": integrated_loudness_lufs(path)}
