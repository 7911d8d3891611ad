"""The scripts as they lie in Resolve's folder: those of the checkout, with their settings filled in. Pure."""

import json
import runpy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PYTHON_SCRIPT = "DiffAVA.py"
LUA_SCRIPT = "DiffAVA (no Python).lua"  # the only one that the free version lists from 21.1 on
MARK = "DiffAVA Foley"  # stands in the first lines of each of our scripts
_PYTHON_LINE = "SETTINGS = None\n"
_LUA_LINE = "local SETTINGS = nil\n"
_NAMES_LINE = 'local ALLOWED = ""\n'


@dataclass(frozen=True)
class LauncherSettings:
    """What the scripts must know: which command serves them, and where things lie."""

    companion: tuple[str, ...]
    package: Path  # that holds `diffava_launcher`
    own_folder: Path
    version: str

    @property
    def log(self) -> Path:
        """What the companion printed."""
        return self.own_folder / "companion.log"

    @property
    def mailbox(self) -> Path:
        """Where a companion without pipes leaves its requests."""
        return self.own_folder / "mailbox"


def rendered(sources: Path, settings: LauncherSettings) -> dict[str, bytes]:
    """File name in Resolve's folder -> its content."""
    python = (sources / "DiffAVA.py").read_text(encoding="utf-8")
    lua = (sources / "DiffAVA.lua").read_text(encoding="utf-8")
    given = {
        "companion": list(settings.companion),
        "log": str(settings.log),
        "package": str(settings.package),
        "version": settings.version,
    }
    for_lua = {"mailbox": str(settings.mailbox).replace("\\", "/"), "version": settings.version}
    names = f'local ALLOWED = "{" ".join(sorted(_allowed_names(sources)))}"\n'
    return {
        PYTHON_SCRIPT: _filled(python, _PYTHON_LINE, f"SETTINGS = {json.dumps(given)}\n").encode(),
        LUA_SCRIPT: _filled(
            _filled(lua, _LUA_LINE, f"local SETTINGS = {as_lua(for_lua)}\n"), _NAMES_LINE, names
        ).encode(),
    }


def _filled(text: str, line: str, replacement: str) -> str:
    if text.count(line) != 1:
        raise ValueError(f"the script has not exactly one line {line.strip()!r}")
    return text.replace(line, replacement)


def _allowed_names(sources: Path) -> frozenset[str]:
    """What may be called, as the Python launcher has it: the Lua script has no second list."""
    names: frozenset[str] = runpy.run_path(str(sources / "diffava_launcher" / "names.py"))["ALLOWED"]
    return names


def as_lua(table: Mapping[str, str]) -> str:
    """A table of texts as Lua writes it; every byte beyond plain ASCII as a number."""
    return "{ " + ", ".join(f"{key} = {_lua_text(value)}" for key, value in table.items()) + " }"


def _lua_text(text: str) -> str:
    plain = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\' else f"\\{byte:03d}" for byte in text.encode("utf-8")
    )
    return '"' + "".join(plain) + '"'
