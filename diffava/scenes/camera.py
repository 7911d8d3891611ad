"""Where the camera looks: drift, zoom and the shake of a hand. Knows the world's units and pixels, no scene.

The world is as wide and as high as one picture, x to the right and y down, both from 0 to 1 where the camera starts.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from diffava.scenes.variation import Ranges


@dataclass(frozen=True)
class Camera:
    """For every frame the world's point in the middle of the picture, and how many pixels one unit takes."""

    x: Float[np.ndarray, "F"]
    y: Float[np.ndarray, "F"]
    scale: Float[np.ndarray, "F"]
    size_pixels: int

    def pixels(
        self, x: float | Float[np.ndarray, "F"], y: float | Float[np.ndarray, "F"]
    ) -> tuple[Float[np.ndarray, "F"], Float[np.ndarray, "F"]]:
        """Where a point of the world is in the picture."""
        middle = self.size_pixels / 2
        return (x - self.x) * self.scale + middle, (y - self.y) * self.scale + middle


def draw_camera(ranges: Ranges, times_s: Float[np.ndarray, "F"], size_pixels: int, rng: Generator) -> Camera:
    """A camera that stands still, drifts, or is held by hand; smooth, so that no move of it stops like a contact."""
    still = rng.random() < ranges.still_camera
    drift, zoom, shake = (0.0 if still else ranges.draw(name, rng) for name in ("pan", "zoom", "shake"))
    angle, phase = rng.uniform(0, 2 * np.pi, 2)
    rates_hz = rng.uniform(0.7, 2.4, (2, 2))
    phases = rng.uniform(0, 2 * np.pi, (2, 2))
    wave = np.sin(2 * np.pi * 0.12 * times_s + phase)
    wobble = np.sin(2 * np.pi * rates_hz[..., None] * times_s + phases[..., None]).mean(axis=1)
    return Camera(
        x=0.5 + drift * wave * np.cos(angle) + shake * wobble[0],
        y=0.5 + drift * wave * np.sin(angle) * 0.5 + shake * wobble[1],
        scale=size_pixels * (1 + zoom * np.sin(2 * np.pi * 0.1 * times_s + phase)),
        size_pixels=size_pixels,
    )
