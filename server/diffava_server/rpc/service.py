"""The two methods of `diffava.v1.FoleyService`: a job's whole way on one screen. Knows no files and no processes.

A job lives as long as its call. When the client goes, gRPC cancels the handler, and leaving the `with` blocks gives
back the job's place or its seat in the engine; `context.cancelled()` is not asked, for it reads the server's own
status. Of the context only `read`, `write`, `abort_with_status`, `time_remaining`, `peer` and `peer_identities` are
used, so that the service runs behind any transport that has these.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any

from structlog.typing import FilteringBoundLogger

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from diffava_server.config import ServerConfig
from diffava_server.engine.protocol import Audio, Note, Progress
from diffava_server.errors import DeadlineError, DownloadTimeoutError, EngineFailedError, ServerError
from diffava_server.jobs.channel import Started, Waiting
from diffava_server.jobs.dispatch import Dispatcher
from diffava_server.jobs.idle import Activity
from diffava_server.jobs.ticket import Ticket
from diffava_server.jobs.watching import JobWatcher
from diffava_server.rpc import translate
from diffava_server.rpc.identity import whose_turn
from diffava_server.rpc.status import abort_with
from diffava_server.rpc.takes import SentTakes
from diffava_server.rpc.upload import Upload
from diffava_server.rpc.validate import job_from_header, model_of

Context = Any  # grpc.aio.ServicerContext, whose published types know neither `read`'s end nor rich status
Write = Callable[[pb.GenerateResponse], Awaitable[None]]


class FoleyService(foley_pb2_grpc.FoleyServiceServicer):
    """Validates, queues and runs jobs, and says what the server can do."""

    def __init__(
        self,
        jobs: Dispatcher,
        activity: Activity,
        watcher: JobWatcher,
        config: ServerConfig,
        software_version: str,
        log: FilteringBoundLogger,
    ) -> None:
        self._jobs = jobs
        self._activity = activity
        self._watcher = watcher
        self._config = config
        self._software_version = software_version
        self._log = log

    async def GetServerInfo(  # noqa: N802 - the wire's name
        self, request: pb.GetServerInfoRequest, context: Context
    ) -> pb.GetServerInfoResponse:
        """Models, limits and version."""
        with self._activity.call():
            return translate.info_message(self._jobs.models, self._config, self._software_version)

    async def Generate(self, request_iterator: object, context: Context) -> None:  # noqa: N802 - the wire's name
        """One job, from its header to `Done`."""
        log = self._log.bind(job=uuid.uuid4().hex[:8])
        with self._activity.call():
            async with _answering(context, log, log_prompts=self._config.log_prompts):
                await self._generate(context, log)

    async def _generate(self, context: Context, log: FilteringBoundLogger) -> None:
        upload = Upload(context.read, self._config.upload_idle_s)
        with self._watching_refusals():
            header = await upload.header()
            job = job_from_header(header, self._jobs.models, self._config)
        model = model_of(job.model, self._jobs.models)
        words = {"prompt": job.prompt, "negative_prompt": job.negative_prompt} if self._config.log_prompts else {}
        log.info("job queued", model=job.model, sample_count=job.sample_count, take_count=len(job.seeds), **words)
        async with (
            self._jobs.entered(whose_turn(context, header.client_id), job, model, upload) as ticket,
            _within_deadline(context),
        ):
            await self._tell(ticket, _write_within(self._config.download_idle_s, context.write), log)
        log.info("job done")

    async def _tell(self, ticket: Ticket, write: Write, log: FilteringBoundLogger) -> None:
        takes, notes = SentTakes(ticket.job), list[str]()
        async with aclosing(ticket.events()) as events:
            async for told in events:
                match told:
                    case Waiting():
                        await write(translate.queued_message(told))
                    case Started():
                        log.info("job started", has_frames=told.has_frames)
                        await write(translate.started_message(told))
                    case Note():
                        notes.append(told.text)
                    case Progress():
                        await write(translate.progress_message(told))
                    case Audio():
                        takes.add(told)
                        for message in translate.audio_messages(told):
                            await write(message)
        await write(translate.done_message(ticket.job, ticket.model, self._software_version, takes.sha256(), notes))

    @contextmanager
    def _watching_refusals(self) -> Iterator[None]:
        try:
            yield
        except ServerError as error:
            self._watcher.job_refused(error.code, error.reason)
            raise


def _write_within(idle_s: float, write: Write) -> Write:
    """Writing that gives up on a client which takes nothing: what is ready for it takes memory, or the engine."""

    async def write_within(message: pb.GenerateResponse) -> None:
        try:
            # `asyncio.wait_for` of Python 3.11 would now and then lose a cancellation that comes with the write's end.
            async with asyncio.timeout(idle_s):
                await write(message)
        except TimeoutError as error:
            raise DownloadTimeoutError(
                f"The client took nothing for {idle_s:g} s while its audio was ready; please send the job again."
            ) from error

    return write_within


@asynccontextmanager
async def _within_deadline(context: Context) -> AsyncIterator[None]:
    """Hold the call to its deadline, on the loop's monotonic clock."""
    try:
        async with asyncio.timeout(context.time_remaining()):
            yield
    except TimeoutError as error:
        raise DeadlineError(
            "The job took longer than the client's deadline; allow more time or ask for less."
        ) from error


@asynccontextmanager
async def _answering(context: Context, log: FilteringBoundLogger, *, log_prompts: bool) -> AsyncIterator[None]:
    """Turn every error into a status."""
    try:
        yield
    except asyncio.CancelledError:
        log.info("job cancelled")
        raise
    except ServerError as error:
        words = {"sentence": str(error)} if log_prompts or not error.may_quote else {}
        log.info("job refused or failed", reason=error.reason, **words)
        await abort_with(context, error)
    except Exception:  # the server's edge: a defect here ends one call with an id, and its story goes into the log
        error_id = uuid.uuid4().hex[:8]
        log.exception("defect in the server", error_id=error_id)
        await abort_with(context, EngineFailedError(f"The server failed (error id {error_id}); its log has the story."))
