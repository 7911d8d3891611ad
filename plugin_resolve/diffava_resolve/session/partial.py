"""Part of a take made anew: what the job is given of the old take, and how its audio is cut in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from diffava_resolve.client.protocol import Samples
from diffava_resolve.session.finish import Finisher
from diffava_resolve.spec import Finish, Finished
from diffava_resolve.timeline.audio_file import TakeWriter, read_blocks
from diffava_resolve.timeline.receipts import RegeneratedPart
from diffava_resolve.timeline.splice import Part, splice


@dataclass(frozen=True)
class PartialJob:
    """The job covers samples `[start_sample, stop_sample)` of `old_take`, of which `part` is replaced."""

    old_take: Path
    old_sha256: str
    start_sample: int
    stop_sample: int
    part: Part

    @property
    def regenerate_samples(self) -> tuple[int, int]:
        """The part in the job's own samples."""
        return self.part.start_sample - self.start_sample, self.part.stop_sample - self.start_sample

    @property
    def for_receipt(self) -> RegeneratedPart:
        """The part as the receipt keeps it."""
        return RegeneratedPart(**vars(self.part), parent_sha256=self.old_sha256)

    def kept_audio(self) -> Iterator[Samples]:
        """What the old take has where the job is."""
        return read_blocks(self.old_take, self.start_sample, self.stop_sample)

    def kept_before(self) -> Iterator[Samples]:
        """What the old take has in the job before the part."""
        return read_blocks(self.old_take, self.start_sample, self.part.start_sample)

    def kept_after(self) -> Iterator[Samples]:
        """What the old take has in the job behind the part."""
        return read_blocks(self.old_take, self.part.stop_sample, self.stop_sample)

    def sound_of(self, blocks: Iterator[Samples]) -> Iterator[Samples]:
        """The part of the job's audio."""
        return _within(blocks, *self.regenerate_samples)


def write_take(
    writer: TakeWriter, blocks: Iterator[Samples], partial: PartialJob | None, finish: Finish, sample_count: int
) -> Finished | None:
    """Write a take of `sample_count` as the server gives it, finished, or the part of it finished and cut into the old.

    The crossfades come last: outside the part every sample of the old take stays, however the part was finished.
    """
    if partial is None:
        finisher = Finisher(finish, sample_count)
        for block in finisher.blocks(blocks, writer.path):
            writer.write(block)
    else:
        finisher = Finisher(finish, sample_count, partial.part.start_sample)
        splice(writer, partial.old_take, partial.part, finisher.blocks(partial.sound_of(blocks), writer.path))
    return finisher.finished


def _within(blocks: Iterator[Samples], start_sample: int, stop_sample: int) -> Iterator[Samples]:
    """The samples `[start, stop)` of a stream, which is read to its end all the same: the job ends there."""
    first = 0
    for block in blocks:
        inside = block[max(start_sample - first, 0) : max(stop_sample - first, 0)]
        first += len(block)
        if len(inside):
            yield inside
