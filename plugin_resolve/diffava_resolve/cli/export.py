"""`diffava export`: the timeline for another editor, and what that editor's format loses."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from diffava_resolve.cli.output import AsJson, Output
from diffava_resolve.files import refuse_overwriting
from diffava_resolve.timeline.export import export_timeline
from diffava_resolve.timeline.read import read_timeline


def export(
    timeline: Annotated[Path, Parameter(help="The timeline to export.")],
    /,
    *,
    out: Annotated[
        Path, Parameter(name=["--out", "-o"], help="New file: .otio, .otioz, .xml, .fcpxml, .aaf or .kdenlive.")
    ],
    json: AsJson = False,
) -> None:
    """Write the timeline in another editor's format and say what that format cannot hold."""
    output = Output(json)
    cut = read_timeline(timeline)
    refuse_overwriting(timeline, out)
    losses = export_timeline(cut, timeline.parent, out)
    output.line(f"Wrote {out}.")
    if losses:
        output.line(f"What {out.suffix} does not carry:")
    for loss in losses:
        output.line(f"  {loss}")
    output.result({"file": str(out), "losses": list(losses)})
