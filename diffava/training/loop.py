"""The one training loop: steps, learning rate, averaged weights, checkpoints, logs. Knows no model.

A step is made of micro-batches, one after another on one process (`accumulate`) or at once on several (`accelerate
launch`). A micro-batch is a pure function of its number, and dropout is seeded by it too. So a run that was killed goes
on exactly where its last checkpoint was, and one process that accumulates two has the same losses as two processes.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from diffava.errors import DataError
from diffava.training.plan import Plan
from diffava.training.processes import Processes, on_device
from diffava.training.run_folder import WEIGHTS, RunFolder, kept_weights

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@runtime_checkable  # so that tests can check arguments against it
class TrainingTask(Protocol):
    """What is trained, on what, and how it is judged."""

    @property
    def module(self) -> nn.Module:
        """What learns."""
        ...

    def batch(self, number: int) -> Any:
        """The data of a micro-batch, a pure function of its number; on the CPU."""
        ...

    def loss(self, batch: Any) -> dict[str, Tensor]:
        """What is minimised, under "loss", and further scalars for the log; the batch is where the module is.

        Noise is drawn on the CPU, so that a GPU computes with the same.
        """
        ...

    def validate(self) -> dict[str, float]:
        """Figures on data that is not trained on, with the averaged weights in place."""
        ...


def train(
    task: TrainingTask,
    folder: Path,
    plan: Plan,
    say: Callable[[str], None] = print,
    *,
    accumulate: int = 1,
    device: str = "auto",
) -> Path:
    """Train a task in a folder, from its last checkpoint if there is one, and return the file of the kept weights.

    Args:
        task: What learns; it ends with the kept weights, on the CPU.
        folder: The run's; on several machines that of the first process.
        plan: How. A run goes on only by the plan that it began with.
        say: Called with each line of progress, by the first process.
        accumulate: Micro-batches of one step that this process takes one after another.
        device: "cpu", or "auto" for a GPU where there is one.

    Raises:
        DataError: The folder holds a run with another plan, or the task does not validate the figure to keep.
    """
    return _Run(task, folder, plan, say, accumulate, Processes(device)).to_the_end()


class _Run:
    """One run while it runs."""

    def __init__(
        self,
        task: TrainingTask,
        folder: Path,
        plan: Plan,
        say: Callable[[str], None],
        accumulate: int,
        processes: Processes,
    ) -> None:
        self.task, self.plan, self.accumulate, self.processes = task, plan, accumulate, processes
        self.folder, self.device = RunFolder(folder), processes.device
        self.say = say if processes.is_first else _nothing
        self.module = task.module.to(self.device)
        self.optimizer = torch.optim.AdamW(
            [p for p in self.module.parameters() if p.requires_grad],
            lr=plan.learning_rate,
            weight_decay=plan.weight_decay,
            betas=(0.9, plan.beta2),
        )
        scales = plan.mixed_precision == "fp16" and self.device.type == "cuda"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=scales)
        self.averaged = {name: value.detach().clone() for name, value in self.module.state_dict().items()}
        self.best: dict[str, Any] | None = None
        self.sums: dict[str, float] = defaultdict(float)
        self.done = 0

    def to_the_end(self) -> Path:
        """From where the folder is to the plan's last step."""
        self._begin()
        first, started = self.done, time.monotonic()
        for step in range(first, self.plan.step_count):
            self._step(step)
            self.done = step + 1
            is_last = self.done == self.plan.step_count
            if self.done % self.plan.log_every == 0:
                seconds_a_step = (time.monotonic() - started) / (self.done - first)
                self._log(seconds_a_step * (self.plan.step_count - self.done))
            if self.done % self.plan.validate_every == 0 or is_last:
                self._validate()
            # Last, so that whatever was logged up to a checkpoint is in it or is cut off when the run goes on.
            if (self.done % self.plan.checkpoint_every == 0 or is_last) and self.processes.is_first:
                self.folder.write_state(self._state())
        self.folder.close()
        self.processes.wait()
        self.module.load_state_dict(kept_weights({"averaged": self.averaged, "best": self.best}))
        self.module.to("cpu")
        return self.folder.folder / WEIGHTS

    def _begin(self) -> None:
        state = None
        if self.processes.is_first:
            self.folder.keep_plan(self.plan, self.accumulate * self.processes.count)
            state = self.folder.read_state()
            if self.processes.count > 1 and state is None:
                state = self._state()
        state = self.processes.from_first(state)  # also at the start: all begin with the same weights
        if state is None:
            return
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.averaged = on_device(state["averaged"], self.device)
        self.best, self.done = state.get("best"), int(state["step"])
        self.sums.update(state.get("sums", {}))
        if state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])

    def _state(self) -> dict[str, Any]:
        return {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averaged": self.averaged,
            "best": self.best,
            "sums": dict(self.sums),
            "scaler": self.scaler.state_dict(),
            "step": self.done,
        }

    def _step(self, step: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.learning_rate * self.plan.rate(step)
        self.module.train()
        for turn in range(self.accumulate):
            number = (step * self.accumulate + turn) * self.processes.count + self.processes.index
            torch.manual_seed(self.plan.seed * 1_000_003 + number)
            batch = on_device(self.task.batch(number), self.device)
            with torch.autocast(
                self.device.type,
                _DTYPES.get(self.plan.mixed_precision),
                enabled=self.plan.mixed_precision in _DTYPES,
            ):
                losses = self.task.loss(batch)
            self.scaler.scale(losses["loss"] / self.accumulate).backward()  # type: ignore[no-untyped-call]
            for name, value in losses.items():
                self.sums[name] += float(value.detach()) / (self.plan.log_every * self.accumulate)
        self.processes.average_gradients(self.module)
        self.scaler.unscale_(self.optimizer)
        if self.plan.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.plan.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        average(self.averaged, self.module, self.plan.averaging(step))

    def _log(self, left_s: float) -> None:
        figures = self.processes.mean(dict(self.sums))
        self.sums.clear()
        if self.processes.is_first:
            self.folder.log("training", self.done, figures)
        told = " ".join(f"{name} {value:.4f}" for name, value in figures.items())
        self.say(f"{self.folder.folder.name} {self.done}/{self.plan.step_count} {told}; {left_s / 60:.0f} min left")

    @torch.no_grad()
    def _validate(self) -> None:
        """Judge the averaged weights, on the first process while the others wait, and keep the best if asked."""
        if self.processes.is_first:
            own = {name: value.clone() for name, value in self.module.state_dict().items()}
            self.module.load_state_dict(self.averaged)
            self.module.eval()
            try:
                figures = self.task.validate()
            finally:
                self.module.load_state_dict(own)
                self.module.train()
            self.folder.log("validation", self.done, figures)
            self.say(
                f"{self.folder.folder.name} {self.done} validation: "
                + " ".join(f"{name} {value:.4f}" for name, value in figures.items())
            )
            self._keep_best(figures)
        self.processes.wait()
        if self.plan.keep_best:
            self.best = self.processes.from_first(self.best)

    def _keep_best(self, figures: dict[str, float]) -> None:
        wanted = self.plan.keep_best
        if not wanted:
            return
        if wanted not in figures:
            raise DataError(f"keep_best is '{wanted}', but validated are only {', '.join(figures)}; name one of these.")
        if self.best is None or figures[wanted] < self.best["value"]:
            weights = {name: value.detach().cpu().clone() for name, value in self.averaged.items()}
            self.best = {"step": self.done, "value": figures[wanted], "weights": weights}


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill a module with what a run left behind."""
    module.load_state_dict(load_file(path))


@torch.no_grad()
def average(averaged: dict[str, Tensor], module: nn.Module, keep: float) -> None:
    """Move averaged weights towards a module's own by `1 - keep` (EMA); counters are copied."""
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            averaged[name].lerp_(value, 1 - keep)
        else:
            averaged[name].copy_(value)


def _nothing(_: str) -> None:
    pass
