"""From a timeline to foley on a track: the main job, for one region or many. All of it is written, or nothing.

    picture_of -> frames_of -> server -> a WAV per take -> measured -> receipts -> placed -> the new timeline

Holds one block of pictures and of audio at a time, whatever the length.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from diffava_resolve.client.protocol import Event, FoleyClient
from diffava_resolve.errors import RequestError
from diffava_resolve.files import refuse_overwriting
from diffava_resolve.session.job_frames import JobFrames
from diffava_resolve.session.leaks import LeakCheck
from diffava_resolve.session.measure import TakeMeasure
from diffava_resolve.session.media_folder import MediaFolder
from diffava_resolve.session.render import Rendering
from diffava_resolve.session.settings import FoleySettings
from diffava_resolve.session.timing import Timing, guide_of
from diffava_resolve.spec import Finish, FoleyJob, Picture, Region
from diffava_resolve.timeline.export import write_otio
from diffava_resolve.timeline.place import PlacedTake, find_clip, media_folder, new_clip_id, place_takes
from diffava_resolve.timeline.viewer import picture_of


@dataclass(frozen=True)
class Wanted:
    """One region and what is to be heard in it."""

    region: Region
    settings: FoleySettings
    timing: Timing = Timing()  # noqa: RUF009  frozen


@dataclass(frozen=True)
class PlacedClip:
    """New takes of a clip on the new timeline; `notes` say what a person must know of its picture and its sound."""

    clip_id: str
    track_name: str
    region: Region
    takes: tuple[PlacedTake, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls, clip_id: str, track_name: str, region: Region, takes: tuple[PlacedTake, ...], picture: Picture
    ) -> "PlacedClip":
        """With the notes of the picture and of the takes, each once."""
        notes = dict.fromkeys((*picture.notes, *(note for take in takes for note in take.receipt.notes)))
        return cls(clip_id, track_name, region, takes, tuple(notes))


def generate_foley(
    timeline: Any,
    source: Path,
    wanted: Sequence[Wanted],
    client: FoleyClient,
    output: Path,
    *,
    track_name: str = "Foley",
    on_event: Callable[[Event], None] = lambda event: None,
) -> tuple[PlacedClip, ...]:
    """Generate foley for each wanted region and write the timeline with it to `output` (.otio).

    Args:
        timeline: What `read_timeline(source)` gave; it stays as it was.
        source: The timeline's file; its media are relative to its folder.
        wanted: At least one region.
        client: The server.
        output: The new timeline; its takes go into `media_folder(output)`.
        track_name: The audio track for the clips.
        on_event: Told of each job's progress.

    Raises:
        FoleyError: Nothing was written.
    """
    refuse_unusable(source, wanted, output, track_name)
    placed: list[PlacedClip] = []
    with MediaFolder(media_folder(output)) as folder:
        pictures = [picture_of(timeline, want.region, source.parent) for want in wanted]
        plans = [plan_of(picture, want, client, folder) for picture, want in zip(pictures, wanted, strict=True)]
        with PlansAhead(plans, client, on_event) as ahead:
            for plan in plans:
                clip_id = new_clip_id(timeline)
                takes = takes_of(plan, client, folder, clip_id, on_event, ahead)
                timeline, clip = placed_clip(timeline, plan, takes, source.parent, clip_id, track_name)
                placed.append(clip)
        write_otio(timeline, source.parent, output)
    return tuple(placed)


def refuse_unusable(source: Path, wanted: Sequence[Wanted], output: Path, track_name: str) -> None:
    """Refuse what can be refused before anything is looked at.

    Raises:
        RequestError: The output is the input, the track has no name, or nothing is wanted.
    """
    refuse_overwriting(source, output)
    if not track_name.strip():
        raise RequestError("The track for the sound has no name; give one, or leave it to be Foley.")
    if not wanted:
        raise RequestError(
            "The timeline has no region to make sound for; give a range, a clip or markers that span one."
        )


@dataclass(frozen=True)
class Plan:
    """What the viewer sees in a region, the job that asks for its sound, what is done to that, and notes on it all.

    `is_rendered` says that the picture's media were rendered for this job alone and will be elsewhere the next time.
    """

    region: Region
    picture: Picture
    job: FoleyJob
    finish: Finish
    notes: tuple[str, ...]
    leak_check: LeakCheck = "warn"
    is_rendered: bool = False


def plan_of(picture: Picture, want: Wanted, client: FoleyClient, folder: MediaFolder) -> Plan:
    """The plan for one wanted region, of which `picture` is seen.

    Raises:
        FoleyError: The timing or the settings do not allow it.
    """
    region = want.region
    finish = want.settings.finishing.of_new(region)
    guided = guide_of(want.timing, region.sample_of_frame, region.sample_count, folder)
    job = want.settings.job(client.info(), region.sample_count, picture.cut_samples, guide=guided.guide)
    return Plan(region, picture, job, finish, guided.notes, want.settings.leak_check)


def takes_of(
    plan: Plan,
    client: FoleyClient,
    folder: MediaFolder,
    stem: str,
    on_event: Callable[[Event], None],
    ahead: "PlansAhead | None" = None,
) -> tuple[PlacedTake, ...]:
    """Carry out a plan; with `ahead` the pictures of the next one are decoded meanwhile."""
    measure, frames = ahead.looked_at(plan) if ahead else _looked_at(plan, client, on_event)
    rendering = Rendering(
        *(client, plan.picture, plan.region, measure, folder, stem),
        finish=plan.finish,
        leak_check=plan.leak_check,
        notes=plan.notes,
        on_event=on_event,
        frames=frames,
        meanwhile=ahead.begin_next if ahead else lambda: None,
    )
    return rendering.takes(plan.job)


_LookedAt = tuple[TakeMeasure, JobFrames]


def _looked_at(plan: Plan, client: FoleyClient, on_event: Callable[[Event], None]) -> _LookedAt:
    """What looks at a plan's picture: the measure of its takes, and the server. It is decoded once for both."""
    measure = TakeMeasure(plan.picture, on_event, hit_samples=plan.job.guide.hit_samples, memory=client.memory)
    frame_format = client.info().model(plan.job.model).frames
    return measure, JobFrames(plan.picture, plan.job, frame_format, client.memory, aside=measure.aside)


class PlansAhead:
    """Plans that are carried out one after another; the next one's pictures are decoded while the server works.

    Only one is ahead, so that memory stays bounded. Left early, it lets the decoder go.
    """

    def __init__(self, plans: Sequence[Plan], client: FoleyClient, on_event: Callable[[Event], None]) -> None:
        self._plans = list(plans)
        self._client, self._on_event = client, on_event
        self._next: tuple[Plan, _LookedAt] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._next is not None:
            _plan, (_measure, frames) = self._next
            frames.close()

    def looked_at(self, plan: Plan) -> _LookedAt:
        """What looks at the plan that is carried out now; it and those before it are done with."""
        while self._plans and self._plans.pop(0) is not plan:
            pass
        begun, self._next = self._next, None
        if begun is not None:
            planned, (measure, frames) = begun
            if planned is plan:
                return measure, frames
            frames.close()
        return _looked_at(plan, self._client, self._on_event)

    def begin_next(self) -> None:
        """Decode the next plan's pictures from now on."""
        if self._next is None and self._plans:
            measure, frames = _looked_at(self._plans[0], self._client, self._on_event)
            frames.begin()
            self._next = self._plans[0], (measure, frames)


def placed_clip(
    timeline: Any, plan: Plan, takes: tuple[PlacedTake, ...], base_directory: Path, clip_id: str, track_name: str
) -> tuple[Any, PlacedClip]:
    """The timeline with the takes of a plan on it, and what was placed."""
    changed = place_takes(timeline, plan.region, takes, base_directory, track_name=track_name, clip_id=clip_id)
    found = find_clip(changed, clip_id)
    return changed, PlacedClip.of(clip_id, found.track_name, plan.region, takes, plan.picture)
