"""Opening source files: what can be wrong with one, a sentence each, and noticing that it changed while it was read.

Knows nothing of time or pictures.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from diffava_resolve.decoding import here
from diffava_resolve.decoding.allowed import CODECS, OPEN_OPTIONS
from diffava_resolve.errors import MediaError

_MAX_PIXELS = 100_000_000  # 12K cameras stay below; a decompression bomb does not

# Fixed, so that memory does not depend on the machine. FFmpeg's frame threads give the same pictures for any number.
_DECODER_THREADS = 4


@dataclass(frozen=True)
class SourceFile:
    """One file as it was when it was first looked at."""

    path: Path
    size_bytes: int
    modified_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "SourceFile":
        """Look at the file.

        Raises:
            MediaError: It is missing, not a file, or empty.
        """
        status = _status(path)
        if status is None:
            raise MediaError(f"The file {path} was not found; bring its drive online or relink the clip.")
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f"{path} is not a file; relink the clip to its media.")
        if status.st_size == 0:
            raise MediaError(f"The file {path} is empty (0 bytes); copy it again from its source.")
        return cls(path, status.st_size, status.st_mtime_ns, status.st_ino)

    def check_unchanged(self) -> None:
        """Raises MediaError if the file is no longer the one that was first looked at."""
        status = _status(self.path)
        if status is None:
            raise MediaError(f"The file {self.path} vanished while it was read; bring it back and run this again.")
        if (status.st_size, status.st_mtime_ns, status.st_ino) != (self.size_bytes, self.modified_ns, self.inode):
            raise MediaError(
                f"The file {self.path} changed while it was read; wait until nothing writes to it and run this again."
            )


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise MediaError(
            f"The file {path} cannot be reached: {error.strerror}; check the drive and its rights."
        ) from error


def open_video(source: SourceFile) -> tuple[InputContainer, VideoStream]:
    """Open the file and choose its picture track (never the cover art of a song).

    Raises:
        MediaError: Not readable, not a movie or picture, without a video stream, or its pictures are too large.
    """
    path = source.path.absolute()  # a relative name with a colon would be taken for a protocol
    try:
        here.reads(path)
        options = dict(OPEN_OPTIONS)
        if "%" in path.name:
            options["pattern_type"] = "none"  # a picture named shot%03d.png is one file, not a pattern
        container = av.open(f"file:{path}", options=options)
    except PermissionError as error:
        raise MediaError(f"The file {path} may not be read; check its access rights.") from error
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError) as error:
        source.check_unchanged()
        raise MediaError(
            f"The file {path} cannot be read as a movie or a picture ({_reason(error)}); "
            "it is damaged, cut off or of an unknown kind: copy it again or convert it."
        ) from error
    try:
        return container, _picture_track(container, path)
    except MediaError:
        container.close()
        raise


def _picture_track(container: InputContainer, path: Path) -> VideoStream:
    tracks = [track for track in container.streams.video if not track.disposition & Disposition.attached_pic]
    if not tracks:
        raise MediaError(f"The file {path} has no picture, only sound or data; choose a clip with video.")
    track = next((track for track in tracks if track.disposition & Disposition.default), tracks[0])
    context = track.codec_context
    if context is None or context.name not in CODECS:
        name = "" if context is None else f" ({context.name})"
        raise MediaError(f"The video in {path} has a codec{name} that is not decoded here; convert it, to H.264 say.")
    if context.width * context.height > _MAX_PIXELS:
        raise MediaError(
            f"The pictures of {path} have {context.width} x {context.height} pixels, more than {_MAX_PIXELS:,} in all; "
            "use a smaller proxy."
        )
    here.allow_pixels(context.width * context.height)
    context.thread_type, context.thread_count = "AUTO", _DECODER_THREADS
    options = {"max_pixels": str(_MAX_PIXELS)}  # a later picture may call itself larger than the file does
    if context.name == "exr":
        options["apply_trc"] = "iec61966_2_1"  # linear light would look nearly black in 8 bits
    context.options = options
    return track


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
