"""What the picture encoder is taught and how its hits are counted."""

import numpy as np
import pytest
import torch

from diffava.sounds.score import Hit, Score, Source
from diffava.training.motion import correlation, hit_f1, peaks_of
from diffava.training.motion_data import code_of, filmed_otherwise, hit_times, smeared_onsets


def test_a_hit_is_one_in_its_own_step_and_less_beside_it():
    curve = smeared_onsets([0.121], 100.0, frames=5, steps=4).reshape(-1)
    assert curve[11:14].tolist() == [0.5, 1.0, 0.5]
    assert curve.sum() == 2
    assert peaks_of(curve.reshape(5, 4), 25.0) == pytest.approx([0.12])


def test_hits_of_all_sources_come_in_order():
    first = Source("chop", "strike", hits=(Hit(2.0, 1.0, 1.0),))
    second = Source("glass", "fall", hits=(Hit(0.5, 1.0, 1.0),))
    assert hit_times(Score(3.0, (first, second), 0)) == [0.5, 2.0]


def test_orders_of_two_sounds_have_codes_of_their_own():
    codes = {code_of(()), code_of(("rain",)), code_of(("rain", "wind")), code_of(("wind", "rain"))}
    assert len(codes) == 4
    assert code_of(()) == 0


@pytest.mark.parametrize(
    ("picked", "f1"),
    [([1.0, 2.0], 1.0), ([1.05, 1.95], 1.0), ([1.06], 0.0), ([1.0, 1.01], 0.5), ([], 0.0)],
)
def test_a_true_hit_is_found_once_within_the_tolerance(picked, f1):
    assert hit_f1([picked], [[1.0, 2.0]]) == pytest.approx(f1)


def test_f1_counts_all_clips_together():
    assert hit_f1([[1.0], [], [5.0]], [[1.0], [], []]) == pytest.approx(2 / 3)


def test_a_flat_curve_correlates_with_nothing():
    rising = np.arange(8.0).reshape(2, 4)
    assert correlation(torch.zeros(2, 4), rising) == 0
    assert correlation(torch.from_numpy(2 * rising + 1), rising) == pytest.approx(1)


def test_another_camera_keeps_the_pictures_in_step():
    rgb = np.zeros((6, 32, 32, 3), np.uint8)
    rgb[3:] = 200
    for seed in range(8):
        filmed = filmed_otherwise(rgb, np.random.default_rng(seed))
        assert filmed.shape == rgb.shape
        means = filmed.float().mean(dim=(1, 2, 3))
        assert means[3:].min() > means[:3].max() + 50
