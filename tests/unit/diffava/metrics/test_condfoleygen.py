"""CondFoleyGen's onset figures: its detector on known sounds, its counting on known onsets."""

import numpy as np
import pytest

from diffava.metrics.condfoleygen import RATE_HZ, Onsets, condfoleygen_onsets, onset_agreement, suppressed


def onsets(*times_s, confidences=None):
    samples = tuple(round(time * RATE_HZ) for time in times_s)
    wave = np.zeros(2 * RATE_HZ, np.float32)
    sure = tuple(confidences or [0.5] * len(samples))
    wave[list(samples)] = sure
    return Onsets(samples, sure, wave)


def test_the_detector_finds_bursts_and_nothing_in_silence():
    samples = np.zeros(96_000, np.float32)
    noise = np.random.default_rng(0).standard_normal(2400).astype(np.float32)
    for start in (24_000, 48_000, 72_000):
        samples[start : start + 2400] = 0.5 * noise
    found = condfoleygen_onsets(samples, 48_000)
    # librosa 0.11 with its defaults places such bursts at 0.510839, 1.021678 and 1.509297 s: a hop or so late.
    assert [at / RATE_HZ for at in found.samples] == pytest.approx([0.5, 1.0, 1.5], abs=0.05)
    assert condfoleygen_onsets(np.zeros(96_000, np.float32), 48_000).samples == ()


def test_an_onset_at_the_very_end_of_a_clip_is_counted_like_any_other():
    samples = np.zeros(25 * 512, np.float32)
    samples[-300:] = 0.5 * np.random.default_rng(0).standard_normal(300)
    found = condfoleygen_onsets(samples, RATE_HZ)
    assert found.samples == (25 * 512,)
    assert onset_agreement(found, found).accuracy == 1


def test_an_onset_close_to_a_surer_one_is_dropped_and_the_one_after_it_stepped_over():
    assert list(suppressed(onsets(0.5, 0.54, 1.0, confidences=(0.9, 0.4, 0.5)))) == [
        round(0.5 * RATE_HZ),
        round(1.0 * RATE_HZ),
    ]
    kept = suppressed(onsets(0.46, 0.5, 0.54, confidences=(0.3, 0.9, 0.4)))
    assert list(kept) == [round(0.5 * RATE_HZ), round(0.54 * RATE_HZ)]


def test_accuracy_is_the_share_of_references_with_a_prediction_of_their_own():
    agreed = onset_agreement(onsets(0.5, 1.0, 1.5), onsets(0.45, 1.05))
    assert agreed.accuracy == pytest.approx(2 / 3)
    assert agreed.average_precision == 1  # the third reference is not counted once the predictions are used up
    assert not agreed.same_count
    assert onset_agreement(onsets(0.5, 0.55), onsets(0.52)).accuracy == 0.5


def test_predictions_that_meet_nothing_cost_precision_by_how_sure_they_are():
    agreed = onset_agreement(onsets(0.5), onsets(0.5, 1.2, confidences=(0.4, 0.8)))
    assert agreed.accuracy == 1
    assert agreed.average_precision == 0.5
    surer = onset_agreement(onsets(0.5), onsets(0.5, 1.2, confidences=(0.8, 0.4)))
    assert surer.average_precision == 1


def test_silence_is_never_accurate_but_its_precision_is_1_by_the_protocol():
    agreed = onset_agreement(onsets(0.5, 1.0), onsets())
    assert (agreed.accuracy, agreed.average_precision) == (0, 1)


def test_a_reference_without_onsets_cannot_be_compared_with():
    with pytest.raises(ValueError, match="no onset"):
        onset_agreement(onsets(), onsets(0.5))
