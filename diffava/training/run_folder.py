"""A run's folder: its plan, its last checkpoint, its logs and TensorBoard's events. Knows tensors, no task.

A checkpoint is one file that is replaced whole, so a process may be killed at any moment. Logs may be ahead of the
checkpoint by then; what they say behind its step is cut off when the run goes on, and written again.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from diffava.errors import DataError
from diffava.training.plan import Plan
from diffava.whole_file import whole_file

STATE = "state.pt"
WEIGHTS = "model.safetensors"
LOG = "log.csv"
PLAN = "plan.json"
EVENTS = "tensorboard"
MICRO_BATCHES = "micro_batches"


class RunFolder:
    """What one run reads and writes; only the first of several processes has one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._events: Any = None
        self._first_step = 0

    def keep_plan(self, plan: Plan, micro_batches: int) -> None:
        """Write the plan of a new run, or see that the run here has the same.

        Raises:
            DataError: It has another plan, or another number of micro-batches a step, which would change its data.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / PLAN
        mine = {**asdict(plan), MICRO_BATCHES: micro_batches}
        if not path.exists():
            with whole_file(path) as unfinished:
                unfinished.write_text(json.dumps(mine, indent=2), "utf-8")
            return
        # What a run of an earlier version does not say had the value that is the default now.
        before = {field.name: field.default for field in fields(Plan)} | {MICRO_BATCHES: 1}
        found = before | json.loads(path.read_text("utf-8"))
        differing = [name for name in mine if found[name] != mine[name]]
        if differing:
            raise DataError(
                f"{path.parent} holds a run whose {', '.join(differing)} differ(s) from what is asked; "
                "choose another folder, or remove that one to begin again."
            )

    def read_state(self) -> dict[str, Any] | None:
        """The last checkpoint, or None; logs and weights are brought back to its step."""
        path = self.folder / STATE
        state: dict[str, Any] | None = None
        if path.exists():
            state = torch.load(path, map_location="cpu", weights_only=True)
        self._first_step = 0 if state is None else int(state["step"])
        for log in self.folder.glob(f"*{LOG}"):
            _cut(log, self._first_step)
        if state is not None:  # killed between the two files of a checkpoint, the weights would be older than it
            self._write_weights(kept_weights(state))
        return state

    def write_state(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint, and beside it the weights that the run would leave behind now."""
        with whole_file(self.folder / STATE) as unfinished:
            torch.save(state, unfinished)
        self._write_weights(kept_weights(state))

    def log(self, kind: str, step: int, figures: Mapping[str, float]) -> None:
        """Append a row to a log (`training` or `validation`) and to TensorBoard's events."""
        path = self.folder / (LOG if kind == "training" else f"{kind}-{LOG}")
        new = not path.exists() or not path.stat().st_size
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ("step", *figures))
            if new:
                writer.writeheader()
            writer.writerow({"step": step, **figures})
        if self._events is None:
            from torch.utils.tensorboard import SummaryWriter

            # Steps at or behind `purge_step` in earlier files belong to the part of the curve that is run again.
            self._events = SummaryWriter(str(self.folder / EVENTS), purge_step=self._first_step + 1)
        for name, value in figures.items():
            self._events.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        """Write out what TensorBoard's writer still holds."""
        if self._events is not None:
            self._events.close()

    def _write_weights(self, weights: Mapping[str, Tensor]) -> None:
        tensors = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
        with whole_file(self.folder / WEIGHTS) as unfinished:
            save_file(tensors, unfinished)


def kept_weights(state: Mapping[str, Any]) -> Mapping[str, Tensor]:
    """What a run in this state leaves behind: the best validated weights if it keeps those, else the averaged ones."""
    best: Mapping[str, Any] | None = state.get("best")
    weights: Mapping[str, Tensor] = state["averaged"] if best is None else best["weights"]
    return weights


def _cut(log: Path, step: int) -> None:
    """Leave out the rows behind a step, and one that was only half written."""
    with log.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    kept = [row for row in rows[1:] if len(row) == len(rows[0]) and row[0].isdigit() and int(row[0]) <= step]
    with whole_file(log) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([*rows[:1], *kept] if kept else [])
