"""Fire, rain, sea, wind and water: they move only while they are heard. Knows no sound."""

import numpy as np

from diffava.scenes.looks import shade
from diffava.scenes.motions.act import Act
from diffava.scenes.textures import noise, ripples, streaks
from diffava.scenes.timing import running_s, swell

SIZE = 64  # pixels after which a texture repeats


def flames(act: Act) -> None:
    """Logs, and on them flames that rise while the fire is heard."""
    brush, look = act.brush, act.look
    run_s, there = running_s(act.times_s, act.active), swell(act.times_s, act.active, 0.15)
    grain = noise(act.rng, SIZE, 12.0)
    y, x = np.mgrid[0:1:16j, -1:1:16j]
    for colour, reach, speed in ((look.body, 1.0, 0.9), (look.accent, 0.62, 1.2)):
        pointed = (1.4 - 1.7 * np.abs(x) / reach - 1.1 * (1 - y) / reach) * 1.6
        flicker = (0.0, speed * run_s)
        brush.field((-0.45, 1.0), (0.9, 0.98), 0.55 * grain, flicker, colour, there, pointed.astype(np.float32))
    brush.bar((-0.42, -0.02), (0.36, 0.12), 0.13, np.array([92, 58, 34], np.float32))
    brush.bar((-0.36, 0.12), (0.42, -0.02), 0.13, np.array([70, 44, 26], np.float32))


def rain(act: Act) -> None:
    """Streaks that fall while rain is heard, and drops that hit the ground; puddles remain."""
    brush, look = act.brush, act.look
    run_s, there = running_s(act.times_s, act.active), swell(act.times_s, act.active, 0.1)
    slant = float(act.rng.uniform(-0.25, 0.25))
    for x in (-0.35, 0.3):
        brush.ellipse(x, -0.08, 0.25, 0.05, shade(look.sky, 1.15))
    for x, y in ((-0.35, 1.0), (0.25, 1.03), (0.0, 0.97)):
        brush.ellipse(x, y, 0.4, 0.12, look.accent)
    drops = streaks(act.rng, SIZE, 70, 7, slant)
    for speed, strength in ((2.6, 0.9), (1.9, 0.55)):
        moved = (-slant * speed * run_s, -speed * run_s)
        brush.field((-act.room / 2, 1.1), (act.room, 1.4), drops, moved, look.body, strength * there)


def waves(act: Act) -> None:
    """Surf: crests run to the shore, and foam goes up and down the beach, while the sea is heard."""
    brush, look = act.brush, act.look
    run_s = running_s(act.times_s, act.active)
    brush.box(0.0, 0.32, act.room, 0.5, look.body)
    crests = ripples(act.rng, SIZE, 4)
    brush.field((-act.room / 2, 0.57), (act.room, 0.5), crests, (0.05 * run_s, -0.35 * run_s), look.accent, 0.75)
    wash = 0.09 * np.sin(2 * np.pi * 0.7 * run_s)
    for k in range(6):
        x = act.room * (k - 2.5) / 6
        y = 0.06 + wash + 0.05 * np.sin(2 * np.pi * 0.9 * run_s + 1.7 * k)
        brush.ellipse(x, y, 0.13 * act.room, 0.09, look.accent)


def sway(act: Act) -> None:
    """A tree and grass bend to and fro while the wind is heard; leaves fly by."""
    brush, look = act.brush, act.look
    run_s, there = running_s(act.times_s, act.active), swell(act.times_s, act.active, 0.25)
    gust = there * (0.14 + 0.12 * np.sin(2 * np.pi * 1.1 * run_s) + 0.04 * np.sin(2 * np.pi * 3.1 * run_s))
    brush.bar((0.0, -0.02), (0.35 * gust, 0.5), 0.1, look.accent)
    for k, (x, y, r) in enumerate(((-0.22, 0.55, 0.2), (0.22, 0.58, 0.2), (0.0, 0.75, 0.24), (0.0, 0.5, 0.2))):
        rustle = 0.05 * there * np.sin(2 * np.pi * (2.3 + 0.4 * k) * run_s + k)
        brush.disc(x + y * gust + rustle, y - 0.15 * gust + 0.5 * rustle, r, shade(look.body, 0.85 + 0.12 * k))
    for k, x in enumerate((-0.6, -0.45, 0.4, 0.52, 0.65)):
        bend = gust + 0.05 * there * np.sin(2 * np.pi * 2.7 * run_s + k)
        brush.bar((x, -0.05), (x + 0.9 * bend, 0.2), 0.04, shade(look.body, 0.9))
    for k in range(3):
        aside = (0.3 * k + 0.9 * run_s) % 1.6 - 0.8
        high = 0.35 + 0.15 * k + 0.08 * np.sin(7 * run_s + 2 * k)
        brush.ellipse(aside, high, 0.05, 0.025, look.accent, 5 * run_s, alpha=there)


def stream(act: Act) -> None:
    """A fall of water between rocks: it runs while it is heard and has run dry while it is not."""
    brush, look = act.brush, act.look
    run_s, there = running_s(act.times_s, act.active), swell(act.times_s, act.active, 0.15)
    lines = np.clip(0.4 + 0.5 * noise(act.rng, SIZE, 5.0, stretch=0.25), 0, 1)
    rock = np.array([105, 98, 90], np.float32)
    brush.box(0.0, 0.42, 0.75, 0.95, shade(rock, 0.55))
    brush.box(0.0, -0.08, 1.5, 0.26, shade(look.body, 0.7))
    brush.field((-0.28, 0.9), (0.56, 0.9), np.ones((8, 8), np.float32), (0.0, 0.0), look.body, 0.9 * there)
    brush.field((-0.28, 0.9), (0.56, 0.9), lines, (0.0, -1.3 * run_s), look.accent, 0.8 * there)
    brush.field((-0.7, 0.04), (1.4, 0.22), lines.T.copy(), (0.5 * run_s, 0.0), look.accent, 0.4)
    for k, x in enumerate((-0.24, -0.08, 0.1, 0.25)):
        brush.disc(x, 0.03 + 0.05 * np.abs(np.sin(9 * run_s + 1.9 * k)), 0.1, look.accent, 0.9 * there)
    for x, y, r in ((-0.46, 0.3, 0.2), (0.47, 0.2, 0.22), (-0.42, 0.72, 0.17), (0.42, 0.66, 0.19)):
        brush.disc(x, y, r, rock)
