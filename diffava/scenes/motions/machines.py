"""Machines and rubbing: blades turn, wheels roll, a saw shakes, only while they are heard. Knows no sound."""

import numpy as np

from diffava.scenes.looks import BLACK, WHITE, shade
from diffava.scenes.motions.act import Act
from diffava.scenes.motions.hands import SKIN
from diffava.scenes.timing import running_s, sounding, swell


def rotor(act: Act) -> None:
    """A helicopter's blades or a fan's."""
    run_s, there = running_s(act.times_s, act.active), swell(act.times_s, act.active, 0.3)
    angle = 2 * np.pi * 4.3 * run_s
    if act.look.shape == "fan":
        _fan(act, angle)
    else:
        _helicopter(act, angle, there * np.sin(2 * np.pi * 7.7 * run_s))


def _fan(act: Act, angle: np.ndarray) -> None:
    brush, look = act.brush, act.look
    brush.bar((0.0, -0.02), (0.0, 0.5), 0.09, look.accent)
    brush.ellipse(0.0, -0.02, 0.25, 0.07, look.accent)
    brush.disc(0.0, 0.52, 0.42, shade(look.body, 0.9))
    for k in range(3):
        turned = angle + 2 * np.pi * k / 3
        x, y = 0.21 * np.cos(turned), 0.21 * np.sin(turned)
        brush.ellipse(x, 0.52 + y, 0.19, 0.09, look.accent, turned)
    brush.ring(0.0, 0.52, 0.42, 0.05, shade(look.accent, 0.7))
    brush.disc(0.0, 0.52, 0.07, BLACK)


def _helicopter(act: Act, angle: np.ndarray, shake: np.ndarray) -> None:
    brush, look = act.brush, act.look
    y = 0.4 + 0.015 * shake
    brush.bar((-0.1, y), (-0.75, y + 0.1), 0.09, look.body)
    brush.ellipse(0.08, y, 0.34, 0.21, look.body)
    brush.ellipse(0.24, y + 0.04, 0.15, 0.12, np.array([170, 215, 240], np.float32))
    brush.bar((-0.2, y - 0.28), (0.35, y - 0.28), 0.04, look.accent)
    brush.bar((0.05, y + 0.18), (0.05, y + 0.3), 0.05, look.accent)
    for k in range(2):
        reach = 0.72 * np.cos(angle + np.pi / 2 * k)
        drop = 0.05 * np.sin(angle + np.pi / 2 * k)
        brush.bar((0.05 - reach, y + 0.32 - drop), (0.05 + reach, y + 0.32 + drop), 0.045, look.accent)
    for k in range(2):
        dx, dy = 0.15 * np.cos(1.7 * angle + np.pi / 2 * k), 0.15 * np.sin(1.7 * angle + np.pi / 2 * k)
        brush.bar((-0.75 - dx, y + 0.12 - dy), (-0.75 + dx, y + 0.12 + dy), 0.03, look.accent)


def saw(act: Act) -> None:
    """A chainsaw that eats into a log, or chalk that rubs to and fro for as long as each stroke is heard."""
    if act.look.shape == "chainsaw":
        _chainsaw(act)
        return
    brush, look = act.brush, act.look
    brush.box(0.0, 0.45, 1.3, 0.95, shade(look.accent, 0.5))
    brush.box(0.0, 0.45, 1.2, 0.85, look.sky)
    rubbing = sounding(act.times_s, act.hits)
    phase = np.zeros(len(act.times_s))
    for hit in act.hits:
        phase += np.clip(act.times_s - hit.time_s, 0, max(hit.duration_s, 0.12))
    x = -0.1 + (0.1 + 0.2 * rubbing) * np.sin(2 * np.pi * 2.2 * phase)
    y = 0.42 + 0.08 * np.cos(2 * np.pi * 2.2 * phase)
    brush.bar((-0.4, 0.5), (0.2, 0.52), 0.03, shade(look.body, 0.8))
    brush.bar((-0.35, 0.34), (0.25, 0.36), 0.03, shade(look.body, 0.8))
    brush.bar((x + 0.15, y - 0.14), (0.7, -0.15), 0.17, shade(SKIN, 0.9))
    brush.disc(x + 0.13, y - 0.12, 0.13, SKIN)
    brush.bar((x, y), (x + 0.1, y - 0.08), 0.07, look.body)


def _chainsaw(act: Act) -> None:
    brush, look = act.brush, act.look
    run_s, there = running_s(act.times_s, act.active), swell(act.times_s, act.active)
    x = 0.2 + 0.05 * there * np.sin(2 * np.pi * 3.1 * run_s)
    y = 0.42 + there * (0.03 * np.sin(2 * np.pi * 11.3 * run_s) - 0.08)
    brush.bar((-0.65, 0.05), (0.3, 0.05), 0.36, np.array([120, 82, 48], np.float32))
    brush.disc(0.3, 0.05, 0.17, np.array([214, 172, 116], np.float32))
    brush.bar((x, y), (x - 0.62, y - 0.18), 0.12, look.accent)
    for k in range(6):
        part = (k / 6 + 3.7 * run_s) % 1
        brush.disc(x - 0.62 * part, y - 0.18 * part + 0.05, 0.03, BLACK)
    brush.box(x + 0.2, y + 0.03, 0.42, 0.3, look.body, 0.28)
    brush.ring(x + 0.22, y + 0.2, 0.13, 0.05, BLACK)
    for k in range(5):  # chips
        age = (run_s * 2.3 + k / 5) % 1
        brush.disc(
            -0.3 - 0.5 * age, 0.25 + 0.5 * age - 0.9 * age**2, 0.03, np.array([235, 205, 150], np.float32), there
        )


def wheels(act: Act) -> None:
    """A car whose wheels turn and whose body shakes while its engine is heard; stripes of the road run by."""
    brush, look = act.brush, act.look
    run_s, there = running_s(act.times_s, act.active), swell(act.times_s, act.active, 0.2)
    y = 0.33 + 0.025 * there * np.sin(2 * np.pi * 8.7 * run_s)
    brush.box(0.0, 0.02, 1.7, 0.16, shade(look.ground, 0.85))
    for k in range(4):
        behind = (0.45 * k - 1.1 * run_s) % 1.8 - 0.9
        brush.box(behind, -0.03, 0.2, 0.035, WHITE)
    brush.box(0.0, y, 1.15, 0.26, look.body)
    brush.box(-0.05, y + 0.2, 0.62, 0.22, look.body)
    brush.box(-0.2, y + 0.2, 0.24, 0.15, np.array([175, 210, 230], np.float32))
    brush.box(0.1, y + 0.2, 0.24, 0.15, np.array([175, 210, 230], np.float32))
    brush.disc(0.55, y, 0.05, np.array([255, 240, 170], np.float32))
    angle = -2 * np.pi * 2.3 * run_s
    for x in (-0.34, 0.34):
        brush.disc(x, 0.17, 0.17, look.accent)
        brush.disc(x, 0.17, 0.09, np.array([190, 192, 196], np.float32))
        dx, dy = 0.09 * np.cos(angle), 0.09 * np.sin(angle)
        brush.bar((x - dx, 0.17 - dy), (x + dx, 0.17 + dy), 0.05, look.accent)
