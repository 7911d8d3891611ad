"""What the server needs of an engine, in plain values that cross a process border. Knows no torch and no protobuf.

`Engine` is what runs in the worker process and may block; `AsyncEngine` is how the server sees it from outside.
Both raise the classes of `diffava_server.errors`, and those alone.
"""

import hashlib
import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, Protocol

from diffava_server.errors import ServerError

SamplerName = Literal["dpmpp_2m", "ddim", "euler"]
GuideSource = Literal["picture", "none"]
Stage = Literal["features", "latent", "waveform"]


@dataclass(frozen=True)
class EngineModel:
    """One model and what it wants of a request.

    Args of note: `max_batch_rows` takes may be denoised together, be they of one job or of several. A batch needs
    `resting_bytes`, and for each row `bytes_per_row` and `bytes_per_row_second` for each second of sound; zeros where
    nobody measured it. `device_bytes` is what the device has in all, 0 if that is not known.
    """

    name: str
    weights_sha256: str
    licence: str
    commercial_use_allowed: bool
    frame_rate: Fraction
    frame_width_pixels: int
    frame_height_pixels: int
    sample_rate_hz: int
    default_step_count: int
    default_guidance_scale: float
    default_sampler: SamplerName
    warning: str = ""
    has_timing_guide: bool = False
    is_loaded: bool = True
    max_batch_rows: int = 1
    resting_bytes: int = 0
    bytes_per_row: int = 0
    bytes_per_row_second: int = 0
    device_bytes: int = 0

    def memory_bytes(self, job: "Job") -> int:
        """What the device needs for this job alone, known before it starts."""
        return self.resting_bytes + self.row_bytes(job)

    def row_bytes(self, job: "Job") -> int:
        """What this job adds to a batch."""
        duration_s = job.sample_count / self.sample_rate_hz
        return len(job.seeds) * math.ceil(self.bytes_per_row + self.bytes_per_row_second * duration_s)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one rgb24 picture."""
        return self.frame_width_pixels * self.frame_height_pixels * 3

    def frame_count(self, sample_count: int) -> int:
        """How many pictures cover a range of `sample_count` samples."""
        return -(-sample_count * self.frame_rate.numerator // (self.sample_rate_hz * self.frame_rate.denominator))


@dataclass(frozen=True)
class KeptAudio:
    """A take of which only `[regenerate_start_sample, regenerate_stop_sample)` is made anew.

    `pcm_f32le` is the whole take, mono little-endian float32; empty until the job's turn has come and it was read.
    """

    regenerate_start_sample: int
    regenerate_stop_sample: int
    pcm_f32le: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class TimingGuide:
    """When things are to be heard; hits and a performance stand in for what the picture says.

    `performance_f32le` is None where there is none, and as long as the range otherwise, mono little-endian float32;
    empty until the job's turn has come and it was read.
    """

    source: GuideSource = "picture"
    strength: float = 1.0
    hit_samples: tuple[int, ...] = ()
    performance_f32le: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Job:
    """A whole request with every default filled in; the fields are those of the wire's header."""

    model: str
    prompt: str = field(repr=False)
    sample_count: int
    seeds: tuple[int, ...]
    negative_prompt: str = field(default="", repr=False)
    cut_samples: tuple[int, ...] = ()
    frame_count: int = 0
    step_count: int = 20
    guidance_scale: float = 2.5
    sampler: SamplerName = "dpmpp_2m"
    kept: KeptAudio | None = None
    guide: TimingGuide = TimingGuide()
    frames_sha256: bytes = b""  # as the client says; empty if it does not


def batch_key(job: Job) -> Hashable:
    """Jobs with equal keys may share a batch: their latents have one shape and are denoised by the same steps.

    A job of which a part is kept shares with none, for its latent is held to the old one at each step.
    """
    if job.kept is not None:
        return object()
    return (
        job.model,
        job.sample_count,
        job.cut_samples,
        job.frame_count,
        job.step_count,
        job.guidance_scale,
        job.sampler,
        job.guide.strength,
    )


def picture_key(job: Job) -> str:
    """Names what the encoders say of a job's pictures; empty where there are none or their hash is not known.

    An engine remembers under the hash that it has taken itself, never under the client's: otherwise a client could
    have another's pictures answered for by its own.
    """
    return key_of_pictures(job.model, job.frames_sha256, job.sample_count, job.frame_count, job.cut_samples)


def key_of_pictures(
    model: str, frames_sha256: bytes, sample_count: int, frame_count: int, cut_samples: tuple[int, ...]
) -> str:
    """The `picture_key` of every job with these fields."""
    if not frame_count or not frames_sha256:
        return ""
    said = (model, frames_sha256, sample_count, frame_count, cut_samples)
    return hashlib.sha256(repr(said).encode()).hexdigest()


@dataclass(frozen=True)
class FrameBlock:
    """Consecutive pictures from `first_frame`: `frame_count * height * width * 3` bytes."""

    first_frame: int
    frame_count: int
    rgb24: bytes = field(repr=False)


@dataclass(frozen=True)
class Progress:
    """How far a stage is: `completed` of `total` frames, steps or samples."""

    stage: Stage
    completed: int
    total: int


@dataclass(frozen=True)
class Audio:
    """Consecutive samples of one take, mono little-endian float32, in any length; takes in order, without gaps."""

    take: int
    first_sample: int
    pcm_f32le: bytes = field(repr=False)


@dataclass(frozen=True)
class Note:
    """What a person should know of the takes, in a sentence."""

    text: str


Event = Progress | Audio | Note


class Seat(Protocol):
    """One job of a batch, inside the engine's process. Used from the thread that called `Engine.run`."""

    @property
    def job(self) -> Job:
        """What is wanted; its numbers were checked against the model's."""
        ...

    def frames(self) -> Iterator[FrameBlock]:
        """`job.frame_count` pictures in order; the next block is fetched only when it is asked for.

        Raises:
            JobCancelledError: Nobody waits for the job any more.
            PictureForgottenError: The client was told to send none, and now they are wanted after all.
        """
        ...

    def emit(self, event: Event) -> None:
        """Tell of notes, progress and audio; blocks while a reader that is alone in its batch is behind."""
        ...

    def is_cancelled(self) -> bool:
        """Whether nobody waits for the job any more; asked between steps."""
        ...

    def end(self, error: ServerError | None = None) -> None:
        """The job is over, well or with an error: said once, and nothing is emitted after it."""
        ...


class Engine(Protocol):
    """Makes sound, one batch at a time, blocking its caller."""

    def models(self) -> tuple[EngineModel, ...]:
        """What it has, and what of it is in memory now; the first is the default."""
        ...

    def run(self, seats: Sequence[Seat]) -> None:
        """Do every seat's job, all of one `batch_key`, and end each seat once.

        For each: emit its notes, pull its frames as they are needed, emit progress, then every take's samples. An error
        or a cancellation of one seat leaves the others' samples bit-identical to what they would be alone. Whatever is
        raised ends the seats that have not ended yet.

        Ends a seat with:
            InvalidRequestError: The model cannot do what is asked.
            JobCancelledError: `is_cancelled` said so.
            OutOfMemoryError: It did not fit, not even alone and row by row. The process is then replaced.
            PictureForgottenError: See `Seat.frames`.
        """
        ...

    def remembered(self) -> frozenset[str]:
        """The `picture_key`s of which it still knows what the encoders say, and so needs no frames."""
        ...


EngineFactory = Callable[[], Engine]
"""Builds an engine inside the worker process: a picklable callable, such as a `functools.partial` of a class."""


class AsyncSeat(Protocol):
    """One job of a batch, as the event loop sees it."""

    @property
    def job(self) -> Job:
        """What is wanted, with its audio."""
        ...

    async def next_block(self) -> FrameBlock | None:
        """The job's next pictures; None when there are no more, or nobody waits for the job any more."""
        ...

    async def emit(self, event: Event) -> None:
        """What the engine tells; returns once there is room for more, which in a batch of several is at once."""
        ...

    def end(self, error: ServerError | None = None) -> None:
        """The job is over. Said once."""
        ...


class AsyncEngine(Protocol):
    """An engine as the event loop sees it: one batch at a time, and another process behind it now and then."""

    @property
    def models(self) -> tuple[EngineModel, ...]:
        """What it has; the first is the default."""
        ...

    @property
    def remembered(self) -> frozenset[str]:
        """The `picture_key`s of which it needs no frames."""
        ...

    @property
    def is_usable(self) -> bool:
        """Whether a batch would begin now."""
        ...

    def refusal(self) -> ServerError | None:
        """Why no new job makes sense now, if so."""
        ...

    async def wait_usable(self) -> None:
        """Return once a batch would begin."""
        ...

    async def run(self, seats: Sequence[AsyncSeat]) -> None:
        """Do a batch. Every seat has ended when this returns, if need be as lost."""
        ...

    def cancel(self, seat: AsyncSeat) -> None:
        """Nobody waits for this seat's job any more; the others of its batch go on."""
        ...
