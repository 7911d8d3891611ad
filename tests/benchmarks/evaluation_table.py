"""What `diffava evaluate TABLE` costs for 200 pairs: time against the sound's duration, and peak memory.

    python tests/benchmarks/evaluation_table.py [--pairs 200] [--longest-s 4] [--recordings FOLDER] [--table TABLE ...]

References are the beginnings of real recordings if a folder with a manifest is given, and drawn impacts otherwise; the
generated sounds are the same, some milliseconds off, at another level and in faint noise. Networks have random weights
in the published shapes, so times and memory are theirs and figures mean nothing. Each table runs in a process of its
own with nothing kept from before. Linux only, for the memory; the last line is one JSON object.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.random_weights import write_weights

DIFFAVA = (sys.executable, "-c", "from diffava.cli import main; main()")
TABLES = ("timing", "audioldm-eval")
RATE_HZ = 48_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--longest-s", type=float, default=4.0)
    parser.add_argument("--recordings", type=Path)
    parser.add_argument("--table", nargs="+", default=TABLES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="diffava-") as folder:
        work = Path(folder)
        sound_s = write_pairs(work, arguments.recordings, arguments.pairs, arguments.longest_s)
        weights = write_weights(work / "weights", ("vggish", "cnn14"))
        rows = []
        for table in arguments.table:
            rows.append(measure(work, weights, table, sound_s))
            print(json.dumps(rows[-1]), flush=True)  # the next one may take long
    print(f"{'table':<16} {'time s':>8} {'time / sound':>13} {'processor s':>12} {'peak MiB':>9}")
    for row in rows:
        print(
            f"{row['table']:<16} {row['time_s']:8.1f} {row['time_per_sound']:13.3f} {row['processor_s']:12.1f} "
            f"{row['peak_mib']:9.0f}"
        )
    print(
        json.dumps(
            {"benchmark": "evaluation_table", "pairs": arguments.pairs, "sound_s": round(sound_s, 1), "rows": rows}
        )
    )
    return 0


def write_pairs(work: Path, recordings: Path | None, count: int, longest_s: float) -> float:
    """Both folders; how long all their sounds are together, in seconds."""
    rng = np.random.default_rng(0)
    for name in ("generated", "reference"):
        (work / name).mkdir()
    total_s, made = 0.0, 0
    for samples, rate_hz in _references(recordings, rng, longest_s):
        late = round(0.02 * rng.standard_normal() * rate_hz)
        noise = 0.01 * rng.standard_normal(len(samples))
        other = np.clip(np.roll(samples, late) * rng.uniform(0.5, 1) + noise, -1, 1)
        soundfile.write(work / "reference" / f"clip-{made:04}.wav", samples, rate_hz)
        soundfile.write(work / "generated" / f"clip-{made:04}.wav", other, rate_hz)
        total_s += 2 * len(samples) / rate_hz
        made += 1
        if made == count:
            return total_s
    sys.exit(f"{recordings} has only {made} recordings of half a second or more, {count} are wanted")


def _references(recordings, rng, longest_s):
    if recordings is None:
        while True:
            samples = np.zeros(round(longest_s * RATE_HZ))
            for start in rng.integers(0, len(samples) - RATE_HZ // 2, 4):
                burst = rng.standard_normal(RATE_HZ // 2) * np.exp(-np.arange(RATE_HZ // 2) / (0.05 * RATE_HZ))
                samples[start : start + len(burst)] += 0.1 * burst
            yield samples, RATE_HZ
    with (recordings / "manifest.csv").open(encoding="utf-8", newline="") as file:
        paths = [recordings / row["path"] for row in csv.DictReader(file)]
    for path in rng.permutation(np.array(paths, dtype=object)):
        samples, rate_hz = soundfile.read(path, always_2d=True)
        if len(samples) >= rate_hz / 2:
            yield samples[: round(longest_s * rate_hz), 0], rate_hz


def measure(work: Path, weights: Path, table: str, sound_s: float) -> dict:
    """One table in a process of its own; what it prints is shown."""
    started = time.monotonic()
    process = subprocess.Popen(
        [
            *DIFFAVA, "evaluate", table, "--generated", str(work / "generated"), "--reference", str(work / "reference"),
            "--weights", str(weights), "--out", str(work / f"out-{table}"), "--cache", str(work / f"cache-{table}"),
            "--device", "cpu",
        ]
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"`diffava evaluate {table}` ended with exit code {process.returncode}")
    time_s = time.monotonic() - started
    return {
        "table": table,
        "time_s": round(time_s, 1),
        "time_per_sound": round(time_s / sound_s, 3),
        "processor_s": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mib": round(usage.ru_maxrss / 1024),
    }


if __name__ == "__main__":
    sys.exit(main())
