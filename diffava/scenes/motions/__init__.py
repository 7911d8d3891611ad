"""How each motion is drawn: one function each, from an act to shapes on its pictures. Knows no camera, no background.

Impacts follow one rule: something moves towards a point of contact, ever faster, and stands still from the hit on.
"""

from collections.abc import Callable

from diffava.scenes.motions.act import Act
from diffava.scenes.motions.animals import mouth, wings
from diffava.scenes.motions.doors import door
from diffava.scenes.motions.falling import fall, splash
from diffava.scenes.motions.flashing import flash
from diffava.scenes.motions.hands import press
from diffava.scenes.motions.machines import rotor, saw, wheels
from diffava.scenes.motions.nature import flames, rain, stream, sway, waves
from diffava.scenes.motions.swinging import clock, swing
from diffava.scenes.motions.tools import strike
from diffava.scenes.motions.walking import step

MOTIONS: dict[str, Callable[[Act], None]] = {
    motion.__name__: motion
    for motion in (
        clock, door, fall, flames, flash, mouth, press, rain, rotor,
        saw, splash, step, stream, strike, sway, swing, waves, wheels, wings,
    )
}  # fmt: skip

__all__ = ["MOTIONS", "Act"]
