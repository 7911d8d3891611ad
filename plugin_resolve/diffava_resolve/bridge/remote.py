"""Resolve's objects as proxies: whatever takes Blackmagic's documented interface takes these.

A proxy has the names that the object at the other end has, as `dir` gives them there; as on Resolve's own objects, an
unknown name is None. A proxy that nobody holds any more is given back with the next request.
"""

import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from diffava_resolve.bridge.channel import CALL_TIMEOUT_S, Channel, Greeting

GREETING_TIMEOUT_S = 60.0


class Bridge:
    """One conversation with Resolve: `resolve` is its root object.

    Raises:
        FoleyError: Resolve does not answer, or its launcher is of another version.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        call_timeout_s: float = CALL_TIMEOUT_S,
        greeting_timeout_s: float = GREETING_TIMEOUT_S,
    ) -> None:
        self._channel = channel
        self._call_timeout_s = call_timeout_s
        self._released: deque[int] = deque()  # no lock: a proxy may be collected in the middle of any line of ours
        self._names: dict[str, frozenset[str]] = {}
        self.greeting = Greeting.of(channel.greeting(greeting_timeout_s))
        self.resolve = RemoteObject(self, self.greeting.root_handle, "Resolve")

    def ask(self, form: Mapping[str, Any]) -> dict[str, Any] | None:
        """Show a form in Resolve and wait for the person; the answers by field, None if it was closed.

        Raises:
            CallRefusedError: This Resolve shows no windows of scripts.
        """
        answers: dict[str, Any] | None = self._send({"ask": form}, timeout_s=threading.TIMEOUT_MAX)
        return answers

    def show(self, text: str) -> bool:
        """Say how far the work is; True once the person has cancelled."""
        return bool(self._send({"show": text}))

    def settle(self) -> None:
        """What was changed so far stays; without this it is undone when the companion ends, however it ends."""
        self._send({"settle": True})

    def end(self, text: str, *, ok: bool) -> None:
        """Say the last words, which the launcher shows."""
        self._send({"end": {"text": text, "ok": ok}})
        self._channel.close()

    def call(self, handle: int, name: str, arguments: tuple[Any, ...]) -> Any:
        """Call a method of the object with that number."""
        value = self._send({"call": [handle, name, [packed(one) for one in arguments]]})
        return self._unpacked(value, name)

    def constant(self, handle: int, name: str) -> Any:
        """A constant of the object, such as `EXPORT_OTIO`."""
        return self._unpacked(self._send({"get": [handle, name]}), name)

    def names(self, handle: int, origin: str) -> frozenset[str]:
        """The method names of an object. Objects that one method returns are of one class, so it is asked for once."""
        if origin not in self._names:
            self._names[origin] = frozenset(self._send({"names": handle}))
        return self._names[origin]

    def forget(self, handle: int) -> None:
        """Give an object back with the next request."""
        self._released.append(handle)

    def _send(self, request: Mapping[str, Any], timeout_s: float | None = None) -> Any:
        released = [self._released.popleft() for _ in range(len(self._released))]
        full = {**request, "release": released} if released else request
        return self._channel.request(full, self._call_timeout_s if timeout_s is None else timeout_s)

    def _unpacked(self, value: Any, origin: str) -> Any:
        if isinstance(value, list):
            return [self._unpacked(one, origin) for one in value]
        if isinstance(value, dict):
            if value.keys() == {"$handle"}:
                return RemoteObject(self, value["$handle"], origin)
            if value.keys() == {"$map"}:
                return {key: self._unpacked(one, f"{origin}/{key}") for key, one in value["$map"]}
            return {key: self._unpacked(one, f"{origin}/{key}") for key, one in value.items()}
        return value


class RemoteObject:
    """An object of Resolve's in another process."""

    __slots__ = ("__weakref__", "_bridge", "_handle", "_origin")

    def __init__(self, bridge: Bridge, handle: int, origin: str) -> None:
        self._bridge = bridge
        self._handle = handle
        self._origin = origin
        weakref.finalize(self, bridge.forget, handle).atexit = False

    def __dir__(self) -> list[str]:
        return sorted(self._bridge.names(self._handle, self._origin))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name.isupper():
            return self._bridge.constant(self._handle, name)
        if name not in self._bridge.names(self._handle, self._origin):
            return None
        return _method(self, name)

    def __repr__(self) -> str:
        return f"<{self._origin} {self._handle} in Resolve>"


def _method(target: RemoteObject, name: str) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        return target._bridge.call(target._handle, name, arguments)

    call.__name__ = name
    return call


def packed(value: Any) -> Any:
    """A value as JSON can carry it to the launcher.

    Raises:
        TypeError: It is of no kind that Resolve takes.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, RemoteObject):
        return {"$handle": value._handle}
    if isinstance(value, list | tuple):
        return [packed(one) for one in value]
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: packed(one) for key, one in value.items()}
        return {"$map": [[packed(key), packed(one)] for key, one in value.items()]}
    raise TypeError(f"Resolve takes no {type(value).__name__}")
