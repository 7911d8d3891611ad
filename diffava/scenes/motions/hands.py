"""Hands that press, lay down and pull: they come down and stop at the hit. Knows no sound."""

import numpy as np
from jaxtyping import Float

from diffava.scenes.looks import shade
from diffava.scenes.motions.act import Act
from diffava.scenes.sprites import Colour
from diffava.scenes.timing import Key, contact_height, curve, sounding

SKIN: Colour = np.array([222, 172, 140], np.float32)
Times = Float[np.ndarray, "F"]


def press(act: Act) -> None:
    """A hand at its work: on keys, on cards, on the slide of a gun, or on pages."""
    {"keyboard": _keyboard, "cards": _cards, "gun": _gun}.get(act.look.shape, _pages)(act)


def _hand(act: Act, x: Times, y: Times) -> None:
    """A hand whose finger ends at x, y."""
    act.brush.bar((x + 0.15, y + 0.2), (0.9, 0.75), 0.16, shade(SKIN, 0.9))
    act.brush.disc(x + 0.14, y + 0.18, 0.13, SKIN)
    act.brush.bar((x, y + 0.03), (x + 0.1, y + 0.15), 0.075, SKIN)


def _places(act: Act, reach: float) -> Times:
    """Where the hand works: somewhere else at each hit, and on its way there between two."""
    spots = act.rng.uniform(-reach, reach, len(act.hits) + 1)
    keys = [Key(-10.0, float(spots[0]))]
    before = -10.0
    for hit, spot in zip(act.hits, spots[1:], strict=True):
        room = min(hit.time_s - before, 0.6)
        keys += [Key(hit.time_s - 0.7 * room, keys[-1].value), Key(hit.time_s - 0.35 * room, float(spot))]
        before = hit.time_s
    return curve(act.times_s, keys)


def _keyboard(act: Act) -> None:
    brush, look = act.brush, act.look
    brush.box(-0.05, 0.05, 1.05, 0.4, look.body)
    for row in range(3):
        brush.box(-0.05 + 0.02 * row, 0.17 - 0.12 * row, 0.96, 0.09, look.accent)
    for column in range(7):
        brush.box(-0.42 + 0.13 * column, 0.05, 0.022, 0.38, look.body)
    height = contact_height(act.times_s, act.hits, rest=0.3, fall_s=0.12, rebound=0.0)
    _hand(act, _places(act, 0.35), 0.1 + 0.45 * height)


def _cards(act: Act) -> None:
    brush, look = act.brush, act.look
    brush.ellipse(0.0, 0.0, 0.75, 0.26, shade(look.ground, 1.25))
    brush.box(-0.48, 0.1, 0.2, 0.26, shade(look.accent, 0.9))
    x = _places(act, 0.3)
    height = 0.5 * contact_height(act.times_s, act.hits, rest=0.4, rebound=0.0)
    for hit in act.hits:
        at = float(np.interp(hit.time_s, act.times_s, x))
        _card(act, np.full(len(x), at), np.zeros(len(x)), (act.times_s >= hit.time_s).astype(float))
    _card(act, x, height, np.ones(len(x)))
    _hand(act, x + 0.1, height + 0.05)


def _card(act: Act, x: Times, y: Times, alpha: Times) -> None:
    act.brush.box(x, y + 0.04, 0.24, 0.28, shade(act.look.body, 0.75), 0.12, alpha)
    act.brush.box(x, y + 0.05, 0.22, 0.26, act.look.body, 0.12, alpha)
    act.brush.disc(x, y + 0.05, 0.05, act.look.accent, alpha)


def _gun(act: Act) -> None:
    brush, look = act.brush, act.look
    pulled = 0.28 * contact_height(act.times_s, act.hits, rest=0.0, fall_s=0.14, rebound=0.05)
    brush.box(0.25, 0.1, 0.2, 0.42, look.body, -0.25)
    brush.box(0.0, 0.28, 0.75, 0.1, look.body)
    brush.ring(0.08, 0.16, 0.09, 0.035, look.body)
    brush.box(pulled, 0.38, 0.72, 0.14, look.accent)
    brush.box(pulled + 0.22, 0.38, 0.16, 0.14, shade(look.accent, 0.6))
    _hand(act, pulled + 0.25, 0.42 + 0 * pulled)


def _pages(act: Act) -> None:
    brush, look = act.brush, act.look
    brush.box(0.0, 0.04, 1.1, 0.42, shade(look.body, 0.75))
    for side in (-0.27, 0.27):
        brush.box(side, 0.06, 0.5, 0.38, look.body)
        for line in (-0.06, 0.03, 0.12):
            brush.box(side, line + 0.02, 0.38, 0.02, shade(look.body, 0.6))
    writing = sounding(act.times_s, act.hits)
    for k, hit in enumerate(act.hits):
        stop_s = hit.time_s + max(hit.duration_s, 0.2)
        u = np.clip((act.times_s - hit.time_s) / (stop_s - hit.time_s), 0, 1)
        angle = np.pi * u * u * (3 - 2 * u) if k % 2 == 0 else np.pi * (1 - u * u * (3 - 2 * u))
        shown = ((u > 0) & (u < 1)).astype(float)
        tip = 0.52 * np.cos(angle), 0.06 + 0.45 * np.sin(angle)
        brush.triangle((0.0, -0.12), (0.0, 0.25), tip, shade(look.body, 1.1), shown)
        brush.triangle((tip[0], tip[1] - 0.12), (0.0, -0.12), tip, shade(look.body, 0.85), shown)
    rub = writing * np.sin(2 * np.pi * 5 * act.times_s)
    x, y = 0.3 + 0.14 * rub, 0.1 + 0.05 * writing + 0.03 * rub
    brush.bar((x - 0.06, y - 0.06), (x + 0.1, y + 0.2), 0.05, look.accent)
    _hand(act, x, y)
