"""The client's side of one `Generate` call: header, kept audio, performance, frames, in order and without gaps.

Nothing is read before it is asked for: until there is room for what a job brings, HTTP/2's flow control holds its
client back and the server's memory stays flat, however long the range. Knows no queue and no engine.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import Literal

import numpy as np
from google.protobuf.message import DecodeError

from diffava_proto.v1 import foley_pb2 as pb
from diffava_server.engine.protocol import EngineModel, FrameBlock, Job
from diffava_server.errors import InvalidRequestError, UploadTimeoutError


class Upload:
    """Reads one call's messages.

    Args:
        read: The next message, or anything that is not one at the end of the client's side.
        idle_s: How long a client may send nothing while it is awaited: for its header, and once it was told to `hurry`.
            Before its turn it may take its time.
    """

    def __init__(self, read: Callable[[], Awaitable[object]], idle_s: float) -> None:
        self._read = read
        self._idle_s = idle_s
        self._is_awaited = True
        self._limit: asyncio.Timeout | None = None

    def hurry(self) -> None:
        """The client's turn has come: from now on it is awaited."""
        self._is_awaited = True
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + self._idle_s)

    async def header(self) -> pb.GenerateHeader:
        """The first message.

        Raises:
            InvalidRequestError: It is not a header.
            UploadTimeoutError: It did not come in time.
        """
        message = await self._next()
        if message is None or not message.HasField("header"):
            raise InvalidRequestError(f"The first message must be the job's header, and it was {_name(message)}.")
        self._is_awaited = False
        return message.header

    async def with_audio(self, job: Job) -> Job:
        """The job with the audio to keep and the performance, as far as its header announced them.

        Raises:
            InvalidRequestError: One is not exactly as long as the range, in order, of samples from -1 to 1.
            UploadTimeoutError: The client stopped sending.
        """
        if job.kept is not None:
            pcm_f32le = await self._audio("kept_audio", "The audio to keep", job.sample_count)
            job = replace(job, kept=replace(job.kept, pcm_f32le=pcm_f32le))
        if job.guide.performance_f32le is not None:
            pcm_f32le = await self._audio("performance", "The performance", job.sample_count)
            job = replace(job, guide=replace(job.guide, performance_f32le=pcm_f32le))
        return job

    async def _audio(self, part: Literal["kept_audio", "performance"], subject: str, sample_count: int) -> bytes:
        pcm_f32le = bytearray()
        while len(pcm_f32le) < sample_count * 4:
            message = await self._next()
            if message is None or not message.HasField(part):
                raise InvalidRequestError(
                    f"{subject} has {len(pcm_f32le) // 4} of {sample_count} samples and was followed by "
                    f"{_name(message)}; send exactly the range's samples, before the frames."
                )
            pcm_f32le += _checked_audio(getattr(message, part), subject, len(pcm_f32le) // 4, sample_count)
        return bytes(pcm_f32le)

    async def frames(self, job: Job, model: EngineModel) -> AsyncGenerator[FrameBlock, None]:
        """The job's pictures, one message at a time. What a client sends after the last of them is never read.

        Raises:
            InvalidRequestError: They are not `job.frame_count` pictures of the model's size, in order.
            UploadTimeoutError: The client stopped sending.
        """
        received = 0
        while received < job.frame_count:
            message = await self._next()
            if message is None or not message.HasField("frames"):
                raise InvalidRequestError(
                    f"{received} of {job.frame_count} frames arrived, followed by {_name(message)}; send them all."
                )
            _check_frames(message.frames, received, job, model)
            received += message.frames.frame_count
            yield FrameBlock(message.frames.first_frame, message.frames.frame_count, message.frames.rgb24)

    async def _next(self) -> pb.GenerateRequest | None:
        try:
            async with asyncio.timeout(self._idle_s if self._is_awaited else None) as self._limit:
                message = await self._read()
        except TimeoutError as error:
            raise UploadTimeoutError(
                f"Nothing arrived for {self._idle_s:g} s in the middle of the upload; please send the job again."
            ) from error
        except DecodeError as error:
            raise InvalidRequestError(
                "A message of the upload cannot be read as one of this service; the program that sent it, or the "
                "connection, has spoilt it."
            ) from error
        finally:
            self._limit = None
        return message if isinstance(message, pb.GenerateRequest) else None


def _checked_audio(chunk: pb.AudioChunk, subject: str, expected_sample: int, sample_count: int) -> bytes:
    count, rest = divmod(len(chunk.pcm_f32le), 4)
    if rest or count == 0:
        raise InvalidRequestError(
            f"A chunk of audio has {len(chunk.pcm_f32le)} bytes; send whole samples of 4 bytes each, at least one."
        )
    if chunk.take != 0 or chunk.first_sample != expected_sample:
        raise InvalidRequestError(
            f"{subject} continues at sample {expected_sample} of take 0, and the chunk says sample "
            f"{chunk.first_sample} of take {chunk.take}; send it in order, without gaps."
        )
    if expected_sample + count > sample_count:
        raise InvalidRequestError(f"{subject} has more than the range's {sample_count} samples; send exactly as many.")
    if not (np.abs(np.frombuffer(chunk.pcm_f32le, "<f4")) <= 1).all():  # NaN is not either
        raise InvalidRequestError(
            f"{subject} has a sample that is not within -1 and 1, near sample {expected_sample}; export it again."
        )
    return chunk.pcm_f32le


def _check_frames(chunk: pb.FrameChunk, expected_frame: int, job: Job, model: EngineModel) -> None:
    if chunk.first_frame != expected_frame:
        raise InvalidRequestError(
            f"The pictures continue at frame {expected_frame}, and the chunk says {chunk.first_frame}; "
            "send them in order, without gaps."
        )
    if not 0 < chunk.frame_count <= job.frame_count - expected_frame:
        raise InvalidRequestError(
            f"A chunk has {chunk.frame_count} frames at frame {expected_frame} of {job.frame_count}; "
            "send at least one and no more than announced."
        )
    if len(chunk.rgb24) != chunk.frame_count * model.frame_bytes:
        raise InvalidRequestError(
            f"A chunk of {chunk.frame_count} frames has {len(chunk.rgb24)} bytes; at {model.frame_width_pixels}x"
            f"{model.frame_height_pixels} rgb24 it must have {chunk.frame_count * model.frame_bytes}."
        )


def _name(message: pb.GenerateRequest | None) -> str:
    if message is None:
        return "the end of the upload"
    names = {"header": "a header", "frames": "frames", "kept_audio": "kept audio", "performance": "a performance"}
    return names.get(message.WhichOneof("part") or "", "an empty message")
