"""AV-Align: its three countings on lists, and its detectors on a sound and a film whose events are known.

Golden numbers: TempoTokens' own av_align.py at bf0b1e3 and 34d9502, run with librosa 0.11 and OpenCV 5.0.
"""

import math

import numpy as np
import pytest

from diffava.metrics.av_align import VARIANTS, av_align, flow_peaks_s
from diffava.metrics.motion_onsets import flow_trajectory, librosa_onsets_s

RATE_HZ = 48_000
FRAME_RATE = 24.0
TIMES_S = (0.5, 1.0, 1.5)


@pytest.fixture(scope="module")
def bursts():
    """Three bursts of noise of 50 ms in 2 s."""
    samples = np.zeros(2 * RATE_HZ, np.float32)
    noise = np.random.default_rng(0).standard_normal(RATE_HZ // 20).astype(np.float32)
    for time_s in TIMES_S:
        samples[round(time_s * RATE_HZ) :][: len(noise)] = 0.5 * noise
    return samples


@pytest.fixture(scope="module")
def jumps():
    """48 pictures in which a square with a texture jumps at frames 12, 24 and 36."""
    texture = np.random.default_rng(1).integers(60, 255, (40, 40, 3)).astype(np.uint8)
    pictures = np.zeros((48, 96, 128, 3), np.uint8)
    for number, picture in enumerate(pictures):
        left = 10 + 12 * (number // 12)
        picture[28:68, left : left + 40] = texture
    return pictures


def test_variants_of_2023_and_2025_take_other_peaks():
    trajectory = [0.0, 0.05, 0.0, 0.5, 0.2, 0.2, 0.9, 0.1, 0.1]
    assert flow_peaks_s(trajectory, 10.0, "2025") == pytest.approx([0.3, 0.6])
    assert flow_peaks_s(trajectory, 10.0, "2023") == pytest.approx([0.1, 0.3, 0.6])
    assert flow_peaks_s([1.0, 0.0, 1.0], 10.0, "2023") == []  # neither the first nor the last frame


def test_one_peak_is_matched_once_since_2025_and_any_number_of_times_before():
    assert av_align([0.45, 0.5, 0.55], [0.5], 10.0, "2025") == pytest.approx(1 / 3)
    assert av_align([0.45, 0.5, 0.55], [0.5], 10.0, "2023") == pytest.approx(3.0)
    # Counted from both sides: (3 + 1) / (2 * 3).
    assert av_align([0.45, 0.5, 0.55], [0.5], 10.0, "paper") == pytest.approx(2 / 3)


def test_a_frame_apart_is_too_far_but_for_the_papers_window_of_three():
    assert av_align([0.25], [0.5], 4.0, "2025") == 0
    assert av_align([0.25], [0.5], 4.0, "2023") == 0
    assert av_align([0.25], [0.5], 4.0, "paper") == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_extremes_by_hand(variant):
    assert av_align([0.5, 1.0], [0.5, 1.0], 10.0, variant) == 1
    assert av_align([0.5, 1.0], [2.0], 10.0, variant) == 0
    assert av_align([0.5], [], 10.0, variant) == 0
    assert av_align([], [0.5], 10.0, variant) == 0
    assert math.isnan(av_align([], [], 10.0, variant))
    assert av_align([0.5, 3.0], [0.5], 10.0, variant) == pytest.approx({"paper": 2 / 4}.get(variant, 1 / 2))


def test_the_detector_of_onsets_is_librosas(bursts):
    assert librosa_onsets_s(bursts, RATE_HZ) == pytest.approx([0.510839, 1.021678, 1.509297], abs=0.0233)
    assert librosa_onsets_s(np.zeros(RATE_HZ, np.float32), RATE_HZ) == []


def test_the_flow_peaks_where_the_picture_jumps(jumps):
    trajectory = flow_trajectory(jumps)
    assert len(trajectory) == len(jumps)
    assert trajectory[0] == trajectory[1]
    assert flow_peaks_s(trajectory, FRAME_RATE) == pytest.approx(TIMES_S)
    assert flow_trajectory(jumps[:1]) == []


def test_sound_and_picture_that_belong_together_score_1_and_0_two_frames_apart(bursts, jumps):
    peaks = flow_peaks_s(flow_trajectory(jumps), FRAME_RATE)
    late = np.roll(bursts, round(2 * RATE_HZ / FRAME_RATE))
    for variant in VARIANTS:
        assert av_align(librosa_onsets_s(bursts, RATE_HZ), peaks, FRAME_RATE, variant) == 1
        assert av_align(librosa_onsets_s(late, RATE_HZ), peaks, FRAME_RATE, variant) == 0
