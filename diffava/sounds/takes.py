"""Recordings cut into takes: single contacts and calls that begin at their onset, and textures. Knows no model.

Reading and cutting a folder takes a minute, so the result is kept beside it in a cache, keyed by what it was made of.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from jaxtyping import Float, Int16

from diffava.errors import DataError
from diffava.sounds.kinds import Action, kind_named
from diffava.sounds.recordings import Recording, Split

RATE_HZ = 48_000
CUTTING_VERSION = 3  # part of the cache's name: raise it when the cutting changes
LONGEST_S: dict[Action, float] = {"impact": 2.0, "voice": 3.0, "texture": 20.0}
SHORTEST_S = 0.03
BLOCK_SAMPLES = 240  # 5 ms: how finely levels are measured
SILENT_DB = -38.0  # below the loudest block: what is trimmed, and what parts two events
ONSET_DB = -20.0  # below the loudest block: where an event begins
ECHO_DB = 24.0  # below the recording's loudest block: a breath or an echo beside the event, and no event
GAP_S = 0.12  # silence that parts two events of one recording
LEAD_S = 0.002  # kept before an onset, so that its edge is not cut
FADE_S = 0.02


@dataclass(frozen=True)
class Take:
    """One sound: where its samples lie in the library, of which kind it is, and who may learn from it."""

    kind: str
    split: Split
    origin: str
    label: str
    start: int
    stop: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return (self.stop - self.start) / RATE_HZ


class TakeLibrary:
    """All takes of a folder, as 16-bit samples at 48 kHz, each with a peak of half scale."""

    def __init__(self, samples: Int16[np.ndarray, "S"], takes: tuple[Take, ...]) -> None:
        self._samples = samples
        self.takes = takes
        self._of: dict[tuple[str, Split], list[Take]] = {}
        for take in takes:
            self._of.setdefault((take.kind, take.split), []).append(take)

    def of(self, kind: str, split: Split) -> list[Take]:
        """The takes of a kind in a split; perhaps none."""
        return self._of.get((kind, split), [])

    def kinds_in(self, split: Split) -> tuple[str, ...]:
        """The kinds that have a take in a split, in alphabetical order."""
        return tuple(sorted(kind for kind, found in self._of if found == split))

    def waveform(self, take: Take) -> Float[np.ndarray, "S"]:
        """The samples of a take in float32."""
        return self._samples[take.start : take.stop].astype(np.float32) / np.float32(32768)


def load_takes(recordings: Iterable[Recording], cache_folder: Path) -> TakeLibrary:
    """Cut recordings into takes, or read them from the cache.

    Raises:
        DataError: A recording cannot be decoded.
    """
    recordings = tuple(recordings)
    key = hashlib.sha256(f"{CUTTING_VERSION}".encode())
    for recording in recordings:
        key.update(
            f"{recording.path.name} {recording.kind} {recording.split} {recording.path.stat().st_size}\n".encode()
        )
    stem = cache_folder / f"takes-{key.hexdigest()[:16]}"
    index, data = stem.with_suffix(".json"), stem.with_suffix(".npy")
    if not index.exists():
        cache_folder.mkdir(parents=True, exist_ok=True)
        _write_cache(recordings, index, data)
    takes = tuple(Take(**entry) for entry in json.loads(index.read_text("utf-8")))
    return TakeLibrary(np.load(data, mmap_mode="r"), takes)


def _write_cache(recordings: tuple[Recording, ...], index: Path, data: Path) -> None:
    takes: list[Take] = []
    pieces: list[Any] = []
    position = 0
    for recording in recordings:
        for samples in cut(read_mono(recording.path), kind_named(recording.kind).action):
            pieces.append(np.round(samples * (16384 / np.abs(samples).max())).astype(np.int16))
            stop = position + len(samples)
            takes.append(Take(recording.kind, recording.split, recording.origin, recording.label, position, stop))
            position = stop
    unfinished = data.with_suffix(f".{os.getpid()}.npy")
    np.save(unfinished, np.concatenate(pieces))
    unfinished.replace(data)
    unfinished = index.with_suffix(f".{os.getpid()}.json")
    unfinished.write_text(json.dumps([asdict(take) for take in takes]), "utf-8")
    unfinished.replace(index)  # last: a cache without its index does not exist


def read_mono(path: Path) -> Float[np.ndarray, "S"]:
    """A recording's mean over channels, at 48 kHz, without its constant part.

    Raises:
        DataError: The file cannot be decoded.
    """
    try:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path} cannot be decoded ({error}); fetch the recordings again.") from error
    mono = samples.mean(axis=1)
    at_rate: np.ndarray = soxr.resample(mono - mono.mean(), rate_hz, RATE_HZ)
    return at_rate.astype(np.float32)


def cut(samples: Float[np.ndarray, "S"], action: Action) -> list[Float[np.ndarray, "_"]]:
    """The takes in a recording: every contact or call by itself from its onset on, a texture whole but trimmed."""
    level_db = _level_db(samples)
    if not len(level_db) or level_db.max() < -70:
        return []
    loud = level_db > level_db.max() + SILENT_DB
    spans = _spans(loud, 10**9 if action == "texture" else round(GAP_S * RATE_HZ / BLOCK_SAMPLES))
    takes = []
    for first, stop in spans:
        onset = first
        if action != "texture":
            above = np.flatnonzero(level_db[first:stop] > level_db[first:stop].max() + ONSET_DB)
            if level_db[first:stop].max() < level_db.max() - ECHO_DB:
                continue
            onset += int(above[0])
        start = max(0, onset * BLOCK_SAMPLES - round(LEAD_S * RATE_HZ))
        end = min(stop * BLOCK_SAMPLES, start + round(LONGEST_S[action] * RATE_HZ))
        if end - start >= SHORTEST_S * RATE_HZ:
            takes.append(_faded(samples[start:end]))
    return takes


def _level_db(samples: Float[np.ndarray, "S"]) -> Float[np.ndarray, "N"]:
    blocks = samples[: len(samples) // BLOCK_SAMPLES * BLOCK_SAMPLES].reshape(-1, BLOCK_SAMPLES)
    level_db: np.ndarray = 10 * np.log10(np.mean(blocks**2, axis=1) + 1e-12)
    return level_db


def _spans(loud: Any, gap: int) -> list[tuple[int, int]]:
    """Runs of loud blocks, joined where less than `gap` quiet ones lie between."""
    spans: list[tuple[int, int]] = []
    for block in np.flatnonzero(loud):
        if spans and block - spans[-1][1] < gap:
            spans[-1] = (spans[-1][0], int(block) + 1)
        else:
            spans.append((int(block), int(block) + 1))
    return spans


def _faded(samples: Float[np.ndarray, "S"]) -> Float[np.ndarray, "S"]:
    fade = min(round(FADE_S * RATE_HZ), len(samples) // 2)
    faded = samples.copy()
    faded[len(faded) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return faded
