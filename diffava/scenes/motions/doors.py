"""Doors that close, open and creak: a panel turns about its hinge. Knows no sound."""

import numpy as np

from diffava.scenes.looks import BLACK, shade
from diffava.scenes.motions.act import Act
from diffava.scenes.timing import Key, contact_height, curve

WIDTH, HEIGHT = 0.56, 0.92


def door(act: Act) -> None:
    """A panel in its frame: shut (or, if it is one that opens, wide open) and still exactly at each hit."""
    brush, look = act.brush, act.look
    brush.box(0.0, 0.45, WIDTH + 0.14, HEIGHT + 0.14, shade(look.accent, 0.8))
    brush.box(0.0, 0.45, WIDTH, HEIGHT, BLACK)
    match look.shape:
        case "close":
            openness = contact_height(act.times_s, act.hits, rest=0.75, fall_s=0.3, rebound=0.03)
        case "open":
            openness = 1 - 0.95 * contact_height(act.times_s, act.hits, rest=1.0, fall_s=0.3, rebound=0.03)
        case _:
            openness = _creaking(act)
    angle = 1.25 * np.clip(openness, 0, 1.1)
    wide = WIDTH * np.cos(angle)
    depth = 0.12 * np.sin(angle)
    left, right = -WIDTH / 2, -WIDTH / 2 + wide
    low, high = 0.45 - HEIGHT / 2, 0.45 + HEIGHT / 2
    # The free edge comes towards the viewer, so it is longer than the hinge's.
    brush.triangle((left, low), (right, low - depth), (right, high + depth), look.body)
    brush.triangle((left, low), (left, high), (right, high + depth), look.body)
    for y in (0.22, 0.66) if look.shape != "creak" else (0.1, 0.36, 0.62, 0.85):
        inset = 0.75 if look.shape != "creak" else 1.0
        brush.box(left + wide / 2, y, wide * inset, 0.3 if look.shape != "creak" else 0.03, shade(look.body, 0.75))
    brush.disc(right - 0.15 * wide, 0.45, 0.045, look.accent)


def _creaking(act: Act) -> np.ndarray:
    """The panel goes to and fro, once for each creak and as long as it lasts."""
    keys = [Key(-10.0, 0.4)]
    for k, hit in enumerate(act.hits):
        to = 0.4 + (0.2 + 0.4 * hit.strength) * (1 if k % 2 == 0 else -0.5)
        keys.append(Key(max(hit.time_s, keys[-1].time_s), keys[-1].value))
        keys.append(Key(max(hit.time_s, keys[-1].time_s) + max(hit.duration_s, 0.2), to))
    return curve(act.times_s, keys)
