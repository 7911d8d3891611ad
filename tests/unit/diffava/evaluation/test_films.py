"""Real films: the right picture at the right time, the right films of a folder, and one sentence when it is wrong."""

from fractions import Fraction

import av
import numpy as np
import pytest

from diffava.errors import DataError
from diffava.evaluation.film import film_pictures, film_sound, read_films
from support.clips import write_flash_clip


def test_pictures_show_what_the_film_shows_at_their_middle(tmp_path):
    film = write_flash_clip(tmp_path / "flash.mp4", 48, Fraction(24), [12, 36], width=96, height=48)
    pictures = film_pictures(film, Fraction(25), 32, 10.0)
    assert pictures.shape == (50, 32, 32, 3)
    bright = np.flatnonzero(pictures[:, 16, 16].mean(-1) > 127)
    # Frame 12 is seen from 0.5 s to 0.5417 s, frame 36 from 1.5 s; the middles are at (k + 1/2) / 25.
    assert bright.tolist() == [12, 13, 37, 38]
    assert pictures[12, 0].max() == 0  # a wide film has black bars


def test_no_more_pictures_are_read_than_are_wanted(tmp_path):
    film = write_flash_clip(tmp_path / "flash.mp4", 48, Fraction(24), [3])
    assert len(film_pictures(film, Fraction(25), 16, 1.0)) == 25


def test_sound_is_one_channel_at_48_khz(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=44_100, layout="stereo")
        samples = (8000 * np.sin(np.arange(44_100) * 2 * np.pi * 440 / 44_100)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.stack([samples, samples], 1).reshape(1, -1), "s16", "stereo")
        frame.rate = 44_100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    found = film_sound(path)
    assert abs(len(found) - 48_000) <= 48
    assert np.abs(found).max() == pytest.approx(8000 / 32768, rel=0.1)


def test_a_folder_gives_its_films_with_sound_of_the_wanted_kinds(tmp_path):
    rows = [
        "path,seen,kind,has_audio",
        "a.mp4,a door,impact,yes",
        "b.mp4,the sea,texture,yes",
        "c.mp4,a ball,impact,no",
    ]
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    assert [film.seen for film in read_films(tmp_path, ("impact", "event"))] == ["a door"]
    with pytest.raises(DataError, match="manifest"):
        read_films(tmp_path / "nowhere", ("impact",))
