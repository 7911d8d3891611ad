"""A shot list: foley for many regions as one batch, which goes on where it was when the same is asked for again.

    plans of all -> what the journal has -> server, one shot after another -> journal -> placed -> the new timeline

What is done stays done: after a failure, Ctrl-C, a killed command or a killed server the takes that are done wait in
the media folder, and the timeline is written when all are there.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diffava_resolve.client.protocol import Event, FoleyClient
from diffava_resolve.errors import FoleyError, RequestError
from diffava_resolve.session.generate import (
    PlacedClip,
    Plan,
    PlansAhead,
    Wanted,
    placed_clip,
    plan_of,
    refuse_unusable,
    takes_of,
)
from diffava_resolve.session.journal import Journal, key_of
from diffava_resolve.session.media_folder import MediaFolder
from diffava_resolve.session.settings import FoleySettings, SettingsFor, settings_of
from diffava_resolve.timeline.export import write_otio
from diffava_resolve.timeline.place import PlacedTake, media_folder, new_clip_id
from diffava_resolve.timeline.positions import format_region
from diffava_resolve.timeline.regions import regions_of_markers
from diffava_resolve.timeline.viewer import picture_of


@dataclass(frozen=True)
class ShotBegun:
    """Shot `number` of `count` begins, or is found to be done."""

    number: int
    count: int
    prompt: str


def shots_of_markers(timeline: Any, settings_for: SettingsFor, prompt: str = "") -> tuple[Wanted, ...]:
    """A wanted region for every marker that spans a range, with what it asks for instead of the settings.

    Args:
        timeline: What holds the markers.
        settings_for: The settings that hold for every shot.
        prompt: For markers that say none.

    Raises:
        RequestError: There is no such marker, one is not understood, or has no prompt.
    """
    wanted = []
    for found in regions_of_markers(timeline):
        if not (found.prompt or prompt).strip():
            raise RequestError(
                f"The marker at {format_region(found.region)} does not say what should be heard; write it into the "
                "marker's note, or give --prompt for all that say nothing."
            )
        wanted.append(Wanted(found.region, settings_of(found, settings_for, prompt)))
    if not wanted:
        raise RequestError("The timeline has no marker that spans a range; give --range IN OUT instead.")
    return tuple(wanted)


def generate_shots(
    timeline: Any,
    source: Path,
    wanted: Sequence[Wanted],
    client: FoleyClient,
    output: Path,
    *,
    track_name: str = "Foley",
    on_event: Callable[[Event | ShotBegun], None] = lambda event: None,
) -> tuple[PlacedClip, ...]:
    """As `generate_foley`, but what is done is kept, and asked for again goes on from there.

    Raises:
        FoleyError: No timeline was written. It says how many shots are kept.
    """
    refuse_unusable(source, wanted, output, track_name)
    base_directory = source.parent

    def plans_in(folder: MediaFolder) -> list[Plan]:
        return [plan_of(picture_of(timeline, want.region, base_directory), want, client, folder) for want in wanted]

    settings = [want.settings for want in wanted]
    with finished_shots(media_folder(output), plans_in, settings, timeline, client, on_event) as shots:
        placed, changed = [], timeline
        for clip_id, plan, takes in shots:
            changed, clip = placed_clip(changed, plan, takes, base_directory, clip_id, track_name)
            placed.append(clip)
        write_otio(changed, base_directory, output)
    return tuple(placed)


@contextmanager
def finished_shots(
    media: Path,
    plans_in: Callable[[MediaFolder], Sequence[Plan]],
    settings: Sequence[FoleySettings],
    timeline: Any,
    client: FoleyClient,
    on_event: Callable[[Event | ShotBegun], None],
) -> Iterator[list[tuple[str, Plan, tuple[PlacedTake, ...]]]]:
    """Make every shot that is not done yet; inside, all are there, to be placed: clip id, plan and takes.

    Args:
        media: The folder of the takes, which also holds what is done.
        plans_in: Plans the shots, with their performances in the folder that it is given.
        settings: What is asked for, a shot each.
        timeline: It gives the clips their ids.
        client: The server.
        on_event: Told which shot begins, and of its progress.

    Raises:
        FoleyError: What is done is kept, and it says how much; also where the placing failed.
    """
    with Journal(media) as journal:
        with MediaFolder(journal.folder) as folder:
            plans = plans_in(folder)
            shots = _known_again(plans, settings, client, journal)
            journal.begin({key for key, _ in shots})
        try:
            made = _made(shots, _clip_ids(timeline, len(shots)), client, journal, on_event)
            yield [(clip_id, plan, journal.publish(takes)) for clip_id, plan, takes in made]
        except FoleyError as error:
            if journal.done_count:
                kept = "is kept" if journal.done_count == 1 else "are kept"
                count = f"{journal.done_count} of {len(shots)} shots {kept}"
                error.args = (f"{error} {count}: the same command goes on from there.",)
            raise


def _known_again(
    plans: Sequence[Plan], settings: Sequence[FoleySettings], client: FoleyClient, journal: Journal
) -> list[tuple[str, Plan]]:
    """The plans with the keys under which the journal knows them, and with the seeds of an earlier attempt.

    Shots that ask for the very same are told apart by their order.
    """
    seen: Counter[str] = Counter()
    shots = []
    for plan, asked in zip(plans, settings, strict=True):
        is_seeded = asked.seed is not None
        key = key_of(plan, client.info().model(plan.job.model), is_seeded=is_seeded)
        seen[key] += 1
        key = f"{key}-{seen[key]}"
        shots.append((key, replace(plan, job=journal.seeded(key, plan.job))))
    return shots


def _clip_ids(timeline: Any, clip_count: int) -> tuple[str, ...]:
    """The ids of clips that will be placed one after another."""
    ids: list[str] = []
    while len(ids) < clip_count:
        ids.append(new_clip_id(timeline, ids))
    return tuple(ids)


def _made(
    shots: Sequence[tuple[str, Plan]],
    clip_ids: Sequence[str],
    client: FoleyClient,
    journal: Journal,
    on_event: Callable[[Event | ShotBegun], None],
) -> list[tuple[str, Plan, tuple[PlacedTake, ...]]]:
    """The takes of every shot, each in the journal once they are all there; what it has already is not made again."""
    made = []
    done = {key: journal.takes_of(key) for key, _ in shots}
    with PlansAhead([plan for key, plan in shots if not done[key]], client, on_event) as ahead:
        for number, ((key, plan), clip_id) in enumerate(zip(shots, clip_ids, strict=True), 1):
            on_event(ShotBegun(number, len(shots), plan.job.prompt))
            takes = done[key]
            if not takes:
                with MediaFolder(journal.folder) as folder:
                    takes = takes_of(plan, client, folder, clip_id, on_event, ahead)
                    journal.keep(key, takes)
            made.append((clip_id, plan, takes))
    return made
