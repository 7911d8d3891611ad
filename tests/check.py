"""The one entry for all checks, for people and for the build server alike.

    python tests/check.py                  lint, types, imports and tests, and beside them the soak
    python tests/check.py lint types       some of them
    python tests/check.py slow             the tests that take more than a minute

Runs them one after the other with the Python that runs this file (the soak, which waits more than it works, beside the
others), prints what passed and how long it took, and ends with 0 only if all did.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
WORKERS = min(4, os.cpu_count() or 1)  # each holds torch and a model or two: some 1.5 GB

CHECKS: dict[str, list[list[str]]] = {
    "lint": [["-m", "ruff", "check"], ["-m", "ruff", "format", "--check"]],
    # The packages, then the scripts that belong to none.
    "types": [["-m", "mypy"], ["-m", "mypy", "installer/bootstrap.py", "proto/generate.py", "tests/check.py"]],
    "imports": [["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]],
    # A file's tests stay together, since they share what is costly to make.
    "tests": [["-m", "pytest", "-m", "not slow and not soak", "-n", str(WORKERS), "--dist", "loadfile"]],
    "soak": [["-m", "pytest", "-m", "soak", "tests/e2e/test_server_soak.py"]],
    "slow": [["-m", "pytest", "-m", "slow"]],
}
DEFAULT = ("soak", "lint", "types", "imports", "tests")
BESIDE = ("soak",)


class Row(NamedTuple):
    """One check's line of the table."""

    name: str
    passed: bool
    seconds: float


def run(name: str) -> Row:
    """Run one check to its end, its output in plain sight; of one that runs beside others, once it has ended."""
    # One thread each: the tests are small, and torch's own threads would wait for each other.
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    begun_s = time.monotonic()
    codes = []
    for arguments in CHECKS[name]:
        told = None
        if name in BESIDE:
            told = subprocess.PIPE
        else:
            print(f"\n=== {name}: python {' '.join(arguments)}", flush=True)
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, check=False, text=True, stdout=told, stderr=told and subprocess.STDOUT
        )
        codes.append(done.returncode)
        if done.stdout:
            print(f"\n=== {name}: python {' '.join(arguments)}\n{done.stdout}", flush=True)
    return Row(name, not any(codes), time.monotonic() - begun_s)


def main() -> int:
    """Run the asked checks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"any of: {', '.join(CHECKS)}")
    asked = parser.parse_args().checks or DEFAULT
    if unknown := [name for name in asked if name not in CHECKS]:
        parser.error(f"there is no check '{unknown[0]}'; there are {', '.join(CHECKS)}")
    with ThreadPoolExecutor() as pool:
        beside = [pool.submit(run, name) for name in asked if name in BESIDE]
        rows = [run(name) for name in asked if name not in BESIDE]
    rows += [each.result() for each in beside]
    print(f"\n{'check':<10}{'result':<10}{'seconds':>8}")
    for row in rows:
        print(f"{row.name:<10}{'passed' if row.passed else 'FAILED':<10}{row.seconds:>8.1f}")
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
