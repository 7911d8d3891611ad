"""Very many editors at once at one server, each with one request, and what that costs it."""

import asyncio
from pathlib import Path
from typing import Any

from diffava_server.load.plan import LoadPlan
from diffava_server.load.resources import holding
from diffava_server.load.run import run_load
from support.serving.loaded_server import loaded_server

MIB = 1 << 20


def crowd(directory: Path, client_count: int, *, within_s: float = 280.0, step_s: float = 0.05) -> dict[str, Any]:
    """All come at once; who is refused comes again, until each has its sound. Returns the run's figures.

    `parent_up_mib` is how much more memory the server's parent had at most than before they came.
    """
    plan = LoadPlan(
        client_count=client_count,
        requests_per_client=1,
        duration_s=within_s,
        lengths_s=(1.0,),
        take_counts=(1,),
        hung_after_s=within_s,
    )
    with loaded_server(directory, {"step_s": step_s, "step_count": 2}) as server:
        before = holding(server.pid)
        assert before is not None, "the server ended"
        figures = asyncio.run(run_load(server.target, plan, pid=server.pid))
    up_bytes = figures["server"]["parent"]["memory_bytes"]["max"] - before.parent.memory_bytes
    return {**figures, "parent_up_mib": round(up_bytes / MIB, 1)}
