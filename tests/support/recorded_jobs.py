"""What the fake engine was sent, kept in a file, since it works in a process of its own."""

import os
import pickle
import signal
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


def keep_job_and_kill(path: Path, orders: Path, job: Job) -> None:
    """As `keep_job`; then, if the file `orders` says `NUMBER PID` and this is that job, end that process at once.

    PID 0 is the server's own. The order is carried out once.
    """
    keep_job(path, job)
    if orders.is_file():
        number, pid = map(int, orders.read_text().split())
        if len(kept_jobs(path)) == number:
            orders.unlink()
            os.kill(pid or os.getppid(), signal.SIGKILL)
