"""`FoleyClient` over gRPC. Knows addresses, tokens and calls; nothing of timelines or files.

The upload runs in gRPC's own thread and is pulled a chunk at a time: HTTP/2 flow control holds it back until the server
reads, so a job of any length is never held whole.
"""

import threading
import uuid
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import grpc

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from diffava_resolve.client import wire
from diffava_resolve.client.grpc_errors import error_of
from diffava_resolve.client.protocol import AudioBlock, Event, Queued, Rgb, Samples, ServerInfo, Started
from diffava_resolve.errors import ServerError
from diffava_resolve.spec import FoleyJob, JobResult, ModelInfo

_CLOSE_UPLOAD_TIMEOUT_S = 10.0

# A ping each minute finds a pulled cable within 75 s. Servers that never heard of us close connections that ping
# more often than every five minutes without data, hence gRPC's default bound of two pings without data stays.
_KEEPALIVE = [
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 15_000),
    ("grpc.http2.ping_timeout_ms", 15_000),  # without it a frozen peer is noticed only after 60 s
    ("grpc.max_receive_message_length", 4 << 20),  # answers are chunks of at most 1 MiB
]


def _is_local(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    return address.startswith(("unix:", "unix-abstract:")) or host in {"localhost", "127.0.0.1", "::1"}


@dataclass
class GrpcClient:
    """A server at `address` (`HOST:PORT` or `unix:PATH`), spoken to with `token`.

    `job_timeout_s` bounds a whole job including its time in the queue; None leaves it unbounded.
    """

    address: str
    token: str = field(repr=False)
    info_timeout_s: float = 10.0
    job_timeout_s: float | None = None
    client_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        options: list[tuple[str, int]] = list(_KEEPALIVE)
        if _is_local(self.address):
            options.append(("grpc.enable_http_proxy", 0))  # a proxy for the web cannot reach this machine's loopback
        self._channel = grpc.insecure_channel(self.address, options=options)
        self._stub = foley_pb2_grpc.FoleyServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._metadata = (("authorization", f"Bearer {self.token}"),)
        self._info: ServerInfo | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go."""
        self._channel.close()

    def info(self) -> ServerInfo:
        """The server's models, limits and version; asked once, kept for the life of this client."""
        if self._info is None:
            try:
                answer = self._stub.GetServerInfo(
                    pb.GetServerInfoRequest(), metadata=self._metadata, timeout=self.info_timeout_s
                )
            except grpc.RpcError as error:
                raise error_of(error, self.address) from error
            self._info = wire.server_info(answer)
        return self._info

    def models(self) -> tuple[ModelInfo, ...]:
        """The server's models, the default first."""
        return self.info().models

    def generate(
        self,
        job: FoleyJob,
        frames: Iterator[Rgb] | None,
        kept_audio: Iterator[Samples] | None = None,
        performance: Iterator[Samples] | None = None,
        *,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> Generator[AudioBlock, None, JobResult]:
        """Run one job; see `FoleyClient.generate`."""
        upload = _Upload(job, self.info().model(job.model), frames, kept_audio, performance, self.client_id)
        # Ctrl-C reaches the main thread alone: inside gRPC's own beginning of a call it would leave a call that never
        # ends, and closing the channel would wait for it.
        with ThreadPoolExecutor(1) as starter:
            call = starter.submit(
                self._stub.Generate, upload.messages(), metadata=self._metadata, timeout=self.job_timeout_s
            ).result()
        upload.bind(call)
        result: JobResult | None = None
        try:
            for response in call:
                kind = response.WhichOneof("event")
                if kind == "audio":
                    yield wire.audio_block(response.audio)
                elif kind == "done":
                    result = wire.job_result(response.done)
                else:
                    _tell(response, kind, on_event)
        except grpc.RpcError as error:
            # A failed upload cancels the call: what the user must hear is why the upload failed.
            raise upload.error or error_of(error, self.address, job_began=True) from error
        finally:
            call.cancel()
            upload.wait()
        if upload.error is not None:
            raise upload.error
        if result is None:
            raise ServerError(f"The foley server at {self.address} ended the job early; run it again.", retryable=True)
        return result


def _tell(response: pb.GenerateResponse, kind: str | None, on_event: Callable[[Event], None]) -> None:
    """Pass on an event; one that this client does not know yet is skipped."""
    event: Event | None = None
    if kind == "queued":
        event = Queued(response.queued.position)
    elif kind == "started":
        event = Started()
    elif kind == "progress":
        event = wire.progress_event(response.progress)
    if event is not None:
        on_event(event)


class _Upload:
    """The messages of one job, pulled by gRPC's thread, and what went wrong while making them."""

    def __init__(
        self,
        job: FoleyJob,
        model: ModelInfo,
        frames: Iterator[Rgb] | None,
        kept_audio: Iterator[Samples] | None,
        performance: Iterator[Samples] | None,
        client_id: str,
    ) -> None:
        self.error: Exception | None = None
        self._job, self._model = job, model
        self._kept_audio, self._performance, self._frames = kept_audio, performance, frames
        self._frame_count = 0 if frames is None else model.frames.frame_count(job.sample_count)
        self._header = wire.header_message(job, self._frame_count, client_id)
        self._call: Future[grpc.Call] = Future()
        self._ended = threading.Event()

    def bind(self, call: grpc.Call) -> None:
        """Name the call to cancel when the upload fails."""
        self._call.set_result(call)

    def messages(self) -> Iterator[pb.GenerateRequest]:
        """Header, kept audio, performance, pictures."""
        try:
            yield self._header
            if self._kept_audio is not None:
                yield from wire.kept_audio_messages(self._kept_audio, self._job.sample_count)
            if self._performance is not None:
                yield from wire.performance_messages(self._performance, self._job.sample_count)
            if self._frames is not None:
                yield from wire.frame_messages(self._frames, self._model.frames, self._frame_count)
        except (
            Exception
        ) as error:  # an edge: raised further it would end as a traceback in gRPC's log and a bare "cancelled"
            self.error = error
            self._call.result().cancel()
        finally:
            self._close_sources()
            self._ended.set()

    def wait(self) -> None:
        """Return when the sources are closed, so that no decoder outlives its job.

        gRPC's thread pulls at least one message of every call, so that this end always comes.
        """
        self._ended.wait(_CLOSE_UPLOAD_TIMEOUT_S)

    def _close_sources(self) -> None:
        for source in (self._kept_audio, self._performance, self._frames):
            close = getattr(source, "close", None)
            if close is not None:
                close()
