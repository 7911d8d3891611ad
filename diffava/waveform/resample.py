"""Between the model's rate and the output's, streaming and without delay (soxr). Knows no model."""

from collections.abc import Iterable, Iterator
from itertools import chain

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
    """
    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality=QUALITY)
    flush = np.zeros(0, dtype=np.float32)
    arrays = ((piece.numpy().astype(np.float32, copy=False), False) for piece in pieces)
    missing = sample_count
    for array, last in chain(arrays, [(flush, True)]):
        samples = stream.resample_chunk(array, last=last)[:missing]
        missing -= len(samples)
        if len(samples):
            yield torch.from_numpy(samples)
        if not missing:
            return
    yield torch.zeros(missing)
