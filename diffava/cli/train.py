"""`diffava train`: a model from a folder of recordings, going on where it was stopped."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from diffava.builders import save
from diffava.config import load_config
from diffava.errors import RequestError
from diffava.sounds.recordings import read_recordings
from diffava.sounds.takes import load_takes
from diffava.training.course import Course
from diffava.training.recipe import load_recipe


def train_model(
    model: str = "mini",
    *,
    data: Path,
    out: Path,
    recipe: str = "",
    runs: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Train a model on a folder of recordings with its manifest, on the CPU.

    Args:
        model: A preset's name, or a `.toml` file with its classes: mini, or nano-t2av to try it out.
        data: The folder of recordings; its manifest says kind, source and licence of each.
        out: The folder that the finished model is saved in; it must not exist yet.
        recipe: How much of everything: mini (hours) or smoke (a minute, makes noise); by default the name of the model.
        runs: Where checkpoints, logs and caches are kept, `training-MODEL` by default; a stopped run goes on there.
        as_json: For programs.
    """
    if out.exists():
        raise RequestError(f"{out} exists already and is not overwritten; choose another folder for the model.")
    runs = runs or Path(f"training-{Path(model).stem}")
    config, numbers = load_config(model), load_recipe(recipe or Path(model).stem)
    library = load_takes(read_recordings(data), runs / "takes")

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    course = Course(config, numbers, library, runs, say)
    pipeline = course.model()
    save(pipeline, out)
    sys.stdout.write(f"The model is in {out}; measure it with `diffava evaluate {config.name} --weights {out}`.\n")
    if as_json:
        hours = {name: round(hours, 3) for name, hours in course.hours.items()}
        sys.stdout.write(json.dumps({"model": str(out), "sha256": pipeline.weights_sha256, "hours": hours}) + "\n")
