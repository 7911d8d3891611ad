"""A model as a folder of safetensors and JSON, written whole and verified before a byte of it is used.

`model.json` holds the sha256 of every other file, `config.json` the configuration; each part has a folder. Nothing is
ever pickled. Knows named tensors, not which classes they belong to.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from diffava.errors import CheckpointError

FORMAT_VERSION = 1
MANIFEST = "model.json"
CONFIG = "config.json"
WEIGHTS = "model.safetensors"


def weights_sha256(parts: Mapping[str, nn.Module]) -> str:
    """One hash over every part's tensors: names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for part, module in sorted(parts.items()):
        for name, tensor in sorted(module.state_dict().items()):
            digest.update(f"{part}.{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(_bytes(tensor))
    return digest.hexdigest()


def write_folder(
    folder: Path,
    config: dict[str, Any],
    parts: Mapping[str, nn.Module],
    write_extras: Callable[[Path], None],
) -> None:
    """Save parts so that the folder appears complete or not at all.

    Args:
        folder: Where to; must not exist or be empty.
        config: The configuration, in plain values.
        parts: One folder each.
        write_extras: Writes what is not a tensor (a tokenizer) into the folder it is given.

    Raises:
        CheckpointError: Something is there already, or the disk refuses.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} exists already and is not overwritten; choose another folder.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for part, module in parts.items():
                (unfinished / part).mkdir()
                tensors = {name: tensor.detach().cpu().clone() for name, tensor in module.state_dict().items()}
                save_file(tensors, unfinished / part / WEIGHTS)
            write_extras(unfinished)
            # A file of its own, so that it is hashed too: a changed digit in it would be heard and not noticed.
            _write_json(unfinished / CONFIG, config)
            _write_json(unfinished / MANIFEST, {"format_version": FORMAT_VERSION, "sha256": _hashes(unfinished)})
            _flush(unfinished)
            unfinished.chmod(0o755)  # mkdtemp's own 0700 would hide the model from a server's other user
            unfinished.replace(folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    except OSError as error:
        raise CheckpointError(f"The model cannot be saved to {folder} ({error}); nothing was left there.") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """Verify every file of a folder against its manifest, and return the configuration.

    safetensors itself notices a cut-off file but loads a flipped bit without a word.

    Raises:
        CheckpointError: Naming the file and both hashes.
    """
    path = folder / MANIFEST
    manifest = _read_json(path)
    version = manifest.get("format_version")
    if version != FORMAT_VERSION:
        raise CheckpointError(f"{path} has the format version {version}, this software reads {FORMAT_VERSION}.")
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


def read_part(folder: Path, part: str, module: nn.Module) -> None:
    """Fill a module with the tensors of its folder, which `read_manifest` has verified.

    Raises:
        CheckpointError: Names or shapes are not the module's.
    """
    path = folder / part / WEIGHTS
    try:
        # Tensors of a mapped file begin at odd addresses, where torch's kernels round otherwise: without the copy a
        # loaded model would sound 1e-6 different from the one that was saved.
        tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
        module.load_state_dict(tensors, assign=True)  # assigned, since the module may be an empty one on no device
    except (OSError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{path} does not fit the model's configuration: {error}") from error


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


def _bytes(tensor: Tensor) -> bytes:
    return bytes(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _file_sha256(path) for path in files}


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
