"""`diffava generate`: one clip, one prompt, one WAV."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from diffava_resolve.cli.clips import take_in_words, take_json
from diffava_resolve.cli.finishing import FinishOptions
from diffava_resolve.cli.guide import GuideOptions
from diffava_resolve.cli.options import ServerOptions, SoundOptions
from diffava_resolve.cli.output import AsJson, Output
from diffava_resolve.session import generate_clip, picture_of_movie


def generate(
    video: Annotated[Path, Parameter(help="A video file.")],
    /,
    *,
    prompt: Annotated[str, Parameter(help="What should be heard.")],
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="The WAV to write.")],
    guide: GuideOptions = GuideOptions(),  # noqa: B008  frozen
    sound: SoundOptions = SoundOptions(),  # noqa: B008  frozen
    finish: FinishOptions = FinishOptions(),  # noqa: B008  frozen
    server: ServerOptions = ServerOptions(),  # noqa: B008  frozen
    json: AsJson = False,
) -> None:
    """Generate sound for one video file, exactly as long as its picture."""
    output = Output(json)
    settings = sound.settings(server.model_name, 1, prompt, finish.finishing())
    timing = guide.timing(lambda: [picture_of_movie(video).region])
    with server.connect(output) as client:
        model = client.info().model(server.model_name)
        with output.progress() as bar:
            take = generate_clip(video, settings, client, out, timing=timing, on_event=bar.show)
    output.line(f"Wrote {take_in_words(take.path, take)}.")
    for note in take.receipt.notes:
        output.warn(note)
    if model.warning:
        output.warn(model.warning)
    output.result({**take_json(take), "sample_count": take.receipt.job.sample_count})
