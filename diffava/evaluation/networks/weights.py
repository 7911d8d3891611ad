"""Files of published weights: where they are found, and reading them without running anything that is in them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from diffava.checkpoints.published_files import published_file
from diffava.checkpoints.registry import published
from diffava.errors import CheckpointError

# What PANNs' file holds beside tensors: the state of its sampler. numpy before 2 had its constructor elsewhere.
_HARMLESS: list[Any] = [
    (np._core.multiarray._reconstruct, "numpy.core.multiarray._reconstruct"),  # type: ignore[attr-defined]  # no public name
    np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    np.ndarray,
    np.dtype,
    np.dtypes.Int64DType,
]


def weights_file(name: str, folder: Path | None = None) -> Path:
    """The file of a published checkpoint with one file: under its own name in `folder`, or else as it was pulled.

    Raises:
        CheckpointError: It is in neither place; the sentence says how to get it.
    """
    if folder is not None:
        given = folder / published(name).file().path
        if given.is_file():
            return given
    return published_file(name)


def read_weights(path: Path, inside: Iterable[str] = ()) -> dict[str, Tensor]:
    """The tensors of a `.pth` file, mapped and not copied.

    Args:
        path: What `torch.save` wrote. Code in it is not run.
        inside: Keys under which the tensors may lie; whichever is there is followed.

    Raises:
        CheckpointError: The file cannot be read.
    """
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=_can_be_mapped(path))
    except Exception as error:  # torch raises half a dozen classes here, none of them its own
        raise CheckpointError(f"{path} cannot be read as weights ({error}); fetch it again.") from error
    for key in inside:
        found = found.get(key, found)
    return {name: value for name, value in found.items() if isinstance(value, Tensor)}


def fill(network: nn.Module, weights: Mapping[str, Tensor], source: Path, ignored: tuple[str, ...] = ()) -> None:
    """Put weights into a network that was made on the device "meta"; nothing may be missing, nothing left over.

    Args:
        network: Every parameter and buffer is replaced.
        weights: By the network's own names.
        source: For the sentence.
        ignored: Prefixes of names that the file may have beside.

    Raises:
        CheckpointError: Names or shapes differ; the first few are said.
    """
    wanted = network.state_dict()
    kept = {name: value for name, value in weights.items() if not name.startswith(ignored or ("\0",))}
    wrong = [f"{name} is missing" for name in wanted if name not in kept]
    wrong += [f"{name} is not known" for name in kept if name not in wanted]
    wrong += [
        f"{name} has shape {tuple(value.shape)} instead of {tuple(wanted[name].shape)}"
        for name, value in kept.items()
        if name in wanted and value.shape != wanted[name].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise CheckpointError(
            f"{source} does not fit {type(network).__name__}: {', '.join(wrong[:3])}{more}; fetch the published file."
        )
    network.load_state_dict(kept, assign=True)
    network.eval().requires_grad_(False)


def _can_be_mapped(path: Path) -> bool:
    """Files from before PyTorch 1.6 are no archives and must be read whole."""
    with path.open("rb") as file:
        return file.read(2) == b"PK"
