"""`diffava demo`: the main job on a cut of its own, to hear and to look at."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from diffava_resolve.cli.options import ServerOptions
from diffava_resolve.cli.output import AsJson, Output
from diffava_resolve.demo.run import in_words, run_demo


def demo(
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="Folder for the results; made if missing.")] = Path(
        "demo-out"
    ),
    server: ServerOptions = ServerOptions(),  # noqa: B008  frozen
    json: AsJson = False,
) -> None:
    """Draw a short cut, make foley for it, and leave a timeline, its takes, a preview to play and a picture."""
    output = Output(json)
    with server.connect(output) as client:
        model = client.info().model(server.model_name)
        with output.progress() as bar:
            result = run_demo(out, model.name, client, on_event=bar.show)
    output.line("The demo is done. Look at the picture first, then play the preview:")
    output.line(f"  {in_words(result.sync)}")
    output.line(f"  {result.picture_path}    cuts, hits and sound on one time axis")
    output.line(f"  {result.preview_path}    the cut with its foley")
    output.line(f"  {result.timeline_path}    the timeline with the new track, for your editor")
    for path in result.take_paths:
        output.line(f"  {path}    a take, 48 kHz, 24 bit")
    if model.warning:
        output.warn(model.warning)
    output.result(
        {
            "timeline": str(result.timeline_path),
            "takes": [str(path) for path in result.take_paths],
            "preview": str(result.preview_path),
            "picture": str(result.picture_path),
            "model": model.name,
            "hit_count": result.sync.hit_count,
            "matched_count": result.sync.matched_count,
            "median_absolute_error_ms": result.sync.median_absolute_error_ms,
        }
    )
