"""Noise predictions for a whole latent, made window by window with guidance. Knows no solver and no schedule."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from diffava.errors import CancelledError
from diffava.latent.windows import Window
from diffava.spec import Condition

WINDOWS_PER_FORWARD_ON_GPU = 4


@runtime_checkable
class NoisePredictor(Protocol):
    """What is needed of a denoiser; `UNet2DConditionModel` of diffusers has it."""

    device: torch.device
    dtype: torch.dtype

    def __call__(
        self, sample: Tensor, timestep: int, encoder_hidden_states: Tensor | None, class_labels: Tensor
    ) -> Any:
        """The noise in `sample` at `timestep`, in the result's field `sample`."""
        ...


class GuidedDenoiser:
    """AudioLDM's U-Net with its FiLM condition and classifier-free guidance, over any number of windows.

    The condition is one vector a window, handed over as `class_labels`; the U-Net appends its projection to the time
    embedding of every residual block, and both of its attentions are self-attention (no `encoder_hidden_states`).
    """

    def __init__(self, unet: NoisePredictor, windows_per_forward: int | None = None) -> None:
        """Wrap a U-Net; `windows_per_forward` bounds memory, and is 1 on a CPU and 4 elsewhere if not given.

        On a CPU more gains no time, and 1 makes a take's bits independent of what else is in the batch.
        """
        self._unet = unet
        self._windows_per_forward = windows_per_forward

    def predict_noise(
        self,
        latent: Float[Tensor, "B C L M"],
        timestep: int,
        windows: Sequence[Window],
        condition: Condition,
        guidance_scale: float,
        is_cancelled: Callable[[], bool],
    ) -> Float[Tensor, "B C L M"]:
        """The weighted mean of what all windows predict; 0 where no window has a vote.

        Raises:
            CancelledError: `is_cancelled` said so, asked before each forward.
        """
        prediction = torch.zeros_like(latent)
        for batch in self._batches(windows, latent.shape[0]):
            if is_cancelled():
                raise CancelledError("The job was cancelled while the sound was being generated; nothing was kept.")
            views = torch.stack([latent[take, :, window.start : window.stop] for window, take in batch])
            films = torch.stack([condition.shots[window.shot] for window, _ in batch])
            noise = self._guided(views, timestep, films, condition.unconditional, guidance_scale)
            for (window, take), part in zip(batch, noise, strict=True):
                weights = window.weights.to(part)[None, :, None]
                prediction[take, :, window.start : window.stop] += weights * part
        return prediction

    def _batches(self, windows: Sequence[Window], takes: int) -> Iterator[list[tuple[Window, int]]]:
        """Windows of one length for all takes, in batches of bounded size."""

        def length(window: Window) -> int:
            return window.stop - window.start

        size = self._windows_per_forward or (1 if self._unet.device.type == "cpu" else WINDOWS_PER_FORWARD_ON_GPU)
        for _, group in groupby(sorted(windows, key=length), key=length):
            items = [(window, take) for window in group for take in range(takes)]
            yield from (items[k : k + size] for k in range(0, len(items), size))

    def _guided(self, views: Tensor, timestep: int, films: Tensor, unconditional: Tensor, scale: float) -> Tensor:
        """Classifier-free guidance (Ho & Salimans 2022), both sides in one forward, the unconditional first."""
        if scale == 1:
            return self._forward(views, timestep, films)
        both = self._forward(torch.cat([views, views]), timestep, torch.cat([unconditional.expand_as(films), films]))
        without, with_condition = both.chunk(2)
        return without + scale * (with_condition - without)

    def _forward(self, views: Tensor, timestep: int, films: Tensor) -> Tensor:
        dtype = self._unet.dtype
        result: Tensor = self._unet(
            views.to(dtype), timestep, encoder_hidden_states=None, class_labels=films.to(dtype)
        ).sample
        return result.to(views.dtype)
