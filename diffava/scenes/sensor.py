"""What a camera does to light: brightness, blur, blocks, noise, eight bits. Knows pictures, no scene."""

from functools import cache

import numpy as np
from jaxtyping import Float, UInt8
from numpy.random import Generator

from diffava.scenes.variation import Ranges

BLOCK_PIXELS = 4


def expose(
    ranges: Ranges, pictures: Float[np.ndarray, "F 3 height width"], rng: Generator
) -> UInt8[np.ndarray, "F height width 3"]:
    """The pictures as a sensor and a codec give them; light becomes noisy after it was blurred, before it is coded."""
    frames, _, height, width = pictures.shape
    light, noise = ranges.draw("light", rng), ranges.draw("noise", rng)
    blur = ranges.draw("blur", rng) if rng.random() < 0.5 else 0.0
    blocks = ranges.draw("blocks", rng) if rng.random() < 0.5 else 0.0
    count = 3 * height * width
    grain = _grain(count)
    starts = rng.integers(0, len(grain) - count, frames)
    sides = _blur_matrix(height, blur), _blur_matrix(width, blur)
    means = _mean_matrix(height), _mean_matrix(width)
    coded = np.empty((frames, height, width, 3), np.uint8)
    for frame, start in enumerate(starts.tolist()):
        picture = pictures[frame]  # one at a time: it stays in the cache through all steps
        if blur:
            picture = sides[0].T @ picture @ sides[1]
        picture = picture * np.float32(light)
        picture += grain[start : start + count].reshape(picture.shape) * np.float32(noise)
        if blocks:
            picture += np.float32(blocks) * (means[0] @ picture @ means[1] - picture)
        np.clip(picture, 0, 255, out=picture)
        for channel in range(3):
            np.copyto(coded[frame, :, :, channel], picture[channel], casting="unsafe")
    return coded


@cache
def _grain(count: int) -> Float[np.ndarray, "N"]:
    """Unit noise to cut from at random places, the same in every scene: drawing it anew takes longer than drawing."""
    return np.random.Generator(np.random.PCG64(0)).standard_normal(4 * count, dtype=np.float32)


def _blur_matrix(size: int, weight: float) -> Float[np.ndarray, "size size"]:
    kernel = np.eye(size, dtype=np.float32) + np.float32(weight / 2) * (np.eye(size, k=1) + np.eye(size, k=-1))
    scaled: Float[np.ndarray, "size size"] = (kernel / kernel.sum(axis=0)).astype(np.float32)
    return scaled


@cache
def _mean_matrix(size: int) -> Float[np.ndarray, "size size"]:
    block = np.arange(size) // BLOCK_PIXELS
    same = (block[:, None] == block).astype(np.float32)
    means: Float[np.ndarray, "size size"] = same / same.sum(axis=0)
    return means
