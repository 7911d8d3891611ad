"""The composition root: builds the parts, binds, starts, says where it answers, and drains.

Knows every part by its constructor and no job by its contents.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection
from structlog.typing import FilteringBoundLogger

from diffava_proto.v1 import foley_pb2, foley_pb2_grpc
from diffava_server.config import ServerConfig
from diffava_server.engine.process import EngineProcess
from diffava_server.engine.protocol import EngineFactory
from diffava_server.errors import ServerError, StartError, UnknownModelError
from diffava_server.jobs.idle import Activity
from diffava_server.jobs.queue import JobQueue
from diffava_server.machine.state import ServerState, published
from diffava_server.machine.token import read_or_create_token
from diffava_server.machine.unix_socket import claimed
from diffava_server.rpc.interceptors import TokenInterceptor
from diffava_server.rpc.service import FoleyService

SERVICE_NAME = foley_pb2.DESCRIPTOR.services_by_name["FoleyService"].full_name

CHANNEL_OPTIONS = (
    # By default the kernel would let a second server share the port, and take half of the first one's calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_metadata_size", 8 << 10),
    ("grpc.absolute_max_metadata_size", 16 << 10),
    ("grpc.server_handshake_timeout_ms", 5_000),
    # A client whose cable was pulled is noticed after 10 + 5 s; without ping_timeout gRPC waits a minute more.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    # The default counts a client's own keepalive as abuse and hangs up in the middle of a job.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
)


@dataclass(frozen=True)
class RunningServer:
    """A server that answers."""

    state: ServerState
    token: str
    engine: EngineProcess
    queue: JobQueue
    activity: Activity


@asynccontextmanager
async def running(
    config: ServerConfig, engine_factory: EngineFactory, log: FilteringBoundLogger
) -> AsyncIterator[RunningServer]:
    """A server from the moment it answers; on leaving, running jobs get `drain_s` to end.

    Raises:
        StartError: The address is taken, the token file unusable or a model cannot be loaded.
    """
    token = read_or_create_token(config.token_file)
    engine = EngineProcess(engine_factory, config.cancel_grace_s)
    queue, activity = JobQueue(config.max_queued_jobs), Activity()
    software_version = version("diffava-foley")
    async with AsyncExitStack() as stack:
        limit = ("grpc.max_receive_message_length", config.max_message_bytes)
        server = grpc.aio.server(interceptors=(TokenInterceptor(token),), options=(*CHANNEL_OPTIONS, limit))
        service = FoleyService(engine, queue, activity, config, software_version, log)
        foley_pb2_grpc.add_FoleyServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]  # generated
        health_servicer = _add_health_and_reflection(server)
        # Bound before the models are loaded, so that a second server is refused at once and not after a minute.
        address = _bind(server, config)
        stack.push_async_callback(server.stop, 0)
        stack.push_async_callback(engine.close)
        try:
            await engine.start()
        except ServerError as error:
            raise StartError(str(error), exit_code=2 if isinstance(error, UnknownModelError) else 1) from error
        stack.push_async_callback(server.stop, config.drain_s)
        stack.push_async_callback(health_servicer.enter_graceful_shutdown)
        await server.start()
        await health_servicer.set(SERVICE_NAME, health_pb2.HealthCheckResponse.SERVING)
        state = ServerState(
            address=address,
            token_file=str(config.token_file.absolute()),
            pid=os.getpid(),
            software_version=software_version,
            models=tuple(model.name for model in engine.models),
        )
        stack.enter_context(published(state, config.state_file))
        yield RunningServer(state, token, engine, queue, activity)


async def serve(
    config: ServerConfig,
    engine_factory: EngineFactory,
    log: FilteringBoundLogger,
    announce: Callable[[ServerState], None],
) -> None:
    """Run until SIGTERM, SIGINT or `idle_exit_s` without a call; tell `announce` when the server answers.

    Raises:
        StartError: As `running`.
    """
    async with running(config, engine_factory, log) as server:
        # Only now, so that Ctrl-C while the models load ends at once: nothing needs to be drained yet.
        with _signals_set(stop := asyncio.Event()):
            log.info("server answers", address=server.state.address, models=list(server.state.models))
            announce(server.state)
            reasons: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait(), name="signal")]
            if config.idle_exit_s is not None:
                reasons.append(asyncio.create_task(server.activity.wait_idle(config.idle_exit_s), name="idle"))
            met, _ = await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
            log.info("server stops", reason=met.pop().get_name())
            for reason in reasons:
                reason.cancel()


def _add_health_and_reflection(server: grpc.aio.Server) -> Any:
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    reflection.enable_server_reflection((SERVICE_NAME, health_name, reflection.SERVICE_NAME), server)
    return servicer


def _bind(server: grpc.aio.Server, config: ServerConfig) -> str:
    """Bind the configured address and return the one that a client dials."""
    if config.unix_path is not None:
        with claimed(config.unix_path):
            _add_port(server, config.listen)
        return config.listen
    port = _add_port(server, config.listen)
    return f"{config.listen.rpartition(':')[0]}:{port}"


def _add_port(server: grpc.aio.Server, address: str) -> int:
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise StartError(
            f"The server cannot listen at {address}: another program has it, or it is not an address of this machine; "
            "choose another (port 0 takes a free one)."
        ) from error


@contextmanager
def _signals_set(stop: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop` (Windows: by `signal.signal`, since its loop has no handlers; not seen there)."""
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in wanted}
    for number in wanted:
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
