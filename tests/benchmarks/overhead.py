"""What a job costs beside the engine's work: decoding, wire, queue, placing; and what a second take of a shot costs.

    python tests/benchmarks/overhead.py [--model mini] [--seconds 8] [--rounds 5] [--video FILE] [--size 1280x720]

A server with the model on a Unix socket, warm, and beside it, in a process of its own, the same engine without server
or client, its pictures in memory. In turns, so that all suffer the same machine: the engine alone, the shot decoded
and nothing else done, a first take of a shot that nobody knows, a second take of it, and a first take as a person has
it, with the hits looked for in the picture and the take measured for its receipt, which the others leave out; last
the same as a command, from the start of `diffava foley` to its end. A take is a whole `generate_foley`, from the
timeline that was read to the timeline that was written. Seconds on the clock, and seconds of the processor in all
processes together, which other work on the machine changes less. Medians; the last line is one JSON object.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import opentimelineio as otio
import psutil

from diffava_resolve.client.grpc_client import GrpcClient
from diffava_resolve.client.known_pictures import KnownPictures
from diffava_resolve.client.patient_client import PatientClient
from diffava_resolve.decoding import decoders
from diffava_resolve.frames import identity
from diffava_resolve.frames.foreign import frames_of
from diffava_resolve.session import FoleySettings, Wanted, generate_foley
from diffava_resolve.session.measure import TakeMeasure
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_timeline
from diffava_resolve.timeline.viewer import picture_of
from support.clips import write_clip

RATE = Fraction(25)
PROMPT = "footsteps on gravel"
OVERHEAD_BUDGET, SECOND_TAKE_BUDGET = 0.15, 0.8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--video", type=Path, help="at 25 frames a second; by default one is drawn")
    parser.add_argument("--size", default="1280x720", help="of the one that is drawn")
    parser.add_argument("--engine-alone", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.engine_alone:
        return engine_alone(arguments.model, arguments.engine_alone, arguments.seconds)
    identity._SETTLED_NS = 0  # the files of a benchmark are new
    with tempfile.TemporaryDirectory(prefix="diffava-") as folder:
        result = measure(Path(folder), arguments)
    print(json.dumps(result))
    return 0 if result["overhead"] <= OVERHEAD_BUDGET and result["second_take"] <= SECOND_TAKE_BUDGET else 1


def measure(work: Path, arguments: argparse.Namespace) -> dict:
    width, height = (int(part) for part in arguments.size.split("x"))
    video = arguments.video or draw(work / "shot.mp4", width, height, arguments.seconds)
    # A file of our own, so that it may be touched and nobody knows it.
    video = Path(shutil.copy(video, work / f"copy{video.suffix}"))
    timeline = write_timeline(work / "cut.otio", video, arguments.seconds)
    cut = read_timeline(timeline)
    region = region_of_timeline(cut)
    rows: dict[str, list[Cost]] = {name: [] for name in ("engine", "decoded", "first", "second", "measured", "command")}
    with server(work, arguments.model) as client:
        pictures = work / "pictures.npy"
        frame_format = client.info().models[0].frames
        shot = picture_of(cut, region, work)
        np.save(pictures, np.concatenate(list(frames_of(shot, frame_format))))
        with engine_process(arguments, pictures) as engine:

            def take(name: str, seed: int, leak_check: str = "off") -> Cost:
                wanted = [Wanted(region, FoleySettings(PROMPT, seed=seed, leak_check=leak_check))]
                return cost_of(lambda: generate_foley(cut, timeline, wanted, client, work / f"{name}.otio"))

            for number in range(-1, arguments.rounds):  # the first round warms everything
                took = {"engine": engine()}
                took["decoded"] = cost_of(lambda: deque(frames_of(shot, frame_format), maxlen=0))
                client.memory = KnownPictures(work / f"state{number}")
                os.utime(video)
                with unmeasured():
                    took["first"] = take(f"first{number}", 3 * number + 3)
                    took["second"] = take(f"second{number}", 3 * number + 4)
                os.utime(video)
                took["measured"] = take(f"measured{number}", 3 * number + 5, "warn")
                took["command"] = cost_of(partial(run_command, work, timeline, work / f"command{number}.otio"))
                if number >= 0:
                    for name, cost in took.items():
                        rows[name].append(cost)
    for name, costs in rows.items():
        print(f"{name:9} {median(c.clock_s for c in costs):6.3f} s, of the processor {processor(costs):6.3f} s")
    result: dict[str, Any] = {"benchmark": "overhead", "model": arguments.model, "video": arguments.size}
    if arguments.video:
        result["video"] = arguments.video.name
    for name, costs in rows.items():
        result |= {f"{name}_s": round(median(c.clock_s for c in costs), 3), f"{name}_cpu_s": round(processor(costs), 3)}
    pairs = list(zip(rows["engine"], rows["first"], rows["second"], strict=True))
    return result | {
        "overhead": round(median(first.clock_s / engine.clock_s - 1 for engine, first, _ in pairs), 3),
        "overhead_cpu": round(processor(rows["first"]) / processor(rows["engine"]) - 1, 3),
        "second_take": round(median(second.clock_s / first.clock_s for _, first, second in pairs), 3),
        "second_take_cpu": round(processor(rows["second"]) / processor(rows["first"]), 3),
    }


@dataclass(frozen=True)
class Cost:
    """Of one job."""

    clock_s: float
    processor_s: float


def processor(costs: Sequence[Cost]) -> float:
    return median(cost.processor_s for cost in costs)


def processor_s() -> float:
    """What this process and all that it started have used; of those that have ended, what it waited for."""
    whole = psutil.Process()
    own = whole.cpu_times()
    times = [own, *(one.cpu_times() for one in whole.children(recursive=True))]
    return own.children_user + own.children_system + sum(time.user + time.system for time in times)


def cost_of(job: Callable[[], object]) -> Cost:
    start_s, start_processor_s = time.perf_counter(), processor_s()
    job()
    return Cost(time.perf_counter() - start_s, processor_s() - start_processor_s)


def run_command(work: Path, timeline: Path, output: Path) -> None:
    """A first take by the command line; the state folder is its own, so that the shot is known to nobody."""
    diffava = (sys.executable, "-c", "from diffava.cli import main; main()")
    to_server = ("--server", f"unix:{work / 'sock'}", "--token-file", str(work / "token"))
    subprocess.run(
        [*diffava, "foley", str(timeline), "--prompt", PROMPT, *to_server, "-o", str(output)],
        env={**os.environ, "DIFFAVA_STATE_DIR": str(output.with_suffix(""))},
        check=True,
        capture_output=True,
    )


@contextmanager
def unmeasured() -> Iterator[None]:
    """Takes are not measured for their receipts."""
    nothing = {"loudness_lufs": None, "true_peak_dbtp": None, "sync": None}
    with (
        patch.object(TakeMeasure, "of", lambda *_: nothing),
        patch.object(TakeMeasure, "begin", lambda *_: None),
        patch.object(TakeMeasure, "aside", None),
    ):
        yield


def draw(path: Path, width: int, height: int, seconds: int) -> Path:
    """Something that swings before a still background, with a camera's noise, as H.264 with B-frames."""
    rng = np.random.default_rng(7)
    blocks = rng.integers(40, 215, (-(-height // 16), -(-width // 16), 3), np.uint8)
    background = blocks.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
    thing = np.ascontiguousarray(255 - background[: height // 3, : width // 6])

    def pictures() -> Iterator[np.ndarray]:
        for n in range(round(seconds * RATE)):
            picture = background.copy()
            top = round((height - len(thing)) * abs(np.sin(n / 12)))
            picture[top : top + len(thing), width // 3 : width // 3 + thing.shape[1]] = thing
            noise = rng.integers(-1, 2, (height, width, 1), np.int8)
            yield np.clip(picture.astype(np.int16) + noise, 0, 255).astype(np.uint8)

    return write_clip(path, pictures(), RATE, b_frames=2, gop_frames=50)


def write_timeline(path: Path, video: Path, seconds: int) -> Path:
    """One clip over the whole timeline."""
    length = otio.opentime.RationalTime(round(seconds * RATE), float(RATE))
    whole = otio.opentime.TimeRange(otio.opentime.RationalTime(0, float(RATE)), length)
    track = otio.schema.Track("Video 1", kind=otio.schema.TrackKind.Video)
    track.append(otio.schema.Clip("shot", otio.schema.ExternalReference(str(video), whole), whole))
    timeline = otio.schema.Timeline("cut", global_start_time=otio.opentime.RationalTime(0, float(RATE)))
    timeline.tracks.append(track)
    otio.adapters.write_to_file(timeline, str(path))
    return path


@contextmanager
def server(work: Path, model: str) -> Iterator[PatientClient]:
    """A client of a server of its own."""
    token = work / "token"
    command = [sys.executable, "-m", "diffava_server"]
    settings = {
        "DIFFAVA_SERVER_LISTEN": f"unix:{work / 'sock'}",
        "DIFFAVA_SERVER_TOKEN_FILE": str(token),
        "DIFFAVA_SERVER_MODELS": model,
    }
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **settings}
    )
    try:
        process.stdout.readline()  # one line says that it answers
        with PatientClient(GrpcClient(f"unix:{work / 'sock'}", token.read_text().strip())) as client:
            yield client
    finally:
        process.terminate()
        process.wait()


@contextmanager
def engine_process(arguments: argparse.Namespace, pictures: Path) -> Iterator:
    """A function that runs the job once on an engine of its own and gives the seconds."""
    command = [sys.executable, __file__, "--engine-alone", str(pictures), "--model", arguments.model]
    process = subprocess.Popen(
        [*command, "--seconds", str(arguments.seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def once() -> Cost:
        process.stdin.write("go\n")
        process.stdin.flush()
        return Cost(*json.loads(process.stdout.readline()))

    try:
        yield once
    finally:
        process.stdin.close()
        process.wait()


def engine_alone(model: str, pictures: Path, seconds: int) -> int:
    """Run one job for each line of stdin."""
    from diffava_server.engine.local import LocalEngine
    from diffava_server.engine.protocol import FrameBlock, Job

    engine = LocalEngine((model,))
    described = engine.models()[0]
    rgb = np.load(pictures)
    job = Job(
        described.name,
        PROMPT,
        seconds * 48_000,
        (1,),
        frame_count=len(rgb),
        step_count=described.default_step_count,
        guidance_scale=described.default_guidance_scale,
        sampler=described.default_sampler,
    )

    class Alone:
        """The only seat."""

        def __init__(self) -> None:
            self.job = job

        def frames(self) -> Iterator[FrameBlock]:
            for first in range(0, len(rgb), 16):
                part = rgb[first : first + 16]
                yield FrameBlock(first, len(part), part.tobytes())

        def emit(self, event: object) -> None: ...

        def is_cancelled(self) -> bool:
            return False

        def end(self, error: Exception | None = None) -> None:
            if error is not None:
                raise error

    for _ in sys.stdin:
        start_s, start_processor_s = time.perf_counter(), time.process_time()
        engine.run([Alone()])
        print(json.dumps([time.perf_counter() - start_s, time.process_time() - start_processor_s]), flush=True)
    return 0


if __name__ == "__main__":
    decoders.prepare()
    sys.exit(main())
