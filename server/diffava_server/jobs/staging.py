"""Pictures and audio read ahead of their turns, so that the engine never waits for a client that could have sent them.

Bounded: what one job is going to bring is known from its header, and it is read only once there is room for all of it,
the next in turn first. Until then nothing is read, and HTTP/2's flow control holds the client back. A job that is too
large to be read ahead is read while the engine works on it.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Protocol

from diffava_server.engine.protocol import EngineModel, FrameBlock, Job

STREAMED_BLOCKS = 4  # of a job that is too large: enough for the engine to find the next one there
LAST_MOMENT_S = 0.25  # about what an engine needs for the pictures that are there already
MIN_RECEIVED_SHARE = 0.25  # of all pictures, before the pace of the others is believed


class JobUpload(Protocol):
    """The client's side of one call."""

    async def with_audio(self, job: Job) -> Job:
        """The job with the audio that its header announced."""
        ...

    def frames(self, job: Job, model: EngineModel) -> AsyncGenerator[FrameBlock, None]:
        """The job's pictures in order."""
        ...

    def hurry(self) -> None:
        """From now on the client is awaited, and may not be silent for long."""
        ...


class Staging:
    """How much may be read ahead. All but the next in turn share half of it, so that there is room for that one."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.held_bytes = 0

    def is_too_large(self, byte_count: int) -> bool:
        """Whether that is never read ahead as a whole."""
        return byte_count > self._max_bytes // 2

    def has_room(self, byte_count: int, *, is_next: bool) -> bool:
        """Whether that may be read now."""
        return self.held_bytes + byte_count <= (self._max_bytes if is_next else self._max_bytes // 2)


class StagedUpload:
    """One job's audio and pictures, from the wire to the engine.

    Args:
        on_change: Called when there may be something to do: all is there, or room was given back.
        on_frames: Called with the bytes of pictures that came.
        clock_s: Monotonic.

    `is_nearly_there` once the last pictures are due within `LAST_MOMENT_S`, if they go on coming as they did.
    """

    def __init__(
        self,
        job: Job,
        model: EngineModel,
        upload: JobUpload,
        staging: Staging,
        on_change: Callable[[], None],
        on_frames: Callable[[int], None],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.job = job
        self._model = model
        self._upload = upload
        self._staging = staging
        self._on_change = on_change
        self._on_frames = on_frames
        self._clock_s = clock_s
        self._blocks: deque[FrameBlock] = deque()
        self._held_bytes = 0
        self._audio_granted, self._frames_granted, self._changed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.wants_frames = False
        self.has_audio = self.is_nearly_there = self.has_frames = self.is_closed = False

    @property
    def need_bytes(self) -> int:
        """What is read in all, as far as it is known to be wanted."""
        audio_count = (self.job.kept is not None) + (self.job.guide.performance_f32le is not None)
        frame_bytes = self.job.frame_count * self._model.frame_bytes if self.wants_frames else 0
        return audio_count * self.job.sample_count * 4 + frame_bytes

    @property
    def is_streamed(self) -> bool:
        """Whether it is too large to be read ahead."""
        return self._staging.is_too_large(self.need_bytes)

    @property
    def is_granted(self) -> bool:
        """Whether all that is wanted may be read."""
        return (self._frames_granted if self.wants_frames else self._audio_granted).is_set()

    def want_frames(self) -> None:
        """The pictures are to be read, after the audio."""
        self.wants_frames = True

    def grant(self, *, is_next: bool, is_called: bool) -> bool:
        """Let it be read if there is room, or if it is too large and its turn has come; whether it may be read now."""
        if self.is_granted or self.is_closed:
            return True
        missing_bytes = self.need_bytes - self._held_bytes
        if not (is_called if self.is_streamed else self._staging.has_room(missing_bytes, is_next=is_next)):
            return False
        if not self.is_streamed:
            self._hold(missing_bytes)
        self._audio_granted.set()
        if self.wants_frames:
            self._frames_granted.set()
        return True

    def hurry(self) -> None:
        """The client is awaited."""
        self._upload.hurry()

    async def read(self) -> None:
        """Read it all, as far as it is wanted and when it is granted.

        Raises:
            InvalidRequestError: It is not as its header announced.
            UploadTimeoutError: The client is awaited and sends nothing.
        """
        await self._audio_granted.wait()
        self.job = await self._upload.with_audio(self.job)
        self.has_audio = True
        self._on_change()
        if self.job.frame_count:
            await self._frames_granted.wait()
            begun_s = self._clock_s()
            async for block in self._upload.frames(self.job, self._model):
                self._on_frames(len(block.rgb24))
                await self._keep(block)
                self._look_ahead(block.first_frame + block.frame_count, self._clock_s() - begun_s)
        self.has_frames = True
        self._changed.set()
        self._on_change()

    async def next_block(self) -> FrameBlock | None:
        """The next pictures for the engine; None after the last, or when nobody wants them any more."""
        while not self._blocks:
            if self.has_frames or self.is_closed or not self.wants_frames:
                return None
            await self._change()
        block = self._blocks.popleft()
        self._changed.set()
        if not self.is_streamed:
            self._hold(-len(block.rgb24))
            self._on_change()
        return block

    def close(self) -> None:
        """Drop what is there, and give its room back."""
        self.is_closed = True
        self._blocks.clear()
        self._hold(-self._held_bytes)
        self._changed.set()

    def _look_ahead(self, received: int, passed_s: float) -> None:
        missing_s = passed_s * (self.job.frame_count - received) / received
        is_believed = received >= self.job.frame_count * MIN_RECEIVED_SHARE
        if not self.is_nearly_there and is_believed and missing_s <= LAST_MOMENT_S:
            self.is_nearly_there = True
            self._on_change()

    async def _keep(self, block: FrameBlock) -> None:
        self._blocks.append(block)
        self._changed.set()
        while self.is_streamed and len(self._blocks) >= STREAMED_BLOCKS:
            await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _hold(self, added_bytes: int) -> None:
        self._held_bytes += added_bytes
        self._staging.held_bytes += added_bytes
