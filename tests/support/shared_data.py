"""The real recordings, clips and timelines that may lie beside the repository; none of them is part of it."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("DIFFAVA_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
AUDIO, VIDEO, TIMELINES = ROOT / "audio", ROOT / "video", ROOT / "timelines"

needs_shared_video = pytest.mark.skipif(not VIDEO.is_dir(), reason=f"the real clips are not at {VIDEO}")
needs_shared_timelines = pytest.mark.skipif(
    not TIMELINES.is_dir(), reason=f"the real editors' timelines are not at {TIMELINES}"
)
