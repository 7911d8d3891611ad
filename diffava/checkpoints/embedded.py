"""Weights that ship with the library: which models have them, and where. Knows folders, no tensors."""

from importlib import resources
from pathlib import Path

from diffava.checkpoints.manifest import MANIFEST


def weights_root() -> Path:
    """The folder that holds one folder for each model that ships trained."""
    return Path(str(resources.files("diffava"))) / "weights"


def embedded_folder(name: str) -> Path | None:
    """The saved model that ships under this name, or None: a checkout from before its training has none."""
    folder = weights_root() / name
    return folder if (folder / MANIFEST).is_file() else None
