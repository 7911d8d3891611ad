"""What the plugin needs of a foley server, in plain values.

Nothing in here knows gRPC, timelines or files. `GrpcClient` speaks to a real server, `ScriptedClient` plays one; both
pass the same contract tests.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

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
    """The job waits; `position` jobs are ahead of it."""

    position: int


@dataclass(frozen=True)
class Started:
    """The job's turn has come."""


@dataclass(frozen=True)
class Progress:
    """How far a stage is: `completed` of `total` frames, steps or samples."""

    stage: Stage
    completed: int
    total: int


Event = Queued | Started | Progress


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


class FoleyClient(Protocol):
    """A server to ask for foley. A lost job may be asked for again: the same job gives the same samples."""

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
        frames: Iterator[Rgb] | None,
        kept_audio: Iterator[Samples] | None = None,
        performance: Iterator[Samples] | None = None,
        *,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> Generator[AudioBlock, None, JobResult]:
        """Run one job: pull its sources in the order below as the server takes them, and yield audio as it arrives.

        Args:
            job: What is wanted.
            frames: After the other two, uint8 `[n, height, width, 3]` blocks in the model's `FrameFormat`, in all
                `FrameFormat.frame_count(job.sample_count)` of them; None for sound from the prompt alone. Closed
                at the end if it has a `close`.
            kept_audio: With `job.regenerate_samples` set, the old take's samples, `job.sample_count` in all.
            performance: With `job.guide.performance` set, its samples, `job.sample_count` in all; after `kept_audio`.
            on_event: Told of the queue and of progress, in the thread that pulls the blocks.

        Returns:
            What made it and with which settings; the value of the generator's StopIteration.

        Raises:
            ServerError: With the server's own sentence, and whether asking again may help.
            FoleyError: Whatever `frames`, `kept_audio` or `performance` raised, unchanged.

        Closing the generator, or an exception such as KeyboardInterrupt inside it, cancels the job on the server.
        """
        ...
