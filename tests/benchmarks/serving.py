"""What a server bears: a crowd of editors, spoilt messages, an engine that dies all the time, hours of work.

    python tests/benchmarks/serving.py crowd [--clients 500]
    python tests/benchmarks/serving.py messages [--count 100000]
    python tests/benchmarks/serving.py kills [--duration-s 300] [--interval-s 10] [--engine nano]
    python tests/benchmarks/serving.py lost [--count 20]
    python tests/benchmarks/serving.py vanish [--count 50]
    python tests/benchmarks/serving.py soak [--duration-s 3600] [--minutes FILE]

Each starts servers of its own. Where no engine is named it is the fake one, which sleeps where a real one computes:
what is measured is everything around it. Ends with 1 where a target is missed. The last line is one JSON object.
"""

import argparse
import asyncio
import importlib.util
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

from diffava_server.load.plan import LoadPlan  # noqa: E402 - `support` is found only now
from support.server import server_config  # noqa: E402
from support.serving.crowd import crowd  # noqa: E402
from support.serving.kills import killed  # noqa: E402
from support.serving.losing import lost  # noqa: E402
from support.serving.messages import LIMITS, answer, mutated  # noqa: E402
from support.serving.soak import GROWTH_LIMIT, into, soak  # noqa: E402
from support.serving.spoilt_calls import spoilt_calls  # noqa: E402
from support.serving.vanishing import vanished  # noqa: E402

CANCELLATIONS_PER_HOUR = 2_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("crowd", "messages", "kills", "lost", "vanish", "soak"))
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--count", type=int)
    parser.add_argument("--duration-s", type=float)
    parser.add_argument("--interval-s", type=float, default=10.0)
    parser.add_argument("--engine", default="")
    parser.add_argument("--minutes", type=Path, help="soak: a file for the figures of each minute")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="diffava-") as folder:
        figures, targets = globals()[f"_{arguments.what}"](arguments, Path(folder))
    for target, is_met in targets.items():
        print(f"{'met   ' if is_met else 'MISSED'}  {target}")
    print(json.dumps({"benchmark": f"serving {arguments.what}", **figures, "targets": targets}))
    return 0 if all(targets.values()) else 1


def _crowd(arguments: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], dict[str, bool]]:
    figures = crowd(folder, arguments.clients)
    refusals = figures["refusal_s"] or {"max": 0.0}
    return figures, {
        f"{figures['done']} of {arguments.clients} have their sound, {figures['hung']} hung, {figures['lost']} lost": (
            figures["done"] == arguments.clients
        ),
        f"{figures['untyped']} refusals without a reason": figures["untyped"] == 0,
        f"the slowest refusal took {refusals['max']:.2f} s, wanted 1": refusals["max"] <= 1,
        f"health p99 {figures['health_s']['p99'] * 1e3:.0f} ms, wanted 50": figures["health_s"]["p99"] <= 0.05,
        f"the parent took {figures['parent_up_mib']} MiB more, wanted 100": figures["parent_up_mib"] < 100,
    }


def _messages(arguments: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], dict[str, bool]]:
    """A tenth goes to a real server, half to the validators, and the rest to them by atheris where it is installed."""
    count = arguments.count or 100_000
    config = server_config(folder, **LIMITS)
    begun_s = time.monotonic()
    called = spoilt_calls(folder / "calls", range(count // 10))
    guided_count = _guided(folder / "corpus", count * 4 // 10)
    own_count = count - called["messages"] - guided_count
    answers = Counter(answer(mutated(random.Random(f"own/{seed}")), config) for seed in range(own_count))
    figures = {
        "through_a_server": called,
        "guided_by_coverage": guided_count,
        "by_chance": own_count,
        "answers": dict(sorted(answers.items())),
        "wall_s": round(time.monotonic() - begun_s, 1),
    }
    return figures, {
        f"{count} messages, each answered": own_count + guided_count + called["messages"] == count,
        f"{called['untyped']} answers without a reason": called["untyped"] == 0,
        "the server lived, and its engine": called["engine_survived"],
    }


def _guided(corpus: Path, count: int) -> int:
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed (pip install atheris; Linux, Python 3.11): chance does its share")
        return 0
    command = [sys.executable, "-m", "support.serving.guided", str(corpus), f"-runs={count}", "-max_len=60000"]
    told = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
    done = re.search(r"Done (\d+) runs", told.stderr)
    if told.returncode != 0 or done is None:
        sys.exit(f"the validators did not bear a request:\n{told.stderr[-3000:]}")
    return int(done[1])


def _kills(arguments: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], dict[str, bool]]:
    figures = killed(
        folder,
        duration_s=arguments.duration_s or 300.0,
        interval_s=arguments.interval_s,
        engine={"model": arguments.engine} if arguments.engine else None,
    )
    return figures, {
        f"{figures['kills']} kills, {figures['lost']} lost, {figures['hung']} hung": not figures["lost"]
        + figures["hung"],
        f"{figures['untyped']} refusals without a reason, {figures['refused']} given up": not figures["untyped"]
        and not figures["refused"],
        f"{figures['different']} of {figures['compared']} sound otherwise than undisturbed": figures["different"] == 0
        and figures["compared"] == figures["done"] > 0,
    }


def _lost(arguments: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], dict[str, bool]]:
    figures = asyncio.run(lost(folder, arguments.count or 20))
    worst_ms = figures["told_ms"]["max"]
    return figures, {f"a client of a killed engine heard of it after {worst_ms} ms at most, wanted 100": worst_ms < 100}


def _vanish(arguments: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], dict[str, bool]]:
    """Killed ones by the dozen; frozen ones, for each of which keepalive takes its time, by the handful."""
    figures = vanished(folder / "killed", arguments.count or 50)
    frozen = vanished(folder / "frozen", (arguments.count or 50) // 10, signal.SIGSTOP, step_s=0.2)
    let_go_s, next_s = figures["let_go_s"]["p95"], figures["next_s"]["p95"]
    return {"killed": figures, "frozen": frozen}, {
        f"the slowest frozen editor's job was freed after {frozen['next_s']['max']:.1f} s, wanted 15": (
            frozen["next_s"]["max"] <= 15
        ),
        f"95 % of the calls ended within {let_go_s * 1e3:.0f} ms, wanted 50": let_go_s <= 0.05,
        f"95 % of the engines were free within {next_s * 1e3:.0f} ms, wanted a step and 100": (
            next_s <= figures["step_s"] + 0.1
        ),
    }


def _soak(arguments: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], dict[str, bool]]:
    duration_s = arguments.duration_s or 3600.0
    figures = soak(
        folder,
        duration_s=duration_s,
        warm_up_s=duration_s / 6,
        level_s=duration_s / 12,
        engine={"model": arguments.engine} if arguments.engine else {"step_s": 0.05, "step_count": 4},
        plan=LoadPlan(
            client_count=2 if arguments.engine else 12,
            duration_s=duration_s,
            lengths_s=(1.0, 2.0, 4.0),
            take_counts=(1, 1, 2),
            pictures_share=0.5,
            cancel_share=0.16,
            pause_s=15.0 if arguments.engine else 2.0,
        ),
        each_minute=into(arguments.minutes) if arguments.minutes else lambda line: None,
    )
    wanted = 0 if arguments.engine else round(CANCELLATIONS_PER_HOUR * duration_s / 3600)
    return figures, {
        f"{figures['cancelled']} cancellations, wanted {wanted}": figures["cancelled"] >= wanted,
        f"{figures['requests']} requests, {figures['lost']} lost, {figures['hung']} hung": (
            figures["lost"] == figures["hung"] == 0
        ),
        **{
            f"{name} {each['warm']:g} after warm-up, {each['last']:g} at the end": each["growth"] <= GROWTH_LIMIT
            for name, each in figures["holding"].items()
        },
    }


if __name__ == "__main__":
    sys.exit(main())
