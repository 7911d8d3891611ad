"""Servers for tests: in the test's own event loop, or as a process of their own; both with the fake engine.

Asynchronous tests use `running_server`, others `server_process`. The engine runs in a spawned worker in both, as in
production; `Gate`s steer it from the test without sleeping.
"""

import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import structlog
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from diffava_server.app import RunningServer, running
from diffava_server.config import ServerConfig, read_config
from diffava_server.engine.fake import FakeEngine
from diffava_server.engine.protocol import EngineFactory

RATE_HZ = 48_000


class Gate:
    """Holds the fake engine's steps from another process: it says that a step was reached and waits to be let on."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._reached = context.Semaphore(0)
        self._let_on = context.Semaphore(0)

    def __call__(self, step: int) -> None:
        self._reached.release()
        self._let_on.acquire()

    async def reached(self) -> None:
        """Return once the engine waits at its next step."""
        assert await asyncio.to_thread(self._reached.acquire, timeout=120), "the engine did not reach a step"

    def let_on(self, steps: int = 1) -> None:
        for _ in range(steps):
            self._let_on.release()

    def steps_reached(self) -> int:
        """Steps reached and not yet awaited."""
        count = 0
        while self._reached.acquire(block=False):
            count += 1
        return count


class Refusal(NamedTuple):
    """A failed call as a client sees it."""

    code: str
    reason: str
    sentence: str
    is_retryable: bool


def quiet_log() -> Any:
    return structlog.wrap_logger(structlog.ReturnLogger(), processors=[lambda *_: ""])


def server_config(tmp_path: Path, **settings: Any) -> ServerConfig:
    defaults: dict[str, Any] = {"token_file": tmp_path / "token", "drain_s": 0.0, "models": ("fake",)}
    return read_config(**{**defaults, **settings})


@dataclass
class Calls:
    """A server and a channel to it, with the token already given."""

    server: RunningServer
    channel: grpc.aio.Channel
    metadata: tuple[tuple[str, str], ...]
    stub: Any = field(init=False)

    def __post_init__(self) -> None:
        self.stub = foley_pb2_grpc.FoleyServiceStub(self.channel)

    def open(self, *messages: pb.GenerateRequest, **options: Any) -> Any:
        """A `Generate` call that sends these messages and then closes its side."""
        return self.stub.Generate(iter(messages), metadata=self.metadata, **options)

    async def refusal_of(self, *messages: pb.GenerateRequest) -> Refusal:
        """How a `Generate` call with these messages, which must fail, ended."""

        def make_call(channel: grpc.Channel) -> Any:
            return foley_pb2_grpc.FoleyServiceStub(channel).Generate(iter(messages), metadata=self.metadata)

        return await refusal_at(self.server, make_call)

    def open_unfinished(self, **options: Any) -> Any:
        """A `Generate` call whose messages the test writes itself."""
        return self.stub.Generate(metadata=self.metadata, **options)


@contextlib.asynccontextmanager
async def running_server(tmp_path: Path, engine: EngineFactory | None = None, **settings: Any) -> AsyncIterator[Calls]:
    """A server in this event loop, by default with `FakeEngine()`."""
    config = server_config(tmp_path, **settings)
    async with (
        running(config, engine or partial(FakeEngine), quiet_log()) as server,
        grpc.aio.insecure_channel(server.state.address) as channel,
    ):
        yield Calls(server, channel, (("authorization", f"Bearer {server.token}"),))


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until the condition holds."""
    async with asyncio.timeout(120):
        while not condition():
            await asyncio.sleep(0)


async def next_kind(call: Any) -> str | None:
    """Which event comes next."""
    kind: str | None = (await call.read()).WhichOneof("event")
    return kind


async def pcm_of(call: Any) -> bytes:
    """The sound of all takes that come until the call's end."""
    pcm = b""
    while (response := await call.read()) is not grpc.aio.EOF:
        pcm += response.audio.pcm_f32le if response.WhichOneof("event") == "audio" else b""
    return pcm


async def refusal_of(call: Any) -> Refusal:
    """How a call that must fail ended; what came before is read and dropped."""
    try:
        if hasattr(call, "read"):
            while await call.read() is not grpc.aio.EOF:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return _refusal(error)
    raise AssertionError("the call succeeded")


async def refusal_at(server: RunningServer, make_call: Callable[[grpc.Channel], Any]) -> Refusal:
    """How a call through the plain client ended, which the server refuses while it may still be sending."""
    return await asyncio.to_thread(refusal_seen, server.state.address, make_call)


def refusal_seen(address: str, make_call: Callable[[grpc.Channel], Any]) -> Refusal:
    """As `refusal_at`, for a server known by its address; blocks.

    With `grpc.aio`'s client such a call now and then reports INTERNAL ("execute_batch") instead of the status sent.
    """
    with grpc.insecure_channel(address) as channel:
        try:
            call = make_call(channel)
            for _ in call:
                pass
        except grpc.RpcError as error:
            return _refusal(error)
    raise AssertionError("the call succeeded")


def _refusal(error: Any) -> Refusal:
    status = rpc_status.from_call(error)
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    is_retryable = False
    for detail in status.details if status is not None else ():
        detail.Unpack(info)
        is_retryable = detail.Unpack(retry) or is_retryable
    return Refusal(error.code().name, info.reason, error.details() or "", is_retryable)


def header(sample_count: int = RATE_HZ, **fields: Any) -> pb.GenerateRequest:
    """A job's header that the fake engine takes, without picture unless `frame_count` is given."""
    defaults: dict[str, Any] = {"prompt": "a door", "seeds": [7], "sample_rate_hz": RATE_HZ, "client_id": "test"}
    return pb.GenerateRequest(header=pb.GenerateHeader(sample_count=sample_count, **{**defaults, **fields}))


def frame_messages(
    frame_count: int, white: frozenset[int] = frozenset(), *, chunk_frames: int = 4, frame_bytes: int = 32 * 18 * 3
) -> Iterator[pb.GenerateRequest]:
    """Black pictures, white where told."""
    for first in range(0, frame_count, chunk_frames):
        count = min(chunk_frames, frame_count - first)
        rgb24 = b"".join((b"\xff" if k in white else b"\0") * frame_bytes for k in range(first, first + count))
        yield pb.GenerateRequest(frames=pb.FrameChunk(first_frame=first, frame_count=count, rgb24=rgb24))


@dataclass(frozen=True)
class ServerProcess:
    """A server in a process of its own."""

    address: str
    token_file: Path
    pid: int
    jobs_file: Path  # as `support.recorded_jobs` reads it

    @property
    def token(self) -> str:
        return self.token_file.read_text().strip()


@contextlib.contextmanager
def server_process(
    directory: Path,
    frame_rate: Fraction = Fraction(8),
    width_pixels: int = 32,
    height_pixels: int = 18,
    notes: tuple[str, ...] = (),
) -> Iterator[ServerProcess]:
    """A server process with the fake engine at `frame_rate`, on a free loopback port; ready when this yields."""
    jobs_file = directory / "jobs"
    arguments = [str(frame_rate), str(width_pixels), str(height_pixels), str(jobs_file), *notes]
    directory.mkdir(parents=True, exist_ok=True)
    # A pipe that nobody reads would hold the server once its log has filled it.
    with (
        (directory / "log").open("wb") as log,
        started_process(["-m", "support.server_main", *arguments], directory, stderr=log) as process,
    ):
        state = json.loads(process.stdout.readline())
        yield ServerProcess(state["address"], Path(state["token_file"]), state["pid"], jobs_file)


@contextlib.contextmanager
def started_process(
    arguments: list[str], directory: Path, *, stderr: Any = subprocess.PIPE, **settings: str
) -> Iterator[Any]:
    """`python ARGUMENTS` with a server's settings in its environment; ended by SIGTERM (on Windows: killed)."""
    directory.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
        "DIFFAVA_SERVER_TOKEN_FILE": str(directory / "token"),
        **{f"DIFFAVA_SERVER_{name.upper()}": value for name, value in settings.items()},
    }
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
