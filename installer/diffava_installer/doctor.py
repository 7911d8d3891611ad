"""`diffava doctor`: looks at the machine and says what keeps DiffAVA Foley from working, and what to do."""

import dataclasses
import json as json_format
import os
from pathlib import Path

from diffava_installer.findings import Finding, as_text, is_usable
from diffava_installer.machine import (
    check_disk,
    check_media,
    check_memory,
    check_python,
    check_state_folder,
    check_torch,
    memory_bytes,
    state_folder,
)
from diffava_installer.packages import check_packages
from diffava_installer.resolve.findings import check_gpu_memory, check_resolve, check_servers
from diffava_installer.resolve.places import Surroundings


def examine() -> list[Finding]:
    """Everything that is looked at, in the order in which it is told."""
    return [
        check_python(),
        *check_packages(),
        check_torch(),
        check_media(),
        check_disk(Path.cwd()),
        check_memory(memory_bytes()),
        check_state_folder(state_folder(os.environ)),
        *check_servers(state_folder(os.environ)),
        *check_gpu_memory(),
        *check_resolve(Surroundings.here()),
    ]


def doctor(*, json: bool = False) -> None:
    """Say whether this machine is fit, and what to do where it is not.

    Ends with exit code 0 if DiffAVA Foley can be used here, and with 1 if not.

    Args:
        json: Make the last line of stdout one JSON object.
    """
    findings = examine()
    usable = is_usable(findings)
    verdict = "DiffAVA Foley can be used here." if usable else "DiffAVA Foley cannot be used here yet."
    print(as_text(findings))
    print(verdict)
    if json:
        print(json_format.dumps({"usable": usable, "findings": [dataclasses.asdict(one) for one in findings]}))
    if not usable:
        raise SystemExit(1)
