"""Heads that call and wings that beat. Knows no sound."""

import numpy as np
from jaxtyping import Float

from diffava.scenes.looks import BLACK, WHITE, shade
from diffava.scenes.motions.act import Act
from diffava.scenes.sprites import Colour
from diffava.scenes.timing import running_s, sounding

TONGUE: Colour = np.array([190, 60, 70], np.float32)
Times = Float[np.ndarray, "F"]


def mouth(act: Act) -> None:
    """A head that is thrown back and opens its mouth from each hit on, as wide as it is loud, while the call lasts."""
    wide = sounding(act.times_s, act.hits)
    lift = 0.07 * wide
    _behind(act, lift)
    {"dog": _muzzle, "lion": _muzzle, "sheep": _muzzle, "rooster": _beak}.get(act.look.shape, _face)(act, lift, wide)


def _behind(act: Act, y: Times) -> None:
    brush, look = act.brush, act.look
    match look.shape:
        case "lion":
            brush.disc(0.0, 0.45 + y, 0.5, look.accent)
        case "sheep":
            for dx, dy in ((-0.34, 0.3), (-0.28, 0.62), (0.0, 0.76), (0.28, 0.62), (0.34, 0.3)):
                brush.disc(dx, dy + y, 0.2, look.body)
        case "rooster":
            brush.ellipse(-0.2, 0.05, 0.4, 0.3, look.body)
            for dx in (-0.12, 0.0, 0.12):
                brush.disc(dx, 0.82 + y, 0.09, look.accent)
        case "dog":
            brush.ellipse(-0.3, 0.5 + y, 0.12, 0.28, look.accent, -0.3)
            brush.ellipse(0.3, 0.5 + y, 0.12, 0.28, look.accent, 0.3)
        case "baby":
            brush.disc(0.0, 0.5 + y, 0.43, look.accent)
        case _:
            brush.box(0.0, 0.0, 0.7, 0.3, look.ground)
            brush.disc(0.0, 0.55 + y, 0.4, look.accent)


def _eyes(act: Act, y: Times, apart: float, colour: Colour = BLACK) -> None:
    for x in (-apart, apart):
        act.brush.disc(x, y, 0.055, colour)


def _muzzle(act: Act, lift: Times, wide: Times) -> None:
    brush, look = act.brush, act.look
    face = look.accent if look.shape == "sheep" else look.body
    brush.disc(0.0, 0.48 + lift, 0.34, face)
    _eyes(act, 0.58 + lift, 0.15, WHITE if look.shape == "sheep" else BLACK)
    jaw = 0.3 * wide
    brush.ellipse(0.0, 0.22 + lift - jaw, 0.2, 0.12, shade(face, 0.85))
    brush.ellipse(0.0, 0.26 + lift - 0.5 * jaw, 0.16, 0.02 + 0.6 * jaw, shade(TONGUE, 0.6))
    brush.ellipse(0.0, 0.22 + lift - 0.8 * jaw, 0.09, 0.01 + 0.25 * jaw, TONGUE)
    brush.ellipse(0.0, 0.34 + lift, 0.22, 0.13, shade(face, 1.2))
    brush.ellipse(0.0, 0.42 + lift, 0.08, 0.05, BLACK)


def _beak(act: Act, lift: Times, wide: Times) -> None:
    brush, look = act.brush, act.look
    yellow = np.array([240, 180, 40], np.float32)
    brush.bar((-0.08, 0.15), (0.0, 0.5 + lift), 0.34, look.body)
    brush.disc(0.02, 0.6 + lift, 0.24, look.body)
    brush.disc(0.1, 0.66 + lift, 0.05, BLACK)
    gape = 0.26 * wide
    brush.triangle((0.2, 0.66 + lift), (0.2, 0.54 + lift), (0.55, 0.6 + lift + gape), yellow)
    brush.triangle((0.2, 0.6 + lift), (0.2, 0.5 + lift), (0.48, 0.53 + lift - gape), shade(yellow, 0.8))
    brush.ellipse(0.2, 0.4 + lift - 0.4 * gape, 0.06, 0.12, look.accent)


def _face(act: Act, lift: Times, wide: Times) -> None:
    brush, look = act.brush, act.look
    young = look.shape == "baby"
    brush.ellipse(0.0, 0.45 + lift, 0.36 if young else 0.3, 0.36, look.body)
    _eyes(act, 0.55 + lift, 0.14)
    if young:
        for x in (-0.24, 0.24):
            brush.disc(x, 0.4 + lift, 0.07, shade(look.accent, 0.95))
    else:
        brush.ellipse(0.0, 0.74 + lift, 0.28, 0.12, look.accent)
        brush.ellipse(0.0, 0.45 + lift, 0.05, 0.1, shade(look.body, 0.8))
    brush.ellipse(0.0, 0.27 + lift, 0.09 + 0.08 * wide, 0.02 + 0.14 * wide, shade(TONGUE, 0.6))


def wings(act: Act) -> None:
    """A bird that beats its wings while it calls, or a swarm whose wings buzz while it is heard."""
    if act.look.shape == "insects":
        _swarm(act)
        return
    brush, look = act.brush, act.look
    calling = sounding(act.times_s, act.hits)
    beat = calling * np.sin(2 * np.pi * 6 * _run_s(act))
    y = 0.4 + 0.05 * beat
    up = 0.1 + 0.45 * beat
    brush.triangle((-0.1, y + 0.08), (0.18, y + 0.08), (-0.42, y + 0.1 - up), shade(look.body, 0.65))
    brush.triangle((-0.2, y), (-0.2, y + 0.1), (-0.62, y + 0.12), shade(look.body, 0.8))
    brush.ellipse(0.0, y, 0.32, 0.2, look.body, 0.2)
    brush.disc(0.28, y + 0.17, 0.15, look.body)
    brush.disc(0.33, y + 0.2, 0.035, BLACK)
    gape = 0.08 * calling
    brush.triangle((0.38, y + 0.22), (0.4, y + 0.12), (0.6, y + 0.18 + gape), look.accent)
    brush.triangle((0.38, y + 0.18), (0.4, y + 0.1), (0.57, y + 0.14 - gape), shade(look.accent, 0.8))
    brush.triangle((-0.12, y + 0.05), (0.14, y + 0.05), (-0.2, y + 0.12 + up), shade(look.body, 1.3))


def _run_s(act: Act) -> Times:
    """Seconds of calling so far."""
    return running_s(act.times_s, tuple((hit.time_s, hit.time_s + max(hit.duration_s, 0.12)) for hit in act.hits))


def _swarm(act: Act) -> None:
    brush, look = act.brush, act.look
    run_s = running_s(act.times_s, act.active)
    for k in range(6):
        home_x, home_y = act.rng.uniform(-0.5, 0.5), act.rng.uniform(0.1, 0.85)
        rate, phase = act.rng.uniform(0.8, 1.8), act.rng.uniform(0, 6)
        x = home_x + 0.12 * np.sin(2 * np.pi * rate * run_s + phase)
        y = home_y + 0.1 * np.cos(2 * np.pi * rate * 0.8 * run_s + phase)
        flap = 0.05 + 0.09 * np.abs(np.sin(2 * np.pi * 9.3 * run_s + k))
        brush.ellipse(x, y + flap, 0.06, flap, WHITE, alpha=0.75)
        brush.ellipse(x, y, 0.1, 0.055, look.accent)
        brush.box(x, y, 0.045, 0.1, look.body)
        brush.disc(x + 0.09, y, 0.045, look.body)
