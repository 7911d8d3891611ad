"""Real disks that are full or read-only, where this machine lets one be mounted."""

import gc
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted_disk(path: Path, options: str) -> Iterator[Path]:
    """A tmpfs at a new folder `path`, as `mount -o OPTIONS` makes it; skips the test where that is not allowed."""
    path.mkdir()
    try:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a disk cannot be mounted here (it takes root): {error}")
    try:
        yield path
    finally:
        # A library that failed on the disk may hold its file open until it is collected, and its warning of that would
        # fail whichever later test the collector comes by in.
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()
        subprocess.run(["umount", "--lazy", str(path)], check=True)
