"""One job's takes: made, finished, measured, with receipts, in the media folder. A take that leaks may be rolled again.

pictures -> server -> finished -> WAV -> measured -> receipt
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from diffava_resolve.client.protocol import Event, FoleyClient
from diffava_resolve.session.finish import notes_of
from diffava_resolve.session.job_frames import JobFrames
from diffava_resolve.session.leaks import LeakCheck, leak_notes, leaks_in_words, measure_leaks, other_seed
from diffava_resolve.session.measure import TakeMeasure, is_denoising
from diffava_resolve.session.media_folder import MediaFolder
from diffava_resolve.session.partial import PartialJob, write_take
from diffava_resolve.session.running import Anew, running
from diffava_resolve.session.timing import performance_blocks
from diffava_resolve.spec import Finish, Finished, FoleyJob, Picture, Region
from diffava_resolve.timeline.audio_file import TakeFile
from diffava_resolve.timeline.place import PlacedTake
from diffava_resolve.timeline.receipts import Receipt


@dataclass(frozen=True)
class Rendering:
    """Everything that the jobs for one clip share.

    `picture` is of a job's stretch, `region` of the whole take; they differ where only a part of the take is made anew,
    as `partial` says. `measure` looks at the picture once, however many jobs there are. `stem` begins the names of the
    takes. `finish` is done to what is made anew. `notes` go into the receipts before the server's. `frames` are the
    picture's where somebody has begun to decode them. `meanwhile` is called, more than once, while the server denoises.
    """

    client: FoleyClient
    picture: Picture
    region: Region
    measure: TakeMeasure
    folder: MediaFolder
    stem: str
    finish: Finish = Finish()  # noqa: RUF009  frozen
    leak_check: LeakCheck = "warn"
    partial: PartialJob | None = None
    notes: tuple[str, ...] = ()
    on_event: Callable[[Event], None] = lambda event: None
    frames: JobFrames | None = None
    meanwhile: Callable[[], None] = lambda: None

    def takes(self, job: FoleyJob) -> tuple[PlacedTake, ...]:
        """Run one job; with "reroll", takes with speech or music are made once more, in a second job.

        Raises:
            FoleyError: The server failed, or a take could not be written.
        """
        takes = self._run(job, self.frames)
        leaking = [take for take in takes if leaks_in_words(take.receipt.leaks)]
        if self.leak_check != "reroll" or not leaking:
            return takes
        again = replace(job, seeds=tuple(other_seed(take.receipt.seed) for take in leaking))
        second = dict(zip((take.receipt.seed for take in leaking), self._run(again), strict=True))
        return tuple(self._better(take, second.get(take.receipt.seed)) for take in takes)

    def _run(self, job: FoleyJob, begun: JobFrames | None = None) -> tuple[PlacedTake, ...]:
        frame_format = self.client.info().model(job.model).frames
        frames = begun or JobFrames(*(self.picture, job, frame_format, self.client.memory), aside=self.measure.aside)
        kept_audio = Anew(self.partial.kept_audio) if self.partial else None
        performance = performance_blocks(job.guide, self.folder.path)
        files: list[tuple[TakeFile, Finished | None]] = []

        def on_event(event: Event) -> None:
            if is_denoising(event):
                self.measure.begin()
                self.meanwhile()
            self.on_event(event)

        try:
            with running(self.client, job, frames, kept_audio, performance, on_event) as run:
                for _, blocks in run.takes():
                    with self.folder.writer(self.stem, self.region.sample_count) as writer:
                        finished = write_take(writer, blocks, self.partial, self.finish, self.region.sample_count)
                        files.append((self.folder.finish(writer), finished))
                result = run.result
        except BaseException:
            self.measure.close()
            raise

        def placed(beside: ThreadPoolExecutor) -> Iterator[PlacedTake]:
            looked_for = (
                []
                if self.leak_check == "off"
                else [beside.submit(measure_leaks, file.path, *self._part) for file, _ in files]
            )
            for number, (file, finished) in enumerate(files):
                measured = self.measure.of(file.path)
                leaks = looked_for[number].result() if looked_for else None
                told = (*notes_of(finished), *leak_notes(leaks, job.seeds[number]))
                receipt = Receipt.of_result(
                    *(self.region, job, result, number),
                    wav_sha256=file.sha256,
                    picture=frames.source,
                    part=self.partial.for_receipt if self.partial else None,
                    finish=self.finish,
                    finished=finished,
                    leaks=leaks,
                    notes=(*self.notes, *result.notes, *told),
                    **measured,
                )
                yield PlacedTake(file.path, receipt)

        with ThreadPoolExecutor(1) as beside:
            return tuple(placed(beside))

    @property
    def _part(self) -> tuple[int, int | None]:
        """The samples of a take that are made anew."""
        return (self.partial.part.start_sample, self.partial.part.stop_sample) if self.partial else (0, None)

    def _better(self, first: PlacedTake, second: PlacedTake | None) -> PlacedTake:
        """The take rolled again, if that helped; the other one's file is taken back."""
        if second is None:
            return first
        before, after = leaks_in_words(first.receipt.leaks), leaks_in_words(second.receipt.leaks)
        kept, dropped = (first, second) if after else (second, first)
        outcome = (
            f"and so does seed {second.receipt.seed}" if after else f"rolled again with seed {second.receipt.seed}"
        )
        note = f"The take with seed {first.receipt.seed} sounded like {before}, by its signal alone: {outcome}."
        if dropped.path != kept.path:
            self.folder.take_back(dropped.path)
        notes = (
            *(one for one in kept.receipt.notes if one not in leak_notes(kept.receipt.leaks, kept.receipt.seed)),
            note,
        )
        return PlacedTake(kept.path, replace(kept.receipt, notes=notes))
