"""`diffava models pull`: what a published checkpoint is and may be used for is said first, then it is brought."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from diffava.checkpoints.pull import OnBytes, missing_bytes, missing_files, pull
from diffava.checkpoints.registry import Published, with_needs
from diffava.errors import RequestError


def pull_model(
    name: str,
    *,
    accept_licence: bool = False,
    as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Bring a published checkpoint to this machine, and what it needs; a stopped pull goes on where it was.

    Args:
        name: As `diffava models list` calls it, for example audioldm-s.
        accept_licence: Accept a licence that forbids commercial use. Without it such a checkpoint is not brought.
        as_json: For programs.
    """
    entries = with_needs(name)
    for entry in entries:
        sys.stdout.write(said_of(entry))
    sys.stdout.flush()  # licence and size stand there before a byte is brought
    restricted = [entry.name for entry in entries if not entry.commercial_use_allowed]
    if restricted and not accept_licence:
        raise RequestError(
            f"{', '.join(restricted)} may NOT be used commercially, and nothing was brought. If you accept the licence "
            f"above, run `diffava models pull {name} --accept-licence`."
        )
    for entry in entries:
        if missing_files(entry):
            sys.stdout.write(f"Bringing {entry.name}: {_megabytes(missing_bytes(entry))}\n")
            sys.stdout.flush()
            with _shown() as on_bytes:
                pull(entry, on_bytes)
        else:
            pull(entry)  # checks what is here
    sys.stdout.write(f"{name} is here, and every file of it was checked.\n")
    if as_json:
        found = [{"name": entry.name, "licence": entry.licence} for entry in entries]
        sys.stdout.write(json.dumps({"pulled": found, "commercial_use_allowed": not restricted}) + "\n")


def said_of(entry: Published) -> str:
    """A checkpoint for a person: what, licence, use, size and place, a line each."""
    where = f"huggingface.co/{entry.hub} at {entry.revision}" if entry.hub else entry.url
    missing = missing_files(entry)
    if not missing:
        size = "All of it is here already"
    else:
        size = f"To bring: {_megabytes(sum(file.size_bytes for file in missing))}"
        unknown = sum(not file.size_bytes for file in missing)
        size += f" and {unknown} more files, whose size only the server knows" if unknown else ""
    return f"{entry.name}: {entry.title}\n  Licence: {entry.licence}\n  {entry.use}\n  {size}, from {where}\n"


def _megabytes(count: int | None) -> str:
    return "of a size that nobody says" if count is None else f"{count / 1e6:,.1f} MB"


@contextmanager
def _shown() -> Iterator[OnBytes]:
    """A bar with the time left on a terminal, nothing on a pipe; the hub's client shows its own."""
    console = Console(stderr=True, markup=False, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def show(path: str, bytes_here: int) -> None:
            if path not in tasks:
                tasks[path] = bar.add_task(path, total=None)
            bar.update(tasks[path], completed=bytes_here)

        yield show
