"""Making a clip anew, whole or in part. The new takes stand beside the old ones and the first of them is heard.

A part is asked for with some of the clip around it, so that it fits what it joins, and then cut into the old take:
outside the part every sample stays, bit for bit, and a long clip costs no more than its part.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from diffava_resolve.client.protocol import Event, FoleyClient
from diffava_resolve.files import refuse_overwriting
from diffava_resolve.session.ancestry import inherited_guide, whole_ancestor
from diffava_resolve.session.generate import PlacedClip
from diffava_resolve.session.measure import TakeMeasure
from diffava_resolve.session.media_folder import MediaFolder
from diffava_resolve.session.partial import PartialJob
from diffava_resolve.session.render import Rendering
from diffava_resolve.session.settings import FoleySettings
from diffava_resolve.session.timing import Guided, Timing, guide_of
from diffava_resolve.spec import Finish, Picture, Region
from diffava_resolve.timeline.audio_file import read_blocks
from diffava_resolve.timeline.export import write_otio
from diffava_resolve.timeline.loudness import loudness_of_sound
from diffava_resolve.timeline.place import find_clip, media_folder, replace_takes
from diffava_resolve.timeline.splice import Part
from diffava_resolve.timeline.takes import FoleyClip
from diffava_resolve.timeline.viewer import picture_of

CONTEXT_S = 11
"""How much of the clip on each side goes along with a part: the widest window of the models known spans 10.24 s."""


def regenerate(
    timeline: Any,
    source: Path,
    clip_id: str,
    settings: FoleySettings,
    client: FoleyClient,
    output: Path,
    *,
    part: Region | None = None,
    timing: Timing | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
) -> PlacedClip:
    """Make new takes of a clip, or of `part` of the take that is heard, and write the timeline to `output`.

    Without `timing` that of the take holds on.

    Raises:
        FoleyError: Nothing was written.
    """
    refuse_overwriting(source, output)
    clip = find_clip(timeline, clip_id)
    with MediaFolder(media_folder(output)) as folder:
        if part is None:
            placed = render_whole(timeline, source, clip, settings, timing, client, folder, on_event)
        else:
            placed = render_part(timeline, source, clip, part, settings, timing, client, folder, on_event)
        changed = replace_takes(timeline, clip_id, placed.takes, source.parent)
        write_otio(changed, source.parent, output)
    return placed


def context_of(clip: FoleyClip, part: Region) -> Region:
    """The part with `CONTEXT_S` around it, as far as the clip is heard."""
    margin_frames = round(CONTEXT_S * part.rate)
    return replace(
        part,
        start_frame=max(part.start_frame - margin_frames, clip.region.start_frame),
        stop_frame=min(part.stop_frame + margin_frames, clip.region.stop_frame),
    )


def render_whole(
    timeline: Any,
    source: Path,
    clip: FoleyClip,
    settings: FoleySettings,
    timing: Timing | None,
    client: FoleyClient,
    folder: MediaFolder,
    on_event: Callable[[Event], None],
) -> PlacedClip:
    """New takes of exactly the old one's length, to what the viewer sees where the clip lies now."""
    birthplace = clip.chosen.receipt.region
    picture = picture_of(timeline, clip.take_region, source.parent)
    guided = _guide_of_whole(timing, clip, source.parent, folder)
    job = settings.job(client.info(), birthplace.sample_count, picture.cut_samples, guide=guided.guide)
    old = clip.take_path(clip.chosen, source.parent)
    finish = settings.finishing.of_whole(
        birthplace, _finish_of_whole(clip), lambda: loudness_of_sound(read_blocks(old))
    )
    measure = TakeMeasure(picture, on_event, hit_samples=job.guide.hit_samples, memory=client.memory)
    rendering = Rendering(
        *(client, picture, birthplace, measure, folder, clip.clip_id),
        finish=finish,
        leak_check=settings.leak_check,
        notes=guided.notes,
        on_event=on_event,
    )
    takes = rendering.takes(job)
    return PlacedClip.of(clip.clip_id, clip.track_name, clip.region, takes, picture)


def render_part(
    timeline: Any,
    source: Path,
    clip: FoleyClip,
    part: Region,
    settings: FoleySettings,
    timing: Timing | None,
    client: FoleyClient,
    folder: MediaFolder,
    on_event: Callable[[Event], None],
) -> PlacedClip:
    """New takes that differ from the old one in the part alone; a job each, since the server does one part a job."""
    old = clip.chosen.receipt
    picture = picture_of(timeline, context_of(clip, part), source.parent)
    partial = _partial_job(clip, part, picture, source.parent)
    guided = _guide_of_part(timing, clip, partial, source.parent, folder)
    wanted = settings.job(
        client.info(),
        partial.stop_sample - partial.start_sample,
        picture.cut_samples,
        partial.regenerate_samples,
        guide=guided.guide,
    )
    start, stop = partial.part.start_sample, partial.part.stop_sample
    finish = settings.finishing.of_part(
        old.region, _finish_of_whole(clip), lambda: loudness_of_sound(read_blocks(partial.old_take, start, stop))
    )
    measure = TakeMeasure(picture, on_event, partial.start_sample, wanted.guide.hit_samples, client.memory)
    rendering = Rendering(
        *(client, picture, old.region, measure, folder, clip.clip_id),
        finish=finish,
        leak_check=settings.leak_check,
        partial=partial,
        notes=guided.notes,
        on_event=on_event,
    )
    takes = tuple(take for seed in wanted.seeds for take in rendering.takes(replace(wanted, seeds=(seed,))))
    return PlacedClip.of(clip.clip_id, clip.track_name, part, takes, picture)


def _partial_job(clip: FoleyClip, part: Region, picture: Picture, base_directory: Path) -> PartialJob:
    """The job for a part of the take that is heard; `picture` is of the part and what goes along with it."""
    old = clip.chosen.receipt
    start_sample, stop_sample = clip.samples_of(picture.region)
    cut_samples = tuple(start_sample + cut for cut in picture.cut_samples)
    return PartialJob(
        old_take=clip.take_path(clip.chosen, base_directory),
        old_sha256=old.wav_sha256,
        start_sample=start_sample,
        stop_sample=stop_sample,
        part=Part.of_take(*clip.samples_of(part), old.region.sample_count, cut_samples=cut_samples),
    )


def _finish_of_whole(clip: FoleyClip) -> Finish:
    """What was done to the whole take that is heard: to itself, or to the one of which it is a part made anew."""
    return whole_ancestor(clip).receipt.finish


def _guide_of_whole(timing: Timing | None, clip: FoleyClip, base_directory: Path, folder: MediaFolder) -> Guided:
    """The guide of a job for a whole take; a performance begins where the clip is heard, however it was trimmed."""
    sample_count = clip.chosen.receipt.region.sample_count
    if timing is None:
        return Guided(inherited_guide(clip, (0, sample_count), (0, sample_count), base_directory, folder))
    unheard = np.zeros(clip.sample_of_frame(clip.region.start_frame), np.float32)
    return guide_of(timing, clip.sample_of_frame, sample_count - len(unheard), folder, before=(unheard,))


def _guide_of_part(
    timing: Timing | None, clip: FoleyClip, partial: PartialJob, base_directory: Path, folder: MediaFolder
) -> Guided:
    """The guide of a job for a part; a performance begins with the part, and the old take's own sound surrounds it."""
    start, stop = partial.part.start_sample, partial.part.stop_sample
    if timing is None:
        job = (partial.start_sample, partial.stop_sample)
        return Guided(inherited_guide(clip, (start, stop), job, base_directory, folder))
    return guide_of(
        timing,
        lambda frame: clip.sample_of_frame(frame) - partial.start_sample,
        stop - start,
        folder,
        before=partial.kept_before(),
        after=partial.kept_after(),
    )
