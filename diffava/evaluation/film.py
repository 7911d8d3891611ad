"""Real films for the benchmark: pictures at a model's rate and size, and sound at 48 kHz. Knows no model.

Pictures are fitted whole into the square with black bars, as an editor's plugin sends them.
"""

import csv
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float, UInt8

from diffava.errors import DataError
from diffava.sounds.takes import RATE_HZ
from diffava.training.prepared.media import fit_picture

MANIFEST = "manifest.csv"


@dataclass(frozen=True)
class Film:
    """One row of a folder's manifest: the file and what is seen in it."""

    path: Path
    seen: str


def read_films(folder: Path, kinds: tuple[str, ...]) -> tuple[Film, ...]:
    """The films of a folder that have sound and are of these kinds (columns path, seen, kind and has_audio).

    Raises:
        DataError: There is no manifest, or it lacks a column.
    """
    path = folder / MANIFEST
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["has_audio"] == "yes" and row["kind"] in kinds]
    except (OSError, KeyError) as error:
        wanted = "path, seen, kind and has_audio"
        raise DataError(
            f"{path} cannot be read ({error}); give a folder of films with its manifest ({wanted})."
        ) from error
    return tuple(Film(folder / row["path"], row["seen"]) for row in rows)


def film_pictures(
    path: Path, frame_rate: Fraction, size_pixels: int, longest_s: float
) -> UInt8[np.ndarray, "F height width 3"]:
    """The picture shown at the middle of each frame of the model, from the film's start.

    Raises:
        DataError: The file has no pictures.
    """
    shown: list[np.ndarray] = []
    fitted: np.ndarray | None = None
    with av.open(str(path)) as container:
        first_s: float | None = None
        frame_s = float(1 / (container.streams.video[0].average_rate or frame_rate))
        for frame in container.decode(video=0):
            time_s = frame.time if first_s is None else frame.time - first_s
            first_s = frame.time if first_s is None else first_s
            # Until this frame is shown, the one before it is.
            while fitted is not None and len(shown) < longest_s * frame_rate and _centre_s(shown, frame_rate) < time_s:
                shown.append(fitted)
            if len(shown) >= longest_s * frame_rate:
                break
            fitted = fit_picture(frame, size_pixels)
        if fitted is None:
            raise DataError(f"{path} has no pictures; take it out of the manifest.")
        while len(shown) < longest_s * frame_rate and _centre_s(shown, frame_rate) < time_s + frame_s:
            shown.append(fitted)
    return np.stack(shown)


def film_sound(path: Path) -> Float[np.ndarray, "S"]:
    """The film's sound at 48 kHz, the mean of its channels.

    Raises:
        DataError: The file has no sound.
    """
    with av.open(str(path)) as container:
        if not container.streams.audio:
            raise DataError(f"{path} has no sound; take it out of the manifest or say has_audio=no.")
        resampler = av.AudioResampler("fltp", None, RATE_HZ)
        blocks = [out.to_ndarray() for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        blocks += [out.to_ndarray() for out in resampler.resample(None)]
    return np.asarray(np.concatenate(blocks, axis=1).mean(0), np.float32)


def _centre_s(shown: list[np.ndarray], frame_rate: Fraction) -> float:
    return float((len(shown) + Fraction(1, 2)) / frame_rate)
