"""The composition root: builds the parts, binds, starts, says where it answers, and drains.

Knows every part by its constructor and no job by its contents.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from structlog.typing import FilteringBoundLogger

from diffava_proto.v1 import foley_pb2_grpc
from diffava_server.config import ServerConfig
from diffava_server.engine.protocol import EngineFactory
from diffava_server.engine.supervisor import SupervisedEngine, supervised
from diffava_server.errors import EngineDownError, ServerError, StartError, UnknownModelError
from diffava_server.jobs.dispatch import Dispatcher
from diffava_server.jobs.idle import Activity
from diffava_server.listening import Door, build_server, open_door
from diffava_server.machine import systemd
from diffava_server.machine.free_memory import give_back_regularly
from diffava_server.machine.state import ServerState, published
from diffava_server.machine.token import TokenFile
from diffava_server.operations.health import Health
from diffava_server.operations.metrics import Metrics
from diffava_server.operations.page import served
from diffava_server.operations.refusals import Refusals
from diffava_server.rpc.call_limits import CallLimits
from diffava_server.rpc.drain import Drain
from diffava_server.rpc.interceptors import AdmissionInterceptor, TokenInterceptor
from diffava_server.rpc.names import SERVICE_NAME
from diffava_server.rpc.service import FoleyService

LOADING = "The server is loading its models and takes no job yet; please try again in a moment."
LOADING_RETRY_S = 5.0
LAST_WORDS_S = 1.0  # in which answers that are under way reach their clients once no job is left


@dataclass(frozen=True)
class RunningServer:
    """A server that answers. `hurry`, once set, ends a drain at once."""

    state: ServerState
    token: str
    engine: SupervisedEngine
    jobs: Dispatcher
    activity: Activity
    health: Health
    metrics_address: str = ""
    hurry: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def running(
    config: ServerConfig, engine_factory: EngineFactory, log: FilteringBoundLogger
) -> AsyncIterator[RunningServer]:
    """A server from the moment it answers; on leaving, jobs that are in the house get `drain_s` to end.

    Raises:
        StartError: The address is taken, the token file or a certificate unusable or a model cannot be loaded.
    """
    token = TokenFile(config.token_file, log.warning)
    activity, drain, health = Activity(), Drain(), Health(SERVICE_NAME)
    software_version = version("diffava-foley")
    metrics = Metrics(lambda: tuple(model.name for model in engine.models), software_version)
    engine = supervised(engine_factory, config, metrics, log, lambda is_up: health.engine_changed(is_up=is_up))
    jobs = Dispatcher(engine, config, metrics, log)
    refusals = Refusals(metrics, log)
    limits = CallLimits(config.max_calls_per_minute, config.max_open_calls)
    loading: ServerError | None = EngineDownError(LOADING, retry_delay_s=LOADING_RETRY_S)
    async with AsyncExitStack() as stack:
        server = build_server(
            config,
            (
                TokenInterceptor(token.accepts, refusals),
                AdmissionInterceptor(lambda: loading, limits, drain, config.upload_idle_s, refusals),
            ),
        )
        service = FoleyService(jobs, activity, metrics, config, software_version, log)
        foley_pb2_grpc.add_FoleyServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]  # generated
        _add_health_and_reflection(server, health, with_reflection=config.is_local)
        # Before the models are loaded: a second server is refused at once, and probes are answered meanwhile.
        door = open_door(server, config, log.warning)
        metrics_address = stack.enter_context(_metrics_shown(config, metrics, health, engine, door))
        stack.push_async_callback(server.stop, 0)
        stack.push_async_callback(drain.settled)
        stack.push_async_callback(engine.close)
        health.engine_changed(is_up=False)
        await health.told()
        await server.start()
        try:
            await engine.start()
        except ServerError as error:
            raise StartError(str(error), exit_code=2 if isinstance(error, UnknownModelError) else 1) from error
        jobs.start()
        stack.push_async_callback(jobs.close)
        stack.callback(asyncio.create_task(give_back_regularly(), name="free memory").cancel)
        loading = None
        await health.told()
        state = _state(config, door, engine, software_version)
        stack.enter_context(published(state, config.state_file))
        running_server = RunningServer(state, token.token, engine, jobs, activity, health, metrics_address)
        try:
            yield running_server
        finally:
            health.draining()
            await drain.close(config.drain_s, running_server.hurry)
            await health.told()
            await server.stop(LAST_WORDS_S)


async def serve(
    config: ServerConfig,
    engine_factory: EngineFactory,
    log: FilteringBoundLogger,
    announce: Callable[[ServerState], None],
) -> None:
    """Run until SIGTERM, SIGINT or `idle_exit_s` without a call; tell `announce` when the server answers.

    A second signal ends it without waiting for the jobs that are left.

    Raises:
        StartError: As `running`.
    """
    stop = asyncio.Event()
    with AsyncSignals() as signals:
        async with running(config, engine_factory, log) as server:
            # Only now, so that Ctrl-C while the models load ends at once: nothing needs to be drained yet.
            signals.set_in_turn(stop, server.hurry)
            log.info("server answers", address=server.state.address, models=list(server.state.models))
            announce(server.state)
            systemd.notify("READY=1")
            reasons: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait(), name="signal")]
            if config.idle_exit_s is not None:
                reasons.append(asyncio.create_task(server.activity.wait_idle(config.idle_exit_s), name="idle"))
            met, _ = await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
            systemd.notify("STOPPING=1")
            log.info("server stops", reason=met.pop().get_name(), drain_s=config.drain_s)
            for reason in reasons:
                reason.cancel()


class AsyncSignals:
    """SIGTERM and SIGINT as events (Windows: by `signal.signal`, since its loop has no handlers; not seen there)."""

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}

    def set_in_turn(self, *events: asyncio.Event) -> None:
        """The first signal sets the first event, and so on."""
        loop, left = asyncio.get_running_loop(), iter(events)

        def on_signal(*_: object) -> None:
            event = next(left, None)
            if event is not None:
                loop.call_soon_threadsafe(event.set)

        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, on_signal)

    def __enter__(self) -> "AsyncSignals":
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _add_health_and_reflection(server: grpc.aio.Server, health: Health, *, with_reflection: bool) -> None:
    health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
    health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    if with_reflection:
        reflection.enable_server_reflection((SERVICE_NAME, health_name, reflection.SERVICE_NAME), server)


@contextmanager
def _metrics_shown(
    config: ServerConfig, metrics: Metrics, health: Health, engine: SupervisedEngine, door: Door
) -> Iterator[str]:
    """The page of metrics while this lasts, where one is wanted; yields its address."""
    if config.metrics is None:
        yield ""
        return
    import pynvml

    from diffava_server.operations.gpu_memory import GpuMemory

    metrics.registry.register(GpuMemory(pynvml))
    metrics.show("serving", "1 while jobs are taken", lambda: float(health.is_serving))
    metrics.show_process("engine", lambda: engine.pid)
    certificates = door.certificates
    if certificates is not None:
        metrics.show(
            "certificate_not_after_timestamp_seconds",
            "Until when the certificate is good, as Unix time",
            certificates.not_after_s,
        )
    with served(config.metrics, metrics.registry, lambda: health.is_serving) as address:
        yield address


def _state(config: ServerConfig, door: Door, engine: SupervisedEngine, software_version: str) -> ServerState:
    return ServerState(
        address=door.address,
        token_file=str(config.token_file.absolute()),
        pid=os.getpid(),
        software_version=software_version,
        models=tuple(model.name for model in engine.models),
    )
