"""Files that appear whole or not at all. Knows nothing of what is in them.

Every output of the plugin is written to a temporary sibling, flushed to the disk and then renamed, so that a full disk,
a crash or Ctrl-C never leaves half a file under a name that somebody trusts, and never harms what stood there before.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from diffava_resolve.errors import OutputError, RequestError

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "your disk quota is used up; free some space or choose another folder",
    errno.EACCES: "the folder is not writable; choose another or change its permissions",
    errno.EPERM: "the folder is not writable; choose another or change its permissions",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOENT: "its folder does not exist; create it first",
    errno.ENOTDIR: "part of its path is a file, not a folder; choose another place",
    errno.EISDIR: "a folder of that name is in the way; choose another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


def cannot_write(path: Path, reason: OSError | str) -> OutputError:
    """The sentence for a `path` that could not be written, with what to do about it."""
    if isinstance(reason, OSError):
        reason = _REASONS.get(reason.errno or 0, f"{reason.strerror or reason}; choose another place")
    return OutputError(f"{path} could not be written: {reason}. Nothing was left half-written.")


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary sibling of `path` with the same suffix, then give it the name `path`.

    Whatever `write` raises, the sibling is removed; an `OSError` becomes an `OutputError`, anything else passes.

    Raises:
        OutputError: The folder is missing or not writable, the disk is full, a folder is in the way.
    """
    temporary = temporary_sibling(path)
    try:
        write(temporary)
        publish(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        discard(temporary)


def temporary_sibling(path: Path) -> Path:
    """Create an empty file beside `path`, of a hidden name that nothing else has and of the same suffix.

    The same folder, so that the rename cannot cross file systems; the same suffix, because adapters go by it. Its
    name is short whatever the length of `path`'s. It is created at once, so that an unwritable place is found early.

    Raises:
        OutputError: It cannot be created, or `path` is a folder.
    """
    temporary = path.parent / f".diffava-{secrets.token_hex(8)}{path.suffix}"
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise cannot_write(path, error) from error
    return temporary


def publish(temporary: Path, path: Path) -> None:
    """Flush `temporary` to the disk, rename it to `path` and flush the folder.

    The order matters: a rename that reaches the disk before the data leaves an empty file after a power cut.

    Raises:
        OutputError: One of these failed; `temporary` may still be there.
    """
    try:
        _flush(temporary)
        temporary.replace(path)
        if os.name != "nt":  # Windows opens no folders and orders its own renames
            _flush(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def discard(temporary: Path) -> None:
    """Remove a temporary sibling, if it is still there."""
    with contextlib.suppress(PermissionError):  # Windows: a library that failed may still hold it open
        temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> bool:
    """Create a folder whose parent exists; True if it was not there before, so that a failed job can remove it.

    Raises:
        OutputError: It cannot be created, or a file is in the way.
    """
    try:
        path.mkdir()
    except FileExistsError as error:
        if path.is_dir():
            return False
        raise cannot_write(path, "a file of that name is in the way; choose another name") from error
    except OSError as error:
        raise cannot_write(path, error) from error
    return True


def refuse_overwriting(source: Path, output: Path) -> None:
    """Refuse to write over the file that is read, however the two paths are spelled (links included).

    Raises:
        RequestError: They are the same file.
    """
    try:
        same = output.samefile(source)
    except OSError:  # one of them is not there: then nothing can be overwritten
        return
    if same:
        raise RequestError(f"The output {output} is the input itself, which is never overwritten; give another name.")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)  # Windows flushes only writable files
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
