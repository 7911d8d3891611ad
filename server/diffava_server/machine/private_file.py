"""Small files that only this user may read, and that are seen whole or not at all.

On Windows the mode does not restrict reading; there the user's own profile folder does, where these files live by
default. (Not seen running there.)
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write or replace the file.

    Raises:
        OSError: It could not be written; nothing of it is left.
    """
    with _written_aside(path, text) as temporary:
        temporary.replace(path)


def create_private(path: Path, text: str) -> None:
    """Write the file unless there is one; of several processes that do this at once, one wins and the file is whole.

    Raises:
        FileExistsError: There is one already.
        OSError: It could not be written.
    """
    with _written_aside(path, text) as temporary:
        os.link(temporary, path)


@contextmanager
def _written_aside(path: Path, text: str) -> Iterator[Path]:
    """A whole file under another name in the same folder, gone again at the end whatever happens."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
