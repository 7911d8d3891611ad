"""A whole run of load: the clients, the probe of health beside them, and what the server holds meanwhile."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from diffava_server.errors import StartError
from diffava_server.load.client import Target, play
from diffava_server.load.outcomes import Tally, percentiles
from diffava_server.load.plan import LoadPlan, asks_of
from diffava_server.load.resources import Holding, holding, summary

PROBE_INTERVAL_S = 0.02
WATCH_INTERVAL_S = 1.0
Tell = Callable[[Tally, float, Holding | None], None]
"""Told now and then of the tally, of the seconds that have passed, and of what the server holds if that is watched."""


@dataclass
class _Health:
    latencies_s: list[float] = field(default_factory=list)
    failed: int = 0


async def run_load(
    target: Target,
    plan: LoadPlan,
    *,
    pid: int | None = None,
    probe_interval_s: float = PROBE_INTERVAL_S,
    tell: Tell = lambda tally, passed_s, held: None,
    tally: Tally | None = None,
) -> dict[str, Any]:
    """Load the server as planned and return every figure, as it goes into JSON.

    Args:
        target: Where the server is.
        plan: What is asked of it.
        pid: The server's process, if it is on this machine and its memory is to be watched.
        probe_interval_s: How often health is asked.
        tell: Called once a second.
        tally: Filled with every request's outcome.

    Raises:
        StartError: No server answers there, it refuses the token, or it has not the plan's model.
    """
    model = await _model(target, plan.model)
    loop = asyncio.get_running_loop()
    tally, begin_s = Tally() if tally is None else tally, loop.time()
    watched: list[Holding] = []
    async with _probed(target, probe_interval_s) as health, _watched(pid, watched, tally, tell):
        async with asyncio.TaskGroup() as clients:
            for number in range(plan.client_count):
                at_s = begin_s + plan.ramp_s * number / plan.client_count
                asks = asks_of(plan, number, model)
                clients.create_task(play(target, plan, asks, at_s, begin_s + plan.duration_s, tally))
        wall_s = loop.time() - begin_s
    return {
        "model": model.name,
        "clients": plan.client_count,
        "wall_s": round(wall_s, 2),
        **tally.figures(wall_s),
        "health_s": percentiles(health.latencies_s),
        "health_checks": len(health.latencies_s),
        "health_failed": health.failed,
        "server": summary(watched),
    }


async def _model(target: Target, name: str) -> pb.ModelInfo:
    async with target.channel() as channel:
        stub = foley_pb2_grpc.FoleyServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        try:
            info = await stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=target.metadata, timeout=30)
        except grpc.aio.AioRpcError as error:
            raise StartError(f"The server at {target.address} cannot be asked: {error.details()}") from error
    for model in info.models:
        if name in ("", model.name):
            return model  # type: ignore[no-any-return]
    known = ", ".join(model.name for model in info.models)
    raise StartError(f"The server at {target.address} has no model '{name}'; it has {known}.", exit_code=2)


@contextlib.asynccontextmanager
async def _probed(target: Target, interval_s: float) -> AsyncIterator[_Health]:
    """The health check asked all the while; its figures are known on leaving."""
    files = [str(file or "") for file in (target.tls.ca, target.tls.cert, target.tls.key)]
    arguments = ["-m", "diffava_server.load.probe", target.address, str(interval_s), *files]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    health = _Health()
    try:
        yield health
        told, _ = await process.communicate(b"")  # which ends its stdin
        health.__dict__.update(json.loads(told))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def _watched(pid: int | None, series: list[Holding], tally: Tally, tell: Tell) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    begin_s = loop.time()

    async def watch() -> None:
        while True:
            held = None if pid is None else await asyncio.to_thread(holding, pid)
            if held is not None:
                series.append(held)
            tell(tally, loop.time() - begin_s, held)
            await asyncio.sleep(WATCH_INTERVAL_S)

    task = asyncio.create_task(watch())
    try:
        yield
        if pid is not None and (held := holding(pid)) is not None:
            series.append(held)
    finally:
        task.cancel()
