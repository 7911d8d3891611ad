"""The one entry for all checks, for people and for the build server alike.

    python tests/check.py                  lint, types, imports and tests
    python tests/check.py lint types       some of them
    python tests/check.py slow             the tests that take more than a minute

Runs them one after the other with the Python that runs this file, prints what passed and how long it took, and ends
with 0 only if all did.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKERS = min(4, os.cpu_count() or 1)  # each holds torch and a model or two: some 1.5 GB

CHECKS: dict[str, list[list[str]]] = {
    "lint": [["-m", "ruff", "check"], ["-m", "ruff", "format", "--check"]],
    # The packages, then the scripts that belong to none.
    "types": [["-m", "mypy"], ["-m", "mypy", "installer/bootstrap.py", "proto/generate.py", "tests/check.py"]],
    "imports": [["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]],
    # A file's tests stay together, since they share what is costly to make.
    "tests": [["-m", "pytest", "-m", "not slow", "-n", str(WORKERS), "--dist", "loadfile"]],
    "slow": [["-m", "pytest", "-m", "slow"]],
}
DEFAULT = ("lint", "types", "imports", "tests")


def passes(name: str) -> bool:
    """Run one check to its end, its output in plain sight."""
    # One thread each: the tests are small, and torch's own threads would wait for each other.
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    codes = []
    for arguments in CHECKS[name]:
        print(f"\n=== {name}: python {' '.join(arguments)}", flush=True)
        codes.append(subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=False).returncode)
    return not any(codes)


def main() -> int:
    """Run the asked checks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"any of: {', '.join(CHECKS)}")
    asked = parser.parse_args().checks or DEFAULT
    if unknown := [name for name in asked if name not in CHECKS]:
        parser.error(f"there is no check '{unknown[0]}'; there are {', '.join(CHECKS)}")
    rows: list[tuple[str, bool, float]] = []
    for name in asked:
        started_s = time.monotonic()
        passed = passes(name)
        rows.append((name, passed, time.monotonic() - started_s))
    print(f"\n{'check':<10}{'result':<10}{'seconds':>8}")
    for name, passed, seconds in rows:
        print(f"{name:<10}{'passed' if passed else 'FAILED':<10}{seconds:>8.1f}")
    return 0 if all(passed for _, passed, _ in rows) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
