"""`diffava evaluate`: the benchmark of a model on held-out recordings and unseen scenes; or a table, by its name."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from platformdirs import user_cache_path
from rich.console import Console

from diffava.cli.evaluate_table import table_commands
from diffava.errors import RequestError
from diffava.evaluation.benchmark import CLIPS, FIGURES, load_jury, wanted_measures
from diffava.evaluation.benchmark import evaluate as take_measures
from diffava.evaluation.cases import HeldOutSet
from diffava.evaluation.examples import draw_examples
from diffava.evaluation.generators import Generator, Noise, PipelineGenerator, RealRecordings
from diffava.evaluation.report import show
from diffava.evaluation.sounds import Sounds
from diffava.sounds.recordings import read_recordings
from diffava.sounds.takes import load_takes

EXAMPLES = "examples.png"

evaluate = App(
    name="evaluate",
    help="Measure a model (mini, or real and noise in its place) on held-out recordings and scenes; or folders of "
    "generated and reference sounds, by one of the tables below.",
)
for _name, (_line, _command) in table_commands().items():
    evaluate.command(_command, name=_name, help=_line)


@evaluate.default
def evaluate_model(
    model: str = "mini",
    *,
    data: Path,
    weights: Path | None = None,
    films: Path | None = None,
    clips: int = CLIPS,
    only: str = "",
    out: Path | None = None,
    cache: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Measure a model on recordings and scenes that it was not trained on.

    Args:
        model: A model's name; or `real` (held-out recordings in its place) or `noise`, the ceiling and the floor.
        data: The folder of recordings with its manifest, the one that the model was trained from.
        weights: A saved model's folder, instead of the one that is shipped.
        films: A folder of real films with its manifest, for the measure `real_pictures`.
        clips: How many clips with one sound; the other sets are in proportion.
        only: Measures, separated by commas: judges, recognisable, in_time, silence, meaning, paper_table,
            real_pictures, speed. All if not given.
        out: Where sounds and figures are kept, `evaluation-MODEL` by default; a stopped run goes on there.
        cache: Where takes and judges are kept between runs.
        as_json: For programs.
    """
    if clips < 4:
        raise RequestError(f"{clips} clips are too few to measure anything; give at least 4.")
    out = out or Path(f"evaluation-{model}")
    cache = cache or user_cache_path("diffava") / "evaluation"
    cache.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=as_json)
    measures = wanted_measures(only, films)
    library = load_takes(read_recordings(data), cache)
    held_out = HeldOutSet(library, clips)
    generator = _generator(model, weights, held_out)
    if isinstance(generator, RealRecordings):
        measures = tuple(name for name in measures if name not in ("real_pictures", "speed"))
    jury = load_jury(library, cache, console.print)
    # On a pipe a live line would be noise: there only what is measured is printed.
    with console.status("") as status:

        def on_sound(setting: str, made: int, count: int) -> None:
            status.update(f"{setting}: {made} of {count}")

        taken = take_measures(generator, held_out, jury, out, measures, films, on_sound)
        status.update("drawing examples")
        draw_examples(Sounds(generator, held_out, out / "sounds"), out / EXAMPLES)
    show(model, taken, console)
    console.print(f"Figures: {out / FIGURES}   Examples: {out / EXAMPLES}")
    if as_json:
        sys.stdout.write(json.dumps(json.loads((out / FIGURES).read_text("utf-8"))) + "\n")


def _generator(model: str, weights: Path | None, held_out: HeldOutSet) -> Generator:
    """What is measured."""
    if model == "real":
        return RealRecordings(held_out)
    if model == "noise":
        return Noise()
    from diffava.builders import load, open_model

    return PipelineGenerator(open_model(model) if weights is None else load(weights))
