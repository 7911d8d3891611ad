"""When things move: curves through keys, heights over a contact, swells of a call. Knows seconds, no pixels."""

import math
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from diffava.sounds.score import Hit, Interval

Ease = Literal["smooth", "fall", "rise"]
Times = Float[np.ndarray, "F"]


class Key(NamedTuple):
    """A value to be reached at a time: smoothly, ever faster until a dead stop (`fall`), or ever slower (`rise`)."""

    time_s: float
    value: float
    ease: Ease = "smooth"


def curve(times_s: Times, keys: list[Key]) -> Times:
    """The curve through keys in order of time; before the first and after the last it keeps still."""
    found = np.full(len(times_s), keys[0].value)
    for a, b in pairwise(keys):
        inside = (times_s > a.time_s) & (times_s <= b.time_s)
        u = (times_s[inside] - a.time_s) / max(b.time_s - a.time_s, 1e-9)
        eased = {"smooth": u * u * (3 - 2 * u), "fall": u * u, "rise": u * (2 - u)}[b.ease]
        found[inside] = a.value + (b.value - a.value) * eased
        found[times_s > b.time_s] = b.value
    return found


def with_room(hits: tuple[Hit, ...]) -> list[tuple[Hit, float, float]]:
    """Each hit with the seconds since the one before and until the one after; without end at either end."""
    gaps = [math.inf, *(b.time_s - a.time_s for a, b in pairwise(hits)), math.inf]
    return list(zip(hits, gaps, gaps[1:], strict=False))


def contact_height(
    times_s: Times, hits: tuple[Hit, ...], *, rest: float = 0.35, fall_s: float = 0.2, rebound: float = 0.06
) -> Times:
    """Height over a point of contact: it falls ever faster and is 0, and stopped, exactly at each hit.

    A strong hit comes from higher, hence faster. Lifting is slow where there is time for it, so that what a viewer or
    an encoder sees as the fastest motion is the one that ends in the sound.
    """
    keys = [Key(-10.0, rest)]
    for hit, before, after in with_room(hits):
        room = min(before, 3 * fall_s)
        keys.append(Key(hit.time_s - 0.75 * room, keys[-1].value))
        keys.append(Key(hit.time_s - 0.33 * room, 0.45 + 0.55 * hit.strength))
        keys.append(Key(hit.time_s, 0.0, "fall"))
        if rebound:
            settle = min(0.12, 0.24 * after)
            keys.append(Key(hit.time_s + 0.5 * settle, rebound * hit.strength, "rise"))
            keys.append(Key(hit.time_s + settle, 0.0))
    if hits:
        keys += [Key(hits[-1].time_s + 0.4, 0.0), Key(hits[-1].time_s + 1.2, rest)]
    return curve(times_s, keys)


def sounding(times_s: Times, hits: tuple[Hit, ...], *, attack_s: float = 0.06, release_s: float = 0.12) -> Times:
    """How much of a call is going on, from 0 to its strength: opens at the hit, closes when its sound ends."""
    found = np.zeros(len(times_s))
    for hit in hits:
        rise = np.clip((times_s - hit.time_s) / attack_s, 0, 1)
        stop_s = hit.time_s + max(hit.duration_s, 0.12)
        fall = np.clip((stop_s - times_s) / release_s, 0, 1)
        found = np.maximum(found, hit.strength * np.minimum(rise, fall))
    return found


def decay(times_s: Times, hits: tuple[Hit, ...], half_life_s: float) -> Times:
    """1 times the strength at each hit, halved every `half_life_s` after it; 0 before."""
    found = np.zeros(len(times_s))
    for hit in hits:
        age = times_s - hit.time_s
        found = np.maximum(found, np.where(age >= 0, hit.strength * 0.5 ** (np.maximum(age, 0) / half_life_s), 0))
    return np.where(found > 0.01, found, 0)


def inside(times_s: Times, intervals: tuple[Interval, ...]) -> Bool[np.ndarray, "F"]:
    """Which times lie in an interval."""
    found = np.zeros(len(times_s), bool)
    for start_s, stop_s in intervals:
        found |= (times_s >= start_s) & (times_s < stop_s)
    return found


def swell(times_s: Times, intervals: tuple[Interval, ...], ramp_s: float = 0.1) -> Times:
    """From 0 to 1 within `ramp_s` of an interval's start and back before its stop: how much of a texture is there."""
    found = np.zeros(len(times_s))
    for start_s, stop_s in intervals:
        found = np.maximum(found, np.clip(np.minimum(times_s - start_s, stop_s - times_s) / ramp_s, 0, 1))
    return found


def running_s(times_s: Times, intervals: tuple[Interval, ...]) -> Times:
    """For how many seconds a texture has moved so far; it stands while the texture is silent."""
    found = np.zeros(len(times_s))
    for start_s, stop_s in intervals:
        found += np.clip(times_s - start_s, 0, stop_s - start_s)
    return found


def absence(times_s: Times, intervals: tuple[Interval, ...], slide_s: float) -> Times:
    """0 where a source is in frame, 1 where it is out of it, and in between for `slide_s` beyond each interval."""
    away = np.full(len(times_s), math.inf)
    for start_s, stop_s in intervals:
        away = np.minimum(away, np.maximum(np.maximum(start_s - times_s, times_s - stop_s), 0))
    u = np.clip(away / slide_s, 0, 1)
    return u * u * (3 - 2 * u)
