"""Things that swing, fastest at the hit, and a clock's hand. Knows no sound."""

import math

import numpy as np
from jaxtyping import Float

from diffava.scenes.looks import BLACK, shade
from diffava.scenes.motions.act import Act
from diffava.scenes.timing import Key, curve, sounding, with_room


def swing(act: Act) -> None:
    """A bell, a blade or a cloth."""
    {"bell": _bell, "cloth": _cloth}.get(act.look.shape, _blade)(act)


def _angle(act: Act, widest: float, longest_s: float) -> Float[np.ndarray, "F"]:
    """From one side to the other at each hit: the middle, where it is fastest, is the hit."""
    keys = [Key(-10.0, -0.6 * widest)]
    side = 1
    for hit, before, after in with_room(act.hits):
        half = 0.5 * min(longest_s, 0.9 * before, 0.9 * after)
        end = side * widest * (0.4 + 0.6 * hit.strength)
        keys += [Key(hit.time_s - half, keys[-1].value), Key(hit.time_s + half, end)]
        side = -side
    return curve(act.times_s, keys)


def _bell(act: Act) -> None:
    brush, look = act.brush, act.look
    angle = _angle(act, 0.6, 0.4)
    sin, cos = np.sin(angle), np.cos(angle)

    def at(along: float, down: float) -> tuple[Float[np.ndarray, "F"], Float[np.ndarray, "F"]]:
        return along * cos + down * sin, 0.92 + along * sin - down * cos

    brush.box(0.0, 0.94, 0.8, 0.08, shade(look.accent, 0.6))
    brush.disc(*at(0.0, 0.66), 0.09, look.accent)
    brush.triangle(at(0.0, 0.02), at(-0.34, 0.64), at(0.34, 0.64), look.body)
    brush.ellipse(*at(0.0, 0.3), 0.2, 0.22, look.body, angle)
    brush.bar(at(-0.34, 0.62), at(0.34, 0.62), 0.08, shade(look.body, 0.75))
    brush.bar(at(-0.08, 0.2), at(-0.14, 0.52), 0.05, shade(look.body, 1.35))


def _blade(act: Act) -> None:
    brush, look = act.brush, act.look
    angle = 0.2 + _angle(act, 1.2, 0.3)
    sin, cos = np.sin(angle), np.cos(angle)
    foot = (-0.1, 0.15)
    brush.bar((foot[0] - 0.45, -0.1), foot, 0.15, shade(look.accent, 0.9))
    brush.bar((foot[0] + 0.1 * sin, foot[1] + 0.1 * cos), (foot[0] + 0.85 * sin, foot[1] + 0.85 * cos), 0.08, look.body)
    guard = foot[0] + 0.14 * sin, foot[1] + 0.14 * cos
    brush.bar(
        (guard[0] - 0.13 * cos, guard[1] + 0.13 * sin), (guard[0] + 0.13 * cos, guard[1] - 0.13 * sin), 0.06, BLACK
    )
    brush.disc(*foot, 0.09, look.accent)


def _cloth(act: Act) -> None:
    brush, look = act.brush, act.look
    waving = sounding(act.times_s, act.hits, release_s=0.2)
    phase = 2 * np.pi * 2.5 * np.cumsum(waving > 0) * (act.times_s[-1] / len(act.times_s))
    brush.bar((-0.5, 0.9), (0.5, 0.9), 0.06, BLACK)
    for k in range(5):
        x = -0.36 + 0.18 * k
        bend = 0.22 * waving * np.sin(phase + 0.9 * k)
        colour = look.body if k % 2 else look.accent
        brush.bar((x, 0.85), (x + 0.4 * bend, 0.5), 0.2, colour)
        brush.bar((x + 0.4 * bend, 0.5), (x + bend, 0.15 + 0.3 * np.abs(bend)), 0.2, colour)


def clock(act: Act) -> None:
    """A dial whose hand leaps on, and stops, at each tick."""
    brush, look = act.brush, act.look
    turn = math.radians(float(act.rng.integers(12) * 30))
    keys = [Key(-10.0, turn)]
    for hit in act.hits:
        turn += math.radians(30)
        keys += [Key(hit.time_s - 0.07, keys[-1].value), Key(hit.time_s, turn, "fall")]
    angle = curve(act.times_s, keys)
    brush.disc(0.0, 0.45, 0.48, look.accent)
    brush.disc(0.0, 0.45, 0.42, look.body)
    for hour in range(0, 12, 3):
        x, y = math.sin(math.pi * hour / 6), math.cos(math.pi * hour / 6)
        brush.bar((0.31 * x, 0.45 + 0.31 * y), (0.37 * x, 0.45 + 0.37 * y), 0.05, look.accent)
    brush.bar((0.0, 0.45), (0.14, 0.62), 0.06, look.accent)
    brush.bar((0.0, 0.45), (0.36 * np.sin(angle), 0.45 + 0.36 * np.cos(angle)), 0.05, BLACK)
    brush.disc(0.0, 0.45, 0.05, BLACK)
