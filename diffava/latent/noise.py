"""The noise that a take starts from. Knows no model; the same in any batch, whatever device computes with it."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


class TakeNoise:
    """A take's own stream of Gaussian noise, on the CPU, where one seed gives the same noise on every machine.

    Time comes first, so that the first draw of a longer range begins with that of a shorter one: moving a range's end
    leaves what the take starts from. NumPy's generator, since torch's on the CPU reads only the low 32 bits of a seed
    and draws with other instructions on other processors.
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def draw(self, channels: int, frames: int, mel_bins: int) -> Float[Tensor, "C L M"]:
        """The next `frames` latent frames of unit Gaussian noise."""
        drawn = self._generator.standard_normal((frames, channels, mel_bins), dtype=np.float32)
        return torch.from_numpy(drawn).permute(1, 0, 2).contiguous()
