"""A folder of recordings with its manifest: which file is of which kind, and who may learn from it.

Recordings are split by where they come from, never by file: `footstep_000` to `004` are takes of one pair of shoes,
and two cuts of one Freesound upload are one dog. A judge that shares a source with the generator would be lenient.
"""

import csv
import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from diffava.errors import DataError
from diffava.sounds.kinds import kinds

Split = Literal["generator", "judge", "held_out"]
MANIFEST = "manifest.csv"
COLUMNS = ("path", "source", "category", "label", "licence", "author", "source_repo")


@dataclass(frozen=True)
class Recording:
    """One file, its kind, the recording session it comes from, and the split that this session is in."""

    path: Path
    kind: str
    origin: str
    split: Split
    label: str
    licence: str
    author: str
    source_repo: str


def read_recordings(folder: Path) -> tuple[Recording, ...]:
    """Every recording of a known kind, in the manifest's order; others are left out.

    Raises:
        DataError: The folder has no manifest, the manifest lacks a column, or a file that it names is missing.
    """
    manifest = folder / MANIFEST
    try:
        with manifest.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DataError(
            f"{manifest} cannot be read ({error}); give a folder of recordings with its manifest."
        ) from error
    missing = [column for column in COLUMNS if rows and column not in rows[0]]
    if not rows or missing:
        raise DataError(
            f"{manifest} lacks {', '.join(missing) or 'every row'}; its columns must be {', '.join(COLUMNS)}."
        )
    of_kind: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        for kind in kinds():
            if kind.has(row["category"], row["label"]):
                of_kind[kind.name].append(row)
                break
    recordings = []
    for name, found in of_kind.items():
        splits = _splits([_origin(row) for row in found])
        for row in found:
            path = folder / row["path"]
            if not path.is_file():
                raise DataError(f"{path} is in {manifest} but not on disk; fetch the recordings again.")
            origin = _origin(row)
            recordings.append(
                Recording(
                    path, name, origin, splits[origin], row["label"], row["licence"], row["author"], row["source_repo"]
                )
            )
    return tuple(recordings)


def _origin(row: dict[str, str]) -> str:
    """Names the session: ESC-10's second field is the Freesound upload, elsewhere the label counts takes."""
    if row["source"] == "esc10":
        return "freesound-" + row["path"].split("-")[1]
    return f"{row['source']}: {re.sub(r' [a-z]$', '', row['label'])}"


def _splits(origins: list[str]) -> dict[str, Split]:
    """Give about 60 % of a kind's files to the generator, 22 % to the second judge and 18 % to nobody.

    Largest origins first, each to the split that lacks most of its share; equal sizes in the order of a hash, so that
    the choice hangs on names alone. With one origin all goes to the generator, with two the second is held out.
    """
    sizes: dict[str, int] = defaultdict(int)
    for origin in origins:
        sizes[origin] += 1
    order = sorted(sizes, key=lambda origin: (-sizes[origin], hashlib.sha256(origin.encode()).hexdigest()))
    shares: dict[Split, float] = {"generator": 0.60, "held_out": 0.18, "judge": 0.22}
    if len(order) == 2:
        shares = {"generator": 0.7, "held_out": 0.3}
    given: dict[Split, int] = dict.fromkeys(shares, 0)
    result: dict[str, Split] = {}
    for origin in order:
        empty = [split for split in shares if not given[split]]
        left = len(order) - len(result)
        # As long as a split has nothing, the last origins are kept for it.
        choices = empty if empty and left <= len(empty) else list(shares)
        best = max(choices, key=lambda split: shares[split] - given[split] / len(origins))
        result[origin] = best
        given[best] += sizes[origin]
    return result
