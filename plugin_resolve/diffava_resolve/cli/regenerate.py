"""`diffava regenerate`: a generated clip again, whole or in part, beside the takes it has."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from diffava_resolve.cli.clips import clip_json, take_in_words
from diffava_resolve.cli.finishing import FinishOptions
from diffava_resolve.cli.guide import TimelineGuideOptions
from diffava_resolve.cli.options import Leaks, Out, Range, ServerOptions, SoundOptions, checked_output
from diffava_resolve.cli.output import AsJson, Output
from diffava_resolve.files import refuse_overwriting
from diffava_resolve.session import regenerate as regenerate_clip
from diffava_resolve.timeline.place import find_clip
from diffava_resolve.timeline.positions import format_region
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_range


def regenerate(
    timeline: Annotated[Path, Parameter(help="A timeline with generated clips.")],
    /,
    *,
    clip: Annotated[str, Parameter(help="The clip's id, as `diffava takes` lists it.")],
    out: Out,
    range_: Range = None,
    prompt: Annotated[str | None, Parameter(help="What should be heard; by default what it was made with.")] = None,
    takes: Annotated[int, Parameter(help="How many takes to make.")] = 1,
    guide: TimelineGuideOptions = TimelineGuideOptions(),  # noqa: B008  frozen
    sound: SoundOptions = SoundOptions(),  # noqa: B008  frozen
    finish: FinishOptions = FinishOptions(),  # noqa: B008  frozen
    leaks: Leaks = "warn",
    server: ServerOptions = ServerOptions(),  # noqa: B008  frozen
    json: AsJson = False,
) -> None:
    """Make a clip anew, or only a part of it; every sample outside the part stays as it is."""
    output = Output(json)
    cut = read_timeline(timeline)
    found = find_clip(cut, clip)
    old = found.chosen.receipt.job
    part = None if range_ is None else region_of_range(cut, *range_)
    timing = guide.on_timeline(cut, [part or found.region])[0] if guide.is_given else None
    model = server.model_name if server.model else old.model
    prompt = old.prompt if prompt is None else prompt
    settings = sound.or_as_in(old).settings(model, takes, prompt, finish.finishing(), leaks)
    refuse_overwriting(timeline, checked_output(out))
    with server.connect(output, old.model) as client:
        warning = client.info().model(model).warning
        with output.progress() as bar:
            placed = regenerate_clip(
                cut, timeline, clip, settings, client, out, part=part, timing=timing, on_event=bar.show
            )
    output.line(f"{placed.clip_id}  made anew {format_region(placed.region)}")
    for take in placed.takes:
        output.line(f"  {take_in_words(take.path, take)}")
    output.line(f"Wrote {out}.")
    for note in (*placed.notes, *([warning] if warning else [])):
        output.warn(note)
    output.result({"timeline": str(out), "clips": [clip_json(placed)]})
