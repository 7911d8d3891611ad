"""A `FoleyClient` without a server: it plays what it is told to, for tests of everything above the wire.

By default it is deterministic in job and pictures, as a server is: each take is a quiet tone of its seed's frequency,
with a full impulse at the sample of each frame that turns white, and the kept audio outside a part. Hits stand in for
the white frames, a performance for them and for the tone. It knows no gRPC.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256

import numpy as np

from diffava_resolve.client.protocol import (
    AudioBlock,
    Event,
    Limits,
    NoMemory,
    PictureMemory,
    Progress,
    Queued,
    Rgb,
    Samples,
    ServerInfo,
    Started,
    opened,
)
from diffava_resolve.errors import FoleyError, RequestError
from diffava_resolve.spec import SAMPLE_RATE_HZ, FoleyJob, FrameFormat, JobResult, ModelInfo

BLOCK_SAMPLES = 1 << 16
_WHITE = 200

SCRIPTED_MODEL = ModelInfo(
    name="scripted",
    weights_sha256="0" * 64,
    licence="CC0-1.0",
    commercial_use_allowed=True,
    frames=FrameFormat(Fraction(8), 32, 18),
    sample_rate_hz=SAMPLE_RATE_HZ,
    default_step_count=2,
    default_guidance_scale=2.5,
    has_timing_guide=True,
)


@dataclass
class ScriptedClient:
    """Plays a server.

    `fail_after_blocks` raises `failure` once so many audio blocks were yielded; `notes` are said of every job; `jobs`
    and `performances` keep what was asked, and `cancelled_count` how many jobs were closed before their end. `seen` is
    what it remembers of pictures, by their hash.
    """

    server: ServerInfo = field(
        default_factory=lambda: ServerInfo("0.0.0-scripted", (SCRIPTED_MODEL,), Limits(2000, 8, 48_000 * 3600, 200))
    )
    failure: FoleyError | None = None
    fail_after_blocks: int = 0
    notes: tuple[str, ...] = ()
    memory: PictureMemory = field(default_factory=NoMemory)
    jobs: list[FoleyJob] = field(default_factory=list)
    performances: list[Samples | None] = field(default_factory=list)
    cancelled_count: int = 0
    seen: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def info(self) -> ServerInfo:
        """What the played server can do."""
        return self.server

    def models(self) -> tuple[ModelInfo, ...]:
        """The played server's models."""
        return self.server.models

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
        """Run one job; see `FoleyClient.generate`."""
        kept, performed, seen = opened(kept_audio), opened(performance), opened(frames)
        try:
            return (yield from self._play(job, kept, performed, seen, frames_sha256, on_event))
        except GeneratorExit:
            self.cancelled_count += 1
            raise
        finally:
            for source in (kept, performed, seen):
                close = getattr(source, "close", None)
                if close is not None:
                    close()

    def _play(
        self,
        job: FoleyJob,
        kept_audio: Iterator[Samples] | None,
        performance: Iterator[Samples] | None,
        frames: Iterator[Rgb] | None,
        frames_sha256: str,
        on_event: Callable[[Event], None],
    ) -> Generator[AudioBlock, None, JobResult]:
        model = self.server.model(job.model)
        self.jobs.append(job)
        on_event(Queued(0))
        seen: tuple[int, ...] | None = self.seen.get(frames_sha256)
        on_event(Started(has_frames=seen is not None))
        kept = _whole(kept_audio, "The audio to keep", job.sample_count)
        performed = _whole(performance, "The performance", job.sample_count)
        self.performances.append(performed)
        if seen is None:
            seen = self._look_at(frames, model.frames, job.sample_count, on_event)
        follows_picture = job.guide.source == "picture" and performed is None
        impulses = job.guide.hit_samples or (seen if follows_picture else ())
        hashes = []
        block_count = 0
        for take, seed in enumerate(job.seeds):
            digest = sha256()
            for first in range(0, job.sample_count, BLOCK_SAMPLES):
                if self.failure is not None and block_count >= self.fail_after_blocks:
                    raise self.failure
                block_count += 1
                samples = _sound(job, seed, first, impulses, kept, performed)
                digest.update(samples.tobytes())
                on_event(Progress("waveform", first + len(samples), job.sample_count))
                yield AudioBlock(take, first, samples)
            hashes.append(digest.hexdigest())
        return JobResult(
            model=model,
            software_version=self.server.software_version,
            step_count=job.step_count or model.default_step_count,
            guidance_scale=job.guidance_scale or model.default_guidance_scale,
            sampler=job.sampler or "dpmpp_2m",
            take_sha256=tuple(hashes),
            notes=self.notes,
        )

    def _look_at(
        self,
        frames: Iterator[Rgb] | None,
        frame_format: FrameFormat,
        sample_count: int,
        on_event: Callable[[Event], None],
    ) -> tuple[int, ...]:
        """The impulses that pictures ask for, which are remembered."""
        if frames is None:
            return ()
        digest = sha256()

        def hashed(blocks: Iterator[Rgb]) -> Iterator[Rgb]:
            for block in blocks:
                digest.update(block.tobytes())
                yield block

        seen = _seen_impulses(hashed(frames), frame_format, sample_count, on_event)
        self.seen[digest.hexdigest()] = seen
        return seen


def _whole(blocks: Iterator[Samples] | None, subject: str, sample_count: int) -> Samples | None:
    if blocks is None:
        return None
    samples = np.concatenate(list(blocks))
    if len(samples) != sample_count:
        raise RequestError(f"{subject} has {len(samples)} samples, the job {sample_count}.")
    return samples


def _seen_impulses(
    frames: Iterator[Rgb], frame_format: FrameFormat, sample_count: int, on_event: Callable[[Event], None]
) -> tuple[int, ...]:
    """The first sample of each frame that turns white; refuses pictures that do not fit the job."""
    total = frame_format.frame_count(sample_count)
    found: list[int] = []
    count = 0
    was_white = False
    for block in frames:
        if block.shape[1:] != (frame_format.height_pixels, frame_format.width_pixels, 3):
            raise RequestError(f"The pictures are {block.shape[1:]}, which is not the model's format.")
        for number, is_white in enumerate(block.mean(axis=(1, 2, 3)) > _WHITE):
            if is_white and not was_white:
                found.append(round(Fraction((count + number) * SAMPLE_RATE_HZ) / frame_format.rate))
            was_white = bool(is_white)
        count += len(block)
        on_event(Progress("features", count, total))
    if count != total:
        raise RequestError(f"The picture gave {count} frames, the job needs {total}.")
    return tuple(found)


def _sound(
    job: FoleyJob,
    seed: int,
    first_sample: int,
    impulses: tuple[int, ...],
    kept: Samples | None,
    performed: Samples | None,
) -> Samples:
    """One block of a take."""
    stop_sample = min(first_sample + BLOCK_SAMPLES, job.sample_count)
    if performed is None:
        samples = _tone(seed, first_sample, stop_sample - first_sample)
    else:
        samples = performed[first_sample:stop_sample].copy()
    samples[[impulse - first_sample for impulse in impulses if first_sample <= impulse < stop_sample]] = 1.0
    if kept is None or job.regenerate_samples is None:
        return samples
    numbers = np.arange(first_sample, stop_sample)
    is_anew = (job.regenerate_samples[0] <= numbers) & (numbers < job.regenerate_samples[1])
    return np.where(is_anew, samples, kept[first_sample:stop_sample])


def _tone(seed: int, first_sample: int, sample_count: int) -> Samples:
    """A quiet tone whose frequency is the seed's."""
    time_s = np.arange(first_sample, first_sample + sample_count) / SAMPLE_RATE_HZ
    return (0.1 * np.sin(2 * np.pi * (200 + seed % 1000) * time_s)).astype(np.float32)
