"""Tools that strike: an arm turns about its elbow, falls ever faster and stops on what it hits. Knows no sound."""

import numpy as np

from diffava.scenes.looks import BLACK, shade
from diffava.scenes.motions.act import Act
from diffava.scenes.timing import contact_height

ELBOW = (0.72, 0.42)
REACH = 0.7
CONTACT_ANGLE = -0.22  # of the arm when it touches: a little below level
SWING = 1.15  # radians from contact to the highest lift


def strike(act: Act) -> None:
    """What is struck, and over it an arm with a tool whose end is on it exactly at each hit."""
    brush, look = act.brush, act.look
    angle = CONTACT_ANGLE + SWING * contact_height(act.times_s, act.hits)
    along, across = np.cos(angle), np.sin(angle)
    x, y = ELBOW[0] - REACH * along, ELBOW[1] + REACH * across
    _struck(act)
    handle = {"hammer": BLACK, "stick": look.accent, "fist": look.accent}.get(look.shape, shade(look.body, 1.3))
    brush.bar(ELBOW, (x, y), 0.14 if look.shape == "fist" else 0.06, handle)
    match look.shape:
        case "hammer":
            brush.box(x, y, 0.13, 0.3, look.accent, -angle)
        case "axe":
            brush.triangle((x + 0.05, y + 0.12), (x - 0.1, y - 0.1), (x + 0.16, y - 0.12), look.accent)
            brush.box(x, y, 0.1, 0.18, look.accent, -angle)
        case "shovel":
            brush.triangle((x - 0.12, y + 0.1), (x + 0.16, y + 0.12), (x - 0.03, y - 0.2), look.accent)
        case "fist":
            brush.disc(x, y, 0.15, look.accent)
            brush.bar((x - 0.07, y - 0.02), (x + 0.05, y - 0.05), 0.02, shade(look.accent, 0.7))
        case _:
            brush.bar((x, y), (x - 0.1 * along, y + 0.1 * across), 0.09, look.accent)


def _struck(act: Act) -> None:
    brush, look = act.brush, act.look
    match look.shape:
        case "hammer":
            brush.box(0.05, 0.04, 0.8, 0.17, look.body)
            brush.box(0.05, 0.1, 0.8, 0.03, shade(look.body, 1.35))
            brush.box(0.05, -0.14, 0.3, 0.2, shade(look.body, 0.6))
        case "stick":
            brush.box(0.0, 0.12, 1.0, 0.22, look.body)
            for y in (0.07, 0.15):
                brush.bar((-0.45, y), (0.45, y + 0.02), 0.02, shade(look.body, 0.7))
        case "axe":
            brush.box(-0.02, 0.0, 0.5, 0.3, look.body)
            brush.ellipse(-0.02, 0.14, 0.25, 0.07, shade(look.body, 1.5))
            brush.ellipse(-0.02, 0.14, 0.13, 0.035, shade(look.body, 1.1))
        case "shovel":
            brush.ellipse(0.0, -0.08, 0.55, 0.22, look.body)
            for x, y in ((-0.3, 0.0), (-0.1, 0.08), (0.2, 0.05), (0.33, -0.04)):
                brush.disc(x, y, 0.05, shade(look.body, 1.4))
        case _:
            brush.ellipse(0.0, -0.06, 0.42, 0.24, look.body)
            brush.ellipse(-0.1, 0.02, 0.15, 0.07, shade(look.body, 1.3))
