"""One press on DiffAVA in Resolve's menu: ask what is wanted, make it, say what came of it. Knows no route."""

from collections.abc import Callable
from functools import partial
from typing import Any

from diffava_resolve.bridge.failures import EditorGoneError
from diffava_resolve.bridge.forms import Answers, Asker, Field, Form
from diffava_resolve.bridge.remote import Bridge
from diffava_resolve.cli.clips import timecode
from diffava_resolve.cli.resolve_clip import clip_pointed_at, hear_next_take, part_pointed_at
from diffava_resolve.client.protocol import Event, FoleyClient, Progress, Queued, Waiting
from diffava_resolve.editor.protocol import Editor, Selection
from diffava_resolve.errors import FoleyError
from diffava_resolve.session.in_editor import FoleyOutcome, FoleyWish, foley_in_editor, regenerate_in_editor
from diffava_resolve.session.settings import FoleySettings
from diffava_resolve.session.shots import ShotBegun

TITLE = "DiffAVA Foley"
_MARKERS = "Every marker that has a duration, its note is the prompt"
WHERE = {
    "In and out marks, else the selected clips, else the clip under the playhead": Selection(),
    _MARKERS: Selection("markers"),
    "The whole timeline": Selection("whole"),
}
NEW, AGAIN, NEXT = (
    "New sound",
    "New takes for the DiffAVA clip there, or for the part of it between the marks",
    "Hear the next take of the DiffAVA clip there",
)
PICTURES = {
    "The clips' own media; the graded picture where they cannot be read": "auto",
    "The clips' own media": "source",
    "The graded and composited picture, rendered by Resolve": "graded",
}
FORM = Form(
    TITLE,
    (
        Field("what", "What to do", "choice", NEW, (NEW, AGAIN, NEXT)),
        Field("prompt", "What should be heard"),
        Field("negative", "What should not be heard"),
        Field("where", "Where", "choice", next(iter(WHERE)), tuple(WHERE)),
        Field("takes", "Takes", "number", 1),
        Field("picture", "Picture", "choice", next(iter(PICTURES)), tuple(PICTURES)),
        Field("track", "Track", "text", "Foley"),
    ),
    yes="Generate",
    no="Cancel",
)
_STAGES = {
    "features": "Looking at the picture",
    "latent": "Making the sound",
    "waveform": "Writing the sound",
    "measure": "Measuring how it fits",
}
Connect = Callable[[], FoleyClient]
EditorOf = Callable[[Any], Editor]


def by_markers(form: Form) -> Answers:
    """Where nobody can be asked, the markers say everything: which stretches, and what is to be heard there."""
    return {field.name: _MARKERS if field.name == "where" else field.value for field in form.fields}


def wish_of(answers: Answers) -> FoleyWish:
    """What a filled form asks for.

    Raises:
        RequestError: Something in it is out of its bounds.
    """
    settings = partial(
        FoleySettings, negative_prompt=str(answers["negative"]).strip(), take_count=int(answers["takes"])
    )
    return FoleyWish(
        str(answers["prompt"]).strip(),
        WHERE[answers["where"]],
        settings,
        picture=PICTURES[answers["picture"]],  # type: ignore[arg-type]  # the table has only these
        track_name=str(answers["track"]),
    )


def run_job(bridge: Bridge, ask: Asker, connect: Connect, editor_of: EditorOf, model: str = "") -> bool:
    """The whole of it; True if it ended well. What went wrong has been told in Resolve.

    Raises:
        EditorGoneError: There is nobody left to tell; Resolve's side undoes what was begun.
    """
    try:
        answers = ask(FORM)
        if answers is None:
            bridge.end("Nothing was done.", ok=True)
            return True
        text = _done(answers, editor_of(bridge.resolve), bridge, connect)
        bridge.settle()
        _tell(bridge, ask, text, ok=True)
        return True
    except EditorGoneError:
        raise
    except (FoleyError, KeyboardInterrupt) as error:
        # The use case has put everything back before it raised: the launcher must not do it a second time.
        bridge.settle()
        _tell(bridge, ask, str(error) or "Cancelled; nothing was changed.", ok=False)
        return False


def _done(answers: Answers, editor: Editor, bridge: Bridge, connect: Connect) -> str:
    """Do what the form asks for; what came of it, in words."""
    wish = wish_of(answers)
    if answers["what"] == NEXT:
        clip, _ = clip_pointed_at(editor, wish.selection)
        number, placement = hear_next_take(editor, clip)
        return "\n".join([f"{clip.clip_id}: take {number} is heard now.", *placement.notes])
    pointed_at = clip_pointed_at(editor, wish.selection) if answers["what"] == AGAIN else None
    bridge.show("Looking for the server ...")
    if pointed_at is None:
        return in_words(foley_in_editor(editor, wish, connect(), follow(bridge)))
    clip, region = pointed_at
    part = part_pointed_at(clip, region)
    return in_words(regenerate_in_editor(editor, clip.clip_id, wish, connect(), follow(bridge), part=part))


def follow(bridge: Bridge) -> Callable[[Event | ShotBegun], None]:
    """Shows events in Resolve; raises KeyboardInterrupt once the person has cancelled there."""
    shown = ""

    def on_event(event: Event | ShotBegun) -> None:
        nonlocal shown
        text = progress_in_words(event)
        if text != shown:  # Resolve is not asked a thousand times a second
            shown = text
            if bridge.show(text):
                raise KeyboardInterrupt

    return on_event


def progress_in_words(event: Event | ShotBegun) -> str:
    """`Making the sound: 40 %`."""
    if isinstance(event, ShotBegun):
        return f"Shot {event.number} of {event.count}: {event.prompt}"
    if isinstance(event, Queued):
        return f"Waiting, {event.position} jobs ahead" if event.position else "Waiting"
    if isinstance(event, Waiting):
        return f"{event.reason} Asking again in {event.delay_s:.0f} s"
    if isinstance(event, Progress):
        return f"{_STAGES[event.stage]}: {100 * event.completed // max(event.total, 1)} %"
    return "Starting"


def in_words(outcome: FoleyOutcome) -> str:
    """What was placed, a line a clip, and what must be known of it."""
    lines = []
    for clip in outcome.clips:
        start, stop = (timecode(clip.region, at) for at in (clip.region.start_frame, clip.region.stop_frame))
        count = len(clip.takes)
        lines.append(f"{clip.clip_id}: {start} to {stop} on {clip.track_name}, {count} take{'s' if count > 1 else ''}")
    return "\n".join([*lines, *outcome.notes])


def _tell(bridge: Bridge, ask: Asker, text: str, *, ok: bool) -> None:
    """Say how it ended: where the person was asked, and in Resolve's console."""
    ask(Form(TITLE, text=text))
    bridge.end(text, ok=ok)
