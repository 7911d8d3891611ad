"""Where a take came from: the takes before it, and whose timing holds for what is made anew of it. Knows no server.

Samples count from the take's start, as in all takes of one clip.
"""

from collections.abc import Iterator
from pathlib import Path

from diffava_resolve.session.media_folder import MediaFolder
from diffava_resolve.session.timing import part_of_guide
from diffava_resolve.spec import TimingGuide
from diffava_resolve.timeline.receipts import Receipt
from diffava_resolve.timeline.takes import FoleyClip, Take

Span = tuple[int, int]


def first_sample_of_job(receipt: Receipt) -> int:
    """Where in its take a job began; 0 unless only a part was made anew."""
    if receipt.part is None or receipt.job.regenerate_samples is None:
        return 0
    return receipt.part.start_sample - receipt.job.regenerate_samples[0]


def inherited_guide(clip: FoleyClip, anew: Span, job: Span, base_directory: Path, folder: MediaFolder) -> TimingGuide:
    """The timing of what is made anew without any being given: that of the take in which it was made last.

    A guide is given for what is made anew. So it holds for a later job if that lies inside (`anew` in what was made
    anew, `job` in what was sent along); otherwise the take before is asked, and the whole take at last.

    Raises:
        MediaError: The performance of that take is missing or was changed.
    """
    for take in _chosen_and_ancestors(clip):
        receipt = take.receipt
        first = first_sample_of_job(receipt)
        sent = (first, first + receipt.job.sample_count)
        made = (receipt.part.start_sample, receipt.part.stop_sample) if receipt.part else sent
        if _is_inside(anew, made) and _is_inside(job, sent):
            takes_folder = clip.take_path(take, base_directory).parent
            return part_of_guide(receipt.job.guide, takes_folder, job[0] - first, job[1] - first, folder)
    return TimingGuide()


def whole_ancestor(clip: FoleyClip) -> Take:
    """The take that is heard, or the one from which it came part by part, as far as its takes are still there."""
    return list(_chosen_and_ancestors(clip))[-1]


def _chosen_and_ancestors(clip: FoleyClip) -> Iterator[Take]:
    take: Take | None = clip.chosen
    while take is not None:
        yield take
        take = _parent(clip, take)


def _parent(clip: FoleyClip, take: Take) -> Take | None:
    part = take.receipt.part
    if part is None:
        return None
    # A part made anew may come out as it was: only a take from before can be the parent, or the way would not end.
    found = [one for one in clip.takes if one.number < take.number and one.receipt.wav_sha256 == part.parent_sha256]
    return found[-1] if found else None


def _is_inside(inner: Span, outer: Span) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]
