"""Looking for the hits of a picture while something else is done."""

import os
import sys
import threading
from collections.abc import Callable

from diffava_resolve.frames.aside import FramesAside
from diffava_resolve.frames.hits import Hit, motion_hits
from diffava_resolve.spec import Picture

_TELL_EVERY_S = 0.2
_NICENESS = 10  # a server on this machine comes first


class HitSearch:
    """Looks from the moment it is made, in a thread of its own, until it is at the end or closed.

    What lies `aside` of a decoding that has begun is looked at; what does not is decoded.
    """

    def __init__(self, picture: Picture, aside: FramesAside | None = None) -> None:
        region = picture.region
        self._frame_count = region.stop_frame - region.start_frame
        self._done_count = 0
        self._is_closed = False
        self._ended = threading.Event()
        self._hits: tuple[Hit, ...] = ()
        self._error: BaseException | None = None
        threading.Thread(target=self._run, args=(picture, aside), daemon=True).start()

    def wait(self, on_frame: Callable[[int, int], None]) -> tuple[Hit, ...]:
        """What was found, once all was seen; `on_frame` is told in this thread how many of how many frames are done.

        Raises:
            MediaError: As `frames_of`.
        """
        try:
            while not self._ended.wait(_TELL_EVERY_S):
                on_frame(self._done_count, self._frame_count)
            on_frame(self._done_count, self._frame_count)
        except BaseException:
            self.close()
            raise
        if self._error is not None:
            raise self._error
        return self._hits

    def close(self) -> None:
        """Look no further than the present picture."""
        self._is_closed = True

    def _run(self, picture: Picture, aside: FramesAside | None) -> None:
        if sys.platform == "linux":  # elsewhere a thread cannot be nicer than its process
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        try:
            self._hits = motion_hits(picture, self._note, aside.blocks() if aside is not None else None)
        except BaseException as error:  # an edge: raised where the hits are wanted
            self._error = error
        finally:
            self._ended.set()

    def _note(self, done_count: int) -> None:
        if self._is_closed:
            raise _ClosedError
        self._done_count = done_count


class _ClosedError(Exception):
    """Nobody wants to know any more."""
