"""`diffava train`: a whole model from recordings, or a part of one from prepared clips; a stopped run goes on."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from diffava.builders import save
from diffava.config import load_config
from diffava.errors import RequestError
from diffava.sounds.recordings import read_recordings
from diffava.sounds.takes import load_takes
from diffava.training.course import Course
from diffava.training.recipe import load_recipe

train = App(name="train", help="Train a whole model from recordings, or a part of one from clips of videos with sound.")
train.command("diffava.cli.train_prepare:prepare_clips", name="prepare", help="Encode a corpus once, to train from.")
train.command("diffava.cli.train_part:alignment", name="alignment", help="Train DiffAVA's alignment by eq. 2.")
train.command("diffava.cli.train_part:control", name="control", help="Train T2AV's control branch on a denoiser.")


@train.default
def train_model(
    model: str = "mini",
    *,
    data: Path,
    out: Path,
    recipe: str = "",
    runs: Path | None = None,
    device: str = "auto",
    as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Train a model on a folder of recordings with its manifest.

    Args:
        model: A preset's name, or a `.toml` file with its classes: mini, or nano-t2av to try it out.
        data: The folder of recordings; its manifest says kind, source and licence of each.
        out: The folder that the finished model is saved in; it must not exist yet.
        recipe: How much of everything: mini (hours) or smoke (a minute, makes noise); by default the name of the model.
        runs: Where checkpoints, logs and caches are kept, `training-MODEL` by default; a stopped run goes on there.
        device: auto (a GPU where there is one) or cpu.
        as_json: For programs.
    """
    if out.exists():
        raise RequestError(f"{out} exists already and is not overwritten; choose another folder for the model.")
    runs = runs or Path(f"training-{Path(model).stem}")
    config, numbers = load_config(model), load_recipe(recipe or Path(model).stem)
    library = load_takes(read_recordings(data), runs / "takes")

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    course = Course(config, numbers, library, runs, say, device)
    pipeline = course.model()
    save(pipeline, out)
    sys.stdout.write(f"The model is in {out}; measure it with `diffava evaluate {config.name} --weights {out}`.\n")
    if as_json:
        hours = {name: round(hours, 3) for name, hours in course.hours.items()}
        sys.stdout.write(json.dumps({"model": str(out), "sha256": pipeline.weights_sha256, "hours": hours}) + "\n")
