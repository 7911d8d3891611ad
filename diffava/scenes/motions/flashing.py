"""Light that bursts at a hit and dies away: muzzle flash, explosion, lightning. Knows no sound."""

import numpy as np

from diffava.scenes.looks import WHITE, shade
from diffava.scenes.motions.act import Act
from diffava.scenes.timing import decay


def flash(act: Act) -> None:
    """A gun, a blast or a bolt; nothing of the light is there before its hit."""
    {"gun": _gun, "lightning": _lightning}.get(act.look.shape, _blast)(act)


def _gun(act: Act) -> None:
    brush, look = act.brush, act.look
    light = decay(act.times_s, act.hits, 0.035)
    kick = 0.12 * decay(act.times_s, act.hits, 0.1)
    brush.bar((-0.2 - kick, 0.22), (-0.75 - kick, -0.2), 0.16, shade(look.sky, 0.5))
    brush.box(-0.12 - kick, 0.2, 0.15, 0.36, look.body, 0.2)
    brush.box(0.05 - kick, 0.42 + 0.5 * kick, 0.55, 0.15, look.body, 1.2 * kick)
    brush.box(-0.35 - kick, 0.4, 0.2, 0.1, shade(look.body, 1.5))
    x, y = 0.36 - kick, 0.44 + kick
    brush.disc(x + 0.12, y, 0.06 + 0.34 * light, np.array([255, 190, 60], np.float32), np.minimum(1.2 * light, 0.9))
    brush.triangle((x, y - 0.1), (x, y + 0.1), (x + 0.2 + 0.4 * light, y), look.accent, np.minimum(3 * light, 1))
    brush.disc(x + 0.06, y, 0.03 + 0.14 * light, look.accent, np.minimum(3 * light, 1))


def _blast(act: Act) -> None:
    brush, look = act.brush, act.look
    brush.box(0.0, 0.08, 0.34, 0.22, shade(look.ground, 0.6))
    for hit in act.hits:
        age = np.maximum(act.times_s - hit.time_s, 0)
        heat = decay(act.times_s, (hit,), 0.14)
        smoke = decay(act.times_s, (hit,), 0.4)
        grown = (0.25 + 0.35 * hit.strength) * (1 - 0.7 * np.exp(-age / 0.08))
        brush.disc(0.0, 0.3 + 0.35 * age, 0.9 * grown, shade(look.sky, 0.45), 0.8 * smoke)
        brush.disc(0.0, 0.28, grown, look.body, np.minimum(1.6 * heat, 1))
        for dx, dy in ((-0.2, 0.12), (0.22, 0.05), (0.02, 0.3)):
            brush.disc(
                dx * grown * 3, 0.28 + dy * grown * 2, 0.5 * grown, shade(look.body, 1.15), np.minimum(1.4 * heat, 1)
            )
        brush.disc(0.0, 0.28, 0.55 * grown, look.accent, np.minimum(2 * heat, 1) * (heat > 0.1))


def _lightning(act: Act) -> None:
    brush, look = act.brush, act.look
    for x, y, rx in ((-0.4, 0.88, 0.4), (0.05, 0.95, 0.45), (0.45, 0.86, 0.35)):
        brush.ellipse(x, y, rx, 0.16, look.body)
    for hit in act.hits:
        light = decay(act.times_s, (hit,), 0.09)
        brush.box(0.0, 0.4, act.room, 2.2, WHITE, alpha=0.55 * light)
        x, y = float(act.rng.uniform(-0.3, 0.3)), 0.85
        for length in (0.25, 0.22, 0.3):
            to = x + float(act.rng.uniform(0.08, 0.2)) * (1 if act.rng.random() < 0.5 else -1)
            brush.bar((x, y), (to, y - length), 0.06, look.accent, np.minimum(2.5 * light, 1))
            x, y = to, y - length
