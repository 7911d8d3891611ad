"""A model as a folder of safetensors and JSON, written whole and verified before a byte of it is used.

`model.json` holds the sha256 of every other file, `config.json` the configuration; each part has a folder. Nothing is
ever pickled. Weights may be stored in half precision; in memory they are float32 unless another type is asked for.
Knows named tensors, not which classes they belong to.
"""

import hashlib
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from diffava.checkpoints.manifest import write_manifest
from diffava.errors import CheckpointError

WEIGHTS = "model.safetensors"
TENSORS_AT_ONCE = 64  # of AudioLDM's U-Net a tenth


def weights_sha256(parts: Mapping[str, nn.Module]) -> str:
    """One hash over every part's tensors: names, types, shapes and bytes, in the order of the names."""
    return _tensors_sha256({part: module.state_dict() for part, module in parts.items()})


def stored_sha256(parts: Mapping[str, nn.Module], dtype: torch.dtype) -> str:
    """What `weights_sha256` will say of the parts once they were saved as `dtype` and loaded again."""
    return _read_back_sha256({part: _rounded(part, module, dtype) for part, module in parts.items()})


def _read_back_sha256(stored: Mapping[str, Mapping[str, Tensor]]) -> str:
    return _tensors_sha256({part: {name: _whole(one) for name, one in each.items()} for part, each in stored.items()})


def _tensors_sha256(parts: Mapping[str, Mapping[str, Tensor]]) -> str:
    digest = hashlib.sha256()
    for part, tensors in sorted(parts.items()):
        _add_part(digest, part, tensors)
    return digest.hexdigest()


def _add_part(digest: Any, part: str, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{part}.{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(_bytes(tensor))


def parameter_counts(folder: Path) -> dict[str, int]:
    """How many numbers each part has, by the heads of its file.

    Raises:
        CheckpointError: A file cannot be read.
    """
    counts = {}
    for path in sorted(folder.glob(f"*/{WEIGHTS}")):
        try:
            with safe_open(path, "pt") as file:
                shapes = [file.get_slice(name).get_shape() for name in sorted(file.keys())]
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path} cannot be read ({error}); fetch or save the model again.") from error
        counts[path.parent.name] = sum(math.prod(shape) for shape in shapes)
    return counts


def write_folder(
    folder: Path,
    config: dict[str, Any],
    parts: Mapping[str, nn.Module],
    write_extras: Callable[[Path], None],
    dtype: torch.dtype = torch.float32,
) -> None:
    """Save parts so that the folder appears complete or not at all.

    Args:
        folder: Where to; must not exist or be empty.
        config: The configuration, in plain values.
        parts: One folder each; a mapping that makes each part when it is asked for keeps only one in memory.
        write_extras: Writes what is not a tensor (a tokenizer) into the folder it is given.
        dtype: What parameters are rounded to. Buffers (a norm's statistics, a projection) stay as they are: they are
            few, and some are far from 1.

    Raises:
        CheckpointError: Something is there already, a weight is too large for `dtype`, or the disk refuses.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} exists already and is not overwritten; choose another folder.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            digest = hashlib.sha256()
            for part in sorted(parts):  # one after another: only one part's copy is in memory, however large the model
                tensors = _rounded(part, parts[part], dtype)
                (unfinished / part).mkdir()
                save_file(tensors, unfinished / part / WEIGHTS)
                _add_part(digest, part, {name: _in_memory(tensor) for name, tensor in tensors.items()})
                del tensors
            write_extras(unfinished)
            write_manifest(unfinished, config, digest.hexdigest())
            _flush(unfinished)
            unfinished.chmod(0o755)  # mkdtemp's own 0700 would hide the model from a server's other user
            unfinished.replace(folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    except OSError as error:
        raise CheckpointError(f"The model cannot be saved to {folder} ({error}); nothing was left there.") from error


def part_path(folder: Path, part: str) -> Path:
    """The file with a part's tensors."""
    return folder / part / WEIGHTS


def read_part(folder: Path, part: str, module: nn.Module, dtype: torch.dtype = torch.float32) -> None:
    """Fill a module with the tensors of its folder, which `read_manifest` has verified.

    Args:
        folder: The model's.
        part: The part's name.
        module: What is filled; it may be an empty one on no device.
        dtype: What it will compute in.

    Raises:
        CheckpointError: Names or shapes are not the module's.
    """
    path = part_path(folder, part)
    try:
        module.load_state_dict(dict(_tensors(path, dtype)), assign=True)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{path} does not fit the model's configuration: {error}") from error


def _tensors(path: Path, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """A file's tensors, copied. Opened anew now and then: pages of an open file stay in memory beside their copies."""
    with safe_open(path, "pt") as file:
        names = sorted(file.keys())
    for first in range(0, len(names), TENSORS_AT_ONCE):
        with safe_open(path, "pt") as file:
            for name in names[first : first + TENSORS_AT_ONCE]:
                tensor = file.get_tensor(name)
                yield name, _whole(tensor) if dtype == torch.float32 else _as(dtype, tensor)


def _as(dtype: torch.dtype, tensor: Tensor) -> Tensor:
    return tensor.to(dtype if tensor.is_floating_point() else tensor.dtype, copy=True)


def _rounded(part: str, module: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    """Every tensor of a part on its own memory, parameters as `dtype`."""
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    tensors = {}
    for name, tensor in module.state_dict().items():
        kept = dtype if name in parameters and tensor.is_floating_point() else tensor.dtype
        tensors[name] = tensor.detach().cpu().to(kept, copy=True)
        if kept != tensor.dtype and not tensors[name].isfinite().all():
            raise CheckpointError(f"{part}.{name} has a number that {dtype} cannot hold; save the model as float32.")
    return tensors


def _in_memory(tensor: Tensor) -> Tensor:
    """What `_whole` makes of a tensor, without a copy where it stays as it is."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _whole(tensor: Tensor) -> Tensor:
    """A tensor of a file as it is computed with: half precision becomes float32, which is exact.

    Always a copy. Tensors of a mapped file begin at odd addresses, where torch's kernels round otherwise: without it a
    loaded model would sound 1e-6 different from the one that was saved.
    """
    is_half = tensor.dtype in (torch.float16, torch.bfloat16)
    return tensor.to(torch.float32 if is_half else tensor.dtype, copy=True)


def _bytes(tensor: Tensor) -> bytes:
    return bytes(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
