"""The least time that a machine can need for a network: its operations and its bytes, at the machine's own peaks.

Operations are counted by torch on its "meta" device, so nothing is computed. Bytes are the weights, read once a call,
and what goes in and comes out; what lies between may stay in a cache, so the floor is one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Machine:
    """Peaks of dense bfloat16 with float32 sums, as the maker's data sheet says them."""

    name: str
    bfloat16_flop_per_s: float
    bytes_per_s: float


MACHINES = (
    Machine("H200", 989e12, 4.8e12),
    Machine("H100", 989e12, 3.35e12),
    Machine("A100", 312e12, 2.0e12),
    Machine("L40S", 362e12, 0.864e12),
    Machine("RTX 4090", 165e12, 1.008e12),
)


def machine_called(device_name: str) -> Machine:
    """The machine whose name is part of what the driver calls the device.

    Raises:
        ValueError: Its peaks are not in the table.
    """
    for machine in MACHINES:
        if machine.name in device_name:
            return machine
    known = ", ".join(machine.name for machine in MACHINES)
    raise ValueError(f"The peaks of {device_name} are not known ({known}); give --tflops and --gigabytes-per-s.")


@dataclass(frozen=True)
class Cost:
    """What one call of a network takes."""

    flop: float
    bytes: float

    def floor_s(self, machine: Machine) -> float:
        """Both at once, each at its peak: the slower of the two."""
        return max(self.flop / machine.bfloat16_flop_per_s, self.bytes / machine.bytes_per_s)


def cost_of(module: nn.Module, call: Callable[[], Any], in_and_out_numbers: int, bytes_a_number: int = 2) -> Cost:
    """Count a call of a module that is on the "meta" device."""
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        call()
    weights = sum(weight.numel() for weight in module.parameters())
    return Cost(float(counter.get_total_flops()), float((weights + in_and_out_numbers) * bytes_a_number))


def floor_of_a_clip_s(machine: Machine, step: Cost, step_count: int, others: tuple[Cost, ...]) -> float:
    """Every step after another, then everything else once."""
    return step_count * step.floor_s(machine) + sum(other.floor_s(machine) for other in others)
