"""Loudness, true peaks and fades of takes, measured by a second implementation."""

from fractions import Fraction

import numpy as np
import pytest
import soundfile

from diffava_resolve.client.scripted_client import ScriptedClient
from diffava_resolve.errors import RequestError
from diffava_resolve.session import Finishing, FoleySettings, Wanted, generate_clip, generate_foley, regenerate, verify
from diffava_resolve.session.finish import Finisher
from diffava_resolve.spec import Finish
from diffava_resolve.timeline.place import find_clip, foley_clips
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_range, region_of_timeline
from diffava_resolve.timeline.true_peak import true_peak_dbtp
from support.meter import metered
from support.shared_data import AUDIO
from support.takes import noise, write_take
from support.tiny_cut import write_tiny_cut

RATE = Fraction(30000, 1001)
LU = 0.2


def knocks(seconds=3):
    """A knock a second that dies away, over room noise: the crest of real impacts."""
    count = np.arange(48000 * seconds)
    return noise(len(count), 1, 0.5) * np.exp(-(count % 48000) / 2000) + noise(len(count), 2, 0.002)


def tone(seconds=2, frequency_hz=11_987):
    """Near a quarter of the rate the samples miss the peaks of a sine by up to 3 dB."""
    count = np.arange(48000 * seconds)
    return 0.05 * np.sin(2 * np.pi * frequency_hz * count / 48000) * np.hanning(len(count))


SOUNDS = {"noise": noise(96_000, level=0.01), "knocks": knocks(), "tone": tone(), "short": noise(9_000, level=0.02)}


def finished(samples, finish, path, **where):
    """What becomes of a sound, as a WAV on disk."""
    finisher = Finisher(finish, len(samples), **where)
    blocks = [block.astype(np.float32) for block in np.array_split(samples, 7)]
    take = write_take(path, np.concatenate([*finisher.blocks(blocks, path)]))
    return take.path, finisher.finished


@pytest.mark.parametrize("target_lufs", [-30.0, -23.0, -17.0])
@pytest.mark.parametrize("sound", SOUNDS)
def test_the_target_is_met_and_no_true_peak_is_above_its_limit(tmp_path, sound, target_lufs):
    path, done = finished(SOUNDS[sound], Finish(target_lufs, -1.0), tmp_path / "take.wav")
    meter = metered(path)
    assert not done.note
    assert meter.ffmpeg_lufs == pytest.approx(target_lufs, abs=LU)
    assert meter.pyloudnorm_lufs == pytest.approx(target_lufs, abs=LU)
    assert meter.true_peak_dbtp <= -1.0
    assert done.loudness_lufs == pytest.approx(meter.ffmpeg_lufs, abs=0.05)
    assert done.measured_as == ("momentary" if sound == "short" else "integrated")


def real_sounds():
    wanted = ["rain", "footsteps", "glass", "dog", "engine", "fire", "knock", "water", "bell", "sea"]
    paths = sorted(AUDIO.glob("*/*.flac")) + sorted(AUDIO.glob("*/*.ogg")) if AUDIO.is_dir() else []
    found = [next((path for path in paths if word in path.stem.lower()), None) for word in wanted]
    esc10 = [path for path in paths if path.parent.name == "esc10"][::60]
    return [path for path in [*found, *esc10] if path is not None]


REAL = [pytest.param(path, id=path.stem) for path in real_sounds()] or [
    pytest.param(None, marks=pytest.mark.skip(reason=f"the recordings are not at {AUDIO}"))
]


@pytest.mark.parametrize("recording", REAL)
def test_real_sounds_meet_the_target_or_say_how_far_they_come(tmp_path, recording):
    samples, _ = soundfile.read(recording, frames=6 * 48000, dtype="float32", always_2d=True)
    path, done = finished(samples.mean(axis=1), Finish(-23.0, -1.0), tmp_path / "take.wav")
    meter = metered(path)
    assert meter.true_peak_dbtp <= -1.0
    if done.note:
        assert done.limited_db == pytest.approx(12.0)
        assert f"reaches {meter.ffmpeg_lufs:.1f} LUFS instead of -23" in done.note
    else:
        assert meter.ffmpeg_lufs == pytest.approx(-23.0, abs=LU)


def test_a_click_is_not_crushed_to_reach_a_loudness(tmp_path):
    samples = noise(96_000, level=0.0005)
    samples[48_000] = 0.9
    path, done = finished(samples, Finish(-23.0, -1.0), tmp_path / "take.wav")
    assert done.limited_db == pytest.approx(12.0)
    assert "more than 12 dB" in done.note
    assert metered(path).true_peak_dbtp <= -1.0


def test_silence_stays_silent_and_says_so(tmp_path):
    path, done = finished(np.zeros(48_000), Finish(-23.0), tmp_path / "take.wav")
    assert "silent" in done.note
    assert not soundfile.read(path)[0].any()


def test_without_a_loudness_nothing_is_changed_outside_the_fades(tmp_path):
    samples = noise(48_000, level=0.3)
    path, done = finished(samples, Finish(fade_in_samples=4800, fade_out_samples=2400), tmp_path / "take.wav")
    read = soundfile.read(path, dtype="float32")[0]
    assert done is None
    np.testing.assert_allclose(read[4800:-2400], samples[4800:-2400], atol=2**-23)
    assert abs(read[0]) < 1e-6 > abs(read[-1])
    assert np.abs(read[2300:2500]).mean() == pytest.approx(np.abs(samples[2300:2500]).mean() / 2, rel=0.05)


def test_where_no_peak_is_in_the_way_the_level_is_one_gain(tmp_path):
    samples = noise(48_000, level=0.05)
    path, done = finished(samples, Finish(-23.0), tmp_path / "take.wav")
    gain = 10 ** (done.gain_db / 20)
    np.testing.assert_allclose(soundfile.read(path)[0], samples * gain, atol=2**-22)
    assert done.limited_db == 0


def test_a_limited_peak_leaves_what_is_more_than_ten_milliseconds_away_alone(tmp_path):
    samples = noise(96_000, level=0.05)
    samples[40_000] = 0.5
    path, done = finished(samples, Finish(-17.0, -6.0), tmp_path / "take.wav")
    gain = 10 ** (done.gain_db / 20)
    far = np.abs(np.arange(96_000) - 40_000) > 600
    np.testing.assert_allclose(soundfile.read(path)[0][far], (samples * gain)[far], atol=2**-22)
    assert 0 < done.limited_db < 12


def test_a_true_peak_between_the_samples_is_seen():
    count = np.arange(9600)
    samples = 0.5 * np.sin(np.pi * count / 2 + np.pi / 4) * np.hanning(len(count))
    assert np.abs(samples).max() == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)
    assert true_peak_dbtp([samples[:4000], samples[4000:]]) == pytest.approx(-6.02, abs=0.05)
    assert true_peak_dbtp([np.zeros(100)]) is None


# On a timeline: receipts, parts and proofs


@pytest.fixture
def cut(tmp_path):
    return write_tiny_cut(tmp_path, rate=RATE, flash_frames=(20, 50))


def made(cut, out, **finishing):
    timeline = read_timeline(cut.path)
    settings = FoleySettings("steps", seed=5, take_count=2, finishing=Finishing(**finishing))
    generate_foley(timeline, cut.path, [Wanted(region_of_timeline(timeline), settings)], ScriptedClient(), out)
    return out


def again(source, out, part=None, **finishing):
    timeline = read_timeline(source)
    region = None if part is None else region_of_range(timeline, *part)
    settings = FoleySettings("boots", seed=700, finishing=Finishing(**finishing))
    return regenerate(timeline, source, "foley-1", settings, ScriptedClient(), out, part=region)


def outcomes(path):
    return {verdict.outcome for verdict in verify(read_timeline(path), path, ScriptedClient())}


def samples_of(clip, take, folder):
    return soundfile.read(clip.take_path(take, folder), dtype="int32")[0]


def test_the_receipt_says_what_was_done_and_verify_does_it_again(cut, tmp_path):
    out = made(cut, tmp_path / "made.otio", loudness=-20.0, true_peak_dbtp=-3.0, fade_in="f6", fade_out="0.1s")
    for take in foley_clips(read_timeline(out))[0].takes:
        receipt = take.receipt
        assert receipt.finish == Finish(-20.0, -3.0, 9610, 4800)  # 6 frames are 9609.6 samples
        assert receipt.finished.gain_db != 0
        assert receipt.loudness_lufs == pytest.approx(-20.0, abs=LU)
        assert receipt.true_peak_dbtp <= -3.0
        assert metered(tmp_path / take.target_url).true_peak_dbtp <= -3.0
    assert outcomes(out) == {"same"}


def test_a_clip_made_anew_keeps_its_loudness_and_fades_unless_told_otherwise(cut, tmp_path):
    made(cut, tmp_path / "made.otio", loudness=-20.0, fade_in="f6")
    kept = again(tmp_path / "made.otio", tmp_path / "kept.otio").takes[0].receipt
    assert kept.finish == Finish(-20.0, -1.0, 9610, 0)
    told = again(tmp_path / "kept.otio", tmp_path / "told.otio", loudness="off", fade_in="0").takes[0].receipt
    assert told.finish == Finish()
    assert outcomes(tmp_path / "told.otio") == {"same"}


def test_a_clip_made_anew_can_match_the_take_before(cut, tmp_path):
    before = foley_clips(read_timeline(made(cut, tmp_path / "made.otio", loudness=-31.5)))[0].chosen
    receipt = again(tmp_path / "made.otio", tmp_path / "again.otio", loudness="match").takes[0].receipt
    assert metered(tmp_path / before.target_url).ffmpeg_lufs == pytest.approx(-31.5, abs=LU)
    assert receipt.loudness_lufs == pytest.approx(-31.5, abs=LU)
    assert outcomes(tmp_path / "again.otio") == {"same"}


@pytest.mark.parametrize("loudness", [-20.0, "match", None])
def test_a_part_made_anew_has_its_own_level_and_leaves_the_rest_bit_for_bit(cut, tmp_path, loudness):
    made(cut, tmp_path / "made.otio", loudness=-30.0, fade_in="f40")
    placed = again(tmp_path / "made.otio", tmp_path / "again.otio", part=("f30", "f60"), loudness=loudness)
    clip = find_clip(read_timeline(tmp_path / "again.otio"), "foley-1")
    old, new = samples_of(clip, clip.take(1), tmp_path), samples_of(clip, clip.chosen, tmp_path)
    start, stop = (round(Fraction(frame * 48000) / RATE) for frame in (30, 60))
    assert np.array_equal(old[:start], new[:start])
    assert np.array_equal(old[stop:], new[stop:])
    assert not np.array_equal(old[start:stop], new[start:stop])
    receipt = placed.takes[0].receipt
    assert receipt.finish.fade_in_samples == round(40 * 1601.6)
    if loudness is None:
        assert receipt.finished is None
    else:
        target = -20.0 if loudness == -20.0 else receipt.finished.loudness_lufs
        assert receipt.finished.loudness_lufs == pytest.approx(target, abs=LU)
        assert receipt.finish.loudness_lufs == pytest.approx(-20.0 if loudness == -20.0 else -30, abs=1.5)
    assert outcomes(tmp_path / "again.otio") == {"same"}


def test_a_single_clip_can_be_levelled_too(cut, tmp_path):
    settings = FoleySettings("steps", seed=5, finishing=Finishing(loudness=-18.0, fade_out="f3"))
    take = generate_clip(cut.media[0], settings, ScriptedClient(), tmp_path / "sound.wav")
    assert metered(take.path).ffmpeg_lufs == pytest.approx(-18.0, abs=LU)
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".f32"]


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"loudness": 23.0}, "from -60 to -5 LUFS"),
        ({"loudness": float("nan")}, "from -60 to -5 LUFS"),
        ({"true_peak_dbtp": 1.0}, "from -20 to 0 dBTP"),
        ({"fade_in": "12"}, "no length of a fade"),
        ({"loudness": "match"}, "no take before"),
        ({"true_peak_dbtp": -3.0}, "give --loudness too"),
        ({"fade_in": "2s", "fade_out": "1s"}, "The fades together are 3.00 s long"),
    ],
)
def test_wishes_that_cannot_be_are_refused_in_a_sentence(cut, tmp_path, wish, sentence):
    with pytest.raises(RequestError, match=sentence):
        made(cut, tmp_path / "made.otio", **wish)
    assert not (tmp_path / "made.foley").exists()


def test_a_part_has_no_fades_of_its_own(cut, tmp_path):
    made(cut, tmp_path / "made.otio")
    with pytest.raises(RequestError, match="Fades are of a whole clip"):
        again(tmp_path / "made.otio", tmp_path / "again.otio", part=("f30", "f60"), fade_in="f3")
