"""`FoleyClient` over gRPC. Knows addresses, tokens and calls; nothing of timelines or files.

The upload runs in gRPC's own thread and is pulled a chunk at a time: HTTP/2 flow control holds it back until the server
reads, so a job of any length is never held whole.
"""

import threading
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import grpc

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from diffava_resolve.client import wire
from diffava_resolve.client.grpc_errors import error_of
from diffava_resolve.client.protocol import (
    AudioBlock,
    Event,
    NoMemory,
    PictureMemory,
    Queued,
    Rgb,
    Samples,
    ServerInfo,
    Started,
    opened,
)
from diffava_resolve.client.tls import Tls
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


def is_local(address: str) -> bool:
    """Whether what is sent to this address stays on this machine."""
    host = address.rpartition(":")[0].strip("[]")
    return address.startswith(("unix:", "unix-abstract:")) or host in {"localhost", "127.0.0.1", "::1"}


@dataclass
class GrpcClient:
    """A server at `address` (`HOST:PORT` or `unix:PATH`), spoken to with `token`.

    Without `tls` nothing is encrypted. `job_timeout_s` bounds a whole job including its time in the queue; None leaves
    it unbounded.
    """

    address: str
    token: str = field(repr=False)
    info_timeout_s: float = 10.0
    job_timeout_s: float | None = None
    client_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    memory: PictureMemory = field(default_factory=NoMemory)
    tls: Tls | None = None

    def __post_init__(self) -> None:
        options: list[tuple[str, int]] = list(_KEEPALIVE)
        if is_local(self.address):
            options.append(("grpc.enable_http_proxy", 0))  # a proxy for the web cannot reach this machine's loopback
        if self.tls is None:
            self._channel = grpc.insecure_channel(self.address, options=options)
        else:
            self._channel = grpc.secure_channel(self.address, self.tls.credentials(), options=options)
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

    def _metadata_of(self, job: FoleyJob) -> tuple[tuple[str, str], ...]:
        """With the model's name, by which Ray Serve finds an engine that has it loaded; others do not read it."""
        name = job.model
        is_sendable = name.isascii() and name.isprintable() and name == name.strip()
        return (*self._metadata, ("multiplexed_model_id", name)) if name and is_sendable else self._metadata

    def generate(
        self,
        job: FoleyJob,
        frames: Iterable[Rgb] | None,
        kept_audio: Iterable[Samples] | None = None,
        performance: Iterable[Samples] | None = None,
        *,
        frames_sha256: str = "",
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> Generator[AudioBlock, None, JobResult]:
        """Run one job; see `FoleyClient.generate`."""
        sources = _Sources(opened(kept_audio), opened(performance), opened(frames), frames_sha256)
        upload = _Upload(job, self.info().model(job.model), sources, self.client_id)
        # Ctrl-C reaches the main thread alone: inside gRPC's own beginning of a call it would leave a call that never
        # ends, and closing the channel would wait for it.
        with ThreadPoolExecutor(1) as starter:
            call = starter.submit(
                self._stub.Generate, upload.messages(), metadata=self._metadata_of(job), timeout=self.job_timeout_s
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
                    if kind == "started":
                        upload.begin_frames(wanted=not response.started.has_frames)
                    _tell(response, kind, on_event)
        except grpc.RpcError as error:
            # A failed upload cancels the call: what the user must hear is why the upload failed.
            raise upload.error or error_of(error, self.address, job_began=True) from error
        finally:
            call.cancel()
            upload.begin_frames(wanted=False)
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
        event = Queued(response.queued.position, response.queued.estimated_wait_ms / 1000)
    elif kind == "started":
        event = Started(response.started.has_frames)
    elif kind == "progress":
        event = wire.progress_event(response.progress)
    if event is not None:
        on_event(event)


@dataclass(frozen=True)
class _Sources:
    """What one attempt sends after its header, opened."""

    kept_audio: Iterator[Samples] | None
    performance: Iterator[Samples] | None
    frames: Iterator[Rgb] | None
    frames_sha256: str

    def close(self) -> None:
        for source in (self.kept_audio, self.performance, self.frames):
            close = getattr(source, "close", None)
            if close is not None:
                close()


class _Upload:
    """The messages of one job, pulled by gRPC's thread, and what went wrong while making them."""

    def __init__(self, job: FoleyJob, model: ModelInfo, sources: _Sources, client_id: str) -> None:
        self.error: Exception | None = None
        self._job, self._model, self._sources = job, model, sources
        self._frame_count = 0 if sources.frames is None else model.frames.frame_count(job.sample_count)
        self._header = wire.header_message(job, self._frame_count, client_id, sources.frames_sha256)
        self._call: Future[grpc.Call] = Future()
        self._ended = threading.Event()
        self._frames_decided = threading.Event()
        self._frames_wanted = True
        if not sources.frames_sha256:
            self._frames_decided.set()

    def bind(self, call: grpc.Call) -> None:
        """Name the call to cancel when the upload fails."""
        self._call.set_result(call)

    def begin_frames(self, *, wanted: bool) -> None:
        """The server has said whether it wants the pictures, or the call has ended; the first word counts."""
        if not self._frames_decided.is_set():
            self._frames_wanted = wanted
            self._frames_decided.set()

    def messages(self) -> Iterator[pb.GenerateRequest]:
        """Header, kept audio, performance, pictures."""
        sources = self._sources
        try:
            yield self._header
            if sources.kept_audio is not None:
                yield from wire.kept_audio_messages(sources.kept_audio, self._job.sample_count)
            if sources.performance is not None:
                yield from wire.performance_messages(sources.performance, self._job.sample_count)
            self._frames_decided.wait()
            if sources.frames is not None and self._frames_wanted:
                yield from wire.frame_messages(sources.frames, self._model.frames, self._frame_count)
        except (
            Exception
        ) as error:  # an edge: raised further it would end as a traceback in gRPC's log and a bare "cancelled"
            self.error = error
            self._call.result().cancel()
        finally:
            sources.close()
            self._ended.set()

    def wait(self) -> None:
        """Return when the sources are closed, so that no decoder outlives its job.

        gRPC's thread pulls at least one message of every call, so that this end always comes.
        """
        self._ended.wait(_CLOSE_UPLOAD_TIMEOUT_S)
