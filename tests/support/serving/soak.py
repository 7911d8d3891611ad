"""Hours of mixed load: does what a server holds stay where it was once it was warm?

It is warm once it has been as full as it gets: an allocator gives little back, so that the first crowd of all, which
may come in any hour, raises the level for good. Hence a crowd comes first, and is no part of the figures.

Every figure is a median over some minutes, since gRPC's own threads and the allocator's free lists breathe.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from diffava_server.load.outcomes import Tally
from diffava_server.load.plan import LoadPlan
from diffava_server.load.resources import Holding
from diffava_server.load.run import run_load
from support.serving.loaded_server import loaded_server

GROWTH_LIMIT = 0.01
CROWD_CLIENTS, CROWD_S = 60, 15.0
KINDS = ("memory_bytes", "descriptor_count", "thread_count")


@dataclass
class Levels:
    """What a server held, second by second, and how its last level compares with the one after warm-up."""

    warm_up_s: float
    level_s: float
    series: list[tuple[float, Holding]] = field(default_factory=list)

    def growth(self) -> dict[str, Any]:
        """Of each process's each figure: its level after warm-up, its level now, and by which share it grew."""
        end_s = self.series[-1][0]
        told: dict[str, Any] = {}
        for part in ("parent", "engines"):
            for kind in KINDS:
                warm = self._level(part, kind, self.warm_up_s)
                last = self._level(part, kind, end_s - self.level_s)
                told[f"{part}_{kind}"] = {
                    "warm": warm,
                    "last": last,
                    "growth": round(last / warm - 1, 5) if warm else 0,
                }
        return told

    def _level(self, part: str, kind: str, from_s: float) -> float:
        return statistics.median(
            asdict(getattr(held, part))[kind] for at_s, held in self.series if from_s <= at_s <= from_s + self.level_s
        )


def soak(
    directory: Path,
    *,
    duration_s: float,
    warm_up_s: float,
    level_s: float,
    engine: dict[str, Any],
    plan: LoadPlan,
    each_minute: Callable[[dict[str, Any]], None] = lambda figures: None,
    **settings: Any,
) -> dict[str, Any]:
    """Fill a server, then load it for `duration_s`. Returns the figures, with the growth of what its processes hold."""
    levels = Levels(warm_up_s, level_s)
    told_minute = [0]

    def tell(tally: Tally, passed_s: float, held: Holding | None) -> None:
        if held is not None:
            levels.series.append((passed_s, held))
        if held is not None and passed_s >= 60 * (told_minute[0] + 1):
            told_minute[0] += 1
            each_minute(_minute(tally, passed_s, held, levels))

    crowd = replace(plan, client_count=CROWD_CLIENTS, duration_s=CROWD_S, pause_s=0.0)
    with loaded_server(directory, engine, **settings) as server:
        asyncio.run(run_load(server.target, crowd))
        figures = asyncio.run(run_load(server.target, plan, pid=server.pid, probe_interval_s=0.25, tell=tell))
    return {**figures, "warm_up_s": warm_up_s, "level_s": level_s, "holding": levels.growth()}


def _minute(tally: Tally, passed_s: float, held: Holding, levels: Levels) -> dict[str, Any]:
    line = {
        "at": time.strftime("%H:%M:%S"),
        "passed_s": round(passed_s),
        "begun": tally.begun,
        **{ending: tally.count(ending) for ending in ("done", "cancelled", "refused", "lost", "hung")},
        "holds": asdict(held),
    }
    if passed_s > levels.warm_up_s + 2 * levels.level_s:
        line["growth"] = {name: figures["growth"] for name, figures in levels.growth().items()}
    return line


def into(path: Path) -> Callable[[dict[str, Any]], None]:
    """Each minute's figures as a line of a file, on the disk at once."""

    def write(line: dict[str, Any]) -> None:
        with path.open("a") as lines:
            lines.write(json.dumps(line) + "\n")

    return write
