"""`diffava resolve install | repair | uninstall | status`: DiffAVA in Resolve's menu, from the command line.

`bootstrap.py` calls `uninstall` and `status` without an environment, so nothing outside the standard library is used.
"""

import json as json_format
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from diffava_installer.resolve.launcher import LauncherError, install, read_manifest, status, uninstall
from diffava_installer.resolve.places import Surroundings
from diffava_installer.resolve.rendering import LauncherSettings

_HERE = Path(__file__).resolve().parent
_MENU = "In Resolve: Workspace, Scripts, DiffAVA (start Resolve anew if it does not show). `diffava doctor` says more."


def install_in_resolve(*, json: bool = False) -> None:
    """Put DiffAVA into Resolve's menu, for this user, or bring an older one up to date.

    Args:
        json: Make the last line of stdout one JSON object.
    """
    _put(mend=False, json=json)


def repair_in_resolve(*, json: bool = False) -> None:
    """Put DiffAVA into Resolve's menu anew, also over scripts of ours that were changed or lost.

    Args:
        json: Make the last line of stdout one JSON object.
    """
    _put(mend=True, json=json)


def uninstall_from_resolve(*, json: bool = False) -> None:
    """Take DiffAVA out of Resolve's menu, to the last file; nothing else is touched.

    Args:
        json: Make the last line of stdout one JSON object.
    """
    removed, left = uninstall(Surroundings.here())
    for path in removed:
        _say(f"Removed {path}.")
    for path in left:
        _say(f"Left {path}: it is not ours, or was changed by hand.")
    if not removed and not left:
        _say("DiffAVA is not in Resolve's menu; there was nothing to remove.")
    _result({"removed": [str(path) for path in removed], "left": [str(path) for path in left]}, json)


def status_in_resolve(*, json: bool = False) -> None:
    """Say whether DiffAVA is in Resolve's menu, and whether it is whole.

    Args:
        json: Make the last line of stdout one JSON object.
    """
    where = Surroundings.here()
    found = status(where, settings_here(where), scripts_here())
    words = {
        "absent": "DiffAVA is not in Resolve's menu; `resolve install` puts it there.",
        "current": f"DiffAVA {found.installed_version} is in Resolve's menu: {where.script_folder}.",
        "old": f"DiffAVA {found.installed_version} in Resolve's menu is an older one; `resolve install` renews it.",
        "broken": f"DiffAVA in Resolve's menu is broken: {'; '.join(found.reasons)}. `resolve repair` mends it.",
    }
    _say(words[found.state])
    _result({"state": found.state, "reasons": list(found.reasons), "version": found.installed_version}, json)


def settings_here(where: Surroundings) -> LauncherSettings:
    """What the scripts must know on this machine; without an environment, what the manifest says."""
    program = Path(sys.executable).with_name("diffava.exe" if sys.platform == "win32" else "diffava")
    command: tuple[str, ...] = (str(program), "resolve", "companion")
    manifest = read_manifest(where)
    if not program.exists() and manifest is not None and manifest.companion:
        command = manifest.companion
    try:
        installed = version("diffava-foley")
    except PackageNotFoundError:
        installed = manifest.version if manifest else ""
    return LauncherSettings(command, scripts_here(), where.own_folder, installed)


def scripts_here() -> Path:
    """The folder with what runs in Resolve: with the plugin in an installed package, else in the checkout."""
    packaged = _HERE.parents[1] / "diffava_resolve" / "scripts"
    return packaged if packaged.is_dir() else _HERE.parents[2] / "plugin_resolve" / "scripts"


def main(arguments: list[str]) -> int:
    """`uninstall` and `status` for an installer that has no environment; returns the exit code."""
    command = {"uninstall": uninstall_from_resolve, "status": status_in_resolve}[arguments[0]]
    try:
        command(json="--json" in arguments)
    except LauncherError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _put(*, mend: bool, json: bool) -> None:
    where = Surroundings.here()
    before = status(where, settings_here(where), scripts_here())
    paths = install(where, settings_here(where), scripts_here(), mend=mend)
    for path in paths:
        _say(f"{'Renewed' if before.state != 'absent' else 'Put'} {path}.")
    _say(_MENU)
    _result({"state": "current", "before": before.state, "files": [str(path) for path in paths]}, json)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _result(found: dict[str, Any], json: bool) -> None:
    if json:
        _say(json_format.dumps(found))
