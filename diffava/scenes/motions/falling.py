"""Things that fall: onto the ground, where they bounce a little, and into water. Knows gravity."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from diffava.scenes.looks import shade
from diffava.scenes.motions.act import Act
from diffava.scenes.timing import decay
from diffava.sounds.score import Hit

GRAVITY = 7.0  # a source's heights per second squared
LONGEST_BOUNCE_S = 0.55
LARGER = 1.35  # small things are shown from nearer
Times = Float[np.ndarray, "F"]


def fall(act: Act) -> None:
    """Objects drop in; each lands at its first hit, bounces once for every further one that comes soon, and lies."""
    act = replace(act, brush=replace(act.brush, size=LARGER * act.brush.size))
    chains = _bounces(act.hits) or [()]
    turn = float(act.rng.uniform(-4, 4))
    places = np.linspace(-0.32, 0.32, len(chains)) if len(chains) > 1 else [float(act.rng.uniform(-0.1, 0.1))]
    act.brush.ellipse(0.0, -0.05, 0.62, 0.13, shade(act.look.ground, 0.85))
    for chain, place in zip(chains, act.rng.permutation(places), strict=True):
        height, shown = _height(act.times_s, chain)
        _object(act, float(place), height, turn * np.minimum(height, 1.0), shown.astype(float), chain)


def _bounces(hits: tuple[Hit, ...]) -> list[tuple[Hit, ...]]:
    """Hits parted into objects: a bounce cannot last longer than the one before."""
    chains: list[tuple[Hit, ...]] = []
    for hit in hits:
        gap = hit.time_s - chains[-1][-1].time_s if chains else math.inf
        before = chains[-1][-1].time_s - chains[-1][-2].time_s if chains and len(chains[-1]) > 1 else LONGEST_BOUNCE_S
        if gap <= min(LONGEST_BOUNCE_S, 1.1 * before):
            chains[-1] += (hit,)
        else:
            chains.append((hit,))
    return chains


def _height(times_s: Times, chain: tuple[Hit, ...]) -> tuple[Times, Float[np.ndarray, "F"]]:
    """Height over the ground, and 1 where the object is there at all."""
    if not chain:
        return np.zeros(len(times_s)), np.ones(len(times_s))
    first, last = chain[0], chain[-1]
    height, shown = free_fall(times_s, first)
    for a, b in pairwise(chain):
        inside = (times_s > a.time_s) & (times_s < b.time_s)
        t = times_s[inside] - a.time_s
        height[inside] = 0.5 * GRAVITY * t * (b.time_s - a.time_s - t)
    after = times_s - last.time_s
    for start_s, length_s in ((0.0, 0.11), (0.11, 0.06)):
        inside = (after > start_s) & (after < start_s + length_s)
        t = after[inside] - start_s
        height[inside] = 0.5 * GRAVITY * last.strength * t * (length_s - t)
    return height, shown


def free_fall(times_s: Times, hit: Hit) -> tuple[Times, Times]:
    """Height of a free fall that ends at the hit, a hard one from higher up; and 1 from its start on, out of sight."""
    start = 1.1 + 0.5 * hit.strength
    fall_s = math.sqrt(2 * start / GRAVITY)
    before = np.clip(hit.time_s - times_s, 0, fall_s)
    return start - 0.5 * GRAVITY * (fall_s - before) ** 2, (times_s > hit.time_s - fall_s).astype(float)


def _object(act: Act, x: float, height: Times, angle: Times, shown: Times, chain: tuple[Hit, ...]) -> None:
    brush, look = act.brush, act.look
    match look.shape:
        case "coin":
            flat = 0.05 + 0.1 * np.abs(np.sin(3 * angle))
            brush.ellipse(x, height + flat + 0.01, 0.16, flat + 0.02, shade(look.body, 0.6), alpha=shown)
            brush.ellipse(x, height + flat + 0.03, 0.15, flat, look.body, alpha=shown)
            brush.ellipse(x, height + flat + 0.035, 0.08, 0.5 * flat, look.accent, alpha=shown)
        case "bottle":
            broken = chain[-1].time_s if chain else math.inf
            whole = shown * (act.times_s < broken)
            brush.box(x, height + 0.2, 0.22, 0.4, look.body, 0.1 * angle, 0.75 * whole)
            brush.box(x, height + 0.48, 0.09, 0.2, look.body, 0.1 * angle, 0.85 * whole)
            brush.box(x - 0.05, height + 0.22, 0.03, 0.3, look.accent, 0.1 * angle, whole)
            if chain:
                _shards(act, x, chain[-1])
        case "die":
            brush.box(x, height + 0.13, 0.26, 0.26, look.body, angle, shown)
            for dx, dy in ((0.0, 0.0), (-0.07, -0.07), (0.07, 0.07)):
                px = x + dx * np.cos(angle) - dy * np.sin(angle)
                py = height + 0.13 + dx * np.sin(angle) + dy * np.cos(angle)
                brush.disc(px, py, 0.032, look.accent, shown)
        case _:
            brush.ellipse(x, height + 0.15, 0.22, 0.17, look.body, angle, shown)
            brush.box(x + 0.04, height + 0.15, 0.24, 0.22, look.body, angle + 0.6, shown)
            brush.ellipse(x - 0.05, height + 0.2, 0.1, 0.06, look.accent, angle, shown)


def _shards(act: Act, x: float, hit: Hit) -> None:
    """What is left of glass: it springs apart at its last hit."""
    age = np.maximum(act.times_s - hit.time_s, 0)
    shown = (act.times_s >= hit.time_s).astype(float)
    spread = 1 - np.exp(-age / 0.08)
    rise = np.clip(age, 0, 0.16)
    hop = 0.5 * GRAVITY * hit.strength * rise * (0.16 - rise)
    for k, reach in enumerate((-0.4, -0.24, -0.08, 0.1, 0.26, 0.42)):
        px, py = x + reach * spread, 0.03 + hop * (1 + k % 3)
        corners = (px - 0.07, py), (px + 0.06, py + 0.02 * (k % 2)), (px + 0.05 * (k % 2), py + 0.12)
        act.brush.triangle(*corners, act.look.body if k % 2 else act.look.accent, 0.85 * shown)


def splash(act: Act) -> None:
    """A stone falls into water at each hit and sinks; drops fly up and fall back, rings go out."""
    brush, look, times_s = act.brush, act.look, act.times_s
    brush.box(0.0, -0.3, act.room, 0.6, look.ground)
    for k, hit in enumerate(act.hits):
        x = float(act.rng.uniform(-0.2, 0.2))
        height, shown = free_fall(times_s, hit)
        brush.disc(x, height, 0.11, look.body, shown * (times_s < hit.time_s))
        age = np.maximum(times_s - hit.time_s, 0)
        fading = decay(times_s, (hit,), 0.25)
        brush.ellipse(x, 0.0, 0.08 + 0.6 * age, 0.02 + 0.13 * age, look.accent, alpha=0.6 * fading)
        brush.ellipse(x, 0.0, 0.05 + 0.6 * age, 0.01 + 0.13 * age, look.ground, alpha=0.6 * fading)
        for drop in range(6):
            speed = (1.0 + 1.6 * hit.strength) * (0.65 + 0.35 * math.sin(2.4 * drop + k))
            up = speed * age - 0.5 * GRAVITY * 0.6 * age**2
            flying = ((age > 0) & (up > 0)).astype(float)
            brush.disc(x + (drop - 2.5) * (0.03 + 0.35 * age), up, 0.035 + 0.02 * (drop % 2), look.accent, flying)
    if not act.hits:
        brush.disc(0.0, -0.1, 0.1, look.body)
