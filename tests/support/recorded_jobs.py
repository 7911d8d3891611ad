"""What the fake engine was sent, kept in a file, since it works in a process of its own."""

import pickle
from pathlib import Path

from diffava_server.engine.protocol import Job


def keep_job(path: Path, job: Job) -> None:
    with path.open("ab") as file:
        pickle.dump(job, file)


def kept_jobs(path: Path) -> list[Job]:
    """All jobs so far, in order."""
    found = []
    with path.open("rb") as file:
        while file.peek(1):
            found.append(pickle.load(file))
    return found
