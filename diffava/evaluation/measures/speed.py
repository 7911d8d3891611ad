"""Fast on a laptop: 8 s of picture to 8 s of sound, warm, from the file that is decoded to the WAV that is written."""

import statistics
import tempfile
import time
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile

from diffava.evaluation.cases import render_unseen
from diffava.evaluation.figures import Figure
from diffava.evaluation.film import film_pictures
from diffava.evaluation.generators import Generator
from diffava.sounds.composition import draw_clip
from diffava.sounds.takes import RATE_HZ, TakeLibrary
from diffava.spec import FoleyRequest, Progress

LENGTH_S = 8
FILM_RATE, FILM_WIDTH_PIXELS, FILM_HEIGHT_PIXELS = 24, 1280, 720
ROUNDS = 3  # after one that warms up
MOST_S = 4.0


def speed(generator: Generator, library: TakeLibrary) -> list[Figure]:
    """The median seconds of each stage and of all; encoding the condition counts to the latent, which waits for it."""
    stages: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        film = _film(Path(folder) / "film.mp4", library)
        for number in range(ROUNDS + 1):
            took = _run(generator, film, Path(folder) / "sound.wav", number)
            for stage, seconds in took.items():
                if number:
                    stages[stage].append(seconds)
    figures = [
        Figure(f"speed_{stage}", f"{stage}, {LENGTH_S} s", statistics.median(all_s), count=ROUNDS, unit="s")
        for stage, all_s in stages.items()
    ]
    total = statistics.median(map(sum, zip(*stages.values(), strict=True)))
    title = f"{LENGTH_S} s of picture to a WAV"
    return [*figures, Figure("speed_total", title, total, count=ROUNDS, unit="s", at_most=MOST_S)]


def _run(generator: Generator, film: Path, wav: Path, seed: int) -> dict[str, float]:
    """The seconds of each stage, in their order; a stage ends at its last report."""
    ends: dict[str, float] = {}

    def note(progress: Progress) -> None:
        ends[progress.stage] = time.perf_counter()

    started = time.perf_counter()
    pictures = film_pictures(film, generator.frame_rate, generator.frame_size_pixels, LENGTH_S)
    ends["decode"] = time.perf_counter()
    request = FoleyRequest("footsteps", LENGTH_S * RATE_HZ, (seed,), frame_count=len(pictures))
    samples = generator.generate(request, pictures, note)
    ends["waveform"] = time.perf_counter()
    soundfile.write(wav, samples, RATE_HZ, "PCM_24")
    ends["WAV"] = time.perf_counter()
    order = sorted(ends, key=lambda stage: ends[stage])
    before = [started, *(ends[stage] for stage in order)]
    return {stage: ends[stage] - begin for stage, begin in zip(order, before, strict=False)}


def _film(path: Path, library: TakeLibrary) -> Path:
    """A film of 720 lines whose pictures are a scene's, three times as large."""
    score = draw_clip(library, "held_out", LENGTH_S, 0, kinds=("footsteps_hard",)).score
    pictures = render_unseen(score, Fraction(FILM_RATE), 240)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FILM_RATE)
        stream.width, stream.height, stream.pix_fmt = FILM_WIDTH_PIXELS, FILM_HEIGHT_PIXELS, "yuv420p"
        for picture in pictures:
            wide = np.zeros((FILM_HEIGHT_PIXELS, FILM_WIDTH_PIXELS, 3), np.uint8)
            wide[:, 280:1000] = picture.repeat(3, 0).repeat(3, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(wide, "rgb24")))
        container.mux(stream.encode(None))
    return path
