"""Where the files of published checkpoints are on this machine. Opens no network and no tensor.

Files from the Hugging Face hub stay in the hub's own cache, which other programs share; all others are in
`cache_root()`. `diffava models pull NAME` brings them. Whoever needs one asks here:

    path = published_file("vggish")                       # the entry's only file
    path = published_file("audioldm-s", "unet/config.json")
    folder = published_folder("audioldm-s")               # all files, under the paths of the entry
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from diffava.checkpoints.registry import Published, PublishedFile, published
from diffava.errors import CheckpointError

WEIGHTS_ENDINGS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")


def cache_root() -> Path:
    """The folder of files that are not the hub's, and of what was found when checkpoints were pulled."""
    return user_cache_path("diffava", appauthor=False) / "published"


def hub_cache() -> Path:
    """The hub's own cache (`HF_HUB_CACHE`, or `hub` in `HF_HOME`)."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def published_file(name: str, path: str = "") -> Path:
    """A file of a published checkpoint that has been pulled.

    Args:
        name: The registry's name of the checkpoint.
        path: Which of its files; may be left out where there is only one.

    Raises:
        CheckpointError: It is not here, or not as long as it was when it was pulled.
        RequestError: There is no such checkpoint, or no such file of it.
    """
    entry = published(name)
    file = entry.file(path)
    found = located(entry, file)
    if found is None:
        raise CheckpointError(
            f"{file.path} of '{name}' ({entry.title}) is not on this machine; run `diffava models pull {name}`."
        )
    expected = pulled_size_bytes(entry, file)
    if expected and found.stat().st_size != expected:
        raise CheckpointError(
            f"{found} has {found.stat().st_size} bytes and should have {expected}; remove it and run "
            f"`diffava models pull {name}`."
        )
    return found


def published_folder(name: str) -> Path:
    """The folder in which all files of a checkpoint lie under the paths of its entry.

    Raises:
        CheckpointError: One of them is not here.
        RequestError: There is no such checkpoint.
    """
    entry = published(name)
    found = [(published_file(name, file.path), file) for file in entry.files]
    path, file = found[0]
    return path.parents[file.path.count("/")]


def weights_file(entry: Published) -> str:
    """Which of a checkpoint's files holds its weights, where one does."""
    return next(file.path for file in entry.files if file.path.endswith(WEIGHTS_ENDINGS))


def is_here(entry: Published) -> bool:
    """Whether every file of a checkpoint is on this machine; their contents are not read."""
    return all(located(entry, file) is not None for file in entry.files)


def located(entry: Published, file: PublishedFile) -> Path | None:
    """Where a file is, or None."""
    path = _in_the_hubs_cache(entry, file) if entry.hub else cache_root() / entry.name / file.path
    return path if path is not None and path.is_file() else None


def pinned_revision(entry: Published) -> str:
    """The hub's commit: the entry's, or for "main" the one that was recorded when it was first pulled."""
    if entry.revision != "main":
        return entry.revision
    return str(pull_record(entry).get("revision", "main"))


def pull_record(entry: Published) -> dict[str, Any]:
    """What was found when the checkpoint was pulled: its commit, and sizes and hashes by path; {} before that.

    Raises:
        CheckpointError: The record cannot be read.
    """
    path = record_path(entry)
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}); remove it and run `diffava models pull {entry.name}`."
        ) from error
    return record


def record_path(entry: Published) -> Path:
    """Where that is kept."""
    return cache_root() / f"{entry.name}.json"


def pulled_size_bytes(entry: Published, file: PublishedFile) -> int:
    """How long a file has to be; 0 if neither the entry nor a pull says it."""
    return file.size_bytes or int(_recorded(entry, file).get("size_bytes", 0))


def pulled_sha256(entry: Published, file: PublishedFile) -> str:
    """What a file has to hash to; empty if neither the entry nor a pull says it."""
    return file.sha256 or str(_recorded(entry, file).get("sha256", ""))


def _recorded(entry: Published, file: PublishedFile) -> dict[str, Any]:
    files = pull_record(entry).get("files", {})
    found = files.get(file.path, {}) if isinstance(files, dict) else {}
    return found if isinstance(found, dict) else {}


def _in_the_hubs_cache(entry: Published, file: PublishedFile) -> Path | None:
    if importlib.util.find_spec("huggingface_hub") is None:
        return None  # the command that lists models runs without the model extra
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(entry.hub, file.path, cache_dir=hub_cache(), revision=pinned_revision(entry))
    return Path(found) if isinstance(found, str) else None
