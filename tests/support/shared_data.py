"""The real recordings, clips and timelines that may lie beside the repository; none of them is part of it."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("DIFFAVA_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
VIDEO, TIMELINES = ROOT / "video", ROOT / "timelines"

needs_shared_data = pytest.mark.skipif(
    not (VIDEO.is_dir() and TIMELINES.is_dir()), reason=f"the real clips and timelines are not at {ROOT}"
)
