"""How much memory a preparation holds: 100,000 clips through a decoder and an encoder that only pretend.

The pretended clip has the sizes of AudioLDM's: 80 pictures of 224 x 224 and 10.24 s of sound are decoded; 10 seconds
of 512 and 768 numbers and two captions are kept (28 KB), with `--latents` also a latent of 8 x 256 x 16 (94 KB).
Shards are written, hashed and flushed as in earnest. Afterwards the first batches of an epoch are read.

    python tests/benchmarks/preparing.py --clips 100000
"""

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from diffava.training.corpora.corpus import Clip
from diffava.training.prepared.batches import Feed
from diffava.training.prepared.clips import PreparedClips
from diffava.training.prepared.media import Media
from diffava.training.prepared.preparation import prepare

BUDGET_MB = 1000
BATCHES = 50
SIZES = {"seconds": (10, 512), "sound": (512,), "video": (10, 768), "captions": (2, 512)}
LATENT = {"latent": (8, 256, 16)}
BROKEN = 100  # one clip in so many cannot be read


class Pretended:
    """A list of numbered clips."""

    missing = ()

    def __init__(self, count: int) -> None:
        self._count, self.info = count, {"corpus": "pretended", "licence": "none"}

    def clips(self, clip_s: float) -> Iterator[Clip]:
        for number in range(self._count):
            captions = tuple(f"caption {k} of clip {number}" for k in range(2))
            yield Clip(f"clip-{number:07d}", f"clip-{number:07d}", Path(f"{number}.mp4"), 0.0, clip_s, captions)


class Encoder:
    """Numbers of the right sizes."""

    clip_s = 10.24

    def __init__(self, *, latents: bool) -> None:
        self._sizes = SIZES | LATENT if latents else SIZES
        self.key: Mapping[str, Any] = {"model": "pretended"}

    def encode(self, media: Media, captions: tuple[str, ...]) -> Mapping[str, np.ndarray]:
        first = np.float16(media.samples[0] % 1000)
        return {name: np.full(size, first, np.float16) for name, size in self._sizes.items()}


def read(clip: Clip) -> Media:
    number = int(clip.path.stem)
    if number % BROKEN == BROKEN - 1:
        from diffava.errors import DataError

        raise DataError(f"{clip.path} is broken.")
    return Media(np.zeros((80, 224, 224, 3), np.uint8), np.full(491_520, number, np.float32))


def peak_mb() -> float:
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1.024) / scale


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--latents", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--work", type=Path, help="where the shards go, 3 GB, with latents 9 GB; a temporary folder if not given"
    )
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(dir=options.work))
    imports_mb, began = peak_mb(), time.monotonic()
    marks: dict[int, float] = {}

    def on_clip(done: int, skipped: int) -> None:
        if (done + skipped) % (options.clips // 10) == 0:
            marks[done + skipped] = round(peak_mb(), 1)

    try:
        summary = prepare(
            Pretended(options.clips),
            Encoder(latents=options.latents),
            read,
            work,
            workers=options.workers,
            on_clip=on_clip,
        )
        prepared_mb, seconds = peak_mb(), time.monotonic() - began
        feed = Feed(PreparedClips([work], held_out_share=0.05), 128)
        for step in range(BATCHES):
            feed.items(step)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    result = {
        "clips": summary.clips,
        "skipped": len(summary.skipped),
        "imports_mb": round(imports_mb, 1),
        "peak_mb_preparing": round(prepared_mb, 1),
        "peak_mb_reading_too": round(peak_mb(), 1),
        "seconds": round(seconds, 1),
        "peak_mb_after_clips": marks,
    }
    for name, value in result.items():
        print(f"{name:22} {value}")
    print(json.dumps({**result, "within_budget": peak_mb() < BUDGET_MB}))


if __name__ == "__main__":
    main()
