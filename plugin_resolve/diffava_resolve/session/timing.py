"""When things are to be heard: from a person's wishes, or from an earlier take, to the timing guide of one job.

A performance is decoded once and kept beside the takes, exactly as long as its job and exactly as it is sent, so that a
take can be made again without the file that it came from. Knows no server.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from diffava_resolve.client.protocol import Samples
from diffava_resolve.errors import MediaError
from diffava_resolve.frames.performance import PerformedSound
from diffava_resolve.session.media_folder import MediaFolder
from diffava_resolve.session.running import Anew
from diffava_resolve.spec import GuideSource, Performance, TimingGuide
from diffava_resolve.timeline.audio_file import file_sha256, read_blocks

_STEM = "performance"


@dataclass(frozen=True)
class Timing:
    """What a person gives for one region: hits as frames of its timeline, and a performance that begins at IN."""

    source: GuideSource = "picture"
    hit_frames: tuple[int, ...] = ()
    performance: Path | None = None


@dataclass(frozen=True)
class Guided:
    """A job's guide, and what a person must know of it."""

    guide: TimingGuide
    notes: tuple[str, ...] = ()


def guide_of(
    timing: Timing,
    sample_of: Callable[[int], int],
    sample_count: int,
    folder: MediaFolder,
    *,
    before: Iterable[Samples] = (),
    after: Iterable[Samples] = (),
) -> Guided:
    """The guide of a job, with the performance kept in `folder`.

    Args:
        timing: What was given.
        sample_of: From a hit's frame to its sample in the job.
        sample_count: How much of a performance is wanted, from its beginning on.
        folder: Where the job's takes will be.
        before: What stands in the job before the performance: with a part, the old take's sound.
        after: What stands behind it.

    Raises:
        RequestError: The performance cannot be read, or is silent.
        OutputError: It could not be kept.
    """
    hit_samples = tuple(sample_of(frame) for frame in timing.hit_frames)
    if timing.performance is None:
        return Guided(TimingGuide(timing.source, hit_samples=hit_samples))
    sound = PerformedSound(timing.performance, sample_count)
    kept = _keep(chain(before, sound.blocks(), after), timing.performance.name, file_sha256(timing.performance), folder)
    return Guided(TimingGuide(timing.source, hit_samples=hit_samples, performance=kept), sound.notes)


def part_of_guide(
    guide: TimingGuide, source: Path, start_sample: int, stop_sample: int, folder: MediaFolder
) -> TimingGuide:
    """The stretch `[start, stop)` of an earlier job's guide, counted from its start.

    Args of note: `source` is the folder of the earlier job's takes; its performance is kept in `folder` once more.

    Raises:
        MediaError: The performance is missing or was changed.
    """
    hits = tuple(hit - start_sample for hit in guide.hit_samples if start_sample <= hit < stop_sample)
    old, kept = guide.performance, None
    if old is not None:
        blocks = read_blocks(checked_performance(old, source), start_sample, stop_sample)
        kept = _keep(blocks, old.source_name, old.source_sha256, folder)
    return TimingGuide(guide.source, guide.strength, hits, kept)


def checked_performance(performance: Performance, folder: Path) -> Path:
    """The WAV of a performance, in the folder of its takes.

    Raises:
        MediaError: It is missing or was changed.
    """
    path = folder / performance.file_name
    if not path.is_file() or file_sha256(path) != performance.file_sha256:
        raise MediaError(
            f"The performance {performance.source_name} of this take, kept as {path}, is missing or was changed; "
            "restore it, give it again with --performance, or go back to the picture with --guide picture."
        )
    return path


def performance_blocks(guide: TimingGuide, folder: Path) -> Iterable[Samples] | None:
    """What is sent of a guide's performance; None where there is none."""
    return None if guide.performance is None else Anew(partial(read_blocks, folder / guide.performance.file_name))


def _keep(blocks: Iterable[Samples], source_name: str, source_sha256: str, folder: MediaFolder) -> Performance:
    with folder.writer(_STEM) as writer:
        for block in blocks:
            writer.write(block)
        file = folder.finish(writer)
    return Performance(source_name, source_sha256, file.path.name, file.sha256)
