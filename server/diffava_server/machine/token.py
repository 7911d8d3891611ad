"""The secret that a client must know, in a file that only this user can read."""

import contextlib
import secrets
import sys
from pathlib import Path

from diffava_server.errors import StartError
from diffava_server.machine.private_file import create_private

TOKEN_BYTES = 32
MIN_TOKEN_CHARACTERS = 16


def read_or_create_token(path: Path) -> str:
    """The token in the file, which is made with a fresh one if it is absent.

    Raises:
        StartError: The file cannot be made or read, is open to other users, or holds no usable token.
    """
    try:
        if not path.exists():  # one that is there may lie in a folder that this user cannot write into
            with contextlib.suppress(FileExistsError):
                create_private(path, secrets.token_urlsafe(TOKEN_BYTES) + "\n")
        token = path.read_text("utf-8").strip()
        mode = path.stat().st_mode & 0o777
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"The token file {path} cannot be used ({error}); give another with --token-file.") from error
    if len(token) < MIN_TOKEN_CHARACTERS or not token.isascii() or not token.isprintable():
        raise StartError(
            f"The token file {path} holds no usable token (at least {MIN_TOKEN_CHARACTERS} plain characters on one "
            "line); delete it and a fresh one is made."
        )
    if sys.platform != "win32" and mode & 0o077:
        raise StartError(f"The token file {path} can be read by other users (mode {mode:o}); run: chmod 600 {path}")
    return token
