"""Which Resolve and which Python there are: what our script saw in there, and what lies on the disk."""

import json
import os
import plistlib
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from diffava_installer.resolve.places import Surroundings

# Where the maker's installers put the program, by platform.
APPLICATIONS = {
    "linux": ("/opt/resolve",),
    "darwin": ("/Applications/DaVinci Resolve/DaVinci Resolve.app",),
    "win32": ("C:/Program Files/Blackmagic Design/DaVinci Resolve",),
}
_VERSION = re.compile(r"DaVinci Resolve (?:Studio )?(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class SeenResolve:
    """A Resolve; `is_studio` and `python` are None where only our script in its menu could tell."""

    version: tuple[int, ...] = ()
    is_studio: bool | None = None
    python: str | None = None

    @property
    def name(self) -> str:
        """`DaVinci Resolve Studio 21.1`."""
        edition = {True: " Studio", False: " (free)", None: ""}[self.is_studio]
        return f"DaVinci Resolve{edition} {'.'.join(map(str, self.version[:3]))}".strip()


def seen_resolve(where: Surroundings) -> SeenResolve | None:
    """The Resolve in which our script ran last, if it ever did."""
    try:
        seen = json.loads((where.own_folder / "seen.json").read_text(encoding="utf-8"))
        version = tuple(part for part in seen["version"][:4] if isinstance(part, int))
        return SeenResolve(version, "Studio" in seen["product"], str(seen["python"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def resolve_on_disk(platform: str, root: Path = Path("/")) -> SeenResolve | None:
    """The Resolve that is installed at its usual place. Its version is read where its files say it."""
    for text in APPLICATIONS.get(platform, ()):
        folder = root / text.lstrip("/") if platform != "win32" else root / text
        if not folder.is_dir():
            continue
        if platform == "darwin":
            return SeenResolve(_version_of_bundle(folder / "Contents" / "Info.plist"))
        for readme in sorted((folder / "docs").glob("ReadMe*")) if (folder / "docs").is_dir() else ():
            found = _VERSION.search(readme.read_text(encoding="utf-8", errors="replace"))
            if found:
                return SeenResolve(tuple(int(part) for part in found.groups(default="0")))
        return SeenResolve()
    return None


def _version_of_bundle(plist: Path) -> tuple[int, ...]:
    try:
        text = str(plistlib.loads(plist.read_bytes())["CFBundleShortVersionString"])
        return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
    except (OSError, plistlib.InvalidFileException, KeyError, ValueError):
        return ()


def python_for_resolve(platform: str, environment: Mapping[str, str]) -> Path | None:
    """The Python that Resolve up to 21.0 takes for scripts of its menu, where that can be told without the registry."""
    if platform == "darwin":
        home = environment.get("PYTHON3HOME")
        found = Path(home) / "bin" / "python3" if home else Path("/usr/local/bin/python3")
        return found if found.exists() else None
    if platform == "win32":
        home = environment.get("FUSION_PYTHON3_HOME")
        return Path(home) / "python.exe" if home else newest_registered_python()
    return Path("/usr/bin/python3") if Path("/usr/bin/python3").exists() else None


def newest_registered_python() -> Path | None:
    """On Windows, the Python of the highest version in the registry, which Resolve takes."""
    if sys.platform != "win32":
        return None
    import winreg

    found: dict[tuple[int, ...], Path] = {}
    for hive in (winreg.HKEY_LOCAL_MACHINE, winreg.HKEY_CURRENT_USER):
        try:
            with winreg.OpenKey(hive, r"SOFTWARE\Python\PythonCore") as core:
                for number in range(winreg.QueryInfoKey(core)[0]):
                    name = winreg.EnumKey(core, number)
                    with winreg.OpenKey(core, name + r"\InstallPath") as place:
                        key = tuple(int(part) for part in re.findall(r"\d+", name)[:2])
                        found[key] = Path(winreg.QueryValue(place, None)) / "python.exe"
        except OSError:
            continue
    return found[max(found)] if found else None


def version_of_python(python: Path) -> tuple[int, ...]:
    """Major and minor, or nothing if it does not start."""
    try:
        code = "import sys; print(sys.version_info[0], sys.version_info[1])"
        answer = subprocess.run([str(python), "-I", "-c", code], capture_output=True, text=True, timeout=30, check=True)
        return tuple(int(part) for part in answer.stdout.split())
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()


Probe = Callable[[Path, Path], dict[str, object]]


def probe_outside(python: Path, script: Path) -> dict[str, object]:
    """Whether Resolve answers a script from outside, asked in a process of its own: its library may crash a Python."""
    try:
        answer = subprocess.run(
            [str(python), str(script), "--probe"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=os.environ,
        )
        found: dict[str, object] = json.loads(answer.stdout.splitlines()[-1])
        return found
    except subprocess.CalledProcessError as error:
        return {"module": True, "answers": False, "crashed": error.returncode}
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        return {"module": False, "answers": False, "reason": str(error)}
