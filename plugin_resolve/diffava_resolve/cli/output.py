"""What a command says: lines for a person, or one JSON object for a program; a progress bar where somebody watches.

Results go to stdout, everything else to stderr, so that a pipe gets nothing but the result.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from diffava_resolve.client.protocol import Event, Queued, Started, Waiting
from diffava_resolve.client.protocol import Progress as StageProgress
from diffava_resolve.session import ShotBegun

AsJson = Annotated[bool, Parameter(name="--json", help="Make the last line of stdout one JSON object.")]

_STAGES = {
    "features": "Looking at the picture",
    "latent": "Making the sound",
    "waveform": "Writing the sound",
    "measure": "Measuring how it fits",
}


class Output:
    """One command's voice."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._stdout = Console(markup=False, highlight=False, soft_wrap=True)
        self._stderr = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)

    def line(self, text: str) -> None:
        """A line of the result, for a person."""
        if not self._as_json:
            self._stdout.print(text)

    def note(self, text: str) -> None:
        """Something to know while it works; shown where somebody watches."""
        if self._stderr.is_terminal:
            self._stderr.print(text)

    def warn(self, text: str) -> None:
        """Something that must be known with the result, watched or not."""
        self._stderr.print(f"Note: {text}")

    def result(self, data: dict[str, Any]) -> None:
        """The whole result, for a program."""
        if self._as_json:
            self._stdout.print(json.dumps(data))  # ASCII: whatever the pipe's encoding

    @contextmanager
    def progress(self) -> Iterator["ProgressBar"]:
        """A bar with the time left on a terminal, nothing on a pipe."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        with Progress(*columns, console=self._stderr, transient=True, disable=not self._stderr.is_terminal) as bar:
            yield ProgressBar(bar)


class ProgressBar:
    """Shows the events of one job after another; each stage has a bar of its own, with its own time left.

    Above them a shot list has one for the whole.
    """

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._shots: TaskID | None = None
        self._task: TaskID | None = None
        self._stage = ""

    def show(self, event: Event | ShotBegun) -> None:
        """Follow one event of a job, or of a shot list."""
        if isinstance(event, ShotBegun):
            if self._shots is None:
                self._shots = self._bar.add_task("")
            self._bar.update(
                self._shots,
                description=f"Shot {event.number} of {event.count}: {event.prompt[:40]}",
                completed=event.number - 1,
                total=event.count,
            )
        elif isinstance(event, Queued):
            self._begin("", f"Waiting, {event.position} jobs ahead" if event.position else "Waiting")
        elif isinstance(event, Started):
            self._begin("", "Starting")
        elif isinstance(event, Waiting):
            self._begin("", f"{event.reason} Asking again in {event.delay_s:.0f} s")
        elif isinstance(event, StageProgress):
            if event.stage != self._stage:
                self._begin(event.stage, _STAGES[event.stage])
            if self._task is not None:
                self._bar.update(self._task, completed=event.completed, total=event.total)

    def _begin(self, stage: str, description: str) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._stage = stage
        self._task = self._bar.add_task(description, total=None)
