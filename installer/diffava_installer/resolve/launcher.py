"""Puts the scripts into Resolve's folder, mends them, and takes them away to the last file. The standard library alone.

A manifest lists every file and folder that was made here, each file with its sha256. Nothing else is ever touched. All
files of one step are in place, or none is.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from diffava_installer.resolve.places import Surroundings
from diffava_installer.resolve.rendering import LUA_SCRIPT, MARK, PYTHON_SCRIPT, LauncherSettings, rendered

State = Literal["absent", "current", "old", "broken"]
OWN_FILES = ("companion.log", "seen.json")  # that appear at work, beside the manifest


class LauncherError(Exception):
    """The work cannot be done; the message is for the person who asked for it."""

    exit_code = 1


@dataclass(frozen=True)
class Manifest:
    """What an install left: files with their hashes, and the folders that were not there before."""

    version: str
    companion: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Status:
    """How the launcher stands, and why it is broken."""

    state: State
    reasons: tuple[str, ...] = ()
    installed_version: str = ""


def status(where: Surroundings, settings: LauncherSettings, sources: Path) -> Status:
    """Look at what is there; nothing is changed."""
    manifest = read_manifest(where)
    if manifest is None:
        return Status("absent")
    reasons = []
    for name, sha256 in manifest.files.items():
        if not Path(name).is_file():
            reasons.append(f"{name} is gone")
        elif _sha256(Path(name).read_bytes()) != sha256:
            reasons.append(f"{name} was changed")
    if not manifest.companion or not Path(manifest.companion[0]).exists():
        reasons.append(f"the companion's command {' '.join(manifest.companion)} is gone")
    if reasons:
        return Status("broken", tuple(reasons), manifest.version)
    wanted = {str(where.script_folder / name): _sha256(data) for name, data in rendered(sources, settings).items()}
    return Status("current" if wanted == manifest.files else "old", (), manifest.version)


def install(where: Surroundings, settings: LauncherSettings, sources: Path, *, mend: bool = False) -> list[Path]:
    """Put the scripts where Resolve looks, over an older version of ours; returns them.

    Args:
        where: For whom and on which platform.
        settings: What the scripts must know.
        sources: The folder with the scripts.
        mend: Also put back scripts of ours that were changed by hand.

    Raises:
        LauncherError: A file of that name is not ours or was changed by hand, or a folder cannot be written; everything
            is as it was.
    """
    old = read_manifest(where)
    wanted = {where.script_folder / name: data for name, data in rendered(sources, settings).items()}
    for path in wanted:
        _refuse_what_is_not_ours(path, old, mend=mend)
    obsolete = [Path(name) for name in (old.files if old else ()) if Path(name) not in wanted]
    before = {path: path.read_bytes() for path in (*wanted, *obsolete, _manifest_file(where)) if path.is_file()}
    made: list[Path] = []
    try:
        made += _make_folders(where.script_folder) + _make_folders(where.own_folder)
        folders = tuple(dict.fromkeys([*(old.folders if old else ()), *map(str, made)]))
        hashes = {str(path): _sha256(data) for path, data in wanted.items()}
        manifest = Manifest(settings.version, settings.companion, hashes, folders)
        # The manifest names the files before they are there: however this ends, an uninstall finds them.
        both = Manifest(manifest.version, manifest.companion, {**(old.files if old else {}), **hashes}, folders)
        _write_whole(_manifest_file(where), _as_json(both))
        for path, data in wanted.items():
            _write_whole(path, data)
        for path in obsolete:
            _remove_ours(path, both)
        _write_whole(_manifest_file(where), _as_json(manifest))
    except BaseException as error:  # Ctrl-C too: as it was before
        _put_back(before, [*wanted, _manifest_file(where)], made)
        if isinstance(error, OSError):
            raise LauncherError(
                f"{error.filename or where.script_folder} cannot be written ({error.strerror}); nothing was changed. "
                "Give yourself the right to write there, then run the same command again."
            ) from error
        raise
    return list(wanted)


def uninstall(where: Surroundings) -> tuple[list[Path], list[Path]]:
    """Take away everything that was put there; returns what was removed, and what was left because it is not ours."""
    manifest = read_manifest(where)
    if manifest is None:
        return [], []
    removed: list[Path] = []
    left: list[Path] = []
    for name in manifest.files:
        path = Path(name)
        if path.exists():
            (removed if _remove_ours(path, manifest) else left).append(path)
    own = where.own_folder
    for path in (*(own / name for name in OWN_FILES), *_mailbox_files(own / "mailbox"), _manifest_file(where)):
        if path.is_file():
            path.unlink()
            removed.append(path)
    _remove_empty([own / "mailbox", *map(Path, reversed(manifest.folders))])
    return removed, left


def read_manifest(where: Surroundings) -> Manifest | None:
    """What was installed, or None. A damaged manifest gives the names without hashes; a repair writes it anew."""
    try:
        stored = json.loads(_manifest_file(where).read_text(encoding="utf-8"))
        return Manifest(
            str(stored["version"]), tuple(stored["companion"]), dict(stored["files"]), tuple(stored["folders"])
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        names = (str(where.script_folder / name) for name in (PYTHON_SCRIPT, LUA_SCRIPT))
        return Manifest("", (), dict.fromkeys(names, ""))


def _manifest_file(where: Surroundings) -> Path:
    return where.own_folder / "launcher.json"


def _refuse_what_is_not_ours(path: Path, manifest: Manifest | None, *, mend: bool) -> None:
    if not path.exists():
        return
    data = path.read_bytes() if path.is_file() else b""
    known = manifest.files.get(str(path)) if manifest else None
    if known == _sha256(data):
        return
    if known is None and not (mend and _has_mark(data)):
        raise LauncherError(f"{path} is there already and is not ours; move it away, then run this again.")
    if not mend:
        raise LauncherError(f"{path} was changed by hand; run `resolve repair` to put ours back, or move it away.")


def _remove_ours(path: Path, manifest: Manifest) -> bool:
    """Remove a file that is as it was written, or still bears our mark."""
    data = path.read_bytes() if path.is_file() else b""
    is_ours = path.is_file() and (manifest.files.get(str(path)) == _sha256(data) or _has_mark(data))
    if is_ours:
        path.unlink()
    return is_ours


def _has_mark(data: bytes) -> bool:
    return MARK.encode() in data[:400]


def _mailbox_files(mailbox: Path) -> list[Path]:
    return [path for path in sorted(mailbox.glob("*")) if path.suffix in (".lua", ".prefs", ".partial")]


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder; returns those that were not there, the outermost first."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()][::-1]
    for place in missing:
        place.mkdir(exist_ok=True)
    return missing


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _put_back(before: Mapping[Path, bytes], paths: Iterable[Path], made: Iterable[Path]) -> None:
    for path in paths:
        path.with_name(path.name + ".partial").unlink(missing_ok=True)
        if path not in before:
            path.unlink(missing_ok=True)
    for path, data in before.items():
        if not path.is_file() or path.read_bytes() != data:
            _write_whole(path, data)
    _remove_empty(reversed(list(made)))


def _write_whole(path: Path, data: bytes) -> None:
    partial = path.with_name(path.name + ".partial")  # Resolve lists neither .partial nor what begins to be written
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _as_json(manifest: Manifest) -> bytes:
    return json.dumps(asdict(manifest), indent=1).encode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
