"""A plain folder of videos with sound: an editor's own library. Captions from a table, a text beside, or the name."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diffava.errors import DataError
from diffava.training.corpora.corpus import Clip, windows
from diffava.training.corpora.media_folder import SUFFIXES, media_files
from diffava.training.prepared.media import duration_s_of

TABLE = "captions.csv"


class VideoFolder:
    """Every video below a folder, long ones cut into clips.

    A video's captions are, in this order: its rows in the table (columns `path`, relative to the folder, and
    `caption`), the lines of a text of the same name (`knock.mp4`, `knock.txt`), or the words of its name.
    """

    def __init__(self, folder: Path, captions: Path | None = None, licence: str = "") -> None:
        """Read the folder's list of files.

        Args:
            folder: Videos at any depth.
            captions: The table; by default the folder's `captions.csv`, if there is one.
            licence: What may be done with these videos, in the owner's words; kept with what is made of them.

        Raises:
            DataError: There is no such folder or no video in it, or the table is not as it should be.
        """
        self._folder, self._paths = folder, media_files(folder)
        if not self._paths:
            raise DataError(f"{folder} holds no videos ({', '.join(sorted(SUFFIXES))}); give another folder.")
        table = captions or folder / TABLE
        self._captions = _read_table(table) if captions is not None or table.is_file() else {}
        unknown = self._captions.keys() - {self._name(path) for path in self._paths}
        if unknown:
            raise DataError(f"{table} names {sorted(unknown)[0]}, which is not in {folder}; correct the path.")
        self.missing: tuple[str, ...] = ()
        said = licence or "not stated: the library's owner answers for what is made of it"
        self.info: dict[str, Any] = {"corpus": "folder", "list": folder.resolve().name, "licence": said}

    def clips(self, clip_s: float) -> Iterator[Clip]:
        """Every clip; of a broken file one, so that reading it says what is wrong."""
        for path in self._paths:
            name = self._name(path)
            try:
                duration_s = duration_s_of(path)
            except DataError:
                duration_s = clip_s
            yield from windows(Clip(name, name, path, 0.0, duration_s, self._captions_of(path)), clip_s)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def _captions_of(self, path: Path) -> tuple[str, ...]:
        found = self._captions.get(self._name(path))
        if found:
            return tuple(found)
        beside = path.with_suffix(".txt")
        if beside.is_file():
            lines = (line.strip() for line in beside.read_text("utf-8", errors="replace").splitlines())
            said = tuple(line for line in lines if line)
            if said:
                return said
        return (words_of(path.stem),)


def words_of(name: str) -> str:
    """A file's name as words: `DoorSlam_wood-03` is "door slam wood"; a name without letters says "sound"."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.findall(r"[^\W\d_]+", apart)).lower() or "sound"


def _read_table(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found.setdefault(row["path"].strip(), []).append(row["caption"].strip())
    except (OSError, UnicodeDecodeError, KeyError, AttributeError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as a table of captions ({error!r}); give columns path and caption."
        ) from error
    return found
