"""An engine that is killed in the middle of a job: how soon its client hears of it, and how soon there is another."""

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

from diffava_server.engine.fake import FakeEngine
from support.server import Gate, header, refusal_of, running_server


async def lost(directory: Path, count: int) -> dict[str, Any]:
    """Kill it `count` times. `told_ms` from the kill to the end of the call, `back_ms` to an engine that takes jobs.

    Between two kills a job is done, so that the next start need not wait. The fake engine loads nothing: `back_ms` is
    what a start costs beside the model.
    """
    gate = Gate()
    told_ms, back_ms = [], []
    async with running_server(directory, partial(FakeEngine, before_step=gate, step_count=1)) as calls:
        for _ in range(count):
            gate.let_on()
            assert [answer async for answer in calls.open(header())]
            await gate.reached()
            call = calls.open(header())
            await gate.reached()
            begun_s = time.monotonic()
            os.kill(calls.server.engine.pid, signal.SIGKILL)
            refusal = await refusal_of(call)
            told_ms.append((time.monotonic() - begun_s) * 1e3)
            assert (refusal.code, refusal.reason) == ("UNAVAILABLE", "ENGINE_LOST")
            await calls.server.engine.wait_usable()
            back_ms.append((time.monotonic() - begun_s) * 1e3)
    return {"kills": count, "told_ms": _figures(told_ms), "back_ms": _figures(back_ms)}


def _figures(values_ms: list[float]) -> dict[str, float]:
    ranked = sorted(values_ms)
    return {"median": round(ranked[len(ranked) // 2], 1), "max": round(ranked[-1], 1)}
