"""What stands behind everything: sky, ground and their texture, seen by the moving camera. Knows no source."""

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from diffava.scenes.camera import Camera
from diffava.scenes.sprites import Colour
from diffava.scenes.textures import noise
from diffava.scenes.variation import Ranges

MARGIN = 0.35  # of the world around the first picture that the camera may come to see
FINENESS = 2  # samples a pixel, so that slow drift does not step from pixel to pixel


def draw_background(
    ranges: Ranges, sky: Colour, ground: Colour, horizon: float, camera: Camera, rng: Generator
) -> Float[np.ndarray, "F 3 height width"]:
    """Pictures of nothing but sky above and ground below the horizon, lighter at one end than at the other."""
    samples = round(camera.size_pixels * FINENESS * (1 + 2 * MARGIN))
    y = np.linspace(-MARGIN, 1 + MARGIN, samples, dtype=np.float32)
    below = np.clip((y - horizon) * camera.size_pixels, 0, 1)
    depth = rng.uniform(-25, 25) * (y - horizon) + rng.uniform(0, 30) * below * (y - horizon)
    column = sky[:, None] * (1 - below) + ground[:, None] * below + depth
    grain = _texture(str(rng.choice(ranges.textures)), samples, rng) * np.float32(ranges.draw("texture_contrast", rng))
    image = column[:, :, None].astype(np.float32) + grain
    pictures = np.empty((len(camera.x), 3, camera.size_pixels, camera.size_pixels), np.float32)
    offsets = np.arange(camera.size_pixels, dtype=np.float32) + 0.5 - camera.size_pixels / 2
    seen_x = camera.x[:, None] + offsets / camera.scale[:, None]
    seen_y = camera.y[:, None] + offsets / camera.scale[:, None]
    per_unit = samples / (1 + 2 * MARGIN)
    columns, rows = ((np.clip((seen + MARGIN) * per_unit, 0, samples - 1)).astype(int) for seen in (seen_x, seen_y))
    if (columns == columns[0]).all() and (rows == rows[0]).all():
        pictures[:] = image[:, rows[0][:, None], columns[0]]
        return pictures
    for frame in range(len(pictures)):
        np.take(image[:, rows[frame]], columns[frame], axis=2, out=pictures[frame])
    return pictures


def _texture(name: str, size: int, rng: Generator) -> Float[np.ndarray, "size size"]:
    """A pattern of about unit size."""
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    turn, cycles, phase = rng.uniform(0, np.pi), rng.uniform(3, 9), rng.uniform(0, 2 * np.pi)
    along = x * np.cos(turn) + y * np.sin(turn)
    match name:
        case "noise":
            found = noise(rng, size, rng.uniform(6, 40))
        case "stripes":
            found = np.sign(np.sin(2 * np.pi * cycles * along + phase))
        case "blocks":
            coarse = rng.uniform(-1.5, 1.5, (12, 12))
            found = np.kron(coarse, np.ones((size // 12 + 1, size // 12 + 1)))[:size, :size]
        case "checks":
            found = np.sign(np.sin(2 * np.pi * cycles * x + phase) * np.sin(2 * np.pi * cycles * y))
        case "rings":
            found = np.sin(2 * np.pi * cycles * np.hypot(x - rng.uniform(0, 1), y - rng.uniform(0, 1)))
        case _:
            return np.zeros((size, size), np.float32)
    return found.astype(np.float32)
