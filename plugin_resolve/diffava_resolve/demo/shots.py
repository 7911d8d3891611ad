"""Three short shots drawn from physics: stones fall, a hammer strikes an anvil, somebody walks.

Each shot knows the seconds of its own hits, since the motion is computed and not filmed. What it shows and how it moves
is as in the scenes that `mini` learned to see from, and its prompt is of the words that `mini` knows. Knows nothing of
files.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise

from diffava_resolve.demo.stage import Image, Stage, background

# In frames from the start of the media. Stones: one tuple for each stone, its landing and its bounces.
_STONES = ((14,), (30, 39), (57,))
_STRIKES = (11, 25, 40, 56)
_STEPS = (10, 23, 36, 49, 62)

_GRAVITY = 7.0  # a thing's heights per second squared
_DROP = 1.5  # heights that a stone falls, from above the picture
_AFTER_BOUNCES_S = ((0.0, 0.11), (0.11, 0.06))  # start and length of what follows the last hit, too small to be heard
_STONE_PLACES = (-0.3, 0.28, 0.02)

_ELBOW, _REACH = (0.72, 0.42), 0.7
_CONTACT_RAD, _SWING_RAD = -0.22, 1.15  # of the arm: where it touches, and how far it is lifted from there
_SWING_S, _STEP_S = 0.6, 0.45  # the longest swing and step
_STRIDE = 0.14


@dataclass(frozen=True)
class Shot:
    """A moving picture: `draw(t)` gives the image at second `t` of its media, `hits_s` the seconds of its impacts."""

    name: str
    prompt: str
    draw: Callable[[float], Image]
    hits_s: tuple[float, ...]


def demo_shots(rate: Fraction) -> tuple[Shot, ...]:
    """The three shots, each hit at the start of a frame at this rate."""

    def seconds(frames: Sequence[int]) -> tuple[float, ...]:
        return tuple(float(frame / rate) for frame in frames)

    stones = tuple(seconds(stone) for stone in _STONES)
    landed = tuple(sorted(hit for stone in stones for hit in stone))
    strikes, steps = seconds(_STRIKES), seconds(_STEPS)
    return (
        Shot("stones", "a stone drops", partial(_draw_stones, stones=stones), landed),
        Shot("hammer", "hammer on metal", partial(_draw_hammer, strikes=strikes), strikes),
        Shot("steps", "footsteps on concrete", partial(_draw_steps, steps=steps), steps),
    )


_STONE_STAGE = background("#b9c6d2", "#9b9082")
_HAMMER_STAGE = background("#3a4250", "#565d68")
_STEPS_STAGE = background("#c9c2b8", "#9c9ea0")


def _draw_stones(t: float, stones: Sequence[Sequence[float]]) -> Image:
    stage = Stage(_STONE_STAGE, 0.95)
    stage.ellipse(0.0, -0.05, 0.62, 0.13, "#847a6f")
    for x, hits in zip(_STONE_PLACES, stones, strict=True):
        height = stone_height(t, hits)
        turn = 2.5 * min(height, 1.0)
        stage.ellipse(x, height + 0.15, 0.22, 0.17, "#7f7d79", turn)
        stage.box(x + 0.04, height + 0.15, 0.24, 0.22, "#7f7d79", turn + 0.6)
        stage.ellipse(x - 0.05, height + 0.2, 0.1, 0.06, "#a9a7a1", turn)
    return stage.image


def stone_height(t: float, hits: Sequence[float]) -> float:
    """Height over the ground of what falls from above the picture, lands at the first hit and bounces to the others."""
    if t < hits[0]:
        fallen_s = max(t - hits[0] + math.sqrt(2 * _DROP / _GRAVITY), 0.0)
        return _DROP - _GRAVITY * fallen_s**2 / 2
    bounces = [(a, b - a) for a, b in pairwise(hits)]
    bounces += [(hits[-1] + start_s, length_s) for start_s, length_s in _AFTER_BOUNCES_S]
    for start, length_s in bounces:
        if start <= t < start + length_s:
            return _GRAVITY * (t - start) * (start + length_s - t) / 2
    return 0.0


def contact_height(t: float, hits: Sequence[float], longest_s: float) -> float:
    """Height over a point of contact, from 0 to 1: lifted slowly, it falls ever faster and stops dead at each hit."""
    coming = next((hit for hit in hits if hit > t), None)
    if coming is None:
        return 0.0
    past = max((hit for hit in hits if hit <= t), default=-math.inf)
    room_s, left_s = min(coming - past, longest_s), coming - t
    if left_s > 0.75 * room_s:
        return 0.0
    if left_s > 0.33 * room_s:
        share = (0.75 * room_s - left_s) / (0.42 * room_s)
        return share * share * (3 - 2 * share)
    return 1 - (1 - left_s / (0.33 * room_s)) ** 2


def _draw_hammer(t: float, strikes: Sequence[float]) -> Image:
    stage = Stage(_HAMMER_STAGE, 0.72)
    angle = _CONTACT_RAD + _SWING_RAD * contact_height(t, strikes, _SWING_S)
    x, y = _ELBOW[0] - _REACH * math.cos(angle), _ELBOW[1] + _REACH * math.sin(angle)
    stage.box(0.05, 0.04, 0.8, 0.17, "#8fa3bd")
    stage.box(0.05, 0.1, 0.8, 0.03, "#c1dcff")
    stage.box(0.05, -0.14, 0.3, 0.2, "#566271")
    stage.bar(_ELBOW, (x, y), 0.06, "#121214")
    stage.box(x, y, 0.13, 0.3, "#3c4454", -angle)
    return stage.image


def _draw_steps(t: float, steps: Sequence[float]) -> Image:
    stage = Stage(_STEPS_STAGE, 0.72)
    start = -_STRIDE * len(steps) / 2
    near, far = (_foot(t, steps[side::2], start, side) for side in (0, 1))
    hip = (near[0] + far[0]) / 2
    for (x, lift), leg, shoe, sole in ((far, "#2b3759", "#1e1e24", "#121215"), (near, "#3d4f80", "#2b2b33", "#1a1a1f")):
        knee = (x + hip) / 2 + 0.1 + 0.3 * lift, 0.5 + 0.5 * lift
        stage.bar((hip, 0.95), knee, 0.2, leg)
        stage.bar(knee, (x, 0.14 + lift), 0.17, leg)
        stage.ellipse(x + 0.08, 0.08 + lift, 0.19, 0.08, shoe)
        stage.box(x + 0.08, 0.025 + lift, 0.36, 0.05, sole)
    return stage.image


def _foot(t: float, hits: Sequence[float], start: float, side: int) -> tuple[float, float]:
    """How far along and how high a foot is: it stands until its next step, and lands at its hit."""
    x, before = start - side * _STRIDE / 2, -math.inf
    lift = 0.3 * contact_height(t, hits, _STEP_S)
    for number, hit in enumerate(hits):
        landing = start + _STRIDE * (2 * number + side + 1)
        lifted = hit - 0.75 * min(hit - before, _SWING_S)
        if t < hit:
            share = min(max((t - lifted) / (hit - lifted), 0.0), 1.0)
            return x + (landing - x) * share * (2 - share), lift
        x, before = landing, hit
    return x, lift
