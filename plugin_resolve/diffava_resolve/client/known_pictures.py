"""What this machine has sent to servers before: a small file that only its user may read, least used first forgotten.

It holds hashes, no paths and no pictures. Losing it costs a decode, so nothing that is wrong with it is an error.
"""

import contextlib
import json
import threading
from pathlib import Path
from typing import Any

from diffava_resolve.client.protocol import PictureMemory
from diffava_resolve.errors import OutputError
from diffava_resolve.files import write_whole

FILE_NAME = "known-pictures.json"
_MOST_ENTRIES = 512
_MOST_BYTES = 4 << 20
_SCHEMA_VERSION = 1


class KnownPictures(PictureMemory):
    """The memory in a folder, which only its user can write into."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._lock = threading.Lock()

    def recall(self, identity: str) -> dict[str, Any] | None:
        """See `PictureMemory.recall`."""
        found = self._read().get(identity)
        return found if isinstance(found, dict) else None

    def remember(self, identity: str, known: dict[str, Any]) -> None:
        """See `PictureMemory.remember`; of two commands at once the one that writes last is remembered."""
        with self._lock:
            entries = self._read()
            entries[identity] = {**(entries.pop(identity, None) or {}), **known}
            while len(entries) > _MOST_ENTRIES:
                del entries[next(iter(entries))]
            with contextlib.suppress(OSError, OutputError):
                self._write(json.dumps({"schema_version": _SCHEMA_VERSION, "pictures": entries}))

    def _read(self) -> dict[str, Any]:
        try:
            if self._path.stat().st_size > _MOST_BYTES:
                return {}
            whole = json.loads(self._path.read_text("utf-8"))
            entries = whole["pictures"] if whole["schema_version"] == _SCHEMA_VERSION else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return entries if isinstance(entries, dict) else {}

    def _write(self, text: str) -> None:
        def write(temporary: Path) -> None:
            temporary.chmod(0o600)
            temporary.write_text(text, "utf-8")

        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._path, write)
