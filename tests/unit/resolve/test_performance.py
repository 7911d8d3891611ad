"""A performance from any audio file: where its samples lie, how long it is, and what is said where it does not fit."""

from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile

from diffava_resolve.errors import RequestError
from diffava_resolve.frames.performance import PerformedSound, check_performance
from support.clips import write_flash_clip

SECOND = 48_000


def performed(path, sample_count):
    sound = PerformedSound(path, sample_count)
    return np.concatenate(list(sound.blocks())), sound.notes


def impulse(path, rate_hz, at_s, duration_s=2, channels=1, level=0.8, **kind):
    samples = np.zeros((duration_s * rate_hz, channels), np.float32)
    samples[round(at_s * rate_hz)] = level
    soundfile.write(path, samples, rate_hz, **kind)
    return path


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_a_sample_stays_at_its_time_whatever_the_rate(tmp_path, rate_hz):
    path = impulse(tmp_path / "knock.wav", rate_hz, 0.5)
    samples, notes = performed(path, 2 * SECOND)
    assert len(samples) == 2 * SECOND
    assert int(np.abs(samples).argmax()) == SECOND // 2
    assert notes == ()


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".aiff"])
def test_other_kinds_of_files_are_read_too(tmp_path, suffix):
    samples, _ = performed(impulse(tmp_path / f"knock{suffix}", SECOND, 0.5), SECOND)
    assert abs(int(np.abs(samples).argmax()) - SECOND // 2) <= 1


def test_a_recording_at_the_output_rate_arrives_as_it_is(tmp_path):
    given = np.random.default_rng(0).uniform(-0.5, 0.5, SECOND).astype(np.float32)
    soundfile.write(tmp_path / "voice.wav", given, SECOND, subtype="FLOAT")
    assert np.array_equal(performed(tmp_path / "voice.wav", SECOND)[0], given)


def test_channels_are_mixed_by_their_mean_so_that_nothing_clips(tmp_path):
    left, right = np.full(SECOND, 0.9, np.float32), np.full(SECOND, 0.5, np.float32)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], 1), SECOND, subtype="FLOAT")
    assert np.allclose(performed(tmp_path / "stereo.wav", SECOND)[0], 0.7)


def test_a_short_performance_is_followed_by_silence_and_says_so(tmp_path):
    samples, notes = performed(impulse(tmp_path / "knock.wav", SECOND, 0.5), 5 * SECOND + 17)
    assert len(samples) == 5 * SECOND + 17
    assert not samples[2 * SECOND :].any()
    assert notes == ("The performance knock.wav ends 3.00 s before OUT; silence follows it.",)


def test_a_long_performance_is_cut_at_out_and_says_so(tmp_path):
    samples, notes = performed(impulse(tmp_path / "knock.wav", SECOND, 0.25), SECOND // 2 + 3)
    assert len(samples) == SECOND // 2 + 3
    assert notes == ("The performance knock.wav goes on after OUT; that part is not used.",)


def test_louder_than_full_scale_is_kept_within_it(tmp_path):
    path = impulse(tmp_path / "loud.wav", SECOND, 0.5, level=3.0, subtype="FLOAT")
    assert performed(path, SECOND)[0].max() == 1.0


def test_a_performance_that_is_silent_where_it_is_used_is_refused(tmp_path):
    path = impulse(tmp_path / "late.wav", SECOND, 1.5)
    with pytest.raises(RequestError, match=r"late\.wav is silent in the range; give a recording"):
        performed(path, SECOND)


def test_what_is_no_sound_is_refused_at_once(tmp_path):
    (tmp_path / "notes.txt").write_text("knock, knock")
    (tmp_path / "empty.wav").write_bytes(b"")
    write_flash_clip(tmp_path / "mute.mp4", 5, Fraction(25), [], width=64, height=36)
    for name in ("notes.txt", "empty.wav", "mute.mp4", "missing.wav"):
        with pytest.raises(RequestError, match=rf"The performance .*{name} cannot be read .*; give an audio file"):
            check_performance(tmp_path / name)


def test_the_sound_of_a_movie_will_do(tmp_path):
    with av.open(str(tmp_path / "voice.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=SECOND, layout="mono")
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, SECOND)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
        frame.sample_rate = SECOND
        container.mux([*stream.encode(frame), *stream.encode(None)])
    check_performance(tmp_path / "voice.mp4")
    assert len(performed(tmp_path / "voice.mp4", SECOND)[0]) == SECOND
