"""An engine that is killed again and again under load: does every request still end, and with the samples it should?"""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from diffava_server.load.client import Target
from diffava_server.load.outcomes import Tally
from diffava_server.load.plan import LoadPlan
from diffava_server.load.run import run_load
from support.serving.loaded_server import LoadedServer, loaded_server

FAKE = {"step_s": 0.1, "step_count": 4}


def killed(
    directory: Path,
    *,
    duration_s: float,
    interval_s: float,
    engine: dict[str, Any] | None = None,
    client_count: int = 6,
    lengths_s: tuple[float, ...] = (1.0, 2.0),
    pause_s: float = 0.5,
) -> dict[str, Any]:
    """A run with a kill each `interval_s`, then the same requests undisturbed. Returns the first run's figures.

    `kills` counts those that met an engine; `compared` the requests that ended well in both runs, and `different` those
    of them whose samples differ.
    """
    plan = LoadPlan(
        client_count=client_count,
        duration_s=duration_s,
        last_try_s=120.0,
        lengths_s=lengths_s,
        pictures_share=0.8,
        pause_s=pause_s,
        hung_after_s=100.0,
    )
    disturbed, undisturbed = Tally(), Tally()
    with loaded_server(directory, engine or FAKE, cancel_grace_s=5) as server:
        kill_count, figures = _with_kills(server, plan, duration_s, interval_s, disturbed)
    per_client = max(int(outcome.name.rpartition("/")[2]) for outcome in disturbed.outcomes) + 1
    with loaded_server(directory / "calm", engine or FAKE) as server:
        asyncio.run(
            _load(
                server.target, replace(plan, requests_per_client=per_client, pause_s=0.0, duration_s=1e6), undisturbed
            )
        )
    before, after = _samples(disturbed), _samples(undisturbed)
    both = before.keys() & after.keys()
    return {
        **figures,
        "kills": kill_count,
        "compared": len(both),
        "different": sum(before[name] != after[name] for name in both),
    }


def _with_kills(
    server: LoadedServer, plan: LoadPlan, duration_s: float, interval_s: float, tally: Tally
) -> tuple[int, dict[str, Any]]:
    over, kills = threading.Event(), [0]

    def kill() -> None:
        while not over.wait(interval_s):
            kills[0] += server.kill_engine()

    killer = threading.Thread(target=kill)
    killer.start()
    stopper = threading.Timer(duration_s, over.set)
    stopper.start()
    try:
        figures = asyncio.run(_load(server.target, plan, tally, server.pid))
    finally:
        over.set()
        stopper.cancel()
        killer.join()
    return kills[0], figures


async def _load(target: Target, plan: LoadPlan, tally: Tally, pid: int | None = None) -> dict[str, Any]:
    return await run_load(target, plan, pid=pid, probe_interval_s=0.05, tally=tally)


def _samples(tally: Tally) -> dict[str, tuple[str, ...]]:
    return {outcome.name: outcome.take_sha256 for outcome in tally.outcomes if outcome.ending == "done"}
