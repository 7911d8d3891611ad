"""The two methods of `diffava.v1.FoleyService`: a job's whole way on one screen. Knows no files and no processes.

A job lives as long as its call. When the client goes, gRPC cancels the handler, and leaving the `with` blocks gives
back the engine and the place in the queue; `context.cancelled()` is not asked, for it reads the server's own status.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from structlog.typing import FilteringBoundLogger

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from diffava_server.config import ServerConfig
from diffava_server.engine.protocol import AsyncEngine, Audio, Job, Note, Progress
from diffava_server.errors import DeadlineError, DownloadTimeoutError, EngineFailedError, ServerError
from diffava_server.jobs.idle import Activity
from diffava_server.jobs.queue import JobQueue
from diffava_server.rpc import translate
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
        engine: AsyncEngine,
        queue: JobQueue,
        activity: Activity,
        config: ServerConfig,
        software_version: str,
        log: FilteringBoundLogger,
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._activity = activity
        self._config = config
        self._software_version = software_version
        self._log = log

    async def GetServerInfo(  # noqa: N802 - the wire's name
        self, request: pb.GetServerInfoRequest, context: Context
    ) -> pb.GetServerInfoResponse:
        """Models, limits and version."""
        with self._activity.call():
            return translate.info_message(self._engine.models, self._config, self._software_version)

    async def Generate(self, request_iterator: object, context: Context) -> None:  # noqa: N802 - the wire's name
        """One job, from its header to `Done`."""
        log = self._log.bind(job=uuid.uuid4().hex[:8])
        with self._activity.call():
            async with _answering(context, log):
                upload = Upload(context.read, self._config.upload_idle_s)
                await self._generate(upload, _write_within(self._config.download_idle_s, context.write), log)

    async def _generate(self, upload: Upload, write: Write, log: FilteringBoundLogger) -> None:
        header = await upload.header()
        job = job_from_header(header, self._engine.models, self._config)
        words = {"prompt": job.prompt, "negative_prompt": job.negative_prompt} if self._config.log_prompts else {}
        log.info("job queued", model=job.model, sample_count=job.sample_count, take_count=len(job.seeds), **words)
        with self._queue.enter(header.client_id) as ticket:
            async with aclosing(ticket.positions()) as positions:
                async for position in positions:
                    await write(translate.queued_message(position))
            await write(translate.started_message())
            log.info("job started")
            await self._run(await upload.with_audio(job), upload, write)
        log.info("job done")

    async def _run(self, job: Job, upload: Upload, write: Write) -> None:
        model = model_of(job.model, self._engine.models)
        takes = SentTakes(job)
        notes: list[str] = []
        async with aclosing(self._engine.run(job, upload.frames(job, model))) as events:
            async for event in events:
                match event:
                    case Note():
                        notes.append(event.text)
                    case Progress():
                        await write(translate.progress_message(event))
                    case Audio():
                        takes.add(event)
                        for message in translate.audio_messages(event):
                            await write(message)
        await write(translate.done_message(job, model, self._software_version, takes.sha256(), notes))


def _write_within(idle_s: float, write: Write) -> Write:
    """Writing that gives up on a client which takes nothing: flow control would hold the engine for it alone."""

    async def write_within(message: pb.GenerateResponse) -> None:
        try:
            await asyncio.wait_for(write(message), idle_s)
        except TimeoutError as error:
            raise DownloadTimeoutError(
                f"The client took nothing for {idle_s:g} s while its audio was ready; please send the job again."
            ) from error

    return write_within


@asynccontextmanager
async def _answering(context: Context, log: FilteringBoundLogger) -> AsyncIterator[None]:
    """Hold the call to its deadline, on the loop's monotonic clock, and turn every error into a status."""
    try:
        async with asyncio.timeout(context.time_remaining()):
            yield
    except asyncio.CancelledError:
        log.info("job cancelled")
        raise
    except ServerError as error:
        log.info("job refused or failed", reason=error.reason, sentence=str(error))  # which never repeats a prompt
        await abort_with(context, error)
    except TimeoutError:
        log.info("job past its deadline")
        await abort_with(
            context, DeadlineError("The job took longer than the client's deadline; allow more time or ask for less.")
        )
    except Exception:  # the server's edge: a defect here ends one call with an id, and its story goes into the log
        error_id = uuid.uuid4().hex[:8]
        log.exception("defect in the server", error_id=error_id)
        await abort_with(context, EngineFailedError(f"The server failed (error id {error_id}); its log has the story."))
