"""One job while it runs: its takes as streams of samples, checked against what the server says it sent.

Holds one block of pictures and one of audio at a time. Knows neither timelines nor where takes are kept.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby

from diffava_resolve.client.protocol import AudioBlock, Event, FoleyClient, PictureMemory, Rgb, Samples
from diffava_resolve.errors import ServerError
from diffava_resolve.frames.foreign import frames_of
from diffava_resolve.frames.identity import identity_of
from diffava_resolve.spec import FoleyJob, FrameFormat, JobResult, Picture
from diffava_resolve.timeline.receipts import PictureSource


class CountedFrames:
    """Pictures on their way to the server, counted and hashed, so that the receipt can say what was seen.

    Args of note: `at_end` is told when all pictures were given, and may raise to call the job off before the
    costly part of it begins.
    """

    def __init__(
        self, blocks: Iterator[Rgb], frame_format: FrameFormat, at_end: Callable[[PictureSource], None] | None = None
    ) -> None:
        self._blocks = blocks
        self._format = frame_format
        self._at_end = at_end
        self._digest = sha256()
        self._count = 0

    def __iter__(self) -> Iterator[Rgb]:
        return self

    def __next__(self) -> Rgb:
        try:
            block = next(self._blocks)
        except StopIteration:
            if self._at_end is not None:
                self._at_end(self.source)
            raise
        self._digest.update(block.tobytes())
        self._count += len(block)
        return block

    def close(self) -> None:
        """Let the decoder go."""
        close = getattr(self._blocks, "close", None)
        if close is not None:
            close()

    @property
    def source(self) -> PictureSource:
        """What has been given so far."""
        return PictureSource(self._format, self._count, self._digest.hexdigest())


class JobFrames(Iterable[Rgb]):
    """The pictures of one job, exactly as many as it needs, decoded anew each time they are asked for.

    `sha256` is that of all of them, where `memory` knows it: then they need not be decoded where the server knows them
    too. Whatever is decoded to its end is remembered. `at_end` is `CountedFrames`'.
    """

    def __init__(
        self,
        picture: Picture,
        job: FoleyJob,
        frame_format: FrameFormat,
        memory: PictureMemory,
        at_end: Callable[[PictureSource], None] | None = None,
    ) -> None:
        self._picture, self._format, self._memory, self._at_end = picture, frame_format, memory, at_end
        self._count = frame_format.frame_count(job.sample_count)
        self._identity = name_in_memory(picture, frame_format, self._count)
        known = memory.recall(self._identity) if self._identity else None
        self.sha256 = str(known.get("frames_sha256", "")) if known else ""
        self._latest: CountedFrames | None = None

    def __iter__(self) -> CountedFrames:
        blocks = _exactly(frames_of(self._picture, self._format), self._count)
        self._latest = CountedFrames(blocks, self._format, self._ended)
        return self._latest

    @property
    def source(self) -> PictureSource:
        """What the server has seen: what was given to it last, or what it knew already."""
        given = None if self._latest is None else self._latest.source
        if self.sha256 and (given is None or not given.frame_count):
            return PictureSource(self._format, self._count, self.sha256)
        return given or PictureSource(self._format, 0, sha256().hexdigest())

    def _ended(self, source: PictureSource) -> None:
        if self._identity and source.frame_count == self._count:
            self._memory.remember(self._identity, {"frames_sha256": source.frames_sha256})
        if self._at_end is not None:
            self._at_end(source)


def name_in_memory(picture: Picture, frame_format: FrameFormat, frame_count: int) -> str:
    """Under which name a memory knows so many pictures of a region; empty where it cannot know them."""
    identity = identity_of(picture, frame_format)
    return f"{identity}-{frame_count}" if identity else ""


@dataclass(frozen=True)
class Anew(Iterable[Samples]):
    """Samples that are opened anew each time they are asked for."""

    open: Callable[[], Iterator[Samples]]

    def __iter__(self) -> Iterator[Samples]:
        return self.open()


def _exactly(blocks: Iterator[Rgb], frame_count: int) -> Iterator[Rgb]:
    """`blocks`, one picture less or its last one twice where needed.

    A clip that was moved at 29.97 may lie one sample longer or shorter than where it was made, and so, seldom, need
    another number of pictures than its place has.
    """
    missing = frame_count
    last: Rgb | None = None
    for block in blocks:  # to its end in any case: there it is seen whether a source changed
        part = block[:missing]
        missing -= len(part)
        if len(part):
            last = part[-1:]
            yield part
    if missing == 1 and last is not None:
        yield last


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
