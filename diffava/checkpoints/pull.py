"""Bringing published checkpoints to this machine, and checking those that are here. Knows the registry, no tensors."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffava.checkpoints.download import download, file_sha256, remote_size_bytes, room_bytes
from diffava.checkpoints.published_files import (
    cache_root,
    hub_cache,
    located,
    pinned_revision,
    pull_record,
    pulled_sha256,
    pulled_size_bytes,
    record_path,
)
from diffava.checkpoints.registry import Published, PublishedFile
from diffava.errors import CheckpointError
from diffava.whole_file import whole_file

OnBytes = Callable[[str, int], None]  # a file's path, and how many of its bytes are here


@dataclass(frozen=True)
class HubFile:
    """What the hub says of a file: its commit, its length, and its sha256 if it is one of the large ones."""

    revision: str
    size_bytes: int
    sha256: str


def missing_files(entry: Published) -> tuple[PublishedFile, ...]:
    """The files that a pull would bring."""
    return tuple(file for file in entry.files if located(entry, file) is None)


def missing_bytes(entry: Published) -> int | None:
    """How much a pull would bring; what no source says is asked of the server. None if that does not say it either.

    Raises:
        CheckpointError: The hub cannot be asked.
    """
    sizes = [file.size_bytes or _asked_size_bytes(entry, file) for file in missing_files(entry)]
    return sum(sizes) if all(sizes) else None


def _asked_size_bytes(entry: Published, file: PublishedFile) -> int:
    if entry.hub:
        return hub_file(entry.hub, file.path, pinned_revision(entry)).size_bytes
    return remote_size_bytes(f"{entry.url}/{file.path}")


def pull(entry: Published, on_bytes: OnBytes = lambda _path, _bytes: None) -> None:
    """Bring a checkpoint's missing files, check every one of them, and record what was found.

    Raises:
        CheckpointError: No connection, no room, or a file is not the one that the registry or the record knows.
    """
    missing = missing_files(entry)
    _check_room(entry, missing_bytes(entry) or 0)
    if entry.hub:
        record = _pull_from_hub(entry)
    else:
        files = {file.path: _pull_from_address(entry, file, file in missing, on_bytes) for file in entry.files}
        record = {"revision": "", "files": files}
    _write_record(entry, record)


def verify(entry: Published) -> None:
    """Read every file of a checkpoint and compare its sha256.

    Raises:
        CheckpointError: One is missing or another than it was; or nothing is known that it could be compared with.
    """
    for file in entry.files:
        path = located(entry, file)
        if path is None:
            raise CheckpointError(f"{file.path} of '{entry.name}' is not here; run `diffava models pull {entry.name}`.")
        expected = pulled_sha256(entry, file)
        if not expected:
            raise CheckpointError(
                f"Nothing is known that {path} could be compared with: it was not brought by DiffAVA. Run `diffava "
                f"models pull {entry.name}`, which asks the hub for its sha256."
            )
        _compare(entry, file, path, expected)


def _compare(entry: Published, file: PublishedFile, path: Path, expected: str) -> str:
    found = file_sha256(path)
    if found != expected:
        raise CheckpointError(
            f"{path} is not the file of '{entry.name}' that is expected: its sha256 is {found}, it should be "
            f"{expected}. Remove it and run `diffava models pull {entry.name}`."
        )
    return found


def _check_room(entry: Published, needed: int) -> None:
    where = hub_cache() if entry.hub else cache_root()
    free = room_bytes(where)
    if needed > free:
        raise CheckpointError(
            f"'{entry.name}' needs {needed / 1e6:,.0f} MB and the disk of {where} has {free / 1e6:,.0f} MB left; make "
            "room, or set HF_HUB_CACHE to a folder on another disk."
        )


def _pull_from_address(entry: Published, file: PublishedFile, is_missing: bool, on_bytes: OnBytes) -> dict[str, Any]:
    target = cache_root() / entry.name / file.path
    size_bytes, expected = pulled_size_bytes(entry, file), pulled_sha256(entry, file)
    if is_missing:
        url = f"{entry.url}/{file.path}"
        found = download(
            url,
            target,
            size_bytes=size_bytes,
            sha256=expected,
            md5=file.md5,
            on_bytes=lambda count: on_bytes(file.path, count),
        )
    else:
        found = _compare(entry, file, target, expected) if expected else file_sha256(target)
    return {"size_bytes": target.stat().st_size, "sha256": found}


def _pull_from_hub(entry: Published) -> dict[str, Any]:
    """Into the hub's own cache, by the hub's own client: it resumes, locks and shows its progress by itself."""
    known = pull_record(entry)
    files, revision = {}, pinned_revision(entry)
    for file in entry.files:
        path, expected = located(entry, file), pulled_sha256(entry, file)
        if path is None or not expected:
            on_hub = hub_file(entry.hub, file.path, revision)
            # The first file's answer turns "main" into a commit, so that all files are of one.
            revision = on_hub.revision
            if expected and on_hub.sha256 and on_hub.sha256 != expected:
                raise CheckpointError(
                    f"The hub's {file.path} of {entry.hub} at {revision} has the sha256 {on_hub.sha256}, the registry "
                    f"knows {expected}; nothing was brought. The entry is wrong, or the hub is."
                )
            expected = expected or on_hub.sha256
            path = hub_download(entry.hub, file.path, revision)
        try:
            found = _compare(entry, file, path, expected) if expected else file_sha256(path)
        except CheckpointError:
            _remove(path)
            raise
        files[file.path] = {"size_bytes": path.stat().st_size, "sha256": found}
    return known | {"revision": revision, "files": files}


def hub_file(repository: str, path: str, revision: str) -> HubFile:
    """Ask the hub what it has; nothing is brought.

    Raises:
        CheckpointError: It cannot be asked, or has no such file.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    try:
        found = get_hf_file_metadata(hf_hub_url(repository, path, revision=revision))
    except Exception as error:  # the client raises its own, its transport's and the system's errors
        raise _unreachable(repository, path, error) from error
    etag = found.etag or ""
    is_sha256 = len(etag) == 64  # of large files; of others it is git's hash
    return HubFile(found.commit_hash or revision, found.size or 0, etag if is_sha256 else "")


def hub_download(repository: str, path: str, revision: str) -> Path:
    """Bring a file into the hub's cache.

    Raises:
        CheckpointError: There is no connection, no such file or no room.
    """
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repository, path, revision=revision, cache_dir=hub_cache()))
    except Exception as error:
        raise _unreachable(repository, path, error) from error


def _unreachable(repository: str, path: str, error: Exception) -> CheckpointError:
    line = " ".join(str(error).split())[:200] or type(error).__name__
    return CheckpointError(
        f"{path} of huggingface.co/{repository} cannot be had ({line}); check the connection, that HF_HUB_OFFLINE is "
        "not set and that the disk has room, and run the same command again: it goes on where it stopped."
    )


def _remove(path: Path) -> None:
    """A file of the hub's cache with what it points to."""
    content = path.resolve()
    path.unlink(missing_ok=True)
    content.unlink(missing_ok=True)


def _write_record(entry: Published, record: dict[str, Any]) -> None:
    path = record_path(entry)
    values = {"name": entry.name, "licence": entry.licence, "commercial_use_allowed": entry.commercial_use_allowed}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as unfinished:
            unfinished.write_text(json.dumps(values | record, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written ({error}); check the folder.") from error
