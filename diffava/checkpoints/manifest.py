"""The list of a saved model's files with their sha256, and its configuration. Knows files and JSON, no tensors.

`model.json` vouches for every other file of the folder and says the hash of the weights. Loads no torch, so that a
command that only lists or verifies models starts at once.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from diffava.errors import CheckpointError

FORMAT_VERSION = 1
MANIFEST = "model.json"
CONFIG = "config.json"


def write_manifest(folder: Path, config: dict[str, Any], weights_sha256: str) -> None:
    """Write the configuration, then the hashes of all files that are there, and the weights' own.

    The configuration is a file of its own so that it is hashed too: a changed digit would be heard and not noticed.
    """
    _write_json(folder / CONFIG, config)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = {path.relative_to(folder).as_posix(): _file_sha256(path) for path in files}
    manifest = {"format_version": FORMAT_VERSION, "weights_sha256": weights_sha256, "sha256": hashes}
    _write_json(folder / MANIFEST, manifest)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Verify every file of a folder against its manifest, and return the configuration.

    safetensors itself notices a cut-off file but loads a flipped bit without a word.

    Raises:
        CheckpointError: Naming the file and both hashes.
    """
    path = folder / MANIFEST
    manifest = _checked(path)
    try:
        expected: dict[str, str] = dict(manifest["sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} lacks the hashes that every saved model has ({error}); fetch it again."
        ) from error
    if CONFIG not in expected:
        raise CheckpointError(f"{path} does not list {CONFIG}, which every saved model has; fetch it again.")
    _verify(folder, expected)
    return _read_json(folder / CONFIG)


def weights_sha256_of(folder: Path) -> str:
    """The hash of the weights as the manifest says it, without reading them; empty if it does not say.

    Raises:
        CheckpointError: There is no readable manifest.
    """
    return str(_checked(folder / MANIFEST).get("weights_sha256", ""))


def size_bytes(folder: Path) -> int:
    """What a saved model takes on the disk."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _checked(path: Path) -> dict[str, Any]:
    manifest = _read_json(path)
    version = manifest.get("format_version")
    if version != FORMAT_VERSION:
        raise CheckpointError(f"{path} has the format version {version}, this software reads {FORMAT_VERSION}.")
    return manifest


def _verify(folder: Path, expected: dict[str, str]) -> None:
    for name, sha256 in expected.items():
        file = folder / name
        if not file.is_file():
            raise CheckpointError(f"{file} is missing; fetch or save the model again.")
        found = _file_sha256(file)
        if found != sha256:
            raise CheckpointError(
                f"{file} is damaged: its sha256 is {found}, it should be {sha256}. Fetch or save the model again."
            )
    # Libraries read more than weights from a part's folder, so a file that nobody vouches for is refused as well.
    for file in sorted(folder.glob("*/**/*")):
        is_read = file.is_file() and not file.name.startswith(".")
        if is_read and file.relative_to(folder).as_posix() not in expected:
            raise CheckpointError(
                f"{file} is not a file of this model ({folder / MANIFEST} does not list it); remove it."
            )


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", "utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); give the folder of a saved model.") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds no JSON object; give the folder of a saved model.")
    return values


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
