"""Resolve Studio from outside: its launcher in a process of its own, in a Python that Resolve's library bears.

Resolve's library may crash a Python that is too new for it; it then ends that process and not this one.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffava_resolve.bridge.pipes import PipeChannel
from diffava_resolve.bridge.remote import Bridge

# Resolve's own Python, from 21.1 on, by platform (README of its scripting API).
RESOLVE_PYTHONS = {
    "linux": "/opt/resolve/bin/ResolvePython",
    "darwin": "/Applications/DaVinci Resolve/DaVinci Resolve.app/Contents/Applications/ResolvePython",
    "win32": "C:/Program Files/Blackmagic Design/DaVinci Resolve/ResolvePython/ResolvePython.exe",
}
_PATIENCE_S = 10.0  # for a launcher that was told to end


def launcher_script() -> Path:
    """The launcher: in the package where it was installed as one, else in the checkout."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "scripts" / "DiffAVA.py"
    return packaged if packaged.exists() else package.parent / "scripts" / "DiffAVA.py"


def python_for_outside() -> str:
    """Resolve's own Python where it brings one, else ours."""
    own = Path(RESOLVE_PYTHONS.get(sys.platform, ""))
    return str(own) if own.is_file() else sys.executable


@contextmanager
def outside(python: str = "") -> Iterator[Bridge]:
    """A bridge to the Resolve that runs on this machine, until the block is left.

    Raises:
        EditorGoneError: It does not answer; the sentence says why and what to do.
    """
    command = [python or python_for_outside(), str(launcher_script()), "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        channel = PipeChannel(process.stdout, process.stdin)  # type: ignore[arg-type]  # they are buffered readers
        try:
            yield Bridge(channel)
        finally:
            channel.close()
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()  # Resolve hangs, and its library with it
