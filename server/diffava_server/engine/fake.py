"""An engine that places clicks instead of sound: deterministic, instant, and scriptable for tests.

Each take is silence with an impulse of 1.0 at the first sample of every frame that turns white, so that a test can
follow one picture from the timeline through the wire to a sample. As in a model, hits that are given stand in for those
of the picture, and a performance for them and for the silence. Knows no torch and no network.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from diffava_server.engine.protocol import Audio, EngineModel, Event, FrameBlock, Job, Note, Progress
from diffava_server.errors import InvalidRequestError, JobCancelledError, ServerError

WHITE_LEVEL = 200
BLOCK_SAMPLES = 48_000


@dataclass(frozen=True)
class FakeEngine:
    """Frame k begins at sample `round(k * sample_rate_hz / frame_rate)`; a white frame after a dark one clicks there.

    Give `frame_rate` the timeline's own rate to get one picture for each timeline frame.

    Args of note: `notes` are said of every job; `on_job` is called with each job as it came, in the engine's process,
    and `before_step` there with each step's number: it may block (a `multiprocessing` event, say) to make the engine
    slow. `fail_with` is raised instead of the first step; `crash_at_step` ends the process there, as a kill would. All
    must be picklable.
    """

    frame_rate: Fraction = Fraction(8)
    frame_width_pixels: int = 32
    frame_height_pixels: int = 18
    sample_rate_hz: int = 48_000
    step_count: int = 4
    name: str = "fake"
    has_timing_guide: bool = True
    notes: tuple[str, ...] = ()
    on_job: Callable[[Job], None] | None = None
    before_step: Callable[[int], None] | None = None
    fail_with: ServerError | None = None
    crash_at_step: int | None = None

    def models(self) -> tuple[EngineModel, ...]:
        """The one model, under the name given."""
        return (
            EngineModel(
                name=self.name,
                weights_sha256="0" * 64,
                licence="Apache-2.0",
                commercial_use_allowed=True,
                frame_rate=self.frame_rate,
                frame_width_pixels=self.frame_width_pixels,
                frame_height_pixels=self.frame_height_pixels,
                sample_rate_hz=self.sample_rate_hz,
                default_step_count=self.step_count,
                default_guidance_scale=2.5,
                default_sampler="dpmpp_2m",
                warning="This model places clicks where the picture turns white; it is for tests.",
                has_timing_guide=self.has_timing_guide,
            ),
        )

    def run(
        self,
        job: Job,
        frames: Iterator[FrameBlock],
        *,
        emit: Callable[[Event], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        """As `Engine.run`."""
        if job.model != self.name:
            raise InvalidRequestError(f"This engine has no model '{job.model}', only '{self.name}'.")
        if self.on_job is not None:
            self.on_job(job)
        for note in self.notes:
            emit(Note(note))
        seen = self._seen_impulses(job, frames, emit, is_cancelled)
        follows_picture = job.guide.source == "picture" and job.guide.performance_f32le is None
        impulses = job.guide.hit_samples or (seen if follows_picture else ())
        for step in range(job.step_count):
            self._step(step, is_cancelled)
            emit(Progress("latent", step + 1, job.step_count))
        for take in range(len(job.seeds)):
            for first_sample in range(0, job.sample_count, BLOCK_SAMPLES):
                _stop_if(is_cancelled)
                samples = _block(job, impulses, first_sample, min(first_sample + BLOCK_SAMPLES, job.sample_count))
                emit(Audio(take, first_sample, samples.tobytes()))
                done = take * job.sample_count + first_sample + len(samples)
                emit(Progress("waveform", done, len(job.seeds) * job.sample_count))

    def _seen_impulses(
        self, job: Job, frames: Iterator[FrameBlock], emit: Callable[[Event], None], is_cancelled: Callable[[], bool]
    ) -> tuple[int, ...]:
        impulses: list[int] = []
        was_white = False
        received = 0
        for block in frames:
            _stop_if(is_cancelled)
            pictures = np.frombuffer(block.rgb24, np.uint8).reshape(block.frame_count, -1)
            for offset, is_white in enumerate(pictures.mean(axis=1) > WHITE_LEVEL):
                if is_white and not was_white:
                    impulses.append(round((block.first_frame + offset) * self.sample_rate_hz / self.frame_rate))
                was_white = bool(is_white)
            received += block.frame_count
            emit(Progress("features", received, job.frame_count))
        if received != job.frame_count:
            raise InvalidRequestError(f"The picture gave {received} frames, the job says {job.frame_count}.")
        return tuple(impulses)

    def _step(self, step: int, is_cancelled: Callable[[], bool]) -> None:
        _stop_if(is_cancelled)
        if self.before_step is not None:
            self.before_step(step)
        if self.crash_at_step == step:
            os._exit(70)
        if self.fail_with is not None:
            raise self.fail_with


def _stop_if(is_cancelled: Callable[[], bool]) -> None:
    if is_cancelled():
        raise JobCancelledError("The job was cancelled.")


def _block(job: Job, impulses: tuple[int, ...], start_sample: int, stop_sample: int) -> np.ndarray:
    """Samples `[start_sample, stop_sample)` of a take, float32 `[S]`; outside a regenerated part, the kept ones."""
    samples = np.zeros(stop_sample - start_sample, "<f4")
    if job.guide.performance_f32le is not None:
        samples += np.frombuffer(job.guide.performance_f32le, "<f4")[start_sample:stop_sample]
    inside = [sample - start_sample for sample in impulses if start_sample <= sample < stop_sample]
    samples[inside] = 1.0
    if job.kept is not None:
        kept = np.frombuffer(job.kept.pcm_f32le, "<f4")[start_sample:stop_sample]
        positions = np.arange(start_sample, stop_sample)
        anew = (job.kept.regenerate_start_sample <= positions) & (positions < job.kept.regenerate_stop_sample)
        samples = np.where(anew, samples, kept)
    return samples
