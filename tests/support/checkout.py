"""The checkout as the repository's own tests see it: which files are tracked."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tracked_files() -> list[str]:
    """Paths below the root that git tracks and that exist, with `/`; skips the test outside a git checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout, so nothing says which files belong to it")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(name for name in listed.split("\0") if name and (ROOT / name).is_file())


def is_generated(name: str) -> bool:
    """Whether protoc wrote it."""
    return "_pb2" in name
