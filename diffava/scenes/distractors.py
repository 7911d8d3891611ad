"""Things that move and make no sound. They move evenly or swing, never stop: a stop is what a contact looks like."""

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from diffava.scenes.brush import Brush
from diffava.scenes.camera import Camera
from diffava.scenes.sprites import Pictures
from diffava.scenes.variation import Ranges


def draw_distractors(
    ranges: Ranges, pictures: Pictures, camera: Camera, times_s: Float[np.ndarray, "F"], rng: Generator
) -> None:
    """At most two, of kinds and colours drawn for the scene, behind the sources."""
    for _ in range(2):
        if rng.random() < ranges.distractor_chance / 2:
            brush = Brush(pictures, camera, np.zeros(len(times_s)), 0.0, 1.0, 1)
            _draw(str(rng.choice(ranges.distractors)), brush, times_s, rng)


def _draw(name: str, brush: Brush, times_s: Float[np.ndarray, "F"], rng: Generator) -> None:
    colour = rng.uniform(30, 230, 3).astype(np.float32)
    x, y, size = rng.uniform(0.05, 0.95), rng.uniform(0.1, 0.9), rng.uniform(0.02, 0.06)
    speed, phase = rng.uniform(0.05, 0.2), rng.uniform(0, 2 * np.pi)
    across = (x + speed * times_s + 0.2) % 1.4 - 0.2
    swing = 0.08 * np.sin(2 * np.pi * (0.2 + speed) * times_s + phase)
    match name:
        case "drifter":
            brush.disc(across, -y + swing, size, colour)
        case "blinker":
            brush.disc(x, -y, size / 2, colour, 0.5 + 0.5 * np.sin(2 * np.pi * (0.5 + 5 * speed) * times_s + phase))
        case "passer":
            brush.box(1 - across, -0.62, 2 * size, 5 * size, colour, 0.5 * swing)
            brush.disc(1 - across, -0.62 + 3 * size, size, colour)
        case "riser":
            height = 1.2 - across
            brush.triangle((x - size, -height), (x + size, -height), (x, 2 * size - height), colour)
        case "pulse":
            brush.ring(x, -y, size * (1.5 + 6 * swing), 0.02, colour)
