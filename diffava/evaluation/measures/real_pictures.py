"""On real pictures: does the generated sound's timing go with its own film, or with any film as well?

Onset accuracy and average precision by CondFoleyGen's protocol, in windows of its 2 s, against the films' own sound.
The permutation tests lay the same sounds on shuffled films: over all films, and, stricter, only over windows of one
film, so that how busy a film is cannot pass for timing. Windows whose own sound has no onset are left out.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from diffava.evaluation.figures import Figure, mean_figure
from diffava.evaluation.film import Film, film_pictures, film_sound, read_films
from diffava.evaluation.sounds import Sounds
from diffava.metrics.resampling import shuffled_pairs_p_value
from diffava.sounds.takes import RATE_HZ
from diffava.spec import FoleyRequest

KINDS = ("impact", "event")  # textures have no onsets to be right about
WINDOW_S = 2
LONGEST_S = 10.0
SEEDS = (8_900_000_001, 8_900_000_002)  # two sounds a film, since films are few


def real_pictures(sounds: Sounds, folder: Path) -> list[Figure]:
    """Accuracy and average precision on the films of a folder, and the p-value of each permutation test."""
    accuracy, precision, films = _agreements(sounds, read_films(folder, KINDS))
    figures = []
    for key, title, table in (("accuracy", "onset accuracy", accuracy), ("ap", "onset AP", precision)):
        aligned = mean_figure(f"films_{key}", f"{title} on real films, own picture", list(np.diag(table)))
        _, shuffled, p = shuffled_pairs_p_value(table)
        _, within, p_within = shuffled_pairs_p_value(table, films)
        count = len(table)
        figures += [
            replace(aligned, at_least=float(np.nextafter(shuffled, np.inf))),
            Figure(f"films_{key}_shuffled", f"{title}, films shuffled", shuffled, count=count),
            Figure(f"films_{key}_p", f"{title}, p-value of that", p, count=count, at_most=0.05),
            Figure(f"films_{key}_shuffled_within", f"{title}, windows of a film shuffled", within, count=count),
            Figure(f"films_{key}_p_within", f"{title}, p-value of that", p_within, count=count),
        ]
    return figures


def _agreements(
    sounds: Sounds, films: tuple[Film, ...]
) -> tuple[Float[np.ndarray, "N N"], Float[np.ndarray, "N N"], Int64[np.ndarray, "N"]]:
    """How each window's sound (rows) agrees with each window's reference (columns), meaned over seeds."""
    from diffava.metrics.condfoleygen import condfoleygen_onsets, onset_agreement  # librosa takes seconds to load

    references: list[Any] = []
    found: list[list[Any]] = []
    numbers: list[int] = []
    for number, film in enumerate(films):
        own = film_sound(film.path)
        made = [_generated(sounds, film, seed) for seed in SEEDS]
        length = min(len(own), *(len(one) for one in made)) // (WINDOW_S * RATE_HZ)
        for window in range(length):
            part = slice(window * WINDOW_S * RATE_HZ, (window + 1) * WINDOW_S * RATE_HZ)
            wanted = condfoleygen_onsets(own[part], RATE_HZ)
            if wanted.samples:
                references.append(wanted)
                found.append([condfoleygen_onsets(one[part], RATE_HZ) for one in made])
                numbers.append(number)
    agreed = [[[onset_agreement(wanted, one) for one in row] for wanted in references] for row in found]
    accuracy = np.array([[np.mean([one.accuracy for one in cell]) for cell in row] for row in agreed])
    precision = np.array([[np.mean([one.average_precision for one in cell]) for cell in row] for row in agreed])
    return accuracy, precision, np.array(numbers)


def _generated(sounds: Sounds, film: Film, seed: int) -> Float[np.ndarray, "S"]:
    def make() -> Float[np.ndarray, "S"]:
        generator = sounds.generator
        pictures = film_pictures(film.path, generator.frame_rate, generator.frame_size_pixels, LONGEST_S)
        sample_count = int(len(pictures) / generator.frame_rate * RATE_HZ)
        request = FoleyRequest(film.seen, sample_count, (seed,), frame_count=len(pictures))
        return generator.generate(request, pictures)

    return sounds.kept(sounds.folder / "films" / f"{film.path.stem}-{seed}.flac", make)
