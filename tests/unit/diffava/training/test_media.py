"""Decoding a stretch of a file: pictures and sound of the same moment, and a sentence for what is broken."""

from fractions import Fraction

import numpy as np
import pytest

from diffava.errors import DataError
from diffava.training.prepared.media import duration_s_of, read_media
from support.movies import RATE_HZ, write_movie

RATE, FLASH_S, LENGTH_S = Fraction(25), 2.2, 4


@pytest.fixture(scope="module")
def flash(tmp_path_factory):
    """A movie that is black and silent but for one white picture and a click at the same moment."""
    pictures = np.zeros((LENGTH_S * 25, 24, 32, 3), np.uint8)
    pictures[round(FLASH_S * 25)] = 255
    samples = np.zeros(LENGTH_S * RATE_HZ, np.float32)
    samples[round(FLASH_S * RATE_HZ)] = 0.9
    return write_movie(tmp_path_factory.mktemp("media") / "flash.mkv", pictures, RATE, samples)


@pytest.mark.parametrize("start_s", [0.0, 1.0, 2.0, 2.2])
def test_pictures_and_sound_begin_where_the_stretch_does(flash, start_s):
    media = read_media(flash, start_s, 1.5, RATE, 16)
    if start_s == 0.0:
        media = read_media(flash, start_s, 3.0, RATE, 16)
    assert int(media.rgb.astype(int).sum(axis=(1, 2, 3)).argmax()) == round((FLASH_S - start_s) * 25)
    assert abs(int(np.abs(media.samples).argmax()) - round((FLASH_S - start_s) * RATE_HZ)) <= 1


def test_a_stretch_ends_with_its_file(flash):
    media = read_media(flash, 3.0, 5.0, RATE, 16)
    assert media.rgb.shape == (25, 16, 16, 3)
    assert len(media.samples) == RATE_HZ
    assert duration_s_of(flash) == pytest.approx(LENGTH_S, abs=0.1)


def test_another_frame_rate_shows_each_picture_as_long(flash):
    media = read_media(flash, 2.0, 1.0, Fraction(50), 16)
    bright = np.flatnonzero(media.rgb.mean(axis=(1, 2, 3)) > 50)
    assert bright.tolist() == [10, 11]


def test_what_cannot_be_used_says_why(flash, tmp_path):
    (tmp_path / "noise.mkv").write_bytes(np.random.default_rng(0).bytes(5000))
    silent = write_movie(tmp_path / "silent.mkv", np.zeros((10, 16, 16, 3), np.uint8), RATE, None)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(flash.read_bytes()[:300])
    for path, message in ((tmp_path / "noise.mkv", "cannot be decoded"), (silent, "has no sound"), (cut, "cannot be")):
        with pytest.raises(DataError, match=message):
            read_media(path, 0.0, 1.0, RATE, 16)
    with pytest.raises(DataError, match="from 9 s on"):
        read_media(flash, 9.0, 1.0, RATE, 16)
