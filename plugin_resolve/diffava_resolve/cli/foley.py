"""`diffava foley`: foley for a range, a clip or every marker of a timeline."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from diffava_resolve.cli.clips import clip_json, take_in_words
from diffava_resolve.cli.finishing import FinishOptions
from diffava_resolve.cli.guide import TimelineGuideOptions
from diffava_resolve.cli.options import Leaks, Out, Range, ServerOptions, SoundOptions, checked_output
from diffava_resolve.cli.output import AsJson, Output
from diffava_resolve.errors import RequestError
from diffava_resolve.files import refuse_overwriting
from diffava_resolve.session import PlacedClip, Wanted, generate_foley, generate_shots, shots_of_markers
from diffava_resolve.session.settings import SettingsFor
from diffava_resolve.timeline.positions import format_region
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_clip, region_of_range, region_of_timeline


def foley(
    timeline: Annotated[Path, Parameter(help="The cut: .otio, .otioz, .xml, .fcpxml, .aaf or .edl.")],
    /,
    *,
    out: Out,
    prompt: Annotated[
        str | None, Parameter(help="What should be heard. With --markers: for markers without a note.")
    ] = None,
    range_: Range = None,
    clip: Annotated[str | None, Parameter(help="Only under this clip, by name or number in order of viewing.")] = None,
    markers: Annotated[
        bool,
        Parameter(
            help="Under every marker that spans a range; its note, or else its name, says what: "
            "footsteps in snow | not: voices | takes: 3 | seed: 7. Stopped at any time, the same command goes on."
        ),
    ] = False,
    takes: Annotated[int, Parameter(help="How many takes to make.")] = 1,
    track: Annotated[str, Parameter(help="Audio track to put the sound on.")] = "Foley",
    guide: TimelineGuideOptions = TimelineGuideOptions(),  # noqa: B008  frozen
    sound: SoundOptions = SoundOptions(),  # noqa: B008  frozen
    finish: FinishOptions = FinishOptions(),  # noqa: B008  frozen
    leaks: Leaks = "warn",
    server: ServerOptions = ServerOptions(),  # noqa: B008  frozen
    json: AsJson = False,
) -> None:
    """Generate foley for a stretch of a timeline, or for all of it, onto a new track of a new timeline."""
    output = Output(json)
    cut = read_timeline(timeline)
    settings = partial(sound.settings, server.model_name, takes, finishing=finish.finishing(), leak_check=leaks)
    wanted = _wanted(cut, prompt, range_, clip, markers, settings)
    timings = guide.on_timeline(cut, [want.region for want in wanted], by_markers=markers)
    wanted = tuple(replace(want, timing=timing) for want, timing in zip(wanted, timings, strict=True))
    refuse_overwriting(timeline, checked_output(out))
    with server.connect(output) as client:
        model = client.info().model(server.model_name)
        with output.progress() as bar:
            make = partial(_shots, output) if markers else generate_foley
            placed = make(cut, timeline, wanted, client, out, track_name=track, on_event=bar.show)
    for placed_clip in placed:
        output.line(f"{placed_clip.clip_id}  {format_region(placed_clip.region)}  on {placed_clip.track_name}")
        for take in placed_clip.takes:
            output.line(f"  {take_in_words(take.path, take)}")
    output.line(f"Wrote {out}.")
    for note in dict.fromkeys(note for placed_clip in placed for note in placed_clip.notes):
        output.warn(note)
    if model.warning:
        output.warn(model.warning)
    output.result(
        {"timeline": str(out), "model": model.name, "clips": [clip_json(placed_clip) for placed_clip in placed]}
    )


def _shots(output: Output, *arguments: Any, **options: Any) -> tuple[PlacedClip, ...]:
    """`generate_shots`; who presses Ctrl-C is told that what is done is kept."""
    try:
        return generate_shots(*arguments, **options)
    except KeyboardInterrupt:
        output.warn("The shots that are done are kept; the same command goes on from there.")
        raise


def _wanted(
    cut: Any,
    prompt: str | None,
    range_: tuple[str, str] | None,
    clip: str | None,
    markers: bool,
    settings_for: SettingsFor,
) -> tuple[Wanted, ...]:
    """The regions asked for, each with its prompt."""
    if sum((range_ is not None, clip is not None, markers)) > 1:
        raise RequestError("--range, --clip and --markers exclude each other; give one of them.")
    if markers:
        return shots_of_markers(cut, settings_for, prompt or "")
    if prompt is None:
        raise RequestError('There is no prompt; say with --prompt "..." what should be heard.')
    if range_ is not None:
        region = region_of_range(cut, *range_)
    elif clip is not None:
        region = region_of_clip(cut, clip)
    else:
        region = region_of_timeline(cut)
    return (Wanted(region, settings_for(prompt)),)
