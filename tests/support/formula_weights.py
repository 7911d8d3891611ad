"""Random-looking weights from a name and a shape, by whole numbers alone: the same on every machine, stored nowhere.

Golden results of other people's code are kept with the names and shapes of the weights that they were made with; the
weights themselves, which may be megabytes, are made again here.
"""

import math
import zlib

import torch
from torch import Tensor


def uniform(name: str, shape: tuple[int, ...]) -> Tensor:
    """Numbers in [-1, 1), a sequence of its own for each name; a mixing function of 64-bit integers (splitmix64)."""
    mixed = torch.arange(math.prod(shape), dtype=torch.int64) + (zlib.crc32(name.encode()) << 24)
    mixed = mixed * -7046029254386353131
    mixed = (mixed ^ ((mixed >> 30) & 0x3FFFFFFFF)) * -4658895280553007687
    mixed = (mixed ^ ((mixed >> 27) & 0x1FFFFFFFFF)) * -7723592293110705685
    mixed = mixed ^ ((mixed >> 31) & 0x1FFFFFFFF)
    return ((mixed & 0xFFFFFF).double() / (1 << 23) - 1).float().reshape(shape)


def formula_weight(name: str, shape: tuple[int, ...]) -> Tensor:
    """A weight of a size that keeps the variance of what it is given; gains around 1; statistics of a log-mel."""
    numbers = uniform(name, shape)
    if name.endswith("running_mean"):
        return -20 + 3 * numbers
    if name.endswith("running_var"):
        return 1 + 0.5 * numbers
    if len(shape) < 2:
        return 1 + 0.3 * numbers if name.endswith("weight") else 0.1 * numbers
    return numbers * (3 / math.prod(shape[1:])) ** 0.5
