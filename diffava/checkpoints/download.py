"""One file over https into its place: resumable, checked, whole or not at all. Knows addresses and bytes, no registry.

What has arrived waits beside the target with the ending `.part`, under a lock, so that a second process waits instead
of writing into it. A server that ignores the range that is asked for starts the file anew.
"""

import errno
import hashlib
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from filelock import FileLock

from diffava.errors import CheckpointError

BLOCK_BYTES = 1 << 20
TIMEOUT_S = 30.0  # without a byte
TRIES_WITHOUT_PROGRESS = 3
UNSATISFIABLE_RANGE = 416


class _BrokenError(Exception):
    """The connection ended before the file did."""


def download(
    url: str,
    target: Path,
    *,
    size_bytes: int = 0,
    sha256: str = "",
    md5: str = "",
    on_bytes: Callable[[int], None] = lambda _: None,
) -> str:
    """Bring a file, going on where an earlier attempt stopped; return its sha256.

    Args:
        url: Where it is.
        target: Where it goes; replaced if it is there.
        size_bytes: How long it is; 0 if that is not known.
        sha256: What it must hash to; empty if that is not known.
        md5: Likewise. Zenodo says no other.
        on_bytes: Called with how many bytes of the file are here, again and again.

    Raises:
        CheckpointError: The connection broke (what arrived is kept), the disk is full, or the content is another (what
            arrived is removed).
    """
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(part.with_name(f"{part.name}.lock")):
            _fetch(url, part, size_bytes, on_bytes)
            found = _checked(url, part, size_bytes, sha256, md5)
            part.replace(target)
    except OSError as error:
        raise _refused(url, target, error) from error
    return found


def remote_size_bytes(url: str) -> int:
    """How long a file is, without bringing it; 0 if the server does not say or cannot be reached."""
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "diffava"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return int(answer.headers.get("Content-Length") or 0)
    except (OSError, HTTPException, ValueError):  # the download itself says what is wrong
        return 0


def room_bytes(folder: Path) -> int:
    """What the disk under a folder, which need not exist yet, has left."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def file_sha256(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(url: str, part: Path, size_bytes: int, on_bytes: Callable[[int], None]) -> None:
    tries, last = 0, OSError("no answer")
    while tries < TRIES_WITHOUT_PROGRESS:
        before = _size(part)
        if size_bytes and before == size_bytes:
            return
        try:
            _append(url, part, on_bytes)
            return
        except (_BrokenError, HTTPException, ConnectionError, TimeoutError, urllib.error.URLError) as error:
            if isinstance(error, urllib.error.HTTPError):
                if error.code == UNSATISFIABLE_RANGE and before:
                    part.unlink()  # longer than the file is now, or all of it: its hash could not tell which
                    tries += 1
                    continue
                raise CheckpointError(f"{url} answers {error.code} {error.reason}; nothing was changed.") from error
            reason = getattr(error, "reason", None)
            if isinstance(reason, OSError) and reason.errno == errno.ENOSPC:
                raise reason from error
            tries = 0 if _size(part) > before else tries + 1
            last = OSError(str(error))
    kept = f"{_size(part) / 1e6:.1f} MB of it are here and kept" if _size(part) else "nothing of it is here yet"
    raise CheckpointError(
        f"{url} could not be brought ({last}); {kept}. Check the connection and run the same command again: it goes on "
        "from there."
    )


def _append(url: str, part: Path, on_bytes: Callable[[int], None]) -> None:
    have = _size(part)
    request = urllib.request.Request(url, headers={"User-Agent": "diffava", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        have = have if goes_on else 0
        promised = answer.headers.get("Content-Length")
        end = None if promised is None else have + int(promised)
        with part.open("ab" if goes_on else "wb") as file:
            on_bytes(have)
            while block := answer.read(BLOCK_BYTES):
                file.write(block)
                have += len(block)
                on_bytes(have)
            file.flush()
            os.fsync(file.fileno())
    if end is not None and have < end:
        raise _BrokenError(f"the connection ended {end - have} bytes early")


def _checked(url: str, part: Path, size_bytes: int, sha256: str, md5: str) -> str:
    """The sha256, after everything that is known of the content was compared; a wrong file is removed."""
    found_size, found = _size(part), file_sha256(part)
    wrong = ""
    if sha256 and found != sha256:
        wrong = f"its sha256 is {found}, it should be {sha256}"
    elif size_bytes and found_size != size_bytes:
        wrong = f"it has {found_size} bytes, it should have {size_bytes}"
    elif md5:
        with part.open("rb") as file:
            found_md5 = hashlib.file_digest(file, "md5").hexdigest()
        if found_md5 != md5:
            wrong = f"its md5 is {found_md5}, it should be {md5}"
    if wrong:
        part.unlink()
        raise CheckpointError(
            f"What {url} sent is not the file that the registry knows: {wrong}. It was removed; try again, and if it "
            "stays so, do not use that file."
        )
    return found


def _refused(url: str, target: Path, error: OSError) -> CheckpointError:
    if error.errno == errno.ENOSPC:
        return CheckpointError(f"The disk is full: {target} needs more room. Make some and run the same command again.")
    return CheckpointError(f"{url} cannot be written to {target} ({error}); check the folder.")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
