"""A shot list whose command is killed at each of its writes in turn, and run again.

`python -m support.killed_shots DIRECTORY`.
In a process of its own, without threads, so that it can fork: each command is a fork that has everything imported.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import NamedTuple

from diffava_resolve import files
from diffava_resolve.client.scripted_client import ScriptedClient
from diffava_resolve.session import FoleySettings, generate_shots, shots_of_markers
from diffava_resolve.timeline import audio_file
from diffava_resolve.timeline.place import foley_clips, media_folder
from diffava_resolve.timeline.read import read_timeline
from support.tiny_cut import write_tiny_cut

SHOTS = 3


class Outcome(NamedTuple):
    """Of one killing: at which write (each has a before and an after), and what came of it."""

    write: int
    is_like_undisturbed: bool
    jobs_in_all: int


def outcomes(directory: Path) -> list[Outcome]:
    """Kill at every write there is."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "support.killed_shots", str(directory)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return [Outcome(*fields) for fields in json.loads(done.stdout)]


class CountingClient(ScriptedClient):
    """Leaves a line on disk for each job, which a kill does not take back."""

    def __init__(self, jobs: Path):
        super().__init__()
        self._path = jobs

    def generate(self, *args, **kwargs):
        with self._path.open("a") as file:
            file.write("job\n")
        return super().generate(*args, **kwargs)


def make(cut: Path, out: Path, jobs: Path) -> None:
    timeline = read_timeline(cut)
    wanted = shots_of_markers(timeline, lambda prompt: FoleySettings(prompt, seed=5))
    generate_shots(timeline, cut, wanted, CountingClient(jobs), out)


def killing_at(write: int) -> Callable[[Path, Path], None]:
    """`files.publish`, which kills its process before the file gets its name (even numbers) or after (odd)."""
    publish, seen = files.publish, count()

    def at_that_write() -> None:
        if next(seen) == write:
            os.kill(os.getpid(), signal.SIGKILL)

    def publish_or_die(temporary: Path, path: Path) -> None:
        at_that_write()
        publish(temporary, path)
        at_that_write()

    return publish_or_die


def in_fork(work: Callable[[], None]) -> int:
    """How a fork that does this ended: its exit code, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_at(write: int, cut: Path, out: Path, jobs: Path) -> bool:
    """Whether there is such a write."""

    def work() -> None:
        files.publish = audio_file.publish = killing_at(write)
        make(cut, out, jobs)

    return in_fork(work) == -signal.SIGKILL


def state_of(out: Path) -> dict[str, list]:
    """What a command leaves, in plain values."""
    clips = foley_clips(read_timeline(out))
    takes = [(clip.clip_id, clip.name, take.receipt.wav_sha256) for clip in clips for take in clip.takes]
    return {"takes": takes, "files": sorted(path.name for path in media_folder(out).iterdir())}


def main() -> None:
    directory = Path(sys.argv[1])
    markers = [(20 * number, 10, f"shot {number}") for number in range(SHOTS)]
    cut = write_tiny_cut(directory, rate=Fraction(24), markers=markers).path
    in_fork(lambda: make(cut, directory / "undisturbed.otio", directory / "jobs-undisturbed"))
    expected = state_of(directory / "undisturbed.otio")
    found = []
    for write in count():
        out, jobs = directory / f"killed-{write}.otio", directory / f"jobs-{write}"
        if not killed_at(write, cut, out, jobs):
            break
        code = in_fork(lambda out=out, jobs=jobs: make(cut, out, jobs))
        found.append(Outcome(write, code == 0 and state_of(out) == expected, jobs.read_text().count("job")))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
