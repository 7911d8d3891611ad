"""How often the leak check is wrong: real recordings without speech or music, synthesised ones with.

`python tests/benchmarks/leaks.py RECORDINGS [--count 400]`: RECORDINGS is a folder with a `manifest.csv` of `path`,
`category` and `seconds`. Speech comes from `espeak-ng` (Debian package), music from this file; both are also mixed with
the recordings. No real speech or music is in it: what is found of these in real leaks, this does not say.
"""

import argparse
import csv
import json
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import soundfile

from diffava_resolve.frames.mono_16k import RATE_HZ
from diffava_resolve.frames.syllables import measure_syllables
from diffava_resolve.frames.tuned_notes import measure_tuned_notes

SECONDS = 6
VOICES = (
    *("en-us", "en-gb", "de", "fr-fr", "es", "it", "ru", "pl", "en-us+f2", "en-gb+f3", "de+f4", "fr-fr+f1"),
    *("en-us+m3", "es+m5", "it+f5", "sv", "nl+f2", "en-gb-scotland+m2", "pt+f3", "cs"),
)
SENTENCES = (
    "Could you please bring me the other box from the kitchen before we leave",
    "It was a bright cold day in April and the clocks were striking thirteen",
    "No no, wait, listen to me, we have to go back now",
    "The quick brown fox jumps over the lazy dog near the river",
    "Tomorrow the weather will be fine in the north with some light rain in the evening",
)


def recording(path: Path) -> np.ndarray:
    """The first seconds, mono at 16 kHz."""
    blocks, resampler = [], av.AudioResampler("flt", "mono", RATE_HZ)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            blocks += [part.to_ndarray()[0] for part in resampler.resample(frame)]
            if sum(map(len, blocks)) > SECONDS * RATE_HZ:
                break
    return np.concatenate(blocks)[: SECONDS * RATE_HZ]


def recordings(folder: Path, count: int) -> list[tuple[str, np.ndarray]]:
    with (folder / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if float(row["seconds"]) >= 1]
    np.random.default_rng(0).shuffle(rows)
    return [(row["category"], recording(folder / row["path"])) for row in rows[:count]]


def spoken() -> Iterator[np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spoken.wav"
        for number, voice in enumerate(np.repeat(VOICES, 3)):
            speed, text = 140 + number % 3 * 25, SENTENCES[(number + number % 3) % len(SENTENCES)]
            subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-w", str(path), text], check=True)
            yield recording(path)


def played(seed: int) -> np.ndarray:
    """Chords, most of them with a melody, on one of twelve scales."""
    draw = np.random.default_rng(seed)
    sound = np.zeros(SECONDS * RATE_HZ)
    beat_s, scale = 60 / draw.uniform(70, 140), np.array([0, 2, 4, 5, 7, 9, 11]) + draw.integers(0, 12)
    roots, fall = ((0, 5, 3, 4), (0, 3, 4, 0))[draw.integers(2)], draw.uniform(1, 2)
    has_melody = draw.random() < 0.7

    def note(key: int, at_s: float, length_s: float, level: float) -> None:
        first = int(at_s * RATE_HZ)
        time_s = np.arange(min(int(length_s * RATE_HZ), len(sound) - first)) / RATE_HZ
        pitch_hz = 440 * 2 ** ((key - 69) / 12)
        tone = sum(np.sin(2 * np.pi * pitch_hz * k * time_s) / k**fall for k in range(1, 9) if pitch_hz * k < 7000)
        shape = np.minimum(time_s / 0.01, 1) * np.exp(-time_s * draw.uniform(0.5, 3))
        sound[first : first + len(time_s)] += level * tone * shape

    for beat in range(int(SECONDS / beat_s)):
        degree = roots[beat // 4 % 4]
        if beat % 2 == 0 and (draw.random() < 0.8 or not has_melody):
            for step in (0, 2, 4):
                note(48 + scale[(degree + step) % 7] + 12 * ((degree + step) // 7), beat * beat_s, 2 * beat_s, 0.15)
        for half in range(2 if has_melody else 0):
            note(60 + scale[draw.integers(0, 7)], (beat + half / 2) * beat_s, beat_s / 2, 0.25)
    return sound


def mixed(sound: np.ndarray, foley: np.ndarray, louder_db: float) -> np.ndarray:
    beside = np.resize(foley, len(sound))
    gain = np.sqrt(np.mean(sound**2) / (np.mean(beside**2) + 1e-12)) * 10 ** (-louder_db / 20)
    return sound + gain * beside


def share(sounds: list[np.ndarray], is_like: Callable[[Path], bool]) -> list[bool]:
    with tempfile.TemporaryDirectory() as folder:
        path, found = Path(folder) / "sound.wav", []
        for sound in sounds:
            soundfile.write(path, sound, RATE_HZ, "FLOAT")
            found.append(is_like(path))
        return found


def is_speech_like(path: Path) -> bool:
    return measure_syllables(path).is_speech_like


def is_music_like(path: Path) -> bool:
    return measure_tuned_notes(path).is_music_like


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--count", type=int, default=400)
    arguments = parser.parse_args()
    foley = recordings(arguments.recordings, arguments.count)
    long = [sound for _, sound in foley if len(sound) >= 4 * RATE_HZ]
    sets = {"music": ([played(seed) for seed in range(40)], is_music_like)}
    if shutil.which("espeak-ng"):
        sets["speech"] = (list(spoken()), is_speech_like)
    figures = {}
    for name, (sounds, is_like) in sets.items():
        wrong = share([sound for _, sound in foley], is_like)
        figures[name] = {
            "recordings": len(foley),
            "wrongly_found": sum(wrong),
            "of_categories": dict(Counter(kind for (kind, _), found in zip(foley, wrong, strict=True) if found)),
            "found": float(np.mean(share(sounds, is_like))),
        }
        for louder_db in (10, 0):
            among = [mixed(sound, long[number * 7 % len(long)], louder_db) for number, sound in enumerate(sounds)]
            figures[name][f"found_{louder_db}_db_above_foley"] = float(np.mean(share(among, is_like)))
        print(f"{name:8}", *(f"{key} {value}" for key, value in figures[name].items()), sep="  ")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
