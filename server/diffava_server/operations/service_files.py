"""Files by which an operating system starts the server by itself, with this machine's command filled in."""

import sys
from importlib.resources import files
from pathlib import Path
from typing import Literal

ServiceKind = Literal["systemd", "systemd-user", "launchd", "windows", "container"]

FILES: dict[ServiceKind, str] = {
    "systemd": "diffava.service",
    "systemd-user": "diffava-user.service",
    "launchd": "org.diffava.server.plist",
    "windows": "diffava-task.xml",
    "container": "Containerfile",
}


def service_text(kind: ServiceKind, config: Path, home: Path) -> str:
    """The file for one way of starting; its first lines say where it goes.

    Args:
        kind: Which way.
        config: The server's settings.
        home: The user's folder, for the log where the system keeps none.
    """
    text = (files(__package__) / "service_templates" / FILES[kind]).read_text("utf-8")
    filled = {
        "@DIFFAVA@": str(_command()),
        "@CONFIG@": str(config),
        "@LOG@": str(home / "Library" / "Logs" / "diffava-server.log"),
    }
    for place, value in filled.items():
        text = text.replace(place, _escaped(kind, value))
    return text


def _command() -> Path:
    """The command `diffava` of the environment that runs this."""
    return Path(sys.executable).parent / ("diffava.exe" if sys.platform == "win32" else "diffava")


def _escaped(kind: ServiceKind, value: str) -> str:
    if kind in ("launchd", "windows"):
        from xml.sax.saxutils import escape

        return escape(value)
    if kind in ("systemd", "systemd-user"):
        # Percent signs are systemd's own specifiers, and words end at spaces.
        value = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
        return f'"{value}"' if " " in value else value
    return value
