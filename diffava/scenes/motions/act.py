"""What a motion is given: who acts, when, and the brush that paints it. Knows no motion."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from diffava.scenes.brush import Brush
from diffava.scenes.looks import Look
from diffava.sounds.score import Hit, Interval


@dataclass(frozen=True)
class Act:
    """One source in one scene.

    A motion is a function of an act. It draws from `rng` only what keeps for the whole scene, and moves something only
    because of `hits` or `active`: without them its pictures are all the same. `room` is how wide scenery may be, in the
    source's own units.
    """

    brush: Brush
    look: Look
    times_s: Float[np.ndarray, "F"]
    hits: tuple[Hit, ...]
    active: tuple[Interval, ...]
    room: float
    rng: Generator
