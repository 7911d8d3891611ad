"""AudioCaps, VGGSound and LLP, from the lists that their owners publish. Knows columns, no media.

The lists alone are published; the videos are YouTube's and must be there already. Every clip is 10 s.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from diffava.errors import DataError
from diffava.training.corpora.corpus import Clip
from diffava.training.corpora.media_folder import Listed, ListedClips

CLIP_S = 10
VIDEO_ID_LENGTH = 11  # of YouTube


class _OwnerList:
    """What all three share once their list is read: a `Corpus`."""

    def __init__(self, listed: Sequence[Listed], media: Path, **info: str) -> None:
        self._clips, self.info = ListedClips(listed, media), info

    @property
    def missing(self) -> tuple[str, ...]:
        """The listed clips whose media are not there."""
        return self._clips.missing

    def clips(self, clip_s: float) -> Iterator[Clip]:
        """Every clip whose media are there."""
        return self._clips.clips(clip_s)


class AudioCaps(_OwnerList):
    """AudioCaps (Kim et al. 2019): `audiocap_id,youtube_id,start_time,caption`; val and test have five rows a clip.

    Source: github.com/cdjkim/audiocaps, dataset/. DiffAVA trains on its train part (45,423 clips of it were to be had).
    """

    licence = "AudioCaps' captions: for academic use, as its repository says; the videos stay with their uploaders"

    def __init__(self, table: Path, media: Path) -> None:
        captions: dict[tuple[str, int], list[str]] = {}
        for line, row in _table(table, ",", ("youtube_id", "start_time", "caption")):
            start_s = _seconds(row["start_time"], table, line)
            captions.setdefault((row["youtube_id"].strip(), start_s), []).append(row["caption"].strip())
        listed = [Listed(video, start_s, CLIP_S, tuple(said)) for (video, start_s), said in captions.items()]
        super().__init__(listed, media, corpus="audiocaps", list=table.name, licence=self.licence)


class VggSound(_OwnerList):
    """VGGSound (Chen et al. 2020): YouTube id, start in seconds, label, train or test; the list has no header.

    Source: the list published by the Visual Geometry Group, vggsound.csv.
    """

    licence = "VGGSound's list: CC BY 4.0; the videos stay with their uploaders"

    def __init__(self, table: Path, media: Path, part: str = "train") -> None:
        listed = []
        for line, row in _rows(table, ","):
            if len(row) != 4:
                raise DataError(
                    f"Line {line} of {table} has {len(row)} columns, vggsound.csv has 4 (id, start, label, part)."
                )
            video, start, label, of_part = (cell.strip() for cell in row)
            if of_part == part:
                listed.append(Listed(video, _seconds(start, table, line), CLIP_S, (label,)))
        if not listed:
            raise DataError(f"{table} lists nothing for '{part}'; VGGSound has the parts train and test.")
        super().__init__(listed, media, corpus="vggsound", list=table.name, part=part, licence=self.licence)


class Llp(_OwnerList):
    """Look, Listen and Parse (Tian et al. 2020): tab-separated `filename`, `event_labels`; names end `_START_STOP`.

    Its labels, joined by commas, are the caption (our choice: it has none).

    Source: github.com/YapengTian/AVVP-ECCV20, data/AVVP_train.csv and its sisters.
    """

    licence = "LLP's list: its repository states no licence; the videos stay with their uploaders"

    def __init__(self, table: Path, media: Path) -> None:
        listed = []
        for line, row in _table(table, "\t", ("filename", "event_labels")):
            name = row["filename"].strip()
            video, ends = name[:VIDEO_ID_LENGTH], name[VIDEO_ID_LENGTH + 1 :].split("_")
            if len(ends) != 2:
                raise DataError(f"Line {line} of {table} names '{name}'; LLP's names end _START_STOP in seconds.")
            start_s, stop_s = (_seconds(end, table, line) for end in ends)
            caption = ", ".join(label.replace("_", " ").lower() for label in row["event_labels"].split(","))
            listed.append(Listed(video, start_s, stop_s - start_s, (caption,)))
        super().__init__(listed, media, corpus="llp", list=table.name, licence=self.licence)


def _table(path: Path, delimiter: str, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table with a header, numbered as an editor numbers lines.

    Raises:
        DataError: It cannot be read, or lacks a column.
    """
    rows = _rows(path, delimiter)
    _, header = next(rows, (0, []))
    lacking = [column for column in columns if column not in header]
    if lacking:
        raise DataError(
            f"{path} has the columns {', '.join(header) or 'none'}, but {', '.join(lacking)} is missing; give the list "
            "as its owners publish it."
        )
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(f"Line {line} of {path} has {len(row)} columns, its header {len(header)}; fetch it again.")
        yield line, dict(zip(header, row, strict=True))


def _rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter)
            yield from ((reader.line_num, row) for row in reader if row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}); give the list as its owners publish it.") from error


def _seconds(text: str, path: Path, line: int) -> int:
    try:
        return int(float(text))
    except ValueError as error:
        raise DataError(f"Line {line} of {path} says '{text}' where seconds belong; fetch it again.") from error
