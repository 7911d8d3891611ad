"""How a model computes where it only makes sound: in what precision, with which weights in memory, compiled or not.

Knows configurations and devices, no model. What a machine can do decides, so the same request on the same model and
machine gives the same samples; on another machine they may differ, as they do between any two machines.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch

from diffava.config import ModelConfig
from diffava.errors import ConfigError

Precision = Literal["auto", "float32", "bfloat16"]
FAST_BFLOAT16 = ("avx512_bf16", "amx_bf16")  # instructions without which bfloat16 is slower on a CPU than float32


@dataclass(frozen=True)
class Compute:
    """What is asked for; the default is a model as it is trained, in float32 and with all weights in memory.

    `precision` "auto" is what the model's `[compute]` names, on a machine that is fast at it, and float32 elsewhere.
    With `may_rest`, a model whose `[compute]` says so has the weights of a stage in memory only while the stage works.
    With `is_compiled`, the denoiser's steps are compiled to CUDA graphs.
    """

    precision: Precision = "float32"
    may_rest: bool = False
    is_compiled: bool = False

    def dtype(self, config: ModelConfig, device: torch.device) -> torch.dtype:
        """What denoiser, autoencoder, vocoder and X-CLIP compute in; everything else computes in float32.

        Raises:
            ConfigError: bfloat16 was asked for a model whose classes have never been seen computing in it.
        """
        if self.precision == "auto":
            wanted = config.compute.precision == "bfloat16" and is_fast_at_bfloat16(device)
            return torch.bfloat16 if wanted else torch.float32
        if self.precision == "bfloat16" and config.transformer is not None:
            raise ConfigError(f"The model '{config.name}' computes in float32 alone; leave the precision at auto.")
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    def rests(self, config: ModelConfig, device: torch.device) -> bool:
        """Whether weights leave the memory between uses: a GPU's own memory is for nothing else."""
        return self.may_rest and config.compute.weights_rest and device.type == "cpu"

    def check_compilable(self, config: ModelConfig, device: torch.device) -> None:
        """Refuse what cannot be compiled, before anything is loaded.

        Raises:
            ConfigError: The device has no CUDA graphs, or the denoiser is no U-Net.
        """
        if self.is_compiled and device.type != "cuda":
            raise ConfigError(f"Compiled steps need a CUDA GPU, and the device is {device}; leave out --compile.")
        if self.is_compiled and config.unet is None:
            raise ConfigError(f"Only U-Nets are compiled, and '{config.name}' has none; leave out --compile.")


def best_device() -> str:
    """The first GPU, or the CPU where there is none."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def is_fast_at_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16.

    On a CPU with avx512_bf16 AudioLDM's U-Net takes 0.6 of its time in float32 (`tests/benchmarks/README.md`). On CPUs
    without such instructions, torch imitates bfloat16, slower. Metal was not measured, and stays at float32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    # Newer than the oldest torch that we take.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(bool(capabilities.get(name)) for name in FAST_BFLOAT16)
