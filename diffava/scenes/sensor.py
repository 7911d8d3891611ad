"""What a camera does to light: brightness, blur, blocks, noise, eight bits. Knows pictures, no scene."""

from functools import cache

import numpy as np
from jaxtyping import Float, UInt8
from numpy.random import Generator

from diffava.scenes.variation import Ranges

BLOCK_PIXELS = 4
Picture = Float[np.ndarray, "3 height width"]


def expose(
    ranges: Ranges, pictures: Float[np.ndarray, "F 3 height width"], rng: Generator
) -> UInt8[np.ndarray, "F height width 3"]:
    """The pictures as a sensor and a codec give them; light becomes noisy after it was blurred, before it is coded.

    They are changed in place and serve as scratch.
    """
    frames, _, height, width = pictures.shape
    light, noise = np.float32(ranges.draw("light", rng)), np.float32(ranges.draw("noise", rng))
    blur = np.float32(ranges.draw("blur", rng) if rng.random() < 0.5 else 0)
    blocks = np.float32(ranges.draw("blocks", rng) if rng.random() < 0.5 else 0)
    count = 3 * height * width
    grain = _grain(count) * noise
    starts = rng.integers(0, len(grain) - count, frames)
    coded = np.empty((frames, height, width, 3), np.uint8)
    for frame, start in enumerate(starts.tolist()):
        picture = pictures[frame]  # one at a time: it stays in the cache through all steps
        if blur:
            picture = _blurred(picture, blur)
        picture *= light
        picture += grain[start : start + count].reshape(picture.shape)
        if blocks:
            picture += blocks * (_block_means(picture) - picture)
        np.clip(picture, 0, 255, out=picture)
        for channel in range(3):
            coded[frame, :, :, channel] = picture[channel]
    return coded


@cache
def _grain(count: int) -> Float[np.ndarray, "N"]:
    """Unit noise to cut from at random places, the same in every scene: drawing it anew takes longer than drawing."""
    return np.random.Generator(np.random.PCG64(0)).standard_normal(2 * count, dtype=np.float32)


def _blurred(picture: Picture, weight: np.float32) -> Picture:
    """Each pixel mixed with its neighbours, those of the next row and column having `weight` in all."""
    side = weight / 2
    rows = picture * (1 - weight)
    rows[:, 1:-1] += side * (picture[:, :-2] + picture[:, 2:])
    rows[:, 0] += weight * picture[:, 1]
    rows[:, -1] += weight * picture[:, -2]
    found = rows * (1 - weight)
    found[:, :, 1:-1] += side * (rows[:, :, :-2] + rows[:, :, 2:])
    found[:, :, 0] += weight * rows[:, :, 1]
    found[:, :, -1] += weight * rows[:, :, -2]
    return found


def _block_means(picture: Picture) -> Picture:
    """Each pixel replaced by the mean of its block; by matrices, which handle a size that blocks do not divide."""
    _, height, width = picture.shape
    (mean_rows, repeat_rows), (mean_columns, repeat_columns) = _block_matrices(height), _block_matrices(width)
    means: Picture = repeat_rows @ (mean_rows @ picture @ mean_columns.T) @ repeat_columns.T
    return means


@cache
def _block_matrices(size: int) -> tuple[Float[np.ndarray, "blocks size"], Float[np.ndarray, "size blocks"]]:
    block = np.arange(size) // BLOCK_PIXELS
    repeat = (block[:, None] == np.arange(block[-1] + 1)).astype(np.float32)
    return (repeat / repeat.sum(axis=0)).T.copy(), repeat
