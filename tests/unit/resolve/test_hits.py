"""Where downward motion stops: bounces and landings are found, other motion and cuts are not."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from diffava_resolve.frames.hits import downward_motion, motion_hits
from diffava_resolve.spec import Colour, Layer, MovieFile, Picture, Region, Segment
from support.clips import write_clip

WIDTH, HEIGHT, BALL = 320, 180, 24
GROUND = HEIGHT - BALL - 4
WALL = (
    np.random.default_rng(1)
    .integers(20, 60, (HEIGHT // 10, WIDTH // 10, 3))
    .astype(np.uint8)
    .repeat(10, 0)
    .repeat(10, 1)
)
SKIN = np.random.default_rng(0).integers(100, 255, (BALL, BALL, 3)).astype(np.uint8)


def scene(top, left=150):
    picture = WALL.copy()
    top, left = round(top), round(left)
    picture[top : top + BALL, left : left + BALL] = SKIN
    return picture


def falling_and_bouncing(second, hits_s):
    """Height of the ball's top: it falls from rest at second 0, bounces at each hit and lies still after the last."""
    later = [hit for hit in hits_s if hit > second]
    if not later:
        return GROUND
    if len(later) == len(hits_s):
        return GROUND - 0.55 * HEIGHT * (1 - (second / hits_s[0]) ** 2)
    start, stop = hits_s[len(hits_s) - len(later) - 1], later[0]
    return GROUND - min(4.5 * (second - start) * (stop - second), 0.8) * HEIGHT


def picture_of_movie(path, frame_count, rate, start_frame=0, cuts=()):
    layer = Layer(MovieFile(path), start_frame / rate, Fraction(0), Fraction(1))
    edges = [start_frame, *cuts, start_frame + frame_count]
    segments = tuple(Segment(a, b, (layer,)) for a, b in pairwise(edges))
    return Picture(Region(rate, 0, edges[0], edges[-1]), segments, tuple(cuts))


def hits_of(path, pictures, rate, **options):
    pictures = list(pictures)
    write_clip(path, pictures, rate, gop_frames=30)
    return motion_hits(picture_of_movie(path, len(pictures), rate, **options))


@pytest.mark.parametrize("rate", [Fraction(24_000, 1001), Fraction(25), Fraction(30), Fraction(60_000, 1001)], ids=str)
def test_the_bounces_of_a_ball_are_found_within_a_frame(tmp_path, rate):
    bounces_s = [0.5, 1.0, 1.4]
    frame_count = int(2 * rate)
    pictures = (scene(falling_and_bouncing(n / float(rate), bounces_s)) for n in range(frame_count))
    strong = [hit for hit in hits_of(tmp_path / "ball.mp4", pictures, rate) if hit.strength > 0.25]
    assert len(strong) == len(bounces_s)
    for hit, bounce_s in zip(strong, bounces_s, strict=True):
        assert abs(float(hit.second) - bounce_s) <= 1.01 / float(rate)


def test_hits_count_from_the_start_of_the_region_and_name_the_timeline_frame(tmp_path):
    rate = Fraction(25)
    pictures = (scene(falling_and_bouncing(n / 25, [0.6])) for n in range(30))
    (hit,) = hits_of(tmp_path / "ball.mp4", pictures, rate, start_frame=1000)
    assert hit.frame - 1000 == hit.second * rate
    assert abs(hit.frame - 1015) <= 1


@pytest.mark.parametrize(
    "place",
    [lambda n: (60, 40 + 4 * n), lambda n: (GROUND - 4 * n, 150), lambda n: (GROUND, 150)],
    ids=["sideways", "upwards", "still"],
)
def test_motion_that_does_not_fall_is_no_hit(tmp_path, place):
    pictures = [scene(*place(min(n, 15))) for n in range(30)]
    assert hits_of(tmp_path / "ball.mp4", pictures, Fraction(25)) == ()


def test_a_camera_that_tilts_and_stops_is_no_hit(tmp_path):
    world = np.random.default_rng(2).integers(0, 255, (30, 32, 3)).astype(np.uint8).repeat(10, 0).repeat(10, 1)
    pictures = [world[100 - 6 * min(n, 12) :][:HEIGHT] for n in range(25)]
    assert hits_of(tmp_path / "tilt.mp4", pictures, Fraction(25)) == ()


def test_a_cut_in_the_middle_of_a_fall_is_no_hit(tmp_path):
    rate = Fraction(25)
    falling = [scene(10 + 8 * n) for n in range(12)]
    standing = [scene(GROUND, 20)] * 12
    assert hits_of(tmp_path / "cut.mp4", falling + standing, rate, cuts=(12,)) == ()


def test_a_dissolve_is_not_measured(tmp_path):
    rate = Fraction(25)
    path = write_clip(tmp_path / "ball.mp4", [scene(falling_and_bouncing(n / 25, [0.6])) for n in range(30)], rate)
    ball = Layer(MovieFile(path), Fraction(0), Fraction(0), Fraction(1), Fraction(1), Fraction(0))
    black = Layer(Colour(), Fraction(0), Fraction(0), Fraction(1), Fraction(0), Fraction(1))
    dissolve = Picture(Region(rate, 0, 0, 30), (Segment(0, 30, (ball, black)),), (15,))
    assert motion_hits(dissolve) == ()


def test_block_matching_measures_how_far_a_block_came_down():
    before, after = (scene(top).mean(axis=2)[::2, ::2].astype(np.int16) for top in (60, 72))
    down = downward_motion(before, after)
    assert np.median(down[down > 0]) == 6
    assert downward_motion(after, before).max() == 0
    assert downward_motion(before, before).max() == 0
