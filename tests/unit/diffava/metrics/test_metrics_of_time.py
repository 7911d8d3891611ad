"""Onsets, matching, energy curves and CondFoleyGen's figures, on sounds whose events are known."""

import itertools

import numpy as np
import pytest

from diffava.metrics.energy import energy_correlation, energy_curve, level_db
from diffava.metrics.matching import Matching, match, median_error_s, pooled_f1
from diffava.metrics.onset_errors import error_distribution
from diffava.metrics.onsets import onsets_s
from diffava.metrics.resampling import bootstrap_interval, shuffled_pairs_p_value

RATE_HZ = 48_000


def clip_with_hits(times_s, gain=0.5, length_s=3.0, rate_hz=RATE_HZ):
    """Decaying noise at each of the times."""
    samples = np.zeros(round(length_s * rate_hz), np.float32)
    noise = np.random.default_rng(0).standard_normal(round(0.2 * rate_hz))
    burst = (gain * noise * np.exp(-np.arange(len(noise)) / (0.03 * rate_hz)) / 3).astype(np.float32)
    for time_s in times_s:
        part = samples[round(time_s * rate_hz) :][: len(burst)]
        part += burst[: len(part)]
    return samples


def test_onsets_are_found_where_impacts_are_whatever_their_level():
    times = (0.3, 0.81, 1.5, 2.4)
    for gain in (0.9, 0.05):
        found = onsets_s(clip_with_hits(times, gain), RATE_HZ)
        assert found == pytest.approx(times, abs=0.006)


def test_silence_steady_noise_and_a_sound_that_ends_have_no_onset():
    noise = (0.1 * np.random.default_rng(1).standard_normal(RATE_HZ)).astype(np.float32)
    assert onsets_s(np.zeros(RATE_HZ, np.float32), RATE_HZ) == ()
    ends = np.concatenate([noise, np.zeros(RATE_HZ, np.float32)])
    assert [time for time in onsets_s(ends, RATE_HZ) if time > 0.01] == []


def test_matching_uses_each_time_once_and_pairs_as_many_as_it_can():
    assert match([0.5], [0.45, 0.5, 0.55], 0.06).errors_s == pytest.approx([-0.05])
    assert len(match([1.0, 1.08], [1.04, 1.12], 0.05).errors_s) == 2
    matched = match([1.0, 2.0, 3.0], [1.01, 2.5, 3.05], 0.05)
    assert matched.errors_s == pytest.approx([0.01, 0.05])
    assert matched.f1 == pytest.approx(2 / 3)


def test_matching_finds_the_most_pairs_there_are():
    rng = np.random.default_rng(0)
    for _ in range(50):
        wanted, found = rng.uniform(0, 1, 4), rng.uniform(0, 1, 5)
        best = max(
            sum(abs(w - f) <= 0.1 for w, f in zip(wanted, order, strict=False))
            for order in itertools.permutations(found, 4)
        )
        assert len(match(wanted.tolist(), found.tolist(), 0.1).errors_s) == best


def test_figures_of_several_clips_pool_their_counts():
    clips = [Matching(1, 1, (0.02,)), Matching(3, 1, ()), Matching(0, 0, ())]
    assert pooled_f1(clips) == pytest.approx(2 / 6)
    assert median_error_s(clips) == pytest.approx(0.02)
    assert Matching(0, 0, ()).f1 == 1
    assert np.isnan(median_error_s([Matching(2, 0, ())]))


def test_energy_curves_agree_for_one_sound_at_two_levels_and_not_for_two_timings():
    one, other = clip_with_hits((0.3, 1.5)), clip_with_hits((0.9, 2.2))
    assert energy_correlation(one, 0.2 * one, RATE_HZ) == pytest.approx(1, abs=1e-3)
    assert energy_correlation(one, other, RATE_HZ) < 0.2


def test_silence_has_a_flat_energy_curve_that_goes_only_with_another_flat_one():
    silence = np.zeros(RATE_HZ, np.float32)
    assert not energy_curve(silence, RATE_HZ).any()
    assert energy_correlation(silence, silence, RATE_HZ) == 1
    assert energy_correlation(silence, clip_with_hits((0.3,), length_s=1.0), RATE_HZ) == 0


def test_the_level_of_full_scale_is_0_db_and_of_nothing_the_floor():
    assert level_db(np.ones(10, np.float32)) == pytest.approx(0, abs=1e-6)
    assert level_db(np.zeros(0, np.float32)) == -120


def test_a_bootstrap_interval_holds_the_mean_and_narrows_with_more_items():
    items = np.random.default_rng(0).normal(5, 1, 400).tolist()

    def mean(drawn):
        return float(np.mean(drawn))

    few, many = bootstrap_interval(items[:25], mean), bootstrap_interval(items, mean)
    assert many[0] < 5 < many[1]
    assert many[1] - many[0] < few[1] - few[0]
    assert bootstrap_interval(items, mean) == many


def test_a_centred_interval_holds_the_figure_where_draws_lie_off_to_one_side():
    items = np.random.default_rng(0).normal(size=40).tolist()

    def kinds(drawn):
        return float(len(set(drawn)))

    plain, centred = bootstrap_interval(items, kinds), bootstrap_interval(items, kinds, centred=True)
    assert plain[1] < 40
    assert centred[0] < 40 < centred[1]
    assert centred[1] - centred[0] == pytest.approx(plain[1] - plain[0])


def test_onset_errors_in_milliseconds_and_frames():
    clips = [match([1.0, 2.0], [1.01, 2.03], 0.1), match([1.0], [1.02], 0.1), match([1.0], [], 0.1)]
    found = error_distribution(clips, (0.0, 0.5, 1.0))
    assert found.count == 3
    assert found.bias_ms == pytest.approx(20)
    assert found.quantiles_ms == pytest.approx((10, 20, 30))
    assert found.in_frames(25.0) == pytest.approx((0.25, 0.5, 0.75))
    early = error_distribution([match([1.0], [0.96], 0.1)], (0.5,))
    assert (early.bias_ms, early.quantiles_ms[0]) == pytest.approx((-40, 40))
    assert np.isnan(error_distribution([match([1.0], [], 0.1)]).bias_ms)


def test_the_permutation_test_tells_pairs_that_belong_together_from_any():
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 1, (20, 20))
    aligned, shuffled, p = shuffled_pairs_p_value(noise + 0.6 * np.eye(20), rounds=999)
    assert aligned > shuffled + 0.4
    assert p == pytest.approx(0.001)
    assert shuffled_pairs_p_value(noise, rounds=999)[2] > 0.05


def test_what_a_group_has_in_common_is_no_agreement_inside_the_group():
    groups = np.repeat([0, 1], 10)
    busy = (groups[:, None] == groups[None]).astype(float)
    assert shuffled_pairs_p_value(busy, rounds=999)[2] < 0.01
    assert shuffled_pairs_p_value(busy, groups, rounds=999)[2] == 1
