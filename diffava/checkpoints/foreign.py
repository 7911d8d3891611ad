"""Tensors of checkpoints that others wrote: read without running code, and fitted into a module by name and shape.

A `.pt`, `.ckpt` or `.bin` file is a pickle, which could run anything. It is read by torch's restricted reader, which
makes tensors and plain values alone; what else a training program leaves in such a file (numpy's numbers, the class of
a callback) is let in by name, as inert values. Everything else is refused. Knows no architecture.
"""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core import multiarray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from diffava.errors import CheckpointError

NESTED = ("state_dict", "model_state_dict", "model")  # where training programs put the weights
# Index tables and counters that a class computes from its sizes. Releases differ in whether a file holds them.
COMPUTED = ("position_ids", "token_type_ids", "relative_position_index", "attn_mask", "num_batches_tracked")
TOLD = 3  # names that an error lists of each kind


class _Inert:
    """Stands where a checkpoint names a class of its training program; is made and does nothing."""

    def __init__(self, *_arguments: Any) -> None:
        pass

    def __setstate__(self, _state: Any) -> None:
        pass


# Each makes a number or names a class; none calls what a file says.
_ALLOWED: list[Any] = [
    (multiarray.scalar, "numpy.core.multiarray.scalar"),
    (multiarray.scalar, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?")),
    (_Inert, "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"),
]


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a checkpoint, in float32 where it has half precision, each on its own memory.

    Raises:
        CheckpointError: It cannot be read, holds no named tensors, or reading it would run code.
    """
    try:
        values = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except pickle.UnpicklingError as error:
        line = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"{path} holds more than tensors, and reading the rest could run code, so it is refused ({line})."
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, SafetensorError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); pull or copy it again.") from error
    for name in NESTED:
        if isinstance(values, Mapping) and isinstance(values.get(name), Mapping):
            values = values[name]
    tensors = {str(k): v for k, v in values.items() if isinstance(v, Tensor)} if isinstance(values, Mapping) else {}
    if not tensors:
        raise CheckpointError(f"{path} holds no named tensors; it is not a checkpoint of a model.")
    return tensors


def fit(module: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Fill a module, which may be an empty one on no device, with exactly the tensors that it has.

    Args:
        module: What is filled; what it computes from its sizes alone stays its own.
        tensors: By the module's own names.
        source: What an error calls them.

    Raises:
        CheckpointError: Some are missing, left over or of another shape; says which, and what was expected.
    """
    own = module.state_dict()
    computed = {name: tensor for name, tensor in own.items() if name.endswith(COMPUTED)}
    tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith(COMPUTED)} | computed
    expected = {name: tuple(tensor.shape) for name, tensor in own.items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    shapes = [
        f"{name} is {found[name]} and should be {expected[name]}"
        for name in sorted(expected.keys() & found.keys())
        if expected[name] != found[name]
    ]
    complaints = [
        *_complaint("it lacks", sorted(expected.keys() - found.keys())),
        *_complaint("it has what no part wants:", sorted(found.keys() - expected.keys())),
        *_complaint("shapes differ:", shapes),
    ]
    if complaints:
        raise CheckpointError(
            f"{source} does not fit {type(module).__name__} as this model has it ({len(expected)} tensors expected, "
            f"{len(found)} found): {'; '.join(complaints)}. It is of another model, or of another size."
        )
    # Copied, since tensors of a mapped file may begin at odd addresses, where torch's kernels round otherwise.
    module.load_state_dict({name: _whole(tensor) for name, tensor in tensors.items()}, assign=True)


def part_of(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _unpickled(path: Path) -> Any:
    with torch.serialization.safe_globals(_ALLOWED):
        # Mapped, since a checkpoint may hold an optimiser's state of twice its weights, which nobody reads here.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))


def _whole(tensor: Tensor) -> Tensor:
    is_half = tensor.dtype in (torch.float16, torch.bfloat16)
    return tensor.detach().to(torch.float32 if is_half else tensor.dtype, copy=True).contiguous()


def _complaint(what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    return [f"{what} {', '.join(names[:TOLD])}{more}"]
