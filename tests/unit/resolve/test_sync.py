"""How onsets meet hits: pairs, errors, and what chance alone would match."""

from fractions import Fraction

import numpy as np
import pytest

from diffava_resolve.frames.sync import measure_sync

PAL = Fraction(25)


def measure(hits_s, onsets_s, **options):
    return measure_sync(hits_s, onsets_s, **{"duration_s": 10, "rate": PAL, **options})


def test_the_error_is_the_median_distance_of_the_pairs():
    measured = measure([1.0, 3.0, 5.0], [1.02, 2.96, 5.03, 8.0])
    assert (measured.hit_count, measured.onset_count, measured.matched_count) == (3, 4, 3)
    assert measured.median_absolute_error_ms == pytest.approx(30)
    assert measured.median_absolute_error_frames == pytest.approx(0.75)
    assert measured.median_offset_ms == pytest.approx(20)


def test_late_sound_has_a_positive_offset_and_early_sound_a_negative_one():
    assert measure([1.0], [1.05]).median_offset_ms == pytest.approx(50)
    assert measure([1.0], [0.95]).median_offset_ms == pytest.approx(-50)


def test_each_hit_and_each_onset_is_used_once_and_the_nearest_pair_first():
    measured = measure([1.0], [0.95, 1.01, 1.05])
    assert measured.matched_count == 1
    assert measured.median_offset_ms == pytest.approx(10)
    assert measure([1.0, 1.05], [1.04]).median_offset_ms == pytest.approx(-10)


def test_pairs_exactly_at_the_tolerance_count_and_farther_ones_do_not():
    assert measure([Fraction(1, 2)], [0.6]).matched_count == 1
    assert measure([0.5], [0.61]).matched_count == 0
    assert measure([0.5], [0.61], tolerance_s=Fraction(1, 5)).matched_count == 1


@pytest.mark.parametrize(("hits_s", "onsets_s"), [([], []), ([1.0], []), ([], [1.0]), ([1.0], [5.0])])
def test_nothing_to_match_gives_no_error_rather_than_a_perfect_one(hits_s, onsets_s):
    measured = measure(hits_s, onsets_s)
    assert measured.matched_count == 0
    assert measured.median_absolute_error_ms is None
    assert measured.median_absolute_error_frames is None
    assert measured.median_offset_ms is None


def test_dense_onsets_match_by_chance_and_the_figure_says_so():
    hits_s = np.arange(0.5, 10, 1.7)
    dense = measure(hits_s, np.arange(0, 10, 0.1))
    sparse = measure(hits_s, hits_s + 0.01)
    assert dense.matched_count == sparse.matched_count == len(hits_s)
    assert dense.matched_by_chance == len(hits_s)
    assert sparse.matched_by_chance < 1
