"""The file by which a command finds the server that is running: where it answers and who it is."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from diffava_server.errors import StartError
from diffava_server.machine.private_file import write_private


@dataclass(frozen=True)
class ServerState:
    """A running server, as its state file says it. `address` is what a gRPC client dials."""

    address: str
    token_file: str
    pid: int
    software_version: str
    models: tuple[str, ...]

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


@contextmanager
def published(state: ServerState, path: Path | None) -> Iterator[None]:
    """Keep the state file while the server answers; on leaving, remove it if it is still ours.

    Raises:
        StartError: It cannot be written.
    """
    if path is None:
        yield
        return
    try:
        write_private(path, state.to_json() + "\n")
    except OSError as error:
        raise StartError(
            f"The state file {path} cannot be written ({error}); give another with --state-file."
        ) from error
    try:
        yield
    finally:
        if _pid_in(path) == os.getpid():
            path.unlink(missing_ok=True)


def _pid_in(path: Path) -> int | None:
    try:
        pid = json.loads(path.read_text("utf-8"))["pid"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if isinstance(pid, int) else None
