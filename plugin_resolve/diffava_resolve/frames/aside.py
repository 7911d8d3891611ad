"""Pictures of a second format that come with the encoder's from one decoding, kept until somebody looks at them."""

import threading
from collections.abc import Iterator

import numpy as np

from diffava_resolve.frames.ahead import close_if_it_can
from diffava_resolve.spec import FrameFormat, Picture

MOST_BYTES = 64 << 20  # a minute of the pictures in which hits are looked for, at 25 frames a second


def fits_aside(picture: Picture, frame_format: FrameFormat) -> bool:
    """Whether a region's pictures in that format may be kept: what is too long for it is decoded again instead."""
    frame_bytes = 3 * frame_format.width_pixels * frame_format.height_pixels
    return frame_format.frame_count(picture.region.sample_count) * frame_bytes <= MOST_BYTES


class FramesAside:
    """What fell to the side of one decoding, once that has come to its end; whoever decodes fills it."""

    def __init__(self, frame_format: FrameFormat) -> None:
        self.frame_format = frame_format
        self.has_begun = False
        self._blocks: list[np.ndarray] = []
        self._is_whole = False
        self._ended = threading.Event()

    def sorted_out(self, views: Iterator[tuple[int, np.ndarray]]) -> Iterator[np.ndarray]:
        """The blocks of the first view, to be taken; those of the second stay here. For one decoding only."""
        self.has_begun = True
        try:
            for number, block in views:
                if number:
                    self._blocks.append(block)
                else:
                    yield block
            self._is_whole = True
        finally:
            close_if_it_can(views)
            self._ended.set()

    def blocks(self) -> list[np.ndarray] | None:
        """All of them, after waiting for the last; None where the decoding was broken off, or never begun."""
        if not self.has_begun:
            return None
        self._ended.wait()
        return self._blocks if self._is_whole else None
