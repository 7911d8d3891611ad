"""The demo's shots touch the ground at their own hits, and nowhere else."""

from fractions import Fraction

import numpy as np
import pytest

from diffava_resolve.demo.shots import contact_height, demo_shots, stone_height
from diffava_resolve.demo.stage import HEIGHT_PIXELS, WIDTH_PIXELS

RATE = Fraction(24000, 1001)
HITS_S = (0.5, 1.0, 1.75)


def test_what_falls_is_on_the_ground_at_each_hit_and_above_it_before():
    assert [stone_height(hit, HITS_S) for hit in HITS_S] == pytest.approx([0, 0, 0], abs=1e-9)
    assert all(stone_height(hit - 0.04, HITS_S) > 0.05 for hit in HITS_S)
    assert stone_height(-1.0, HITS_S) > 1.4  # out of the picture
    assert stone_height(3.0, HITS_S) == 0


def test_what_strikes_is_fastest_just_before_its_hit_and_still_after_it():
    times_s = np.arange(0, 2.5, 0.005)
    height = np.array([contact_height(t, HITS_S, 0.6) for t in times_s])
    speed = np.diff(height) / 0.005
    for hit in HITS_S:
        before = (times_s[1:] > hit - 0.02) & (times_s[1:] <= hit)
        after = (times_s[:-1] >= hit) & (times_s[:-1] < hit + 0.05)
        assert speed[before].min() < -2
        assert (height[:-1][after] == 0).all()
    assert height.max() <= 1


@pytest.mark.parametrize("number", range(3), ids=["stones", "hammer", "steps"])
def test_each_shot_moves_into_every_hit_and_is_a_picture(number):
    shot = demo_shots(RATE)[number]
    frame_s = float(1 / RATE)
    assert len(shot.hits_s) >= 4
    assert shot.prompt
    for hit in shot.hits_s:
        pictures = [shot.draw(hit + frames * frame_s) for frames in (-1.5, -0.5)]
        assert pictures[0].shape == (HEIGHT_PIXELS, WIDTH_PIXELS, 3)
        assert 0 <= pictures[0].min() <= pictures[0].max() <= 1.1
        assert np.abs(pictures[1] - pictures[0]).max() > 0.05
    assert all(abs(hit * float(RATE) - round(hit * float(RATE))) < 1e-6 for hit in shot.hits_s)  # whole frames
