"""Parts of a saved model whose weights are in memory only while they are used. Knows files, not what the parts do.

Between uses the modules stay as they are, their tensors on torch's "meta" device; files that the system still has in
its cache are read in a fraction of a second. AudioLDM's stages never work at the same time, so memory holds the largest
and not their sum.
"""

import ctypes
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from diffava.checkpoints.folder import part_path, read_part
from diffava.errors import CheckpointError


class _Verified(NamedTuple):
    """What tells the file that was verified from another in its place."""

    inode: int
    size_bytes: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> "_Verified":
        found = path.stat()
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


class RestingWeights:
    """Wakes the parts of a stage and puts them to rest again; make it when `read_manifest` has verified the folder.

    Raises:
        CheckpointError: A part does not fit its module. Every part is woken once, so that this is known at the start.
    """

    def __init__(
        self,
        folder: Path,
        parts: Mapping[str, nn.Module],
        stages: Mapping[str, tuple[str, ...]],
        dtypes: Mapping[str, torch.dtype],
    ) -> None:
        """Take the parts of `stages`, by the names of their folders; what is in no stage is none of its business."""
        self._folder, self._parts, self._dtypes = folder, parts, dtypes
        self._stages = {stage: [name for name in names if name in parts] for stage, names in stages.items()}
        self._verified: dict[str, _Verified] = {}
        for stage in self._stages:
            with self.awake(stage):
                pass

    def __contains__(self, name: object) -> bool:
        return any(name in names for names in self._stages.values())

    @contextmanager
    def awake(self, stage: str) -> Iterator[None]:
        """The weights of a stage are in memory inside this context.

        Raises:
            CheckpointError: A file is gone, or is no longer the one that was verified.
        """
        names = self._stages[stage]
        try:
            for name in names:
                self._wake(name)
            yield
        finally:
            for name in names:
                _rest(self._parts[name])
            _give_back()

    def _wake(self, name: str) -> None:
        path = part_path(self._folder, name)
        try:
            found = _Verified.of(path)
        except OSError as error:
            raise CheckpointError(f"{path} is gone ({error}); put the model back, or load another.") from error
        if found != self._verified.setdefault(name, found):
            raise CheckpointError(f"{path} has changed since the model was loaded; load the model again.")
        read_part(self._folder, name, self._parts[name], self._dtypes.get(name, torch.float32))


def _rest(module: nn.Module) -> None:
    """Let go of everything that the file has; other buffers are few, and nothing would bring them back."""
    empty = {name: torch.empty_like(tensor, device="meta") for name, tensor in module.state_dict().items()}
    module.load_state_dict(empty, assign=True)


def _give_back() -> None:
    """Return freed memory to the system: glibc keeps blocks below 32 MB for itself, which are most of the weights."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other libraries of C have none
        if trim is not None:
            trim(0)
