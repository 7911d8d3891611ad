"""Requests to the launcher and their answers: plain JSON values, whatever carries them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from diffava_resolve.bridge.failures import (
    CallRefusedError,
    EditorGoneError,
    LauncherVersionError,
    ResolveCallError,
)

PROTOCOL = 1  # the launcher's `host.PROTOCOL`; a test compares them
CALL_TIMEOUT_S = 120.0  # exporting a long timeline takes Resolve tens of seconds
_REPAIR = "Run `python3 installer/bootstrap.py resolve repair`, then choose DiffAVA in the menu again."
_GONE = "Resolve, or DiffAVA's script in it, has ended. Start it again from Workspace, Scripts, DiffAVA."


class Channel(Protocol):
    """One conversation with a launcher."""

    def greeting(self, timeout_s: float) -> Mapping[str, Any]:
        """The launcher's first message.

        Raises:
            EditorGoneError: It did not come.
        """
        ...

    def request(self, request: Mapping[str, Any], timeout_s: float) -> Any:
        """The value that answers a request.

        Raises:
            FoleyError: See `value_of`; EditorTimeoutError: It did not come in time.
        """
        ...

    def close(self) -> None:
        """End the conversation; the launcher notices."""
        ...


@dataclass(frozen=True)
class Greeting:
    """Who is at the other end."""

    product: str
    version: tuple[int, ...]  # of Resolve: major, minor, patch, build
    has_window: bool
    root_handle: int

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> "Greeting":
        """From the launcher's first message.

        Raises:
            EditorGoneError: It says that Resolve does not answer.
            LauncherVersionError: It speaks another version of the protocol, or is no launcher.
        """
        spoken = message.get("diffava")
        if spoken != PROTOCOL:
            raise LauncherVersionError(
                f"The script in Resolve's menu speaks version {spoken!r} of the protocol and this companion "
                f"{PROTOCOL}. {_REPAIR}"
            )
        if "error" in message:
            raise EditorGoneError(_REASONS.get(message["error"].get("kind"), _GONE))
        try:
            version = tuple(int(part) for part in message["resolve"][:4])
            return cls(str(message["product"]), version, bool(message["has_window"]), message["root"]["$handle"])
        except (KeyError, TypeError, ValueError) as error:
            raise LauncherVersionError(f"The script in Resolve's menu said something unknown. {_REPAIR}") from error


_REASONS = {
    "no_module": "Resolve's scripting module was not found; Resolve is not installed here, or at an unusual place "
    "(set RESOLVE_SCRIPT_API). `diffava doctor` says where it was looked for.",
    "no_answer": "Resolve does not answer from outside. Start DaVinci Resolve Studio and set Preferences, System, "
    "General, External scripting using to Local; the free version has only the menu (Workspace, Scripts, DiffAVA).",
}


def value_of(answer: Mapping[str, Any]) -> Any:
    """The value of an answer.

    Raises:
        CallRefusedError: The call is not let through or unknown to this Resolve, or an object was given back.
        ResolveCallError: Resolve failed in it.
    """
    error = answer.get("error")
    if error is None:
        return answer.get("value")
    kind, message = error.get("kind", ""), str(error.get("message", ""))
    if kind == "resolve":
        raise ResolveCallError(message)
    raise CallRefusedError(message)


def gone() -> EditorGoneError:
    """The error for a launcher that is no longer there."""
    return EditorGoneError(_GONE)
