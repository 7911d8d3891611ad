import numpy as np
import pyloudnorm
import pytest

from diffava_resolve.errors import MediaError
from diffava_resolve.timeline.loudness import integrated_loudness_lufs, loudness_of_blocks
from support.takes import noise, write_take


@pytest.mark.parametrize(("seconds", "level"), [(5, 0.2), (3, 0.01), (1, 0.3)])
def test_noise_measures_within_a_tenth_of_pyloudnorm(tmp_path, seconds, level):
    samples = noise(48000 * seconds, level=level)
    samples[: len(samples) // 3] *= 0.01  # so that the relative gate matters
    take = write_take(tmp_path / "take.wav", samples)
    expected = pyloudnorm.Meter(48000).integrated_loudness(samples)
    assert integrated_loudness_lufs(take.path) == pytest.approx(expected, abs=0.1)


def test_the_blocks_lengths_do_not_matter():
    samples = noise(48000 * 2)
    parts = [samples[start : start + 4801] for start in range(0, len(samples), 4801)]
    assert loudness_of_blocks(parts) == loudness_of_blocks([samples])


@pytest.mark.parametrize("samples", [np.zeros(96000), np.zeros(0), noise(19_000), noise(100)], ids=len)
def test_silence_and_what_is_too_short_have_no_number(samples):
    assert loudness_of_blocks([samples]) is None


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(MediaError, match="cannot be read as audio"):
        integrated_loudness_lufs(tmp_path / "missing.wav")
