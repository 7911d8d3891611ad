"""The secret that a client must know, in a file that only this user can read; and how it is replaced by a new one.

For a while after a rotation the token from before is good too. It lies beside the file as NAME.previous, with the time
until which it is: a server that starts meanwhile knows it as well as one that runs.
"""

import contextlib
import hmac
import math
import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path

from diffava_server.errors import StartError
from diffava_server.machine.private_file import create_private, write_private

TOKEN_BYTES = 32
MIN_TOKEN_CHARACTERS = 16
MAX_GRACE_S = 30 * 24 * 3600.0  # also the most that a wall clock which jumps can add


class TokenFile:
    """What the file says now. Asked at every call: two looks at the disk's times, and a reading when they changed.

    Args:
        path: The file; made with a fresh token if absent.
        complain: Told in a sentence when the file has become unusable; what it said before stays good.
        clock_s: Monotonic, so that no jump of the wall clock ends or lengthens what was read.
        wall_clock_s: By which the end of the token before is written down.

    Raises:
        StartError: As `read_or_create_token`.
    """

    def __init__(
        self,
        path: Path,
        complain: Callable[[str], None] = lambda sentence: None,
        clock_s: Callable[[], float] = time.monotonic,
        wall_clock_s: Callable[[], float] = time.time,
    ) -> None:
        self.token = read_or_create_token(path)
        self._path = path
        # Once: pathlib interns names, and Python's table of those grows with each that comes and goes.
        self._previous_path = _previous_path(path)
        self._complain = complain
        self._clock_s = clock_s
        self._wall_clock_s = wall_clock_s
        self._stamp: object = None
        self._previous = ""
        self._previous_until_s = 0.0
        self._refresh()

    def accepts(self, given: str) -> bool:
        """Whether this is the token, or the one before while that is good. How long it takes says nothing of either."""
        self._refresh()
        is_current = _is_same(given, self.token)
        is_previous = _is_same(given, self._previous)
        return is_current or (is_previous and self._clock_s() < self._previous_until_s)

    def _refresh(self) -> None:
        stamp = (_stamp(self._path), _stamp(self._previous_path))
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.token = _read_token(self._path)
        except StartError as error:
            self._complain(f"{error} What it said before stays good.")
            return
        self._previous, until_s = _read_previous(self._previous_path)
        left_s = min(max(until_s - self._wall_clock_s(), 0.0), MAX_GRACE_S)
        self._previous_until_s = self._clock_s() + left_s


def read_or_create_token(path: Path) -> str:
    """The token in the file, which is made with a fresh one if it is absent.

    Raises:
        StartError: The file cannot be made or read, is open to other users, or holds no usable token.
    """
    try:
        if not path.exists():  # one that is there may lie in a folder that this user cannot write into
            with contextlib.suppress(FileExistsError):
                create_private(path, secrets.token_urlsafe(TOKEN_BYTES) + "\n")
    except OSError as error:
        raise _unusable(path, error) from error
    return _read_token(path)


def rotate_token(path: Path, grace_s: float, wall_clock_s: Callable[[], float] = time.time) -> None:
    """Put a fresh token into the file. The one from before stays good for `grace_s`; those before it end at once.

    Raises:
        StartError: There is no usable token in the file, or it cannot be written.
    """
    if not 0 <= grace_s <= MAX_GRACE_S:
        raise StartError(
            f"The old token would stay good for {grace_s:g} s; give 0 to {MAX_GRACE_S:.0f} s (30 days).", exit_code=2
        )
    if not path.exists():
        raise StartError(
            f"There is no token file {path}; a server makes one when it starts, give its path with --token-file."
        )
    before = _read_token(path)
    try:
        owner = path.stat()
        # First, so that there is no moment in which the old one is refused.
        # Rounded down: rounded up, "at once" would be up to half a second later.
        write_private(_previous_path(path), f"{before}\n{math.floor(wall_clock_s() + grace_s)}\n")
        write_private(path, secrets.token_urlsafe(TOKEN_BYTES) + "\n")
        if sys.platform != "win32" and os.geteuid() == 0:  # rotated by root, read by the server's own user
            for written in (path, _previous_path(path)):
                os.chown(written, owner.st_uid, owner.st_gid)
    except OSError as error:
        raise _unusable(path, error) from error


def _read_token(path: Path) -> str:
    try:
        token = path.read_text("utf-8").strip()
        mode = path.stat().st_mode & 0o777
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from error
    if len(token) < MIN_TOKEN_CHARACTERS or not token.isascii() or not token.isprintable():
        raise StartError(
            f"The token file {path} holds no usable token (at least {MIN_TOKEN_CHARACTERS} plain characters on one "
            "line); delete it and a fresh one is made."
        )
    if sys.platform != "win32" and mode & 0o077:
        raise StartError(f"The token file {path} can be read by other users (mode {mode:o}); run: chmod 600 {path}")
    return token


def _read_previous(path: Path) -> tuple[str, float]:
    """The token before and when it ends, or nothing."""
    try:
        if sys.platform != "win32" and path.stat().st_mode & 0o077:
            return "", 0.0
        token, until_s = path.read_text("utf-8").split()
        return token, float(until_s)
    except (OSError, ValueError):
        return "", 0.0


def _previous_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.previous")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_mode


def _is_same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode()) and bool(expected)


def _unusable(path: Path, error: Exception) -> StartError:
    return StartError(f"The token file {path} cannot be used ({error}); give another with --token-file.")
