"""The Lua script of Resolve's menu at the other end of a folder: for the free version from 21.1 on, without Python.

The script can read files (`loadfile`) and write nothing but Fusion's preferences. So a request is a Lua file, and the
answer is found in a file of preferences: `SESSION.LENGTH.HEX`, the hexadecimal of its JSON.
"""

import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from diffava_resolve.bridge.channel import gone, value_of
from diffava_resolve.bridge.failures import EditorTimeoutError
from diffava_resolve.errors import OutputError

POLL_S = 0.02
BEAT_S = 0.5  # the script takes the companion for dead after ten seconds without a beat
_ANSWER = re.compile(rb"\b([0-9a-f]{16})\.(\d+)\.([0-9a-f]+)\b")


class MailboxChannel:
    """A `Channel` over a folder that only this user can write into: what lies there is run in Resolve.

    Args:
        folder: The mailbox; made if it is not there.
        preferences: Further files in which Fusion may have written the answer.
        pause: Waits for so many seconds, or until something has happened.
    """

    def __init__(
        self, folder: Path, preferences: Sequence[Path] = (), *, pause: Callable[[float], object] | None = None
    ) -> None:
        self._folder = folder
        self._answers = (folder / "answer.prefs", *preferences)
        self._closed = threading.Event()
        self._pause = pause or self._closed.wait
        self._session = secrets.token_hex(8)
        self._number = 0
        self._beat_count = 0
        self._beat_lock = threading.Lock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.name == "posix" and (folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o022):
                raise OutputError(f"The mailbox {folder} is open to other users; remove it, and it is made anew.")
            self._clear()
            self._beat_once()
        except OSError as error:
            raise OutputError(f"The mailbox {folder} cannot be used ({error.strerror}).") from error
        threading.Thread(target=self._beat, daemon=True, name="diffava-beat").start()

    def greeting(self, timeout_s: float) -> Mapping[str, Any]:
        """See `Channel.greeting`: the script says it once it was chosen in the menu."""
        return self._awaited(lambda message: "diffava" in message, timeout_s)

    def request(self, request: Mapping[str, Any], timeout_s: float) -> Any:
        """See `Channel.request`."""
        if self._closed.is_set():
            raise gone()
        self._number += 1
        self._write("request.lua", {**request, "session": self._session, "id": self._number})
        return value_of(self._awaited(lambda message: message.get("id") == self._number, timeout_s))

    def close(self) -> None:
        """See `Channel.close`: without a beat the script ends."""
        self._closed.set()
        with self._beat_lock:
            self._clear()

    def _awaited(self, is_it: Callable[[Mapping[str, Any]], bool], timeout_s: float) -> Mapping[str, Any]:
        waited_s, beat_at_s = 0.0, 0.0
        while waited_s <= timeout_s:
            if waited_s >= beat_at_s:  # the script counts its own waiting, which may be faster than the clock
                self._beat_once()
                beat_at_s += BEAT_S
            for path in self._answers:
                message = self._read(path)
                if message is not None and is_it(message):
                    return message
            self._pause(POLL_S)
            waited_s += POLL_S
        self.close()
        raise EditorTimeoutError(
            f"Resolve did not answer within {timeout_s:.0f} s. Close any dialog that is open there, then choose "
            "DiffAVA in its menu again; what was begun is undone."
        )

    def _read(self, path: Path) -> Mapping[str, Any] | None:
        """The last whole answer of this session in a file, if there is one."""
        try:
            found = _ANSWER.findall(path.read_bytes())
        except OSError:
            return None
        for session, length, text in found:
            if session.decode() == self._session and int(length) == len(text):
                message: Mapping[str, Any] = json.loads(bytes.fromhex(text.decode()).decode("utf-8", "replace"))
                return message
        return None

    def _write(self, name: str, message: Mapping[str, Any]) -> None:
        """Leave a message whole. Windows refuses to replace a file that is just being read: then once more."""
        partial = self._folder / f"{name}.partial"
        partial.write_text(f"return {as_lua(message)}\n", encoding="ascii")
        for _ in range(100):
            with suppress(PermissionError):
                partial.replace(self._folder / name)
                return
            self._pause(POLL_S)
        raise OutputError(f"{self._folder / name} is held by another program and cannot be written.")

    def _beat(self) -> None:
        while not self._closed.wait(BEAT_S):
            self._beat_once()

    def _beat_once(self) -> None:
        with self._beat_lock, suppress(OSError, OutputError):
            self._beat_count += 1
            self._write("beat.lua", {"session": self._session, "count": self._beat_count})

    def _clear(self) -> None:
        for name in ("request.lua", "beat.lua", "answer.prefs"):
            with suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)


def as_lua(value: Any) -> str:
    """A value as Lua writes it, in plain ASCII. A list says its length as `$n`, since a list of Lua ends at a None."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        plain = (chr(one) if 32 <= one < 127 and one not in b'"\\' else f"\\{one:03d}" for one in value.encode())
        return '"' + "".join(plain) + '"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"[{as_lua(key)}] = {as_lua(one)}" for key, one in value.items()) + " }"
    return "{ " + ", ".join([f'["$n"] = {len(value)}', *map(as_lua, value)]) + " }"
