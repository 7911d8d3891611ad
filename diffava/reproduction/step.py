"""One step of a reproduction, and the folder in which finished steps are remembered. Knows no model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffava.errors import DataError
from diffava.reproduction.cost import Cost
from diffava.training.prepared.shards import read_json, write_json

WISH = "reproduction.json"


@dataclass(frozen=True)
class Step:
    """Work that is done once: `run` returns what is worth telling, in plain values."""

    name: str
    line: str
    cost: Cost
    run: Callable[[], Mapping[str, Any]]


class Reproduction:
    """Steps in a folder. A finished one is never done again; one that was stopped goes on inside, as its parts can."""

    def __init__(self, folder: Path, wish: Mapping[str, Any], steps: Sequence[Step]) -> None:
        self.folder, self.steps, self._wish = folder, tuple(steps), dict(wish)

    def told(self, step: Step) -> dict[str, Any] | None:
        """What a finished step told; None if it is still to be done.

        Raises:
            DataError: What the folder says of it cannot be read.
        """
        path = self._note(step)
        return _read(path) if path.is_file() else None

    def run(self, on_step: Callable[[Step, bool], None] = lambda _step, _done: None) -> dict[str, dict[str, Any]]:
        """Do what is still to be done, in order, and return what each step told.

        Raises:
            DataError: The folder holds a reproduction with other settings.
        """
        self._claim()
        outcome: dict[str, dict[str, Any]] = {}
        for step in self.steps:
            told = self.told(step)
            on_step(step, told is not None)
            if told is None:
                told = dict(step.run())
                _write(self._note(step), told)
            outcome[step.name] = told
        return outcome

    def _claim(self) -> None:
        path = self.folder / WISH
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(path, self._wish)
            return
        found = _read(path)
        differing = [name for name in sorted({*found, *self._wish}) if found.get(name) != self._wish.get(name)]
        if differing:
            raise DataError(
                f"{self.folder} holds a reproduction with another {', '.join(differing)}; give another folder with "
                "--out, or the settings that it was begun with."
            )

    def _note(self, step: Step) -> Path:
        return self.folder / "steps" / f"{step.name}.json"


def _write(path: Path, values: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, values)


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except DataError as error:
        raise DataError(f"{error} Remove it, and its step is done again.") from error
