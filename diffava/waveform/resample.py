"""Between the model's rate and the output's, streaming and without delay (soxr). Knows no model."""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr
import torch
from jaxtyping import Float
from torch import Tensor

QUALITY = "VHQ"


def resampled(
    pieces: Iterable[Float[Tensor, "_"]], from_hz: int, to_hz: int, sample_count: int
) -> Iterator[Float[Tensor, "_"]]:
    """Exactly `sample_count` samples at the new rate, in order; sample 0 of both rates is the same moment.

    What the input has too much is dropped; where it ends early (by the rounding of its length), silence follows.
    Equal rates change no sample.
    """
    arrays = (piece.numpy().astype(np.float32, copy=False) for piece in pieces)
    missing = sample_count
    for converted in arrays if from_hz == to_hz else _converted(arrays, from_hz, to_hz):
        samples = converted[:missing]
        missing -= len(samples)
        if len(samples):
            yield torch.from_numpy(samples)
        if not missing:
            return
    yield torch.zeros(missing)


def _converted(arrays: Iterable[Float[np.ndarray, "_"]], from_hz: int, to_hz: int) -> Iterator[Float[np.ndarray, "_"]]:
    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality=QUALITY)
    for array in arrays:
        yield stream.resample_chunk(array, last=False)
    yield stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
