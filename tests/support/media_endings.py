"""Decodes media that were mutilated and says how they ended; `wrong` is whatever must not be."""

import time
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from diffava_resolve.decoding.decoders import Decoders
from diffava_resolve.decoding.limits import Limits
from diffava_resolve.errors import MediaError
from diffava_resolve.frames import reader
from diffava_resolve.spec import FrameFormat, Layer, MovieFile, Picture, Region, Segment
from support.mutated_media import mutated, written

LIMITS = Limits(answer_s=5.0)
FORMAT = FrameFormat(Fraction(25), 32, 32)
RATE, FRAMES = Fraction(25), 10


@dataclass
class Endings:
    """How the files ended."""

    count: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0
    largest_mib: float = 0.0
    crashes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def decode_all(folder: Path, numbers: range, seed: int) -> Endings:
    """Mutilate and decode; the file of a crash is named by its number."""
    (folder / "whole").mkdir()
    names = written(folder / "whole")
    originals = [path.read_bytes() for path in names]
    endings, decoders = Endings(), Decoders(LIMITS)
    try:
        for number in numbers:
            which, data = mutated(originals, number, seed)
            path = folder / f"{number}{names[which].suffix}"
            path.write_bytes(data)
            decode(path, decoders, endings)
            path.unlink()
    finally:
        decoders.close()
    return endings


def decode(path: Path, decoders: Decoders, endings: Endings) -> None:
    picture = Picture(
        Region(RATE, 0, 0, FRAMES),
        (Segment(0, FRAMES, (Layer(MovieFile(path), Fraction(0), Fraction(0), Fraction(1)),)),),
        (),
    )
    started_s = time.monotonic()
    try:
        shapes = [block.shape for block in decoders.run(reader.frames_of, picture, FORMAT)]
        ending = "pictures"
        if sum(shape[0] for shape in shapes) != FRAMES or any(shape[1:] != (32, 32, 3) for shape in shapes):
            endings.wrong.append(f"{path.name}: {shapes}")
    except MediaError as error:
        text = str(error)
        ending = text.replace(str(path), "FILE").split("(")[0].split(" for the picture at")[0].split(" after ")[0][:70]
        if "\n" in text or not text.endswith(".") or str(path) not in text:
            endings.wrong.append(text)
        if "brought its decoder down" in text:
            endings.crashes.append(f"{path.name}: {text}")
    except Exception as error:  # what must not be
        ending = repr(error)
        endings.wrong.append(f"{path.name}: {error!r}")
    took_s = time.monotonic() - started_s
    if took_s > LIMITS.answer_s + 2:
        endings.wrong.append(f"{path.name} took {took_s:.1f} s")
    endings.count[ending] += 1
    endings.longest_s = max(endings.longest_s, took_s)
    endings.largest_mib = max(endings.largest_mib, *(peak_mib(pid) for pid in decoders.pids), 0.0)


def peak_mib(pid: int) -> float:
    """The most that a process has had in memory, by Linux's count."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
