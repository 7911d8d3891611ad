"""Features of files, kept between runs under what is in the file and how they were made, so that none can be stale."""

import hashlib
import os
import zipfile
from pathlib import Path

import numpy as np

Features = dict[str, np.ndarray]


class FeatureCache:
    """A folder of features. A changed sound, other weights or another definition has another place in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def kept(self, extractor: str, content: str) -> Features | None:
        """What was kept, or None; a damaged file counts as none.

        Args:
            extractor: The name and hash of what makes the features.
            content: The sha256 of what they are made from.
        """
        try:
            # Opened here, since numpy leaves a file open that it cannot read.
            with self._place(extractor, content).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def keep(self, extractor: str, content: str, features: Features) -> None:
        """Write features; the file appears whole or not at all, also when two runs write it at once."""
        place = self._place(extractor, content)
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_suffix(f".unfinished-{os.getpid()}")
        with unfinished.open("wb") as file:
            np.savez(file, **features)  # type: ignore[arg-type]  # its stub takes every name for its own option
        unfinished.replace(place)

    def _place(self, extractor: str, content: str) -> Path:
        return self._folder / extractor / content[:2] / f"{content}.npz"


def content_of(source: Path | str) -> str:
    """The sha256 of a file, or of a text."""
    if isinstance(source, str):
        return hashlib.sha256(source.encode()).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
