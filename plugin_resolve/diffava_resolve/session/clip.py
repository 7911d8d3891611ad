"""One video file and a prompt to one WAV, without any timeline."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

from diffava_resolve.client.protocol import Event, FoleyClient
from diffava_resolve.errors import RequestError
from diffava_resolve.files import refuse_overwriting
from diffava_resolve.frames.foreign import length_of
from diffava_resolve.session.finish import notes_of
from diffava_resolve.session.job_frames import JobFrames
from diffava_resolve.session.leaks import leak_notes, measure_leaks
from diffava_resolve.session.measure import TakeMeasure, is_denoising
from diffava_resolve.session.media_folder import MediaFolder
from diffava_resolve.session.partial import write_take
from diffava_resolve.session.running import running
from diffava_resolve.session.settings import FoleySettings
from diffava_resolve.session.timing import Timing, guide_of, performance_blocks
from diffava_resolve.spec import Finished, Layer, MovieFile, Picture, Region, Segment
from diffava_resolve.timeline.audio_file import TakeWriter
from diffava_resolve.timeline.place import PlacedTake
from diffava_resolve.timeline.receipts import Receipt


def generate_clip(
    video: Path,
    settings: FoleySettings,
    client: FoleyClient,
    output: Path,
    *,
    timing: Timing = Timing(),  # noqa: B008  frozen
    on_event: Callable[[Event], None] = lambda event: None,
) -> PlacedTake:
    """Generate one take as long as the video, and write it to `output` (.wav). It is never rolled again.

    Raises:
        FoleyError: Nothing was written.
    """
    if output.suffix.lower() != ".wav":
        raise RequestError(f"The output {output.name} is not a .wav file; give it a name that ends in .wav.")
    refuse_overwriting(video, output)
    picture = picture_of_movie(video)
    region = picture.region
    finish = settings.finishing.of_new(region)
    finished: Finished | None = None
    with (
        tempfile.TemporaryDirectory(prefix="diffava-performance-") as temporary,
        MediaFolder(Path(temporary)) as folder,
        ExitStack() as ending,
        TakeWriter(output, sample_count=region.sample_count) as writer,
    ):
        guided = guide_of(timing, region.sample_of_frame, region.sample_count, folder)
        job = settings.job(client.info(), region.sample_count, guide=guided.guide)
        measure = TakeMeasure(picture, on_event, hit_samples=job.guide.hit_samples, memory=client.memory)
        ending.callback(measure.close)
        frame_format = client.info().model(job.model).frames
        frames = JobFrames(picture, job, frame_format, client.memory, aside=measure.aside)
        performance = performance_blocks(job.guide, folder.path)

        def while_it_runs(event: Event) -> None:
            if is_denoising(event):
                measure.begin()
            on_event(event)

        with running(client, job, frames, None, performance, while_it_runs) as run:
            for _, blocks in run.takes():
                finished = write_take(writer, blocks, None, finish, region.sample_count)
            result = run.result
        notes = (*guided.notes, *result.notes, *notes_of(finished))
        measured: dict[str, Any] = {
            "picture": frames.source,
            "finish": finish,
            "finished": finished,
            "notes": notes,
        }

        def look_at(unnamed: Path) -> None:
            leaks = None if settings.leak_check == "off" else measure_leaks(unnamed)
            told = leak_notes(leaks, job.seeds[0])
            measured.update(measure.of(unnamed), leaks=leaks, notes=(*measured["notes"], *told))

        file = writer.finish(look_at)
    return PlacedTake(file.path, Receipt.of_result(region, job, result, 0, wav_sha256=file.sha256, **measured))


def picture_of_movie(path: Path) -> Picture:
    """A whole video file as the picture of a timeline of its own rate; its cuts are not known.

    Raises:
        MediaError: It is missing, no movie, has no picture or says no length that could be.
    """
    frame_count, rate = length_of(path)
    layer = Layer(MovieFile(path), Fraction(0), Fraction(0), Fraction(1))
    return Picture(Region(rate, 0, 0, frame_count), (Segment(0, frame_count, (layer,)),), ())
