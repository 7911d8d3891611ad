"""Clips that the reader has left take no memory any more."""

import gc
import sys
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import pytest

from diffava_resolve.frames.reader import frames_of
from diffava_resolve.spec import FrameFormat, Layer, MovieFile, Picture, Region, Segment
from support.clips import write_numbered_clip

CLIP_FRAMES = 25
PAL = Fraction(25)


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


@contextmanager
def only_what_comes_now_is_collected():
    """Other tests' objects are many, and the reader calls the collector at each of the 80 clips."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the resident memory from /proc")
def test_memory_does_not_grow_with_the_number_of_clips(tmp_path):
    """Each closed clip once kept its decoder, over a MiB, until Python's collector happened to come by."""
    clip = MovieFile(write_numbered_clip(tmp_path / "clip.mp4", CLIP_FRAMES, PAL, width=320, height=180))
    segments = tuple(
        Segment(start, start + CLIP_FRAMES, (Layer(clip, start / PAL, Fraction(0), Fraction(1)),))
        for start in range(0, 80 * CLIP_FRAMES, CLIP_FRAMES)
    )
    picture = Picture(Region(PAL, 0, 0, 80 * CLIP_FRAMES), segments, ())
    with only_what_comes_now_is_collected():
        levels = [resident_mib() for _ in frames_of(picture, FrameFormat(Fraction(1), 32, 18), block_frames=10)]
    assert len(levels) == 8
    assert max(levels[1:]) - levels[0] < 10
