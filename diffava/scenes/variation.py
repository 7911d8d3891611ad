"""What differs from scene to scene though it makes no sound: the ranges of it, seen and unseen. Knows numbers only.

Whatever is trained sees only `SEEN`; `UNSEEN` shares no value with it except that both may have no move at all, so a
figure measured on it says whether what was learnt holds outside the renderer's habits.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from diffava.scenes.sprites import Colour


@dataclass(frozen=True)
class Ranges:
    """Bounds from which each scene draws evenly; lengths are in widths of the picture, light in 0..255."""

    still_camera: float  # the chance of a camera that does not move
    pan: tuple[float, float]
    zoom: tuple[float, float]
    shake: tuple[float, float]
    textures: tuple[str, ...]
    texture_contrast: tuple[float, float]
    elsewhere: float  # the chance that sky and ground have colours of no kind
    palette: tuple[float, float]  # how far each of a scene's colours is moved, in a random direction
    light: tuple[float, float]  # what brightness is multiplied with
    noise: tuple[float, float]
    blur: tuple[float, float]  # weight of the eight neighbours
    blocks: tuple[float, float]  # how much of each block of four pixels is its mean
    distractors: tuple[str, ...]
    distractor_chance: float

    def draw(self, name: str, rng: Generator) -> float:
        """A number from the range of that name."""
        low, high = getattr(self, name)
        return float(rng.uniform(low, high))

    def jittered(self, colour: Colour, rng: Generator) -> Colour:
        """A colour moved by a distance from `palette`."""
        direction = rng.standard_normal(3)
        moved = colour + self.draw("palette", rng) * direction / np.linalg.norm(direction)
        clipped: Colour = np.clip(moved, 0, 255).astype(np.float32)
        return clipped


SEEN = Ranges(
    still_camera=0.4,
    pan=(0.0, 0.06),
    zoom=(0.0, 0.06),
    shake=(0.0, 0.008),
    textures=("plain", "noise", "stripes", "blocks"),
    texture_contrast=(2.0, 16.0),
    elsewhere=0.3,
    palette=(0.0, 30.0),
    light=(0.7, 1.2),
    noise=(0.0, 5.0),
    blur=(0.0, 0.5),
    blocks=(0.0, 0.4),
    distractors=("drifter", "blinker", "passer"),
    distractor_chance=0.5,
)
UNSEEN = Ranges(
    still_camera=0.2,
    pan=(0.07, 0.09),
    zoom=(0.07, 0.1),
    shake=(0.01, 0.014),
    textures=("checks", "rings"),
    texture_contrast=(17.0, 22.0),
    elsewhere=0.3,
    palette=(31.0, 40.0),
    light=(0.6, 0.69),
    noise=(5.5, 8.0),
    blur=(0.55, 0.7),
    blocks=(0.45, 0.6),
    distractors=("riser", "pulse"),
    distractor_chance=0.7,
)
