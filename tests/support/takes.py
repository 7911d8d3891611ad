"""Builders of takes on disk and of the timelines that hold them."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from diffava_resolve.spec import FoleyJob, FrameFormat, Region
from diffava_resolve.timeline.audio_file import TakeFile, TakeWriter
from diffava_resolve.timeline.place import PlacedTake
from diffava_resolve.timeline.receipts import PictureSource, Receipt
from support.timelines import clip, movie, timeline

ALL_RATES = [
    *(Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001)),
    *(Fraction(30), Fraction(50), Fraction(60000, 1001), Fraction(60)),
]


def noise(sample_count: int, seed: int = 0, level: float = 0.2) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(sample_count) * level).clip(-1, 1).astype(np.float32)


def write_take(path: Path, samples: np.ndarray) -> TakeFile:
    with TakeWriter(path, named_by_content=True, sample_count=len(samples)) as writer:
        writer.write(samples)
        return writer.finish()


def region(rate: Fraction = Fraction(24), start: int = 36, stop: int = 86, label_frame: int = 0) -> Region:
    return Region(rate, label_frame, start, stop)


def receipt(where: Region, wav_sha256: str, take_index: int = 0, prompt: str = "rain on a tent") -> Receipt:
    return Receipt(
        region=where,
        job=FoleyJob(prompt, where.sample_count, seeds=(11, 2**64 - 1, 13), model="nano", cut_samples=(480,)),
        take_index=take_index,
        weights_sha256="ab" * 32,
        model_licence="Apache-2.0",
        commercial_use_allowed=True,
        software_version="0.1.0",
        samples_sha256="cd" * 32,
        wav_sha256=wav_sha256,
        picture=PictureSource(FrameFormat(Fraction(8), 224, 224), 17, "ef" * 32),
        loudness_lufs=-23.5,
        sync={"hits": [0.5, 1.25]},
    )


def placed_takes(folder: Path, where: Region, count: int = 1, prompt: str = "rain on a tent") -> list[PlacedTake]:
    """Takes of noise, each another one."""
    takes = []
    for index in range(count):
        written = write_take(folder / f"take-{index}.wav", noise(where.sample_count, seed=index))
        takes.append(PlacedTake(written.path, receipt(where, written.sha256, index, prompt)))
    return takes


def cut_of_two_shots(rate: Fraction, label_frame: int = 0):
    """200 frames of picture whose media start at a timecode of their own and are not there."""
    shots = [clip(movie(f"/nowhere/shot-{number}.mov", rate, 300, first=86400), 86410, 100, rate) for number in (1, 2)]
    return timeline([shots], rate, label_frame)
