"""A name for all that decides how the pictures of a region look: the same name, the same bytes. Decodes nothing.

It holds what is shown when, in which format, every file as it is on disk, and the software that decodes. A file that
was written to a moment ago may be written to again without a trace in its times, so it has no name yet.
"""

import os
import platform
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from diffava_resolve.spec import FrameFormat, ImageSequence, MovieFile, Picture

_SETTLED_NS = 3_000_000_000  # FAT counts in steps of 2 s, everything else in finer ones


@dataclass(frozen=True)
class _File:
    """One file as it is on disk."""

    path: Path
    size_bytes: int
    modified_ns: int
    changed_ns: int  # on POSIX of anything about it, and nobody can set it; on Windows when it was made
    inode: int
    device: int


def identity_of(picture: Picture, frame_format: FrameFormat, now_ns: Callable[[], int] = time.time_ns) -> str | None:
    """The name of a region's pictures in `frame_format`, in hexadecimal digits.

    None where they have none: a file is missing or too new, or there are numbered pictures, where looking at every file
    would cost about as much as it saves.
    """
    media = {layer.media for segment in picture.segments for layer in segment.layers}
    if any(isinstance(medium, ImageSequence) for medium in media):
        return None
    files = []
    for path in sorted(medium.path for medium in media if isinstance(medium, MovieFile)):
        file = _look_at(path.absolute())
        if file is None or max(file.modified_ns, file.changed_ns) > now_ns() - _SETTLED_NS:
            return None
        files.append(file)
    return sha256(repr((picture.region, picture.segments, frame_format, files, _software())).encode()).hexdigest()


@cache  # each version is read from a file that is parsed as an e-mail is: 5 ms of every job
def _software() -> tuple[str, ...]:
    return version("diffava-foley"), version("av"), platform.machine()


def _look_at(path: Path) -> _File | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as file:  # opened, a network drive says what it has now and not what it had
            status = os.fstat(file.fileno())
    except OSError:
        return None  # who decodes it says what is wrong with it
    return _File(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)
