"""Shards on disk: a few hundred clips' arrays in one safetensors file, with a note beside it. Knows names and bytes.

A shard counts once its note is there, which is written last: it says the file's sha256, which clips are in it, and
which were skipped on the way and why. A folder can therefore be cut off anywhere and go on.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from diffava.errors import DataError
from diffava.whole_file import whole_file

FORMAT_VERSION = 1
BEGUN = "preparation.json"
FINISHED = "prepared.json"
CAPTIONS, CAPTION_ROWS = "captions", "caption_rows"  # the one array whose number of rows differs from clip to clip


@dataclass(frozen=True)
class ShardNote:
    """What is known of a shard without reading it; `sha256` is empty where all of its clips were skipped."""

    file: str
    sha256: str
    clip_ids: tuple[str, ...]
    source_ids: tuple[str, ...]
    skipped: Mapping[str, str]  # clip id -> reason


def note_paths(folder: Path) -> list[Path]:
    """The notes of all finished shards, in their order."""
    return sorted(folder.glob("shard-*.json"))


def read_note(path: Path) -> ShardNote:
    """Read a shard's note.

    Raises:
        DataError: It is not one.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
        clip_ids, source_ids = tuple(values["clip_ids"]), tuple(values["source_ids"])
        return ShardNote(values["file"], values["sha256"], clip_ids, source_ids, values["skipped"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} is no note of a shard ({error}); remove it and prepare the folder again.") from error


def write_shard(
    folder: Path,
    number: int,
    clips: list[tuple[str, str, Mapping[str, np.ndarray]]],
    skipped: Mapping[str, str],
) -> None:
    """Write clips (id, source id, arrays of the same names and shapes) as one shard, and then its note."""
    file, sha256 = f"shard-{number:05d}.safetensors", ""
    if clips:
        arrays = {name: np.stack([each[name] for _, _, each in clips]) for name in clips[0][2] if name != CAPTIONS}
        arrays[CAPTIONS] = np.concatenate([each[CAPTIONS] for _, _, each in clips])
        counts = [len(each[CAPTIONS]) for _, _, each in clips]
        arrays[CAPTION_ROWS] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        with whole_file(folder / file) as unfinished:
            save_file(arrays, unfinished)
        sha256 = _sha256(folder / file)
    ids, sources = tuple(clip_id for clip_id, _, _ in clips), tuple(source for _, source, _ in clips)
    write_json(folder / f"shard-{number:05d}.json", asdict(ShardNote(file, sha256, ids, sources, dict(skipped))))


def read_shard(folder: Path, note: ShardNote) -> dict[str, np.ndarray]:
    """The arrays of a shard, whose hash is checked first.

    Raises:
        DataError: The file is missing or not what was written.
    """
    path = folder / note.file
    try:
        found = _sha256(path)
        if found != note.sha256:
            raise DataError(
                f"{path} is damaged: its sha256 is {found}, it should be {note.sha256}. Remove it and its .json, and "
                "prepare the folder again: only its clips are encoded anew."
            )
        arrays: dict[str, np.ndarray] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read ({error}); remove it and its .json, and prepare again.") from error
    return arrays


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        DataError: There is none.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}).") from error
    if not isinstance(values, dict):
        raise DataError(f"{path} holds no JSON object.")
    return values


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON object, whole or not at all."""
    with whole_file(path) as unfinished:
        unfinished.write_text(json.dumps(values, indent=1, ensure_ascii=False), "utf-8")


def notes(folder: Path) -> Iterator[ShardNote]:
    """The notes of a folder's finished shards, one after another."""
    return (read_note(path) for path in note_paths(folder))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
