"""What the waveform stage is made of: a codec between mel and latent, and a vocoder. Only their shapes."""

from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class MelCodec(Protocol):
    """Between mel and latent, for ranges of any length, a piece at a time."""

    def encode(self, mel: Float[Tensor, "T M"]) -> Iterator[Float[Tensor, "L C latent_M"]]:
        """Consecutive pieces of the latent, time first; the mel's length is a multiple of `Spec.vae_factor`."""
        ...

    def decode(self, latent: Float[Tensor, "C L latent_M"]) -> Iterator[Float[Tensor, "T M"]]:
        """Consecutive pieces of the mel, in order and without gaps."""
        ...


@runtime_checkable
class MelVocoder(Protocol):
    """From mel to samples at the model's rate; sample `i * hop` belongs to mel frame `i`."""

    def vocode(self, pieces: Iterable[Float[Tensor, "_ M"]]) -> Iterator[Float[Tensor, "S"]]:
        """Samples of consecutive mel pieces, a hop a frame, on the CPU; what is held does not grow with the range."""
        ...
