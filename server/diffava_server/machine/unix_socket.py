"""A Unix socket's path, held by one server at a time. For Linux and macOS; the configuration refuses it on Windows.

gRPC removes whatever socket it finds before it binds, so without this a second server would silently take the first
one's place. gRPC also removes its own socket when the server stops.
"""

import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from diffava_server.errors import StartError

PROBE_TIMEOUT_S = 5.0


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Bind inside this: a living server's socket is refused, a dead one's removed, and ours gets mode 0600.

    Raises:
        StartError: Another server has the path, something that is not a socket is in the way, or the folder cannot
            be used.
    """
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            stack.enter_context(_locked(path.parent))
            _remove_dead(path)
        except OSError as error:
            raise StartError(f"The socket {path} cannot be used ({error}); choose another path.") from error
        before = os.umask(0o177)  # the whole process's; nothing else runs yet
        try:
            yield
        finally:
            os.umask(before)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Let one server at a time bind in the folder: two that start together would both find no socket."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_dead(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise StartError(f"{path} exists and is not a socket; move it away or choose another path.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_TIMEOUT_S)  # a server that hangs takes no connection once its backlog is full
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise StartError(f"Another server answers at unix:{path}; use that one, stop it, or choose another path.")
