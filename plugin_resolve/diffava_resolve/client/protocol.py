"""What the plugin needs of a foley server, in plain values.

Nothing in here knows gRPC, timelines or files. `GrpcClient` speaks to a real server, `ScriptedClient` plays one; both
pass the same contract tests.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from diffava_resolve.errors import RequestError
from diffava_resolve.spec import FoleyJob, JobResult, ModelInfo

Stage = Literal["features", "latent", "waveform", "measure"]  # the last is the plugin's own, after the server's
Rgb = NDArray[np.uint8]
Samples = NDArray[np.float32]


@dataclass(frozen=True)
class AudioBlock:
    """Consecutive samples of one take, mono float32 in [-1, 1]; blocks come take by take, in order, without gaps."""

    take: int
    first_sample: int
    samples: Samples


@dataclass(frozen=True)
class Queued:
    """The job waits; `position` jobs are ahead of it, for about `estimated_wait_s`, 0 where that cannot be told."""

    position: int
    estimated_wait_s: float = 0.0


@dataclass(frozen=True)
class Started:
    """The job's turn has come; with `has_frames` the server knows its pictures and is sent none."""

    has_frames: bool = False


@dataclass(frozen=True)
class Waiting:
    """The server could not take or finish the job; it is asked again in `delay_s`. `reason` is its sentence."""

    delay_s: float
    reason: str


@dataclass(frozen=True)
class Progress:
    """How far a stage is: `completed` of `total` frames, steps or samples."""

    stage: Stage
    completed: int
    total: int


Event = Queued | Started | Waiting | Progress


@dataclass(frozen=True)
class Limits:
    """What one server takes; 0 stands for no limit."""

    max_prompt_characters: int = 0
    max_take_count: int = 0
    max_sample_count: int = 0
    max_step_count: int = 0


@dataclass(frozen=True)
class ServerInfo:
    """What a server can do; the first model is its default."""

    software_version: str
    models: tuple[ModelInfo, ...]
    limits: Limits

    def model(self, name: str) -> ModelInfo:
        """The model of that name, or the default one for an empty name.

        Raises:
            RequestError: The server has no such model.
        """
        if not self.models:
            raise RequestError("The server has no model loaded; start it again with `diffava serve --model NAME`.")
        if not name:
            return self.models[0]
        for model in self.models:
            if model.name == name:
                return model
        known = ", ".join(model.name for model in self.models)
        raise RequestError(f"The server has no model {name!r}, only {known}; choose one of these with --model.")


_Block = TypeVar("_Block")


def opened(source: Iterable[_Block] | None) -> Iterator[_Block] | None:
    """A source of a job for one attempt."""
    return None if source is None else iter(source)


class PictureMemory(Protocol):
    """What is known of pictures that were sent before, by a name for all that decides how they look."""

    def recall(self, identity: str) -> dict[str, Any] | None:
        """What was remembered under this name, if it still is."""
        ...

    def remember(self, identity: str, known: dict[str, Any]) -> None:
        """Remember plain values under this name, besides those that are; never fails."""
        ...


class NoMemory:
    """Knows nothing and remembers nothing."""

    def recall(self, identity: str) -> dict[str, Any] | None:
        """See `PictureMemory`."""
        return None

    def remember(self, identity: str, known: dict[str, Any]) -> None:
        """See `PictureMemory`."""


class FoleyClient(Protocol):
    """A server to ask for foley. A lost job may be asked for again: the same job gives the same samples."""

    @property
    def memory(self) -> PictureMemory:
        """What is known of pictures that were sent before."""
        ...

    def info(self) -> ServerInfo:
        """The server's models, limits and version.

        Raises:
            ServerError: It cannot be reached, or refuses the token.
        """
        ...

    def models(self) -> tuple[ModelInfo, ...]:
        """The server's models, the default first."""
        ...

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
        """Run one job: pull its sources in the order below as the server takes them, and yield audio as it arrives.

        Each source is opened by `iter` once an attempt, and closed at the attempt's end if it then has a `close`.

        Args:
            job: What is wanted.
            frames: After the other two, uint8 `[n, height, width, 3]` blocks in the model's `FrameFormat`, in all
                `FrameFormat.frame_count(job.sample_count)` of them; None for sound from the prompt alone.
            kept_audio: With `job.regenerate_samples` set, the old take's samples, `job.sample_count` in all.
            performance: With `job.guide.performance` set, its samples, `job.sample_count` in all; after `kept_audio`.
            frames_sha256: Of all the pictures' bytes, if it is known: they are opened only if the server does not know
                these pictures, and not before the job's turn has come.
            on_event: Told of the queue and of progress, in the thread that pulls the blocks.

        Returns:
            What made it and with which settings; the value of the generator's StopIteration.

        Raises:
            ServerError: With the server's own sentence, and whether asking again may help.
            FoleyError: Whatever `frames`, `kept_audio` or `performance` raised, unchanged.

        Closing the generator, or an exception such as KeyboardInterrupt inside it, cancels the job on the server.
        """
        ...
