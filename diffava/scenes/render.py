"""A score as a moving picture: background, what else moves, sources, sensor. Knows no sound's samples and no model.

Everything that the score does not say is drawn from its `scene_seed`, each part from a stream of its own.
"""

import math
from fractions import Fraction

import numpy as np
from jaxtyping import UInt8
from numpy.random import PCG64, Generator, SeedSequence

from diffava.scenes.background import draw_background
from diffava.scenes.brush import Brush
from diffava.scenes.camera import Camera, draw_camera
from diffava.scenes.distractors import draw_distractors
from diffava.scenes.looks import looks
from diffava.scenes.motions import MOTIONS, Act
from diffava.scenes.sensor import expose
from diffava.scenes.sprites import Pictures
from diffava.scenes.timing import Times, absence
from diffava.scenes.variation import SEEN, UNSEEN, Ranges
from diffava.sounds.score import Score, Source

SLIDE_S = 0.15  # how long a source takes to leave the picture, after the last moment at which it is in it
SLIDE = 1.7  # widths: further than the widest source and the farthest pan reach


def render(
    score: Score, frame_rate: Fraction, size_pixels: int, *, unseen: bool = False
) -> UInt8[np.ndarray, "F height width 3"]:
    """The pictures of a score; frame f shows the moment (f + 1/2) / frame_rate, as `Spec.frame_centre_s` has it.

    Args:
        score: What happens, and the seed of the rest.
        frame_rate: Pictures a second.
        size_pixels: Their width and height.
        unseen: Draw the rest from ranges that are never used otherwise (`variation.UNSEEN`).
    """
    return render_within(UNSEEN if unseen else SEEN, score, frame_rate, size_pixels)


def render_within(
    ranges: Ranges, score: Score, frame_rate: Fraction, size_pixels: int
) -> UInt8[np.ndarray, "F height width 3"]:
    """The pictures of a score whose unsaid parts are drawn from `ranges`."""
    # 5.12 s in binary is a little more than 128 frames of 1/25 s; unrounded, that would be a 129th.
    frames = math.ceil(round(score.duration_s * float(frame_rate), 6))
    times_s = (np.arange(frames) + 0.5) / float(frame_rate)
    streams = SeedSequence(score.scene_seed).spawn(4 + len(score.sources))
    stage_rng, camera_rng, distractor_rng, sensor_rng, *source_rngs = (Generator(PCG64(stream)) for stream in streams)
    varied = [looks()[source.kind].varied(ranges, rng) for source, rng in zip(score.sources, source_rngs, strict=True)]
    horizon = float(stage_rng.uniform(0.68, 0.78))
    camera = draw_camera(ranges, times_s, size_pixels, camera_rng)
    sky, ground = stage_rng.uniform(20, 230, (2, 3)).astype(np.float32)
    if varied and stage_rng.random() >= ranges.elsewhere:
        sky, ground = varied[0].sky, varied[0].ground
    pictures = draw_background(ranges, sky, ground, horizon, camera, stage_rng)
    draw_distractors(ranges, pictures, camera, times_s, distractor_rng)
    for number, (source, look, rng) in enumerate(zip(score.sources, varied, source_rngs, strict=True)):
        brush = _place(pictures, camera, source, (number, len(score.sources)), horizon, times_s, rng)
        room = (1.4 if len(score.sources) == 1 else 1 / len(score.sources)) / brush.size
        MOTIONS[source.motion](Act(brush, look, times_s, source.hits, source.active, room, rng))
    return expose(ranges, pictures, sensor_rng)


def _place(
    pictures: Pictures,
    camera: Camera,
    source: Source,
    position: tuple[int, int],
    horizon: float,
    times_s: Times,
    rng: Generator,
) -> Brush:
    """A place for source number k of n: one stands near the middle, several share the width."""
    number, count = position
    middle = rng.uniform(0.4, 0.6) if count == 1 else (number + 0.5) / count + rng.uniform(-0.04, 0.04)
    size = rng.uniform(0.58, 0.8) if count == 1 else rng.uniform(0.95, 1.1) / count
    exit_side = 1 if middle > 0.5 else -1
    away = absence(times_s, source.in_frame, SLIDE_S)
    side = 1 if rng.random() < 0.5 else -1
    y = horizon + float(rng.uniform(0.0, 0.08))
    return Brush(pictures, camera, middle + exit_side * SLIDE * away, y, float(size), side)
