"""One job while it runs: its takes as streams of samples, checked against what the server says it sent.

Holds one block of audio at a time. Knows neither timelines nor where takes are kept.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby

from diffava_resolve.client.protocol import AudioBlock, Event, FoleyClient, Samples
from diffava_resolve.errors import ServerError
from diffava_resolve.session.job_frames import JobFrames
from diffava_resolve.spec import FoleyJob, JobResult


@dataclass(frozen=True)
class Anew(Iterable[Samples]):
    """Samples that are opened anew each time they are asked for."""

    open: Callable[[], Iterator[Samples]]

    def __iter__(self) -> Iterator[Samples]:
        return self.open()


class RunningJob:
    """The takes of a job, in order; `result` is there once the last take was read to its end."""

    def __init__(self, job: FoleyJob, blocks: Generator[AudioBlock, None, JobResult]) -> None:
        self._job = job
        self._source = blocks
        self._result: JobResult | None = None
        self._hashes: dict[int, str] = {}

    @property
    def result(self) -> JobResult:
        """What made the takes.

        Raises:
            ServerError: The takes have not all arrived whole.
        """
        if self._result is None or tuple(self._hashes.values()) != self._result.take_sha256:
            raise ServerError("The audio did not arrive as the server sent it; run the command again.", retryable=True)
        return self._result

    def takes(self) -> Iterator[tuple[int, Iterator[Samples]]]:
        """Each take's number and its blocks of float32 samples, which must be read before the next take's.

        Raises:
            ServerError: A sample is missing, or the job failed.
        """
        for expected, (take, blocks) in enumerate(groupby(self._blocks(), key=lambda block: block.take)):
            if take != expected:
                raise _gap(f"take {take + 1} instead of {expected + 1}")
            yield take, self._checked(take, blocks)
        if len(self._hashes) != len(self._job.seeds):
            raise _gap(f"{len(self._hashes)} of {len(self._job.seeds)} takes")

    def _blocks(self) -> Iterator[AudioBlock]:
        self._result = yield from self._source

    def _checked(self, take: int, blocks: Iterator[AudioBlock]) -> Iterator[Samples]:
        digest = sha256()
        next_sample = 0
        for block in blocks:
            if block.first_sample != next_sample:
                raise _gap(f"sample {block.first_sample} instead of {next_sample}")
            next_sample += len(block.samples)
            digest.update(block.samples.tobytes())
            yield block.samples
        if next_sample != self._job.sample_count:
            raise _gap(f"{next_sample} of {self._job.sample_count} samples")
        self._hashes[take] = digest.hexdigest()


@contextmanager
def running(
    client: FoleyClient,
    job: FoleyJob,
    frames: JobFrames | None,
    kept_audio: Iterable[Samples] | None,
    performance: Iterable[Samples] | None,
    on_event: Callable[[Event], None],
) -> Iterator[RunningJob]:
    """Run `job` for as long as the block lasts; leaving it early, for whatever reason, cancels the job."""
    known = {"frames_sha256": frames.sha256} if frames is not None and frames.sha256 else {}
    blocks = client.generate(job, frames, kept_audio, performance, **known, on_event=on_event)
    try:
        yield RunningJob(job, blocks)
    finally:
        blocks.close()


def _gap(found: str) -> ServerError:
    return ServerError(f"The server's audio has a gap: {found} came; run the command again.", retryable=True)
