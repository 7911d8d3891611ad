"""Making every take again from its receipt, and comparing: the proof that a timeline's sound is what it says it is.

Takes of one batch are made again as one batch, since a model's arithmetic may differ with the number of takes.
A take of which a part was made anew is built again from the take that it came from.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from diffava_resolve.client.protocol import Event, FoleyClient, NoMemory
from diffava_resolve.errors import FoleyError, MediaError
from diffava_resolve.session.ancestry import first_sample_of_job
from diffava_resolve.session.job_frames import JobFrames
from diffava_resolve.session.partial import PartialJob, write_take
from diffava_resolve.session.running import Anew, running
from diffava_resolve.session.timing import checked_performance, performance_blocks
from diffava_resolve.spec import SAMPLE_RATE_HZ, Region
from diffava_resolve.timeline.audio_file import TakeWriter, file_sha256
from diffava_resolve.timeline.place import foley_clips
from diffava_resolve.timeline.receipts import PictureSource, Receipt
from diffava_resolve.timeline.splice import Part
from diffava_resolve.timeline.takes import FoleyClip, Take
from diffava_resolve.timeline.viewer import picture_of

Outcome = Literal["same", "differs", "cannot"]


@dataclass(frozen=True)
class Verdict:
    """What became of one take; `reason` is a sentence unless it is the same."""

    clip_id: str
    take_number: int
    outcome: Outcome
    reason: str = ""


class _CannotVerifyError(FoleyError):
    """Nothing can be said of this take: what it was made from is not there any more."""


def verify(
    timeline: Any,
    source: Path,
    client: FoleyClient,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Iterator[Verdict]:
    """Make every generated clip's takes again and say of each whether it is the same; writes nothing that stays.

    Raises:
        FoleyError: The server failed, or a receipt is damaged.
    """
    for clip in foley_clips(timeline):
        # Batches were numbered in one go, so that the takes of one are neighbours.
        for _, batch in groupby(clip.takes, key=lambda take: _batch_of(take.receipt)):
            takes = tuple(batch)
            try:
                yield from _verify_batch(timeline, source, clip, takes, client, on_event)
            except (_CannotVerifyError, MediaError) as error:
                yield from (Verdict(clip.clip_id, take.number, "cannot", str(error)) for take in takes)


def _batch_of(receipt: Receipt) -> tuple[Any, ...]:
    return receipt.job, receipt.region, receipt.weights_sha256, receipt.picture, receipt.part, receipt.finish


def _verify_batch(
    timeline: Any,
    source: Path,
    clip: FoleyClip,
    takes: tuple[Take, ...],
    client: FoleyClient,
    on_event: Callable[[Event], None],
) -> Iterator[Verdict]:
    receipt = takes[0].receipt
    _refuse_other_model(receipt, client)
    takes_folder = clip.take_path(takes[0], source.parent).parent
    found = _remade(timeline, source, clip, receipt, takes_folder, client, on_event)
    for take in takes:
        outcome, reason = _compared(take.receipt, found[take.receipt.take_index], clip.take_path(take, source.parent))
        yield Verdict(clip.clip_id, take.number, outcome, reason)


def _refuse_other_model(receipt: Receipt, client: FoleyClient) -> None:
    for model in client.models():
        if model.name == receipt.job.model:
            if model.weights_sha256 != receipt.weights_sha256:
                raise _CannotVerifyError(
                    f"The server's {model.name} has other weights than the ones that made this take."
                )
            return
    raise _CannotVerifyError(
        f"The server has no model {receipt.job.model!r}; start one with `--model {receipt.job.model}`."
    )


def _compared(receipt: Receipt, found_sha256: str, path: Path) -> tuple[Outcome, str]:
    if not path.is_file():
        return "cannot", f"The file {path} is missing."
    if file_sha256(path) != receipt.wav_sha256:
        return "differs", f"The file {path} is not the one that was made: it was changed since."
    if found_sha256 != receipt.wav_sha256:
        return "differs", "Made again, the take came out otherwise; another machine or software version may be why."
    return "same", ""


def _remade(
    timeline: Any,
    source: Path,
    clip: FoleyClip,
    receipt: Receipt,
    takes_folder: Path,
    client: FoleyClient,
    on_event: Callable[[Event], None],
) -> tuple[str, ...]:
    """The sha256 of each take's WAV, made again in a folder that is then thrown away."""
    frames = _frames_again(timeline, source, clip, receipt, client)
    partial = _partial_job(clip, source.parent, receipt) if receipt.part is not None else None
    kept_audio = Anew(partial.kept_audio) if partial else None
    if receipt.job.guide.performance is not None:
        checked_performance(receipt.job.guide.performance, takes_folder)
    performance = performance_blocks(receipt.job.guide, takes_folder)
    hashes: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="diffava-verify-") as folder,
        running(client, receipt.job, frames, kept_audio, performance, on_event) as run,
    ):
        for take, blocks in run.takes():
            with TakeWriter(Path(folder) / f"{take}.wav", sample_count=receipt.region.sample_count) as writer:
                write_take(writer, blocks, partial, receipt.finish, receipt.region.sample_count)
                finished = writer.finish()
            hashes.append(finished.sha256)
            finished.path.unlink()
        _ = run.result  # refuses audio that did not arrive whole
    return tuple(hashes)


def _frames_again(
    timeline: Any, source: Path, clip: FoleyClip, receipt: Receipt, client: FoleyClient
) -> JobFrames | None:
    """The pictures of today, which end in `_CannotVerifyError` if they are not the receipt's."""
    seen = receipt.picture
    if seen is None:
        return None

    def compare(now: PictureSource) -> None:
        if now.frames_sha256 != seen.frames_sha256:
            raise _CannotVerifyError(
                "The picture under this take is not the one that it was made for: the clip was moved, or the cut or "
                "its media changed. `diffava regenerate` makes a take for the picture as it is now."
            )

    frame_format = client.info().model(receipt.job.model).frames
    if frame_format != seen.frame_format:
        raise _CannotVerifyError("The server's model wants other pictures than the ones this take was made from.")
    region = _region_of_job(clip, receipt)
    picture = picture_of(timeline, region, source.parent)
    return JobFrames(picture, receipt.job, frame_format, NoMemory(), compare)  # a proof decodes


def _region_of_job(clip: FoleyClip, receipt: Receipt) -> Region:
    """Where the job's picture lies now, if the clip was moved together with it."""
    if receipt.part is None or receipt.job.regenerate_samples is None:
        return clip.take_region
    origin = receipt.region
    start_sample = origin.start_sample + first_sample_of_job(receipt)
    moved_frames = clip.take_region.start_frame - origin.start_frame
    return replace(
        clip.take_region,
        start_frame=_frame_at(start_sample, origin.rate) + moved_frames,
        stop_frame=_frame_at(start_sample + receipt.job.sample_count, origin.rate) + moved_frames,
    )


def _frame_at(sample: int, rate: Fraction) -> int:
    """The timeline frame that begins at `sample`."""
    return round(Fraction(sample, SAMPLE_RATE_HZ) * rate)


def _partial_job(clip: FoleyClip, base_directory: Path, receipt: Receipt) -> PartialJob:
    part = receipt.part
    if part is None:
        raise ValueError("only a take with a part made anew has one")
    parents = [take for take in clip.takes if take.receipt.wav_sha256 == part.parent_sha256]
    paths = [clip.take_path(take, base_directory) for take in parents]
    if not paths or not paths[0].is_file() or file_sha256(paths[0]) != part.parent_sha256:
        raise _CannotVerifyError("The take that this one was made from is missing or was changed.")
    start_sample = first_sample_of_job(receipt)
    return PartialJob(
        old_take=paths[0],
        old_sha256=part.parent_sha256,
        start_sample=start_sample,
        stop_sample=start_sample + receipt.job.sample_count,
        part=Part(part.start_sample, part.stop_sample, part.fade_in_samples, part.fade_out_samples),
    )
