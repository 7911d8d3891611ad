"""The Lua of Resolve's menu as the free version 21.1 is reported to have it: no package, ffi or io; on a fake Resolve.

What is there (`loadfile`, `bmd.fileexists`, `bmd.wait`, a few of `os`, Fusion's preferences) follows reports by users
of that version; Resolve itself was not seen running.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_SANDBOX = """
local names = { "clock", "date", "difftime", "getenv", "time", "tmpname" }
local system = os
os = {}
for _, name in ipairs(names) do os[name] = system[name] end
package, ffi, io, require, module, debug, jit, dofile, python = nil, nil, nil, nil, nil, nil, nil, nil, nil
"""
_PROXIES = """
local get, numbers = _get, _numbers
local function proxy(number)
  local made = newproxy(true)
  getmetatable(made).__index = function(_, name) return get(number, name) end
  numbers[made] = number
  return made
end
return proxy
"""


class MenuLua:
    """One run of a menu script; `poll` is called where it waits for a file."""

    def __init__(self, runtime: Any, resolve: Any, preferences: Path, poll: Callable[[], None]) -> None:
        self.said: list[str] = []
        self._lua = runtime
        self._objects: dict[int, Any] = {}
        self._numbers = runtime.eval("setmetatable({}, { __mode = 'k' })")
        self._prefs: dict[str, str] = {}
        self._preferences = preferences
        names = runtime.globals()
        names["_get"], names["_numbers"] = self._get, self._numbers
        self._proxy = runtime.execute(_PROXIES)
        names["_get"], names["_numbers"] = None, None
        runtime.execute(_SANDBOX)
        names["print"] = lambda *words: self.said.append(" ".join(map(str, words)))
        names["resolve"] = self._to_lua(resolve)
        names["bmd"] = runtime.table_from({"fileexists": lambda path: Path(path).is_file(), "wait": lambda _s: poll()})
        names["fusion"] = runtime.table_from({"SetPrefs": self._set_prefs, "SavePrefs": self._save_prefs})

    def run(self, script: str) -> None:
        """Run a script to its end."""
        self._lua.execute(script)

    def _set_prefs(self, _fusion: Any, name: str, value: str) -> None:
        self._prefs[name] = value

    def _save_prefs(self, _fusion: Any, path: str | None = None) -> None:
        lines = "".join(f'\t["{name}"] = "{value}",\n' for name, value in self._prefs.items())
        (Path(path) if path else self._preferences).write_text("{\n" + lines + "}\n")

    def _get(self, number: int, name: str) -> Any:
        target = self._objects[number]
        found = getattr(target, name, None)
        if not callable(found):
            return self._to_lua(found)

        def method(_self: Any, *arguments: Any) -> Any:
            return self._to_lua(found(*map(self._to_python, arguments)))

        return method

    def _to_lua(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, list | tuple):
            return self._lua.table_from([self._to_lua(one) for one in value])
        if isinstance(value, dict):
            return self._lua.table_from({key: self._to_lua(one) for key, one in value.items()})
        number = next((known for known, one in self._objects.items() if one is value), len(self._objects) + 1)
        self._objects[number] = value
        return self._proxy(number)

    def _to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        number = self._numbers[value]
        if number is not None:
            return self._objects[number]
        found = {key: self._to_python(one) for key, one in value.items()}
        return list(found.values()) if list(found) == list(range(1, len(found) + 1)) else found


class Baton:
    """Lets a script and its companion take turns: each waits until the other one waits."""

    def __init__(self) -> None:
        self._script, self._companion = threading.Semaphore(0), threading.Semaphore(0)
        self._is_free = False

    def pause(self, _seconds: float = 0.0) -> None:
        """The companion waits for the script."""
        self._script.release()
        if not self._is_free:
            assert self._companion.acquire(timeout=60), "the script hangs"

    def poll(self) -> None:
        """The script waits for the companion."""
        self._companion.release()
        if not self._is_free:
            assert self._script.acquire(timeout=60), "the companion hangs"

    def leave(self) -> None:
        """One of them has ended: the other one waits no more."""
        self._is_free = True
        self._script.release()
        self._companion.release()
