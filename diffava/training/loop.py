"""The one training loop: steps, learning rate, averaged weights, checkpoints, a log and its picture. Knows no model.

A batch is a pure function of the step's number, and dropout is seeded by it too. So a run that was killed goes on
exactly where its last checkpoint was, and two runs with the same numbers have the same losses.
"""

import csv
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from diffava.errors import DataError

STATE = "state.pt"
WEIGHTS = "model.safetensors"
LOG = "log.csv"
PLAN = "plan.json"


@runtime_checkable  # so that tests can check arguments against it
class TrainingTask(Protocol):
    """What is trained, on what, and how it is judged."""

    @property
    def module(self) -> nn.Module:
        """What learns."""
        ...

    def batch(self, step: int) -> Any:
        """The data of a step, a pure function of its number."""
        ...

    def loss(self, batch: Any) -> dict[str, Tensor]:
        """What is minimised, under "loss", and further scalars for the log."""
        ...

    def validate(self) -> dict[str, float]:
        """Figures on data that is not trained on, with the averaged weights in place."""
        ...


@dataclass(frozen=True)
class Plan:
    """How a task is trained; a run in a folder keeps its plan."""

    step_count: int
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 0.01
    average: float = 0.999  # of the weights that are validated and kept (EMA)
    clip_norm: float = 1.0
    mixed_precision: str = "no"  # "bf16" where it is faster
    checkpoint_every: int = 200
    validate_every: int = 500
    log_every: int = 20
    seed: int = 0

    def rate(self, step: int) -> float:
        """The learning rate's factor: a linear rise, then half a cosine to 0."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(1, self.step_count - self.warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def train(task: TrainingTask, folder: Path, plan: Plan, say: Callable[[str], None] = print) -> Path:
    """Train a task in a folder, from its last checkpoint if there is one, and return the file of averaged weights.

    Raises:
        DataError: The folder holds a run with another plan.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _same_plan(folder / PLAN, plan)
    # On the CPU even where there is a GPU: tasks keep words, filters and frozen parts there, beside what is trained.
    accelerator = Accelerator(mixed_precision=plan.mixed_precision, cpu=True)
    optimizer = torch.optim.AdamW(
        [p for p in task.module.parameters() if p.requires_grad],
        lr=plan.learning_rate,
        weight_decay=plan.weight_decay,
        betas=(0.9, 0.98),
    )
    module, optimizer = accelerator.prepare(task.module, optimizer)
    averaged = {name: value.detach().clone() for name, value in task.module.state_dict().items()}
    first = _resume(folder / STATE, task.module, optimizer, averaged)
    sums: dict[str, float] = defaultdict(float)
    started = time.monotonic()
    for step in range(first, plan.step_count):
        torch.manual_seed(plan.seed * 1_000_003 + step)
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * plan.rate(step)
        module.train()
        with accelerator.autocast():
            losses = task.loss(task.batch(step))
        accelerator.backward(losses["loss"])
        accelerator.clip_grad_norm_(module.parameters(), plan.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        _average(averaged, task.module, min(plan.average, (step + 1) / (step + 10)))
        for name, value in losses.items():
            sums[name] += float(value.detach()) / plan.log_every
        done = step + 1
        if done % plan.log_every == 0:
            _log(folder / LOG, {"step": done, **sums})
            left_s = (time.monotonic() - started) / (done - first) * (plan.step_count - done)
            figures = " ".join(f"{name} {value:.4f}" for name, value in sums.items())
            say(f"{folder.name} {done}/{plan.step_count} {figures}; {left_s / 60:.0f} min left")
            sums.clear()
        if done % plan.checkpoint_every == 0 or done == plan.step_count:
            _checkpoint(folder, task.module, optimizer, averaged, done)
        if done % plan.validate_every == 0 or done == plan.step_count:
            figures_now = _validate(task, averaged)
            _log(folder / f"validation-{LOG}", {"step": done, **figures_now})
            say(f"{folder.name} {done} validation: " + " ".join(f"{k} {v:.4f}" for k, v in figures_now.items()))
    task.module.load_state_dict(averaged)
    return folder / WEIGHTS


def _same_plan(path: Path, plan: Plan) -> None:
    mine = asdict(plan)
    if not path.exists():
        path.write_text(json.dumps(mine, indent=2), "utf-8")
        return
    found = json.loads(path.read_text("utf-8"))
    differing = [name for name in mine if found.get(name) != mine[name]]
    if differing:
        raise DataError(
            f"{path.parent} holds a run whose {', '.join(differing)} differ(s) from what is asked; "
            "choose another folder, or remove that one to begin again."
        )


def _resume(path: Path, module: nn.Module, optimizer: Any, averaged: dict[str, Tensor]) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    module.load_state_dict(state["module"])
    optimizer.load_state_dict(state["optimizer"])
    averaged.update(state["averaged"])
    return int(state["step"])


def _checkpoint(folder: Path, module: nn.Module, optimizer: Any, averaged: dict[str, Tensor], step: int) -> None:
    state = {"module": module.state_dict(), "optimizer": optimizer.state_dict(), "averaged": averaged, "step": step}
    unfinished = folder / f"{STATE}.unfinished"
    torch.save(state, unfinished)
    unfinished.replace(folder / STATE)
    unfinished = folder / f"{WEIGHTS}.unfinished"
    save_file({name: value.contiguous() for name, value in averaged.items()}, unfinished)
    unfinished.replace(folder / WEIGHTS)


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill a module with what a run left behind."""
    module.load_state_dict(load_file(path))


@torch.no_grad()
def _average(averaged: dict[str, Tensor], module: nn.Module, keep: float) -> None:
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            averaged[name].lerp_(value, 1 - keep)
        else:
            averaged[name].copy_(value)


@torch.no_grad()
def _validate(task: TrainingTask, averaged: dict[str, Tensor]) -> dict[str, float]:
    own = {name: value.clone() for name, value in task.module.state_dict().items()}
    task.module.load_state_dict(averaged)
    task.module.eval()
    try:
        return task.validate()
    finally:
        task.module.load_state_dict(own)
        task.module.train()


def _log(path: Path, row: Mapping[str, int | float]) -> None:
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, row.keys())
        if new:
            writer.writeheader()
        writer.writerow(row)
