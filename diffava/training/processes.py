"""One training on several processes and machines, as `accelerate launch` starts them. Knows gradients, no task.

Gradients are averaged here and not by torch's DistributedDataParallel, which sees only what passes through a module's
own `forward`: tasks call parts of what they train. Averaging after the backward pass gives up its overlap with it,
which the small trained parts of these models do not need.
"""

import os
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
import torch.distributed as dist
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from jaxtyping import Float
from torch import Tensor, nn


class Processes:
    """This process among all that run one training, and the device that it computes on."""

    def __init__(self, device: str = "auto") -> None:
        """Join the processes that were launched; alone if none were.

        Args:
            device: "cpu", or "auto" for this process's GPU where there is one.
        """
        # Launched without a GPU, accelerate would leave each process alone unless it is told that the CPU is meant.
        launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
        state = PartialState(cpu=device == "cpu" or (launched and not torch.cuda.is_available()))
        self.index: int = state.process_index
        self.count: int = state.num_processes
        self.device: torch.device = torch.device("cpu") if device == "cpu" else state.device
        self._state = state

    @property
    def is_first(self) -> bool:
        """Whether this one writes files and speaks."""
        return self.index == 0

    def wait(self) -> None:
        """Until all are here."""
        self._state.wait_for_everyone()

    def from_first(self, value: Any) -> Any:
        """What the first process has, on all of them."""
        if self.count == 1:
            return value
        box = [value]
        broadcast_object_list(box)
        return box[0]

    def average_gradients(self, module: nn.Module) -> None:
        """Give every process the mean of all gradients, and of what batch norms counted.

        A parameter that no process has a gradient for keeps none, so that its weights do not decay.
        """
        if self.count == 1:
            return
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        used = torch.tensor([float(p.grad is not None) for p in trained], device=self.device)
        dist.all_reduce(used)
        for parameter, users in zip(trained, used.tolist(), strict=True):
            if users:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                self._average(parameter.grad)
        for buffer in module.buffers():
            if buffer.is_floating_point():
                self._average(buffer)

    def mean(self, values: dict[str, float]) -> dict[str, float]:
        """The mean over all processes of named numbers, which are the same names on each."""
        if self.count == 1:
            return values
        numbers = torch.tensor(list(values.values()), device=self.device)
        self._average(numbers)
        return dict(zip(values, numbers.tolist(), strict=True))

    def _average(self, tensor: Tensor) -> None:
        dist.all_reduce(tensor)
        tensor /= self.count


def gathered(values: Float[Tensor, "B *rest"]) -> Float[Tensor, "N *rest"]:
    """The rows of all processes in their order, so that each sees the negatives of all; gradients flow back.

    Each process then has the whole batch's loss, and the mean of their gradients is that loss's own.
    """
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
        return values
    rows: Tensor = _Gathered.apply(values)  # type: ignore[no-untyped-call]  # torch says no types of `apply`
    return rows


class _Gathered(torch.autograd.Function):
    """All processes' rows; backwards, what all of them say of one's own."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        parts = [torch.empty_like(values) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, values.contiguous())
        context.rows = len(values)
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].clone()
        dist.all_reduce(gradient)
        return gradient[dist.get_rank() * context.rows :][: context.rows]


def device_of(module: nn.Module) -> torch.device:
    """Where a module's weights are, and so where a batch of it belongs."""
    return next(module.parameters()).device


def on_device(batch: Any, device: torch.device) -> Any:
    """A batch with all its tensors on a device: tensors, and tuples, lists, dicts and dataclasses of them."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {name: on_device(value, device) for name, value in batch.items()}
    if isinstance(batch, tuple | list):
        return type(batch)(on_device(value, device) for value in batch)
    if is_dataclass(batch) and not isinstance(batch, type):
        return replace(batch, **dict(_moved(batch, device)))
    return batch


def _moved(batch: Any, device: torch.device) -> Iterator[tuple[str, Any]]:
    for field in fields(batch):
        value = getattr(batch, field.name)
        moved = on_device(value, device)
        if moved is not value:
            yield field.name, moved
