"""Foley in an editor's open timeline: what the menu, the command line and the companion of Resolve's launcher call.

    editor.regions -> editor.cut -> what is seen, or editor.rendered -> server -> WAVs -> editor.changing: place

All audio is made before the first change, so that the timeline is touched for a moment, not for minutes; and all of it
is placed, or nothing. Several regions are a shot list: what is done of it is kept, and asked for again goes on from
there (`session.shots`).
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diffava_resolve.client.protocol import Event, FoleyClient
from diffava_resolve.editor.protocol import Change, Editor, Placement, Selection
from diffava_resolve.errors import RequestError
from diffava_resolve.session.generate import PlacedClip, Plan, Wanted, plan_of, takes_of
from diffava_resolve.session.media_folder import MediaFolder
from diffava_resolve.session.regenerate import context_of, render_part, render_whole
from diffava_resolve.session.settings import FoleySettings, SettingsFor, settings_of
from diffava_resolve.session.shots import ShotBegun, finished_shots
from diffava_resolve.session.shown import PictureWish, shown
from diffava_resolve.session.timing import Timing
from diffava_resolve.session.verify import Verdict, verify
from diffava_resolve.spec import ModelInfo
from diffava_resolve.timeline.place import PlacedTake, find_clip, foley_clips, new_clip_id
from diffava_resolve.timeline.regions import region_of_range
from diffava_resolve.timeline.takes import FoleyClip


@dataclass(frozen=True)
class FoleyWish:
    """What a person asks for, in values that a dialog or a JSON object has.

    `prompt` is for regions that bring none of their own (a marker brings its note), and `settings_for` says with which
    settings a prompt is asked for. `picture` says what the model sees: the `source` media of the cut, the `graded`
    picture that the editor renders, or `auto`: the source media, and where they cannot be read (compound clips, offline
    media, effects) the graded picture.
    """

    prompt: str = ""
    selection: Selection = Selection()  # noqa: RUF009  frozen
    settings_for: SettingsFor = FoleySettings
    picture: PictureWish = "auto"
    track_name: str = "Foley"
    timing: Timing = Timing()  # noqa: RUF009  frozen


@dataclass(frozen=True)
class FoleyOutcome:
    """What was placed, clip by clip as read back from the editor, and with which model.

    `notes` are sentences that a person must be shown, each once.
    """

    editor_name: str
    clips: tuple[PlacedClip, ...]
    model: ModelInfo
    notes: tuple[str, ...]


def foley_in_editor(
    editor: Editor,
    wish: FoleyWish,
    client: FoleyClient,
    on_event: Callable[[Event | ShotBegun], None] = lambda event: None,
) -> FoleyOutcome:
    """Generate foley for what is selected in the editor, and put it on an audio track of its timeline.

    Args:
        editor: An open timeline: `ResolveEditor(resolve)`, or `FileEditor(source, output)`.
        wish: What is asked for.
        client: The server.
        on_event: Told which shot begins, of the queue and of each job's progress, in this thread; an exception from it
            stops everything.

    Raises:
        FoleyError: The sentence for the person. The timeline and the editor's page, marks, bin and playhead are what
            they were, and so is the folder of takes but for finished shots of a list; also after Ctrl-C.
    """
    if not wish.track_name.strip():
        raise RequestError("The track for the sound has no name; give one, or leave it to be Foley.")
    chosen = editor.regions(wish.selection)
    # Refused before anything is decoded.
    settings = [settings_of(one, wish.settings_for, wish.prompt) for one in chosen]
    cut = editor.cut()
    with tempfile.TemporaryDirectory(prefix="diffava-") as temporary:

        def plans_in(folder: MediaFolder) -> list[Plan]:
            plans = []
            for number, (one, asked) in enumerate(zip(chosen, settings, strict=True)):
                rendered = Path(temporary, str(number))
                picture = shown(editor, cut, one.region, wish.picture, rendered).picture
                plan = plan_of(picture, Wanted(one.region, asked, wish.timing), client, folder)
                plans.append(replace(plan, is_rendered=rendered.exists()))
            return plans

        if len(chosen) > 1:
            with (
                finished_shots(editor.media_folder(), plans_in, settings, cut.timeline, client, on_event) as shots,
                editor.changing() as change,
            ):
                return _placed(editor, change, wish, client, shots)
        with MediaFolder(editor.media_folder()) as folder:
            [plan] = plans_in(folder)
            clip_id = new_clip_id(cut.timeline)
            shot = (clip_id, plan, takes_of(plan, client, folder, clip_id, on_event))
            with editor.changing() as change:
                return _placed(editor, change, wish, client, [shot])


def regenerate_in_editor(
    editor: Editor,
    clip_id: str,
    wish: FoleyWish,
    client: FoleyClient,
    on_event: Callable[[Event], None] = lambda event: None,
    *,
    part: tuple[str, str] | None = None,
) -> FoleyOutcome:
    """Make new takes of a generated clip, or of the part of it between two positions; the first of them is heard.

    `wish.selection` and `wish.track_name` mean nothing here. An empty prompt is that of the take which is heard.

    Raises:
        FoleyError: As `foley_in_editor`.
    """
    cut = editor.cut()
    clip = find_clip(cut.timeline, clip_id)
    settings = wish.settings_for(wish.prompt or clip.chosen.receipt.job.prompt)
    timing = None if wish.timing == Timing() else wish.timing
    region = None if part is None else region_of_range(cut.timeline, *part)
    if region is not None:
        clip.samples_of(region)  # refuses a part outside the clip before anything is rendered
    looked_at = clip.take_region if region is None else context_of(clip, region)
    with tempfile.TemporaryDirectory(prefix="diffava-") as temporary, MediaFolder(editor.media_folder()) as folder:
        seen = shown(editor, cut, looked_at, wish.picture, Path(temporary, "graded"))
        source = cut.base_directory / "timeline.otio"  # the folder is what counts
        if region is None:
            made = render_whole(seen.cut.timeline, source, clip, settings, timing, client, folder, on_event)
        else:
            made = render_part(seen.cut.timeline, source, clip, region, settings, timing, client, folder, on_event)
        made = replace(made, notes=(*seen.notes, *made.notes))
        with editor.changing() as change:
            placed = change.add_takes(clip, made.takes)
    return _outcome(editor, client, [made], [placed])


def verify_in_editor(
    editor: Editor, client: FoleyClient, on_event: Callable[[Event], None] = lambda event: None
) -> Iterator[Verdict]:
    """Make every take of the editor's timeline again and say of each whether it is the same; changes nothing.

    A take that was made to a graded picture cannot be compared: it would have to be rendered once more.

    Raises:
        FoleyError: The server failed, or a receipt is damaged.
    """
    cut = editor.cut()
    yield from verify(cut.timeline, cut.base_directory / "timeline.otio", client, on_event=on_event)


def takes_in_editor(editor: Editor) -> tuple[FoleyClip, ...]:
    """The generated clips on the editor's timeline, with their takes and which one is heard.

    Raises:
        TimelineError: A receipt is damaged or of a newer version.
    """
    return foley_clips(editor.cut().timeline)


def select_in_editor(editor: Editor, clip_id: str, take_number: int) -> Placement:
    """Let another take of a clip be heard.

    Raises:
        FoleyError: Nothing was changed.
    """
    clip = find_clip(editor.cut().timeline, clip_id)
    with editor.changing() as change:
        return change.select(clip, clip.take(take_number).number)


def _placed(
    editor: Editor,
    change: Change,
    wish: FoleyWish,
    client: FoleyClient,
    shots: Sequence[tuple[str, Plan, tuple[PlacedTake, ...]]],
) -> FoleyOutcome:
    """Put all shots on the timeline."""
    placed = [change.place(plan.region, takes, clip_id, wish.track_name) for clip_id, plan, takes in shots]
    clips = [PlacedClip.of(clip_id, "", plan.region, takes, plan.picture) for clip_id, plan, takes in shots]
    return _outcome(editor, client, clips, placed)


def _outcome(
    editor: Editor, client: FoleyClient, made: Sequence[PlacedClip], placed: Sequence[Placement]
) -> FoleyOutcome:
    clips = tuple(
        replace(clip, track_name=where.track_name, region=where.region)
        for clip, where in zip(made, placed, strict=True)
    )
    model = client.info().model(made[0].takes[0].receipt.job.model)
    notes = [note for clip in clips for note in clip.notes]
    notes += [note for where in placed for note in where.notes]
    notes += [model.warning] if model.warning else []
    return FoleyOutcome(editor.name, clips, model, tuple(dict.fromkeys(notes)))
