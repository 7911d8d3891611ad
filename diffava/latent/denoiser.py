"""What predicts: AudioLDM's U-Net or the latent transformer, each with T2AV's branch. Knows no window, no solver."""

import math
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from diffava.latent.compiled import BUCKET_FRAMES
from diffava.latent.control import ControlBranch
from diffava.latent.transformer import LatentTransformer
from diffava.latent.unet_control import UNetControl


@runtime_checkable
class Denoiser(Protocol):
    """What is needed of a denoiser: a prediction for some windows of one length."""

    length_multiple: int  # what a window's length must divide by

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    def __call__(
        self,
        latent: Float[Tensor, "B C L M"],
        timestep: int | float,
        film: Float[Tensor, "B D"],
        control: Float[Tensor, "B L G"] | None,
        control_strength: float,
    ) -> Float[Tensor, "B C L M"]:
        """The noise, or the velocity, whichever the model's solver takes."""
        ...


class UNetDenoiser:
    """AudioLDM's U-Net (diffusers' `UNet2DConditionModel`) with its FiLM condition, and T2AV's branch if it has one.

    The condition is handed over as `class_labels`; the U-Net appends its projection to the time embedding of every
    residual block, and both of its attentions are self-attention (no `encoder_hidden_states`).
    """

    def __init__(
        self, unet: Any, branch: UNetControl | None = None, compiler: Callable[..., Any] | None = None
    ) -> None:
        """Take the modules; a `compiler` makes each step of the same kernels faster, for windows of a few lengths."""
        self._unet, self._branch = unet, branch
        self.length_multiple = int(2 ** (len(unet.config.block_out_channels) - 1))
        self._step = self._noise
        if compiler is not None:
            self._step = compiler(self._noise)
            self.length_multiple = math.lcm(self.length_multiple, BUCKET_FRAMES)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        device: torch.device = self._unet.device
        return device

    def __call__(
        self,
        latent: Float[Tensor, "B C L M"],
        timestep: int | float,
        film: Float[Tensor, "B D"],
        control: Float[Tensor, "B L G"] | None,
        control_strength: float,
    ) -> Float[Tensor, "B C L M"]:
        """The noise in the latent; at strength 0 exactly that without control."""
        dtype = self._unet.dtype
        control_ = None if control is None or self._branch is None else control.to(dtype)
        # As tensors, since a compiled step would be made anew for each number.
        numbers = torch.tensor(timestep, device=latent.device), torch.tensor(control_strength, device=latent.device)
        noise: Tensor = self._step(latent.to(dtype), numbers[0], film.to(dtype), control_, numbers[1].to(dtype))
        return noise.to(latent.dtype, copy=True)  # a compiled step's next call overwrites its result

    def _noise(
        self, latent: Tensor, timestep: Tensor, film: Tensor, control: Tensor | None, control_strength: Tensor
    ) -> Tensor:
        added = {}
        if control is not None and self._branch is not None:
            added = self._branch(latent, timestep, film, control).scaled(control_strength).arguments
        noise: Tensor = self._unet(latent, timestep, encoder_hidden_states=None, class_labels=film, **added).sample
        return noise


class TransformerDenoiser:
    """The latent transformer with T2AV's control branch, if it has one."""

    length_multiple = 1

    def __init__(self, transformer: LatentTransformer, branch: ControlBranch | None) -> None:
        self._transformer, self._branch = transformer, branch

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._transformer.device

    def __call__(
        self,
        latent: Float[Tensor, "B C L M"],
        timestep: int | float,
        film: Float[Tensor, "B D"],
        control: Float[Tensor, "B L G"] | None,
        control_strength: float,
    ) -> Float[Tensor, "B C L M"]:
        """The velocity; at strength 0 exactly that without control."""
        dtype = self._transformer.dtype
        latent_, film_ = latent.to(dtype), film.to(dtype)
        time = torch.full((len(latent),), timestep, dtype=dtype, device=self.device)
        added = None
        if control is not None and self._branch is not None:
            hidden, steering = self._transformer.embedded(latent_, time, film_)
            added = [control_strength * part for part in self._branch(hidden, steering, control.to(dtype))]
        velocity: Tensor = self._transformer(latent_, time, film_, added)
        return velocity.to(latent.dtype)
