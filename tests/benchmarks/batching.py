"""What is gained by making takes together, and by remembering what pictures say; on a CPU, with `mini` by default.

    python tests/benchmarks/batching.py [--model mini] [--seconds 8] [--rounds 5] [--engine-only]

In the engine: one take of a shot, four takes of it, four editors' takes of four shots in one batch, and a second take
of a shot that it knows. Then the whole job, from a timeline that was read to one that was written, over a server: one
take and four. All in turns, so that all suffer the same machine; medians, and of ratios the median of each turn's. The
last line is one JSON object.
"""

import argparse
import hashlib
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np

from diffava_server.engine.local import LocalEngine
from diffava_server.engine.protocol import FrameBlock, Job
from support.seats import CollectingSeat

FOUR_TAKES_BUDGET = 3.2  # of one take's time


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engine-only", action="store_true")
    arguments = parser.parse_args()
    rows = engine_rows(arguments)
    if not arguments.engine_only:
        rows |= whole_rows(arguments)
    for name, seconds in rows.items():
        print(
            f"{name:28} {statistics.median(seconds):7.3f} s   of {', '.join(f'{one:.3f}' for one in sorted(seconds))}"
        )
    result = {
        "benchmark": "batching",
        "model": arguments.model,
        "seconds": arguments.seconds,
        "engine_one_take_s": round(statistics.median(rows["engine, one take"]), 3),
        "engine_four_takes": ratio(rows, "engine, four takes", "engine, one take"),
        "engine_four_editors": ratio(rows, "engine, four editors", "engine, one take"),
        "engine_second_take": ratio(rows, "engine, second take", "engine, one take"),
        "second_take_encoding_s": round(statistics.median(rows["encoding, second take"]), 4),
    }
    if not arguments.engine_only:
        result["whole_four_takes"] = ratio(rows, "whole, four takes", "whole, one take")
    print(json.dumps(result))
    return 0 if result.get("whole_four_takes", result["engine_four_takes"]) <= FOUR_TAKES_BUDGET else 1


def ratio(rows: dict[str, list[float]], above: str, below: str) -> float:
    return round(statistics.median(one / other for one, other in zip(rows[above], rows[below], strict=True)), 3)


def engine_rows(arguments: argparse.Namespace) -> dict[str, list[float]]:
    engine = LocalEngine((arguments.model,), "cpu")
    model = engine.models()[0]
    sample_count = arguments.seconds * model.sample_rate_hz
    rng = np.random.default_rng(0)

    def shot(*seeds: int) -> tuple[Job, bytes]:
        """Pictures that nobody has seen."""
        frame_count = model.frame_count(sample_count)
        rgb24 = rng.integers(0, 256, frame_count * model.frame_bytes, np.uint8).tobytes()
        job = Job(
            model.name,
            "footsteps on gravel",
            sample_count,
            seeds,
            frame_count=frame_count,
            step_count=model.default_step_count,
            guidance_scale=model.default_guidance_scale,
            sampler=model.default_sampler,
        )
        return job, rgb24

    def timed(*shots: tuple[Job, bytes]) -> tuple[float, float]:
        """How long the batch takes, and how long until its first denoising step."""
        begins: list[float] = []

        def note(event: object) -> None:
            if getattr(event, "stage", "") == "latent" and not begins:
                begins.append(time.perf_counter())

        seats = [CollectingSeat(job, blocks(rgb24, job, model.frame_bytes), emit=note) for job, rgb24 in shots]
        start_s = time.perf_counter()
        engine.run(seats)
        took_s = time.perf_counter() - start_s
        assert [seat.errors for seat in seats] == [[None]] * len(seats)
        return took_s, begins[0] - start_s

    names = ("one take", "four takes", "four editors", "second take")
    rows: dict[str, list[float]] = {f"engine, {name}": [] for name in names}
    rows |= {"encoding, one take": [], "encoding, second take": []}
    for number in range(-1, arguments.rounds):  # the first round warms everything
        job, rgb24 = first = shot(1)
        again = replace(job, seeds=(2,), frames_sha256=hashlib.sha256(rgb24).digest()), b""
        took = [timed(first), timed(shot(1, 2, 3, 4)), timed(shot(1), shot(2), shot(3), shot(4)), timed(again)]
        if number >= 0:
            for name, (took_s, _) in zip(names, took, strict=True):
                rows[f"engine, {name}"].append(took_s)
            rows["encoding, one take"].append(took[0][1])
            rows["encoding, second take"].append(took[3][1])
    return rows


def blocks(rgb24: bytes, job: Job, frame_bytes: int) -> list[FrameBlock]:
    """None for a shot that the engine knows."""
    parts = [rgb24[first : first + 16 * frame_bytes] for first in range(0, len(rgb24), 16 * frame_bytes)]
    return [FrameBlock(16 * number, len(part) // frame_bytes, part) for number, part in enumerate(parts)]


def whole_rows(arguments: argparse.Namespace) -> dict[str, list[float]]:
    import os

    import overhead

    from diffava_resolve.client.known_pictures import KnownPictures
    from diffava_resolve.decoding import decoders
    from diffava_resolve.session import FoleySettings, Wanted, generate_foley
    from diffava_resolve.timeline.read import read_timeline
    from diffava_resolve.timeline.regions import region_of_timeline

    decoders.prepare()
    rows: dict[str, list[float]] = {"whole, one take": [], "whole, four takes": []}
    with (
        tempfile.TemporaryDirectory(prefix="diffava-") as folder,
        overhead.server(Path(folder), arguments.model) as client,
    ):
        work = Path(folder)
        video = overhead.draw(work / "shot.mp4", 1280, 720, arguments.seconds)
        timeline = overhead.write_timeline(work / "cut.otio", video, arguments.seconds)
        cut = read_timeline(timeline)
        region = region_of_timeline(cut)
        for number in range(-1, arguments.rounds):
            for name, take_count in (("one take", 1), ("four takes", 4)):
                client.memory = KnownPictures(work / f"state{number}{take_count}")
                os.utime(video)  # nobody knows this shot: neither client nor server
                wanted = [
                    Wanted(
                        region,
                        FoleySettings("footsteps on gravel", take_count=take_count, seed=2 * number + take_count + 2),
                    )
                ]
                start_s = time.perf_counter()
                generate_foley(cut, timeline, wanted, client, work / f"{name}{number}.otio")
                if number >= 0:
                    rows[f"whole, {name}"].append(time.perf_counter() - start_s)
    return rows


if __name__ == "__main__":
    sys.exit(main())
