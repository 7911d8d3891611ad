"""Three short shots drawn from physics: a ball bounces, a hammer strikes, a crate tumbles down steps.

Each shot knows the seconds of its own hits, since the motion is computed and not filmed. Knows nothing of files.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Image = np.ndarray  # float32 [height, width, 3] in 0..1

WIDTH_PIXELS = 640
HEIGHT_PIXELS = 360
_Y, _X = np.mgrid[0:HEIGHT_PIXELS, 0:WIDTH_PIXELS].astype(np.float32)
_FALL_PIXELS_PER_S2 = 1500.0


@dataclass(frozen=True)
class Shot:
    """A moving picture: `draw(t)` gives the image at second `t` of its media, `hits_s` the seconds of its impacts."""

    name: str
    prompt: str
    draw: Callable[[float], Image]
    hits_s: tuple[float, ...]


def demo_shots(duration_s: float) -> tuple[Shot, ...]:
    """The three shots, each with the hits that fall inside `duration_s`."""
    bounces = _bounces(duration_s)
    strikes = tuple(s for s in (0.55 + 0.62 * k for k in range(20)) if s < duration_s)
    landings = tuple(s for s in (0.45 + 0.48 * k for k in range(5)) if s < duration_s)
    return (
        Shot("ball", "a rubber ball bouncing on a wooden floor", lambda t: _draw_ball(t, bounces), bounces[0]),
        Shot("hammer", "a hammer striking an iron peg", lambda t: _draw_hammer(t, strikes), strikes),
        Shot("crate", "a wooden crate tumbling down stone steps", lambda t: _draw_crate(t, landings), landings),
    )


def _shape(image: Image, distance: np.ndarray, rgb: tuple[float, float, float], softness_pixels: float = 1.0) -> Image:
    """Paint where the signed distance is negative, with an edge as soft as given."""
    cover = np.clip(0.5 - distance / softness_pixels, 0, 1)[..., None]
    return image * (1 - cover) + np.array(rgb, np.float32) * cover


def _box(
    x: float, y: float, half_width: float, half_height: float, angle_rad: float = 0.0, round_pixels: float = 3.0
) -> np.ndarray:
    """Signed distance to a turned, rounded rectangle."""
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    u = np.abs((_X - x) * cos + (_Y - y) * sin) - (half_width - round_pixels)
    v = np.abs((_Y - y) * cos - (_X - x) * sin) - (half_height - round_pixels)
    outside = np.hypot(np.maximum(u, 0), np.maximum(v, 0))
    distance: np.ndarray = outside + np.minimum(np.maximum(u, v), 0) - round_pixels
    return distance


def _stage(wall: tuple[float, float, float], floor: tuple[float, float, float], floor_y: float) -> Image:
    """A wall that darkens towards its edges, above a floor of boards."""
    light = 1.15 - 0.5 * np.hypot((_X - WIDTH_PIXELS * 0.45) / WIDTH_PIXELS, (_Y - 90) / HEIGHT_PIXELS)
    image = light[..., None] * np.array(wall, np.float32)
    boards = 1 - 0.10 * (np.sin((_X - 320) / (0.35 * (_Y - floor_y) + 18)) > 0.92)
    ground = (boards * (0.72 + 0.28 * (_Y - floor_y) / (HEIGHT_PIXELS - floor_y)))[..., None] * np.array(
        floor, np.float32
    )
    stage: Image = np.where((_Y >= floor_y)[..., None], ground, image).astype(np.float32)
    return stage


def _shadow(image: Image, x: float, y: float, radius: float, height: float) -> Image:
    """A soft shadow on the floor that spreads and fades as its body rises."""
    spread = 1 + height / 220
    distance = np.hypot((_X - x) / (radius * spread), (_Y - y) / (radius * 0.22 * spread)) - 1
    dark = 0.45 / spread * np.clip(0.5 - distance / 0.9, 0, 1)[..., None]
    shaded: Image = image * (1 - dark)
    return shaded


_BALL_STAGE = _stage((0.93, 0.80, 0.62), (0.60, 0.38, 0.22), 270)
_HAMMER_STAGE = _stage((0.40, 0.52, 0.60), (0.30, 0.27, 0.27), 285)
_CRATE_STAGE = _stage((0.62, 0.72, 0.58), (0.45, 0.45, 0.43), 345)
_BALL_RADIUS = 34.0


def _bounces(duration_s: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Hits of a ball dropped from 170 pixels that keeps 0.80 of its speed, and the speed after each."""
    time_s = math.sqrt(2 * 170 / _FALL_PIXELS_PER_S2)
    speed = _FALL_PIXELS_PER_S2 * time_s
    hits, speeds = [], []
    while time_s < duration_s:
        speed *= 0.80
        hits.append(time_s)
        speeds.append(speed)
        time_s += 2 * speed / _FALL_PIXELS_PER_S2
    return tuple(hits), tuple(speeds)


def _draw_ball(t: float, bounces: tuple[tuple[float, ...], tuple[float, ...]]) -> Image:
    hits, speeds = bounces
    past = [k for k, hit in enumerate(hits) if hit <= t]
    if past:
        since = t - hits[past[-1]]
        height = max(speeds[past[-1]] * since - _FALL_PIXELS_PER_S2 * since**2 / 2, 0.0)
        squash = 0.28 * math.exp(-since / 0.035)
    else:
        height, squash = max(170 - _FALL_PIXELS_PER_S2 * t**2 / 2, 0.0), 0.0
    x, floor_y = 170 + 95 * t, 300.0
    wide, tall = _BALL_RADIUS * (1 + squash), _BALL_RADIUS * (1 - squash)
    y = floor_y - tall - height
    image = _shadow(_BALL_STAGE, x, floor_y, _BALL_RADIUS * 1.1, height)
    radius = np.hypot((_X - x) / wide, (_Y - y) / tall)
    image = _shape(image, (radius - 1) * _BALL_RADIUS, (0.83, 0.22, 0.18))
    stripe = np.abs((_X - x) * math.sin(3 * t) + (_Y - y) * math.cos(3 * t)) - 5
    image = _shape(image, np.maximum(stripe, (radius - 1) * _BALL_RADIUS), (0.97, 0.93, 0.86))
    return _shape(image, np.hypot(_X - x + wide * 0.35, _Y - y + tall * 0.4) - 6, (1.0, 0.80, 0.75), 6)


def _draw_hammer(t: float, strikes: tuple[float, ...]) -> Image:
    driven = sum(strike <= t for strike in strikes)
    nearest = min(strikes, key=lambda strike: abs(strike - t))
    away = t - nearest
    # The head falls fast before the strike and is lifted slowly after it.
    lift = min(abs(away) / (0.16 if away < 0 else 0.40), 1.0)
    angle = -0.62 * lift**1.5 if away < 0 else -0.62 * math.sin(lift * math.pi / 2)
    peg_top = 214 + 5.0 * min(driven, 8)
    image = _shape(_HAMMER_STAGE, _box(430, 318, 120, 42), (0.42, 0.30, 0.20))
    image = _shape(image, _box(430, (peg_top + 300) / 2, 8, (300 - peg_top) / 2), (0.72, 0.74, 0.78))
    image = _shape(image, _box(430, peg_top, 17, 5), (0.80, 0.82, 0.86))
    pivot_x, pivot_y, reach = 150.0, peg_top - 22, 280.0
    tip_x, tip_y = pivot_x + reach * math.cos(angle), pivot_y + reach * math.sin(angle)
    middle_x, middle_y = (pivot_x + tip_x) / 2, (pivot_y + tip_y) / 2
    image = _shape(image, _box(middle_x, middle_y, reach / 2, 9, angle, 8), (0.66, 0.46, 0.26))
    image = _shape(image, _box(tip_x, tip_y, 26, 40, angle), (0.24, 0.25, 0.28))
    if driven and 0 <= t - strikes[driven - 1] < 0.08:
        glow = np.hypot(_X - 430, (_Y - peg_top) * 1.6) - 30
        image = _shape(image, glow, (1.0, 0.93, 0.70), 34)
    return image


def _draw_crate(t: float, landings: tuple[float, ...]) -> Image:
    image = _CRATE_STAGE
    tread, rise, half = 96.0, 42.0, 27.0
    for step in range(7):
        top = 110 + rise * step
        image = _shape(
            image,
            _box(60 + tread * step, (top + 400) / 2, tread / 2 + 1, (400 - top) / 2, 0, 2),
            (0.58 - 0.03 * step, 0.57 - 0.03 * step, 0.55 - 0.02 * step),
        )
    landed = sum(landing <= t for landing in landings)
    start = landings[landed - 1] if landed else landings[0] - 0.48
    share = min(max((t - start) / 0.48, 0.0), 1.0) if landed < len(landings) else 0.0
    x = 60 + tread * (landed + share)
    hop, drop = 62.0, rise
    y = 110 + rise * landed - half + (-4 * hop * share * (1 - share) + drop * share**2)
    since = t - start if landed else 1.0
    wobble = 0.12 * math.exp(-since / 0.08) * math.sin(40 * since)
    angle = math.pi / 2 * share**0.9 + wobble
    image = _shape(image, _box(x, y, half, half, angle), (0.72, 0.50, 0.26))
    image = _shape(image, np.abs(_box(x, y, half - 5, half - 5, angle)) - 2, (0.50, 0.33, 0.16))
    return _shape(image, _box(x, y, half - 6, 4, angle + math.pi / 4, 2), (0.50, 0.33, 0.16))
