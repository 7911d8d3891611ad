"""Speech and music in a take, by its signal alone: what is taken for them, what is not, and rolling again once."""

import csv
from fractions import Fraction

import numpy as np
import pytest
import soundfile

from diffava_resolve.client.scripted_client import ScriptedClient
from diffava_resolve.errors import MediaError
from diffava_resolve.frames.mono_16k import windows
from diffava_resolve.frames.syllables import Syllables, measure_syllables
from diffava_resolve.frames.tuned_notes import TunedNotes, measure_tuned_notes
from diffava_resolve.session import FoleySettings, Wanted, generate_foley, regenerate, render, verify
from diffava_resolve.session.leaks import SEED_STEP, leaks_in_words
from diffava_resolve.timeline.place import find_clip, media_folder
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_range, region_of_timeline
from support.shared_data import AUDIO
from support.takes import noise
from support.tiny_cut import write_tiny_cut

RATE_HZ = 48_000


def seconds(count):
    return np.arange(round(RATE_HZ * count)) / RATE_HZ


def murmur(duration_s=4, syllables_per_s=4.0):
    """A buzz through moving resonances, in syllables whose pitch glides: a signal with what speech has, not speech."""
    time_s = seconds(duration_s)
    phase_of_syllable = (time_s * syllables_per_s) % 1
    number = (time_s * syllables_per_s).astype(int)
    draw = np.random.default_rng(3)
    base_hz, glide = draw.uniform(100, 140, 99)[number], draw.choice((-0.4, 0.3), 99)[number]
    phase = 2 * np.pi * np.cumsum(base_hz * (1 + glide * phase_of_syllable)) / RATE_HZ
    vowels = draw.uniform((300, 900), (800, 2400), (100, 2))
    first, second = (vowels[number] + (vowels[number + 1] - vowels[number]) * phase_of_syllable[:, None]).T
    sound = np.zeros(len(time_s))
    for partial in range(1, 30):
        frequency_hz = partial * base_hz
        shape = sum(np.exp(-(((frequency_hz - formant) / 120) ** 2)) for formant in (first, second)) + 0.01
        sound += shape * np.sin(partial * phase)
    return 0.1 * sound * np.clip(np.sin(np.pi * phase_of_syllable / 0.75), 0, None)


def tune(duration_s=4):
    """Chords and a melody of plucked notes, two a second, tuned a third of a semitone sharp."""
    sound = np.zeros(round(RATE_HZ * duration_s))
    for beat in range(duration_s * 2):
        for step in (0, 4, 7, (12, 14, 16, 17, 19, 21, 23)[beat * 3 % 7]):
            time_s = seconds(0.5)
            pitch_hz = 220 * 2 ** ((step + (0, 5, 7, 9)[beat // 2 % 4] + 0.3) / 12)
            note = sum(np.sin(2 * np.pi * pitch_hz * k * time_s) / k for k in (1, 2, 3)) * np.exp(-2 * time_s)
            sound[beat * RATE_HZ // 2 :][: len(note)] += 0.1 * note
    return sound


def bell():
    time_s = seconds(4)
    return sum(0.1 * np.sin(2 * np.pi * f * time_s) * np.exp(-time_s) for f in (311.1, 523.7, 801.3, 1207.9, 1689.2))


def hum():
    return sum(0.1 / k * np.sin(2 * np.pi * 49.7 * k * seconds(4)) for k in range(1, 20))


def knocks():
    return noise(4 * RATE_HZ) * np.exp(-(np.arange(4 * RATE_HZ) % 12_000) / 900)


def wav(folder, samples, rate_hz=RATE_HZ):
    soundfile.write(folder / "sound.wav", samples, rate_hz, "PCM_24")
    return folder / "sound.wav"


def said(path):
    syllables, notes = measure_syllables(path), measure_tuned_notes(path)
    return leaks_in_words({"is_speech_like": syllables.is_speech_like, "is_music_like": notes.is_music_like})


@pytest.mark.parametrize(
    ("sound", "words"),
    [
        (murmur, "speech"),
        (tune, "music"),
        (bell, ""),
        (hum, ""),
        (knocks, ""),
        (lambda: noise(4 * RATE_HZ), ""),
        (lambda: np.zeros(RATE_HZ), ""),
        (lambda: noise(100), ""),
    ],
    ids=["murmur", "tune", "bell", "hum", "knocks", "noise", "silence", "short"],
)
def test_what_is_taken_for_speech_and_music(tmp_path, sound, words):
    assert said(wav(tmp_path, sound())) == words


@pytest.mark.parametrize("leak", [murmur, tune])
def test_it_is_heard_under_quieter_noise_and_at_any_level(tmp_path, leak):
    words = said(wav(tmp_path, leak()))
    sound = leak()
    noisy = sound + noise(len(sound), level=0.2 * float(np.std(sound)))
    assert said(wav(tmp_path, noisy)) == words
    assert said(wav(tmp_path, 0.02 * noisy)) == words


def test_only_the_stretch_asked_for_is_measured(tmp_path):
    path = wav(tmp_path, np.concatenate([tune(), knocks()]))
    assert measure_tuned_notes(path, 0, 4 * RATE_HZ).is_music_like
    assert not measure_tuned_notes(path, 4 * RATE_HZ).is_music_like
    assert measure_tuned_notes(path, 8 * RATE_HZ) == TunedNotes()
    assert measure_syllables(path, 8 * RATE_HZ) == Syllables()


def test_windows_lie_where_they_should_and_do_not_depend_on_the_blocks(tmp_path, monkeypatch):
    samples = np.zeros(10 * RATE_HZ)
    samples[5 * RATE_HZ] = 1
    path = wav(tmp_path, samples)
    whole = np.concatenate([*windows(path, 160, 160)])
    assert np.unravel_index(np.abs(whole).argmax(), whole.shape) == (500, 0)
    monkeypatch.setattr("diffava_resolve.frames.mono_16k._BLOCK_S", 1)
    np.testing.assert_allclose(np.concatenate([*windows(path, 160, 160)]), whole, atol=1e-12)


def test_a_rate_that_is_no_multiple_is_said(tmp_path):
    with pytest.raises(MediaError, match="no multiple of 16000"):
        measure_syllables(wav(tmp_path, np.zeros(4410), 44_100))


@pytest.mark.skipif(not AUDIO.is_dir(), reason=f"the recordings are not at {AUDIO}")
def test_hardly_any_real_foley_is_taken_for_either(tmp_path):
    """Recordings of at least two seconds that are no voice and no animal, every second at 48 kHz or twice that."""
    with (AUDIO / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["category"] not in {"human_voice", "animal", "birds"}]
    rows = [row for row in rows if float(row["seconds"]) >= 2 and row["sample_rate"] in {"48000", "96000"}][::2]
    wrong = [row["path"] for row in rows if said(AUDIO / row["path"])]
    assert len(rows) >= 10
    assert len(wrong) <= len(rows) // 20, wrong


# Rolling again


@pytest.fixture
def cut(tmp_path):
    return write_tiny_cut(tmp_path, rate=Fraction(24))


def leaking_seeds(monkeypatch, *seeds):
    """Let the takes of these seeds, which the scripted server gives as tones, count as speech."""
    tones_hz = [200 + seed % 1000 for seed in seeds]

    def measured(path, start_sample=0, stop_sample=None):
        samples = soundfile.read(path, start=start_sample, stop=stop_sample)[0]
        loudest_hz = np.abs(np.fft.rfft(samples)).argmax() * RATE_HZ / len(samples)
        return {"is_speech_like": any(abs(loudest_hz - tone) < 0.6 for tone in tones_hz), "is_music_like": False}

    monkeypatch.setattr(render, "measure_leaks", measured)


def made(cut, out, client, leak_check="reroll", takes=3):
    timeline = read_timeline(cut.path)
    settings = FoleySettings("steps", seed=10, take_count=takes, leak_check=leak_check)
    (clip,) = generate_foley(timeline, cut.path, [Wanted(region_of_timeline(timeline), settings)], client, out)
    return clip


def test_a_take_that_leaks_is_rolled_again_once_and_the_others_stay(cut, tmp_path, monkeypatch):
    leaking_seeds(monkeypatch, 11)
    client = ScriptedClient()
    other = 11 + SEED_STEP
    clip = made(cut, tmp_path / "out.otio", client)
    assert [job.seeds for job in client.jobs] == [(10, 11, 12), (other,)]
    assert [take.receipt.seed for take in clip.takes] == [10, other, 12]
    assert clip.takes[1].receipt.notes[-1] == (
        f"The take with seed 11 sounded like speech, by its signal alone: rolled again with seed {other}."
    )
    assert len(list(media_folder(tmp_path / "out.otio").iterdir())) == 3, "the take that leaked is gone"
    verdicts = verify(read_timeline(tmp_path / "out.otio"), tmp_path / "out.otio", ScriptedClient())
    assert {verdict.outcome for verdict in verdicts} == {"same"}


def test_a_take_that_leaks_again_stays_as_it_first_was(cut, tmp_path, monkeypatch):
    leaking_seeds(monkeypatch, 11, 11 + SEED_STEP)
    client = ScriptedClient()
    clip = made(cut, tmp_path / "out.otio", client)
    assert len(client.jobs) == 2
    assert clip.takes[1].receipt.seed == 11
    assert clip.takes[1].receipt.notes[-1].endswith(f"and so does seed {11 + SEED_STEP}.")
    assert clip.takes[1].path.is_file()


@pytest.mark.parametrize(("leak_check", "note"), [("warn", "sounds like speech, by its signal alone"), ("off", "")])
def test_by_itself_it_is_only_said(cut, tmp_path, monkeypatch, leak_check, note):
    leaking_seeds(monkeypatch, 11)
    client = ScriptedClient()
    clip = made(cut, tmp_path / "out.otio", client, leak_check)
    assert len(client.jobs) == 1
    assert any(note and note in one for one in clip.notes) == bool(note)
    assert (clip.takes[1].receipt.leaks is None) == (leak_check == "off")


def test_of_a_part_made_anew_only_the_part_counts(cut, tmp_path, monkeypatch):
    made(cut, tmp_path / "out.otio", ScriptedClient(), "off", takes=1)
    leaking_seeds(monkeypatch, 10)  # the old take's tone, which stands around the part
    timeline = read_timeline(tmp_path / "out.otio")
    settings = FoleySettings("boots", seed=500, leak_check="reroll")
    part, client = region_of_range(timeline, "f20", "f60"), ScriptedClient()
    regenerate(timeline, tmp_path / "out.otio", "foley-1", settings, client, tmp_path / "again.otio", part=part)
    assert len(client.jobs) == 1
    again = find_clip(read_timeline(tmp_path / "again.otio"), "foley-1").chosen.receipt
    assert again.leaks == {"is_speech_like": False, "is_music_like": False}
