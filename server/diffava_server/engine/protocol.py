"""What the server needs of an engine, in plain values that cross a process border. Knows no torch and no protobuf.

`Engine` is what runs in the worker process and may block; `AsyncEngine` is how the server sees it from outside.
Both raise the classes of `diffava_server.errors`, and those alone.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, Protocol

SamplerName = Literal["dpmpp_2m", "ddim", "euler"]
GuideSource = Literal["picture", "none"]
Stage = Literal["features", "latent", "waveform"]


@dataclass(frozen=True)
class EngineModel:
    """One loaded model and what it wants of a request."""

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


class Engine(Protocol):
    """Makes sound, one job at a time, blocking its caller."""

    def models(self) -> tuple[EngineModel, ...]:
        """What is loaded; the first is the default."""
        ...

    def run(
        self,
        job: Job,
        frames: Iterator[FrameBlock],
        *,
        emit: Callable[[Event], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        """Do one job: emit its notes, pull its frames as they are needed, emit progress, then every take's samples.

        Args:
            job: What is wanted; its numbers were checked against the model's.
            frames: `job.frame_count` pictures in order; the next block is fetched only when it is asked for.
            emit: Told of notes, progress and audio; blocks while the reader is behind.
            is_cancelled: Asked between steps.

        Raises:
            InvalidRequestError: The model cannot do what is asked.
            JobCancelledError: `is_cancelled` said so.
            OutOfMemoryError: It did not fit.
        """
        ...


EngineFactory = Callable[[], Engine]
"""Builds an engine inside the worker process: a picklable callable, such as a `functools.partial` of a class."""


class AsyncEngine(Protocol):
    """An engine as the event loop sees it. One job at a time; `jobs.queue` sees to that."""

    @property
    def models(self) -> tuple[EngineModel, ...]:
        """What is loaded; the first is the default."""
        ...

    def run(self, job: Job, frames: AsyncIterator[FrameBlock]) -> AsyncGenerator[Event, None]:
        """Do one job. Closing the generator cancels the job and returns once the engine is free again.

        Raises:
            EngineLostError: The engine died; the same request may be sent again.
            ServerError: As `Engine.run`, and whatever `frames` raises.
        """
        ...
