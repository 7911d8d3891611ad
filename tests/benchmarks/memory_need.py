"""What jobs need of the memory, against what the engine says beforehand (`EngineModel.memory_bytes`); on a CPU.

    python tests/benchmarks/memory_need.py [--model mini] [--jobs 8x1 8x4 60x1 600x4]

Each job (seconds x takes, with pictures) runs in a fresh process with an engine of its own; its need is the highest
resident memory of that process. The estimate must not be below it. The last line is one JSON object.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

LARGEST_RATIO = 2.0  # of the estimate to the need: above it, jobs that fit would be refused


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--jobs", nargs="+", default=["8x1", "8x4", "60x1", "600x4"])
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        print(json.dumps(alone(arguments.model, *(int(part) for part in arguments.alone.split("x")))))
        return 0
    rows = {}
    for job in arguments.jobs:
        command = [sys.executable, __file__, "--model", arguments.model, "--alone", job]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows[job] = found = json.loads(done.stdout.splitlines()[-1])
        need_mib, estimate_mib = found["need_bytes"] / 2**20, found["estimate_bytes"] / 2**20
        print(f"{job:8} needs {need_mib:7.0f} MiB, estimated {estimate_mib:7.0f}: {estimate_mib / need_mib:.2f}")
    ratios = [row["estimate_bytes"] / row["need_bytes"] for row in rows.values()]
    result = {"lowest": round(min(ratios), 2), "highest": round(max(ratios), 2), "jobs": rows}
    print(json.dumps({"benchmark": "memory_need", "model": arguments.model, **result}))
    return 0 if min(ratios) >= 1 and max(ratios) <= LARGEST_RATIO else 1


def alone(model_name: str, seconds: int, take_count: int) -> dict[str, int]:
    from diffava_server.engine.local import LocalEngine
    from diffava_server.engine.protocol import FrameBlock, Job
    from support.seats import CollectingSeat

    engine = LocalEngine((model_name,), "cpu")
    model = engine.models()[0]
    sample_count = seconds * model.sample_rate_hz
    job = Job(
        model.name,
        "footsteps on gravel",
        sample_count,
        tuple(range(take_count)),
        frame_count=model.frame_count(sample_count),
        step_count=2,  # of which the memory does not hang
        guidance_scale=2.0,
        sampler=model.default_sampler,
    )

    def frames() -> Iterator[FrameBlock]:
        for first in range(0, job.frame_count, 16):
            count = min(16, job.frame_count - first)
            yield FrameBlock(first, count, bytes(count * model.frame_bytes))

    seat = CollectingSeat(job, frames(), emit=lambda event: None)
    engine.run([seat])
    assert seat.errors == [None]
    status = Path("/proc/self/status").read_text()
    peak_kib = int(status.partition("VmHWM:")[2].split()[0])
    return {"need_bytes": peak_kib << 10, "estimate_bytes": model.memory_bytes(job)}


if __name__ == "__main__":
    sys.exit(main())
