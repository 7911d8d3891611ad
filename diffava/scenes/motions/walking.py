"""Walking: one foot stands while the other goes ahead and lands at its hit. Knows no sound."""

import numpy as np

from diffava.scenes.looks import shade
from diffava.scenes.motions.act import Act
from diffava.scenes.textures import noise
from diffava.scenes.timing import Key, contact_height, curve

STEP_S = 0.45  # how long a foot is at most in the air


def step(act: Act) -> None:
    """Legs seen from the side; the feet take turns, and each is still on its ground from its hit to its next lift."""
    brush, look = act.brush, act.look
    grain = 0.5 + 0.5 * noise(act.rng, 48, 3.0)
    brush.box(0.0, -0.26, 3.0, 0.52, look.ground)
    brush.field((-1.5, 0.0), (3.0, 0.5), np.clip(grain, 0, 1), (0.0, 0.0), shade(look.ground, 0.82), 0.8)
    stride = min(0.3, 0.7 / max(1, len(act.hits)))
    start = -stride * len(act.hits) / 2
    places = [start, start - stride / 2]
    feet = []
    for foot in (1, 0):  # the far one first
        hits = act.hits[foot::2]
        keys = [Key(-10.0, places[foot])]
        before = -10.0
        for number, hit in enumerate(hits):
            room = min(hit.time_s - before, STEP_S / 0.75)
            landing = start + stride * (2 * number + foot + 1)
            keys += [Key(hit.time_s - 0.75 * room, keys[-1].value), Key(hit.time_s, landing, "rise")]
            before = hit.time_s
        x = curve(act.times_s, keys)
        feet.append((x, 0.3 * contact_height(act.times_s, hits, rest=0.0, fall_s=STEP_S / 3, rebound=0.0)))
    hip = (feet[0][0] + feet[1][0]) / 2
    for light, (x, lift) in zip((0.7, 1.0), feet, strict=True):
        knee = (x + hip) / 2 + 0.1 + 0.3 * lift, 0.5 + 0.5 * lift
        brush.bar((hip, 0.95), knee, 0.2, shade(look.accent, light))
        brush.bar(knee, (x, 0.14 + lift), 0.17, shade(look.accent, light))
        if look.shape == "boot":
            brush.box(x, 0.2 + lift, 0.19, 0.3, shade(look.body, light))
        brush.ellipse(x + 0.08, 0.08 + lift, 0.19, 0.08, shade(look.body, light))
        brush.box(x + 0.08, 0.025 + lift, 0.36, 0.05, shade(look.body, 0.6 * light))
