"""When sounds begin: synthetic bursts whose onsets are known."""

import tracemalloc

import numpy as np
import pytest
import soundfile

from diffava_resolve.errors import MediaError
from diffava_resolve.frames import onsets
from diffava_resolve.frames.onsets import onsets_s

RATE_HZ = 48_000


def bursts(starts_s, duration_s=2.0, *, rate_hz=RATE_HZ, level=0.3, length_s=0.05, noise=0.0, seed=0):
    generator = np.random.default_rng(seed)
    samples = noise * generator.standard_normal(round(duration_s * rate_hz))
    for start_s in starts_s:
        start = round(start_s * rate_hz)
        burst = level * generator.standard_normal(round(length_s * rate_hz))
        samples[start : start + len(burst)] += burst[: len(samples) - start]
    return samples.clip(-1, 1)


def onsets_of(tmp_path, samples, rate_hz=RATE_HZ):
    path = tmp_path / "take.wav"
    soundfile.write(path, samples, rate_hz, subtype="PCM_24")
    return onsets_s(path)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_three_bursts_are_found_where_they_begin(tmp_path, rate_hz):
    # The golden case of AV-Align, where librosa finds .511, 1.022 and 1.509.
    found = onsets_of(tmp_path, bursts([0.5, 1.0, 1.5], rate_hz=rate_hz), rate_hz)
    np.testing.assert_allclose(found, [0.5, 1.0, 1.5], atol=0.002)


@pytest.mark.parametrize("block_hops", [1, 7, 1000])
def test_what_is_found_does_not_depend_on_how_much_is_read_at_once(tmp_path, monkeypatch, block_hops):
    samples = bursts([0.31, 0.99, 1.0, 1.5, 2.213], 3.0037, rate_hz=44_100, noise=1e-3)
    as_usual = onsets_of(tmp_path, samples, 44_100)
    monkeypatch.setattr(onsets, "_BLOCK_HOPS", block_hops)
    assert onsets_of(tmp_path, samples, 44_100) == as_usual != ()


def test_silence_has_no_onset(tmp_path):
    assert onsets_of(tmp_path, np.zeros(RATE_HZ)) == ()
    assert onsets_of(tmp_path, np.zeros(0)) == ()


@pytest.mark.parametrize("level", [0.001, 0.1])
def test_steady_noise_has_no_onset(tmp_path, level):
    assert onsets_of(tmp_path, level * np.random.default_rng(0).standard_normal(5 * RATE_HZ)) == ()


def test_bursts_anywhere_at_any_level_are_found_within_ten_milliseconds(tmp_path):
    for seed in range(20):
        generator = np.random.default_rng(seed)
        starts_s = np.cumsum(generator.uniform(0.15, 0.6, 5))
        level = 10 ** generator.uniform(-2, -0.3)
        found = onsets_of(tmp_path, bursts(starts_s, 4.0, level=level, noise=1e-4, seed=seed))
        assert len(found) == len(starts_s)
        np.testing.assert_allclose(found, starts_s, atol=0.010)


def test_the_end_of_a_tone_is_no_onset(tmp_path):
    samples = np.zeros(RATE_HZ)
    samples[12_000:24_000] = 0.3 * np.sin(2 * np.pi * 440 * np.arange(12_000) / RATE_HZ)
    np.testing.assert_allclose(onsets_of(tmp_path, samples), [0.25], atol=0.003)


def test_either_channel_of_a_stereo_file_is_heard(tmp_path):
    stereo = np.stack([bursts([0.5]), bursts([1.2])], axis=1)
    np.testing.assert_allclose(onsets_of(tmp_path, stereo), [0.5, 1.2], atol=0.002)


def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak_bytes(duration_s):
        path = tmp_path / f"{duration_s}.wav"
        soundfile.write(path, bursts([0.5], duration_s), RATE_HZ)
        tracemalloc.start()
        onsets_s(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(20)  # what numpy imports and caches at first use
    assert peak_bytes(20) < 1.3 * peak_bytes(2)


def test_a_file_that_is_no_audio_is_named(tmp_path):
    path = tmp_path / "take.wav"
    path.write_bytes(b"not a sound")
    with pytest.raises(MediaError, match=r"take\.wav cannot be read"):
        onsets_s(path)
    with pytest.raises(MediaError, match=r"gone\.wav cannot be read"):
        onsets_s(tmp_path / "gone.wav")
