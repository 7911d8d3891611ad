"""What the doctor says of the ways into Resolve: which one is open, why another is not, and what to do."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from diffava_installer.findings import Finding
from diffava_installer.resolve.command import scripts_here, settings_here
from diffava_installer.resolve.launcher import status
from diffava_installer.resolve.places import Surroundings
from diffava_installer.resolve.seen import (
    Probe,
    SeenResolve,
    probe_outside,
    python_for_resolve,
    resolve_on_disk,
    seen_resolve,
    version_of_python,
)

SUBJECT = "DaVinci Resolve"
ROUND_TRIP = (
    "Export the timeline as .otio (File, Export, Timeline), run `diffava foley cut.otio --prompt P --range IN OUT "
    "-o out.otio`, import out.otio (File, Import, Timeline)."
)
_WITHOUT_PYTHON = (
    "Run `diffava resolve listen` in a terminal, then choose Workspace, Scripts, DiffAVA (no Python). Or by files: "
)
LOW_GPU_BYTES = 2 * 10**9  # the default model needs a few hundred MB, CUDA itself about as much again


def check_resolve(where: Surroundings, root: Path = Path("/"), probe: Probe = probe_outside) -> list[Finding]:
    """Every way into Resolve, if it is here."""
    seen, on_disk = seen_resolve(where), resolve_on_disk(where.platform, root)
    if where.sandboxed_builds and not seen:
        return [app_store_build()]
    if seen is None and on_disk is None:
        return [Finding("ok", SUBJECT, "not found here; timelines are read and written as files.")]
    best = seen or on_disk or SeenResolve()
    findings = [check_menu(where), route_of(best)]
    if best.version[:2] < (21, 1) and best.python is None:
        findings.append(check_python_of(where, best))
    if best.is_studio is not False:
        findings.append(check_outside(probe(Path(sys.executable), scripts_here() / "DiffAVA.py")))
    return findings


def app_store_build() -> Finding:
    """Apple's sandbox keeps scripts from starting anything."""
    return Finding(
        "note",
        SUBJECT,
        "it is the build from Apple's App Store, whose sandbox lets scripts start no other program.",
        f"Install Resolve from blackmagicdesign.com instead, or work by files. {ROUND_TRIP}",
    )


def check_menu(where: Surroundings) -> Finding:
    """Is our script in the menu, and whole?"""
    found = status(where, settings_here(where), scripts_here())
    if found.state == "current":
        return Finding("ok", "Resolve's menu", f"DiffAVA {found.installed_version} lies in {where.script_folder}.")
    if found.state == "absent":
        advice = "Run `python3 installer/bootstrap.py resolve install`."
        return Finding("note", "Resolve's menu", "DiffAVA is not in Workspace, Scripts.", advice)
    sentence = "an older DiffAVA lies there." if found.state == "old" else f"{'; '.join(found.reasons)}."
    return Finding("note", "Resolve's menu", sentence, "Run `python3 installer/bootstrap.py resolve repair`.")


def route_of(seen: SeenResolve) -> Finding:
    """Which way into this Resolve is open."""
    at = seen.version[:2]
    if not at or seen.is_studio is None:
        sentence = f"{seen.name}; whether it is Studio is known once DiffAVA was chosen in its menu."
        if at >= (21, 1):
            return Finding("note", SUBJECT, sentence, f"The free version has no Python from 21.1 on. {_WITHOUT_PYTHON}")
        return Finding("ok", SUBJECT, sentence)
    if seen.is_studio:
        return Finding("ok", SUBJECT, f"{seen.name}: by its menu, or from outside (`diffava resolve foley`).")
    if at >= (21, 1):
        sentence = f"{seen.name} has no Python for scripts; Blackmagic keeps that for Studio from 21.1 on."
        return Finding("note", SUBJECT, sentence, _WITHOUT_PYTHON + ROUND_TRIP)
    window = "" if at < (19, 1) else ", with a window of our own, since it shows none of scripts'"
    return Finding("ok", SUBJECT, f"{seen.name}: by its menu{window}; scripts from outside are for Studio.")


def check_python_of(where: Surroundings, seen: SeenResolve) -> Finding:
    """Up to 21.0 Resolve takes a Python of the machine for its menu; without a fit one it lists no script."""
    subject = "Resolve's Python"
    python = python_for_resolve(where.platform, where.environment)
    found = version_of_python(python) if python else ()
    if python is None or not found:
        places = {
            "darwin": "Install Python 3.10 to 3.12 from python.org (Resolve looks only at /usr/local/bin/python3 and "
            "PYTHON3HOME, not at Homebrew's or conda's).",
            "win32": "Install Python 3.10 to 3.12 from python.org, or set FUSION_PYTHON3_HOME to its folder.",
        }
        advice = places.get(where.platform, "Install your system's python3.")
        return Finding("note", subject, "Resolve finds none, and then lists no script that needs it.", advice)
    text = f"{'.'.join(map(str, found))} at {python}"
    if found < (3, 6):
        return Finding(
            "note", subject, f"{text} is older than 3.6, which Resolve needs.", "Install Python 3.10 to 3.12."
        )
    if found >= (3, 13) and seen.version[:2] < (21, 0):
        advice = "Install Python 3.10 to 3.12" + (
            " and set FUSION_PYTHON3_HOME to its folder." if where.platform == "win32" else "."
        )
        return Finding("note", subject, f"{text} is newer than this Resolve's library is known to bear.", advice)
    return Finding("ok", subject, f"{text}.")


def check_outside(found: dict[str, object]) -> Finding:
    """Does Resolve answer scripts from outside? Only Studio does, while it runs and is allowed to."""
    subject = "Resolve from outside"
    if found.get("answers"):
        return Finding("ok", subject, "it answers; `diffava resolve foley` works without the menu.")
    if "crashed" in found:
        sentence = f"its library ended this Python ({sys.version_info[0]}.{sys.version_info[1]}, {found['crashed']})."
        return Finding("note", subject, sentence, "Use the menu, or an environment with Python 3.11.")
    if not found.get("module"):
        sentence = f"its scripting module was not found ({found.get('reason', '')})."
        return Finding("ok", subject, sentence, "The menu needs none; else set RESOLVE_SCRIPT_API.")
    return Finding(
        "ok",
        subject,
        "it does not answer; that works in Studio alone, while it runs.",
        "In Studio: Preferences, System, General, External scripting using: Local. The menu works without.",
    )


def check_gpu_memory(ask: Callable[[list[str]], str] | None = None) -> list[Finding]:
    """Is there room on the GPU beside Resolve, which takes most of it?"""
    if ask is None and shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=memory.free,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = (ask or _output_of)(command)
        free_mib, total_mib = (int(part) for part in answer.splitlines()[0].split(","))
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return []
    sentence = f"{free_mib * 2**20 / 1e9:.1f} of {total_mib * 2**20 / 1e9:.1f} GB are free."
    if free_mib * 2**20 >= LOW_GPU_BYTES:
        return [Finding("ok", "GPU memory", sentence)]
    advice = (
        "Close what holds it (Resolve itself takes much: Preferences, Memory and GPU), or let the server use the CPU: "
        "DIFFAVA_SERVER_DEVICE=cpu."
    )
    return [Finding("note", "GPU memory", sentence, advice)]


def check_servers(folder: Path) -> list[Finding]:
    """Do the local servers that left an address still answer at it?"""
    findings = []
    for state in sorted(folder.glob("*.json")):
        try:
            address = str(json.loads(state.read_text(encoding="utf-8"))["address"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        problem = _unreachable(address)
        if problem:
            advice = "The next command starts another. If it does not, see the .log beside it, or name a --server."
            findings.append(Finding("note", "local server", f"none answers at {address} ({problem}).", advice))
        else:
            findings.append(Finding("ok", "local server", f"one answers at {address}."))
    return findings


def _unreachable(address: str) -> str:
    """Why nobody listens there, or nothing."""
    try:
        if address.startswith("unix:"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(2)
                connection.connect(address.removeprefix("unix:"))
        else:
            host, _, port = address.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def _output_of(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, env=os.environ).stdout
