"""A live line on a terminal, and nothing on a pipe. Knows counts, not what is counted."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextmanager
def counting(what: str, total: int | None) -> Iterator[Callable[[int, str], None]]:
    """A bar that is told how many are done and, in a few words, what else; with the time left if a total is known."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn() if total is None else TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task(what, total=total, note="")
        yield lambda done, note: progress.update(bar, completed=done, note=note)


def say(line: str) -> None:
    """A line of progress, beside the results on stdout."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
