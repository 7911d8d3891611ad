"""Peak memory and time of a long range against a short one, client and server each.

    python tests/benchmarks/long_range.py [--model nano] [--short-s 30] [--long-s 600]

Each range runs in a fresh server and a fresh client process, on a timeline that repeats one small rendered clip.
Memory is the operating system's high-water mark of resident memory: of the client process, and of the server's
processes added up. Linux only, since it reads /proc. The last line is one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import opentimelineio as otio

RATE = Fraction(24000, 1001)
CLIP_FRAMES = 240
MEMORY_BUDGET_RATIO = 1.3
DIFFAVA = (sys.executable, "-c", "from diffava.cli import main; main()")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--short-s", type=int, default=30)
    parser.add_argument("--long-s", type=int, default=600)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="diffava-") as folder:
        work = Path(folder)
        write_clip(work / "clip.mp4")
        write_timeline(work / "long.otio", work / "clip.mp4", arguments.long_s)
        rows = [measure(work, arguments.model, seconds) for seconds in (arguments.short_s, arguments.long_s)]
    print(f"{'range s':>8} {'client MiB':>11} {'server MiB':>11} {'time s':>8} {'time / range':>13}")
    for row in rows:
        print(
            f"{row['range_s']:8} {row['client_mib']:11.0f} {row['server_mib']:11.0f} {row['time_s']:8.1f} "
            f"{row['time_s'] / row['range_s']:13.3f}"
        )
    short, long = rows
    result = {
        "benchmark": "long_range",
        "model": arguments.model,
        "rows": rows,
        "client_memory_ratio": round(long["client_mib"] / short["client_mib"], 3),
        "server_memory_ratio": round(long["server_mib"] / short["server_mib"], 3),
        "time_per_second_ratio": round(long["time_s"] / long["range_s"] / (short["time_s"] / short["range_s"]), 3),
    }
    print(json.dumps(result))
    kept = max(result["client_memory_ratio"], result["server_memory_ratio"]) <= MEMORY_BUDGET_RATIO
    return 0 if kept else 1


def write_clip(path: Path) -> None:
    """A bright square that moves over grey, `CLIP_FRAMES` long."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(CLIP_FRAMES):
            picture = np.full((180, 320, 3), 60, np.uint8)
            x = number * 280 // CLIP_FRAMES
            picture[70:110, x : x + 40] = 230
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def write_timeline(path: Path, clip: Path, seconds: int) -> None:
    """One video track that plays `clip` again and again for at least `seconds`."""
    duration = otio.opentime.RationalTime(CLIP_FRAMES, float(RATE))
    whole = otio.opentime.TimeRange(otio.opentime.RationalTime(0, float(RATE)), duration)
    track = otio.schema.Track("Video 1", kind=otio.schema.TrackKind.Video)
    for number in range(-(-seconds * RATE.numerator // (RATE.denominator * CLIP_FRAMES)) + 1):
        media = otio.schema.ExternalReference(target_url=str(clip), available_range=whole)
        track.append(otio.schema.Clip(f"clip {number}", media, whole))
    timeline = otio.schema.Timeline("long", global_start_time=otio.opentime.RationalTime(0, float(RATE)))
    timeline.tracks.append(track)
    otio.adapters.write_to_file(timeline, str(path))


def measure(work: Path, model: str, seconds: int) -> dict:
    """Run one range through a server of its own."""
    socket, token = work / f"{seconds}.sock", work / f"{seconds}.token"
    serve = [*DIFFAVA, "serve", "--listen", f"unix:{socket}", "--token-file", str(token)]
    server = subprocess.Popen([*serve, "--model", model], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        server.stdout.readline()  # one line says that it answers
        stop = threading.Event()
        peaks: dict[int, int] = {}
        watch = threading.Thread(target=watch_processes, args=(server.pid, peaks, stop))
        watch.start()
        start = time.monotonic()
        client = subprocess.Popen(
            [
                *DIFFAVA, "foley", str(work / "long.otio"), "--prompt", "a ball rolling",
                "--range", "0s", f"{seconds}s", "--seed", "1", "--server", f"unix:{socket}",
                "--token-file", str(token), "-o", str(work / f"out-{seconds}.otio"),
            ]
        )  # fmt: skip
        _, status, usage = os.wait4(client.pid, 0)
        elapsed_s = time.monotonic() - start
        client.returncode = os.waitstatus_to_exitcode(status)
        stop.set()
        watch.join()
        if client.returncode != 0:
            sys.exit(f"the client ended with exit code {client.returncode}")
        return {
            "range_s": seconds,
            "client_mib": round(usage.ru_maxrss / 1024, 1),
            "server_mib": round(sum(peaks.values()) / 1024, 1),
            "time_s": round(elapsed_s, 2),
        }
    finally:
        server.terminate()
        server.wait()


def watch_processes(root_pid: int, peaks_kib: dict[int, int], stop: threading.Event) -> None:
    """Note the high-water mark of `root_pid` and its descendants until told to stop."""
    while not stop.wait(0.2):
        for pid in descendants(root_pid):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue  # it ended between the listing and the reading
            mark = next((line for line in status.splitlines() if line.startswith("VmHWM")), None)
            if mark:
                peaks_kib[pid] = int(mark.split()[1])


def descendants(root_pid: int) -> list[int]:
    """`root_pid` and every process below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root_pid]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


if __name__ == "__main__":
    sys.exit(main())
