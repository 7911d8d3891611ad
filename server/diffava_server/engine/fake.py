"""An engine that places clicks instead of sound: deterministic, instant, and scriptable for tests.

Each take is silence with an impulse of 1.0 at the first sample of every frame that turns white, so that a test can
follow one picture from the timeline through the wire to a sample. As in a model, hits that are given stand in for those
of the picture, and a performance for them and for the silence. It remembers where the clicks of the latest pictures
were, as an engine remembers what its encoders said. Knows no torch and no network.
"""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NoReturn

import numpy as np

from diffava_server.engine.protocol import Audio, EngineModel, Job, Note, Progress, Seat, picture_key
from diffava_server.errors import InvalidRequestError, JobCancelledError, OutOfMemoryError, ServerError

WHITE_LEVEL = 200
BLOCK_SAMPLES = 48_000


@dataclass(frozen=True)
class FakeEngine:
    """Frame k begins at sample `round(k * sample_rate_hz / frame_rate)`; a white frame after a dark one clicks there.

    Give `frame_rate` the timeline's own rate to get one picture for each timeline frame.

    Args of note: `notes` are said of every job. `on_job` is called with each job as it came, and may raise what the job
    shall end with; `on_batch` with the number of jobs of each batch; `before_step` with each step's number of a batch,
    and may block (a `multiprocessing` event, say) to make the engine slow. `step_s` is how long a step sleeps, however
    many rows it has, and `picture_s` likewise each picture. `fail_with` is raised instead of the first step,
    `crash_at_step` ends the process there, as a kill would, `hang_at_step` never comes back from it, and a batch of
    more rows than `memory_rows` is out of memory. All must be picklable, and are called in the engine's process.
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
    on_batch: Callable[[int], None] | None = None
    step_s: float = 0.0
    picture_s: float = 0.0
    hang_at_step: int | None = None
    memory_rows: int | None = None
    max_batch_rows: int = 8
    max_pictures: int = 64
    bytes_per_row: int = 0
    bytes_per_row_second: int = 0
    device_bytes: int = 0
    _impulses: dict[str, tuple[int, ...]] = field(default_factory=dict, init=False)  # by picture, the latest last

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
                max_batch_rows=self.max_batch_rows,
                bytes_per_row=self.bytes_per_row,
                bytes_per_row_second=self.bytes_per_row_second,
                device_bytes=self.device_bytes,
            ),
        )

    def remembered(self) -> frozenset[str]:
        """As `Engine.remembered`: the last `max_pictures`."""
        return frozenset(self._impulses)

    def run(self, seats: Sequence[Seat]) -> None:
        """As `Engine.run`: pictures seat by seat, steps together, sound seat by seat."""
        if self.on_batch is not None:
            self.on_batch(len(seats))
        begun = {id(seat): clicks for seat in seats if (clicks := self._begun(seat)) is not None}
        live = [seat for seat in seats if id(seat) in begun]
        for step in range(live[0].job.step_count if live else 0):
            live = [seat for seat in live if not _ended_if_cancelled(seat)]
            if live:
                self._step(step, sum(len(seat.job.seeds) for seat in live))
            for seat in live:
                seat.emit(Progress("latent", step + 1, seat.job.step_count))
        for seat in live:
            _say(seat, begun[id(seat)])

    def _begun(self, seat: Seat) -> tuple[int, ...] | None:
        """Where the job's clicks are; None if it has ended already."""
        job = seat.job
        try:
            if job.model != self.name:
                raise InvalidRequestError(f"This engine has no model '{job.model}', only '{self.name}'.")
            if self.on_job is not None:
                self.on_job(job)
            for note in self.notes:
                seat.emit(Note(note))
            seen = self._seen_impulses(seat)
        except ServerError as error:
            seat.end(error)
            return None
        follows_picture = job.guide.source == "picture" and job.guide.performance_f32le is None
        return job.guide.hit_samples or (seen if follows_picture else ())

    def _seen_impulses(self, seat: Seat) -> tuple[int, ...]:
        job = seat.job
        known = self._impulses.get(picture_key(job))
        if known is not None:
            seat.emit(Progress("features", job.frame_count, job.frame_count))
            return known
        impulses: list[int] = []
        taken = hashlib.sha256()
        was_white = False
        received = 0
        for block in seat.frames():
            _raise_if_cancelled(seat)
            taken.update(block.rgb24)
            pictures = np.frombuffer(block.rgb24, np.uint8).reshape(block.frame_count, -1)
            for offset, is_white in enumerate(pictures.mean(axis=1) > WHITE_LEVEL):
                if is_white and not was_white:
                    impulses.append(round((block.first_frame + offset) * self.sample_rate_hz / self.frame_rate))
                was_white = bool(is_white)
            time.sleep(self.picture_s * block.frame_count)
            received += block.frame_count
            seat.emit(Progress("features", received, job.frame_count))
        if received != job.frame_count:
            raise InvalidRequestError(f"The picture gave {received} frames, the job says {job.frame_count}.")
        if received:
            self._remember(picture_key(replace(job, frames_sha256=taken.digest())), tuple(impulses))
        return tuple(impulses)

    def _remember(self, key: str, impulses: tuple[int, ...]) -> None:
        self._impulses.pop(key, None)
        self._impulses[key] = impulses
        while len(self._impulses) > self.max_pictures:
            del self._impulses[next(iter(self._impulses))]

    def _step(self, step: int, row_count: int) -> None:
        if self.before_step is not None:
            self.before_step(step)
        if self.crash_at_step == step:
            os._exit(70)
        if self.hang_at_step == step:
            _hang()
        if self.memory_rows is not None and row_count > self.memory_rows:
            raise OutOfMemoryError(f"The fake has memory for {self.memory_rows} rows, and the batch has {row_count}.")
        if self.fail_with is not None:
            raise self.fail_with
        time.sleep(self.step_s)


def _hang() -> NoReturn:
    while True:
        time.sleep(3600)


def _raise_if_cancelled(seat: Seat) -> None:
    if seat.is_cancelled():
        raise JobCancelledError("The job was cancelled.")


def _ended_if_cancelled(seat: Seat) -> bool:
    if seat.is_cancelled():
        seat.end(JobCancelledError("The job was cancelled."))
        return True
    return False


def _say(seat: Seat, impulses: tuple[int, ...]) -> None:
    """Emit every take of a seat, and end it."""
    job = seat.job
    for take in range(len(job.seeds)):
        for first_sample in range(0, job.sample_count, BLOCK_SAMPLES):
            if _ended_if_cancelled(seat):
                return
            samples = _block(job, impulses, first_sample, min(first_sample + BLOCK_SAMPLES, job.sample_count))
            seat.emit(Audio(take, first_sample, samples.tobytes()))
            done = take * job.sample_count + first_sample + len(samples)
            seat.emit(Progress("waveform", done, len(job.seeds) * job.sample_count))
    seat.end()


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
