"""One job from its admission to its end: its place, its upload, what its client is told, and its seat in a batch."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from diffava_server.engine.protocol import Audio, EngineModel, Event, FrameBlock, Job, Progress, picture_key
from diffava_server.errors import ServerError
from diffava_server.jobs.channel import Channel, Started, Told
from diffava_server.jobs.staging import StagedUpload
from diffava_server.jobs.turns import Turn
from diffava_server.jobs.watching import JobWatcher


@dataclass(eq=False)
class Ticket:
    """One job in the house. For the engine it is an `AsyncSeat`; the call reads `events`.

    Args of note: `entered_s` and `clock_s` are monotonic. A ticket that `is_called` waits for its client and then for
    the engine; one that `is_riding` has been given to the engine.
    """

    turn: Turn
    model: EngineModel
    upload: StagedUpload
    channel: Channel
    watcher: JobWatcher
    clock_s: Callable[[], float]
    entered_s: float
    told_position: int = 0
    is_called: bool = False
    has_told_to_send_none: bool = False
    is_riding: bool = False
    sound_s: float = 0.0
    _stage_begun_s: float = 0.0

    @property
    def job(self) -> Job:
        """What is wanted, with its audio as soon as that was read."""
        return self.upload.job

    @property
    def cost(self) -> float:
        """What it takes of the engine, by which turns are fair."""
        return self.turn.cost

    @property
    def audio_bytes(self) -> int:
        """What the client is going to be sent."""
        return len(self.job.seeds) * self.job.sample_count * 4

    def is_known(self, remembered: frozenset[str]) -> bool:
        """Whether its pictures need not be sent."""
        return not self.upload.wants_frames and picture_key(self.job) in remembered

    def is_ready(self, remembered: frozenset[str]) -> bool:
        """Whether the engine would not have to wait for the client, but for one whose job is too large to stage."""
        upload = self.upload
        if upload.is_closed or not upload.has_audio:
            return False
        is_streaming = upload.is_streamed and upload.is_granted
        return upload.has_frames or is_streaming or self.has_told_to_send_none or self.is_known(remembered)

    def call(self, remembered: frozenset[str]) -> None:
        """Tell the client that it is awaited, and whether for its frames. Twice does no harm."""
        if self.is_called:
            return
        self.is_called = True
        self.has_told_to_send_none = self.is_known(remembered)
        if self.has_told_to_send_none:
            self.watcher.frames_reused(self.job.frame_count * self.model.frame_bytes)
        else:
            self.upload.want_frames()
        self.channel.put(Started(self.has_told_to_send_none))
        self.upload.hurry()

    def ride(self) -> None:
        """The engine has it from now on."""
        self.is_riding = True
        self._stage_begun_s = self.clock_s()
        self.watcher.job_started(self.model.name, self._stage_begun_s - self.entered_s)

    async def next_block(self) -> FrameBlock | None:
        """As `AsyncSeat.next_block`."""
        return await self.upload.next_block()

    async def emit(self, event: Event) -> None:
        """As `AsyncSeat.emit`."""
        if isinstance(event, Progress) and event.completed == event.total:
            now_s = self.clock_s()
            self.watcher.stage_ended(self.model.name, event.stage, now_s - self._stage_begun_s)
            self._stage_begun_s = now_s
        if isinstance(event, Audio):
            self.sound_s += len(event.pcm_f32le) / 4 / self.model.sample_rate_hz
        self.channel.put(event)
        await self.channel.room()

    def end(self, error: ServerError | None = None) -> None:
        """As `AsyncSeat.end`; also for whoever gives the job up."""
        self.is_riding = False
        self.channel.close(error)
        self.upload.close()

    async def events(self) -> AsyncGenerator[Told, None]:
        """What the client is to be told, until the job is over.

        Raises:
            ServerError: What the job ended with.
        """
        while (event := await self.channel.get()) is not None:
            yield event
