"""Finding the media of listed clips in a folder, whatever tool downloaded them. Knows names, decodes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from diffava.errors import DataError
from diffava.training.corpora.corpus import Clip, windows
from diffava.training.prepared.media import duration_s_of

SUFFIXES = frozenset((".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".mxf"))


@dataclass(frozen=True)
class Listed:
    """A row of an owner's list: a stretch of a video with its captions."""

    video_id: str
    start_s: int
    duration_s: int
    captions: tuple[str, ...]

    @property
    def clip_id(self) -> str:
        """The video's id and where the clip begins, which together are unique."""
        return f"{self.video_id}_{self.start_s}"


class ListedClips:
    """The clips of an owner's list whose media are in a folder, at any depth."""

    def __init__(self, listed: Sequence[Listed], media: Path) -> None:
        """Index a folder.

        Raises:
            DataError: It is not there, or holds no media.
        """
        self._listed = listed
        self._files = {path.stem: path for path in media_files(media)}
        if not self._files:
            raise DataError(f"{media} holds no videos ({', '.join(sorted(SUFFIXES))}); give the folder of the media.")

    @property
    def missing(self) -> tuple[str, ...]:
        """The listed clips whose media are not there, in the list's order."""
        return tuple(row.clip_id for row in self._listed if self._found(row) is None)

    def clips(self, clip_s: float) -> Iterator[Clip]:
        """Every clip whose media are there."""
        for row in self._listed:
            found = self._found(row)
            if found is not None:
                path, is_cut = found
                start_s = 0.0 if is_cut or not _reaches(path, row) else float(row.start_s)
                whole = Clip(row.clip_id, row.video_id, path, start_s, float(row.duration_s), row.captions)
                yield from windows(whole, clip_s)

    def _found(self, row: Listed) -> tuple[Path, bool] | None:
        """The file, and whether its name says that it was cut already.

        A name with the start says so, in seconds or milliseconds, with or without the end, padded or not, and with
        the `Y` before the id that AudioSet's tools write. A file named by the id alone may be either.
        """
        start, stop = row.start_s, row.start_s + row.duration_s
        ends = (f"_{start}_{stop}", f"_{start}", f"_{start:06d}", f"_{start * 1000}_{stop * 1000}", f"_{start * 1000}")
        for name in (row.video_id, f"Y{row.video_id}"):
            for end in ends:
                if name + end in self._files:
                    return self._files[name + end], True
            if name in self._files:
                return self._files[name], False
        return None


def media_files(folder: Path) -> list[Path]:
    """Every video below a folder, in a fixed order; hidden files are left out.

    Raises:
        DataError: The folder is not there.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the one that holds the videos.")
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in found if not path.name.startswith("."))


def _reaches(path: Path, row: Listed) -> bool:
    """Whether a file named by the id alone is the whole video: it is longer than a clip and reaches into this one."""
    try:
        duration_s = duration_s_of(path)
    except DataError:
        return False  # broken, which reading it will say with its reason
    return duration_s > row.duration_s + 1 and duration_s > row.start_s + 1
