"""How a task is trained, as one frozen value. Numbers only."""

import math
from dataclasses import dataclass
from typing import Literal

Precision = Literal["no", "bf16", "fp16"]
Schedule = Literal["cosine", "constant"]


@dataclass(frozen=True)
class Plan:
    """How a task is trained; a run in a folder keeps its plan.

    With `weight_decay` 0 and `beta2` 0.999, AdamW is Adam as torch has it. With `average` 0 the averaged weights are
    the last ones. `keep_best` names a figure of the task's validation: the weights with its lowest value are what the
    run leaves behind, instead of the last ones.
    """

    step_count: int
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 0.01
    average: float = 0.999  # of the weights that are validated and kept (EMA)
    clip_norm: float = 1.0  # 0 leaves gradients as they are
    mixed_precision: Precision = "no"  # "bf16" where it is faster
    checkpoint_every: int = 200
    validate_every: int = 500
    log_every: int = 20
    seed: int = 0
    schedule: Schedule = "cosine"
    beta2: float = 0.98
    keep_best: str = ""

    def rate(self, step: int) -> float:
        """The learning rate's factor: a linear rise, then half a cosine to 0, or 1 to the end."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self.schedule == "constant":
            return 1.0
        done = (step - self.warmup_steps) / max(1, self.step_count - self.warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    def averaging(self, step: int) -> float:
        """How much of the averaged weights stays at a step: less at first, or the initial weights would linger."""
        return min(self.average, (step + 1) / (step + 10))
