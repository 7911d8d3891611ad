"""`diffava takes`: what was generated on a timeline, and which take is heard."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from diffava_resolve.cli.clips import measured_in_words, region_json
from diffava_resolve.cli.options import checked_output
from diffava_resolve.cli.output import AsJson, Output
from diffava_resolve.errors import RequestError
from diffava_resolve.files import refuse_overwriting
from diffava_resolve.timeline.export import write_otio
from diffava_resolve.timeline.place import find_clip, foley_clips, select_take
from diffava_resolve.timeline.positions import format_region
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.takes import FoleyClip, Take


def takes(
    timeline: Annotated[Path, Parameter(help="A timeline with generated clips.")],
    /,
    *,
    clip: Annotated[str | None, Parameter(help="Only this clip, by its id.")] = None,
    select: Annotated[int | None, Parameter(help="Number of the take to be heard; needs --clip and --out.")] = None,
    out: Annotated[
        Path | None, Parameter(name=["--out", "-o"], help="The new timeline (.otio) with that take.")
    ] = None,
    json: AsJson = False,
) -> None:
    """List the generated clips and their takes, or choose the take that is heard."""
    output = Output(json)
    cut = read_timeline(timeline)
    if select is not None:
        cut = _selected(cut, timeline, clip, select, out)
    clips = foley_clips(cut) if clip is None else (find_clip(cut, clip),)
    for found in clips:
        output.line(f"{found.clip_id}  {format_region(found.region)}  on {found.track_name}")
        for take in found.takes:
            output.line(f"  {'*' if take.number == found.chosen_number else ' '} {_in_words(take)}")
    if not clips:
        output.line("The timeline has no generated clips.")
    written = str(out) if select is not None else None
    if written:
        output.line(f"Wrote {written}.")
    output.result(
        {"timeline": written or str(timeline), "clips": [_as_json(found, timeline.parent) for found in clips]}
    )


def _selected(cut: Any, timeline: Path, clip: str | None, select: int, out: Path | None) -> Any:
    """The timeline with another take, written to `out`."""
    if clip is None or out is None:
        raise RequestError("To choose a take, say of which clip with --clip ID, and where to write it with --out.")
    refuse_overwriting(timeline, checked_output(out))
    changed = select_take(cut, clip, select)
    write_otio(changed, timeline.parent, out)
    return changed


def _in_words(take: Take) -> str:
    receipt = take.receipt
    part = " (a part made anew)" if receipt.part else ""
    without = f" not “{receipt.job.negative_prompt}”" if receipt.job.negative_prompt else ""
    return (
        f"take {take.number}  “{receipt.job.prompt}”{without}  seed {receipt.seed}, {receipt.job.model}{part}, "
        f"{measured_in_words(receipt)}  {take.target_url}"
    )


def _as_json(clip: FoleyClip, base_directory: Path) -> dict[str, Any]:
    return {
        "clip_id": clip.clip_id,
        "track": clip.track_name,
        **region_json(clip.region),
        "chosen": clip.chosen_number,
        "takes": [
            {
                "number": take.number,
                "path": str(clip.take_path(take, base_directory)),
                "receipt": dict(take.receipt_metadata),
            }
            for take in clip.takes
        ],
    }
