"""`diffava train alignment` and `diffava train control`: one part of a model, from prepared clips.

On several processes and machines by `accelerate launch --no_python diffava train ...`; the first one writes and speaks.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from diffava.builders import load, open_model, save
from diffava.checkpoints.embedded import embedded_folder
from diffava.cli.progress import say
from diffava.errors import RequestError
from diffava.pipeline import FoleyPipeline
from diffava.training.part_recipe import AlignmentRecipe, ControlRecipe, PartRecipe, read_part_recipe
from diffava.training.parts import Run, Trained, train_alignment, train_control
from diffava.training.processes import Processes
from diffava.training.provenance import documents_of, provenance


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """What both have in common.

    Attributes:
        data: Prepared clips: one folder, or several (--data A --data B) as one training set.
        out: The folder that the model with its new part is saved in; it must not exist yet.
        model: The model that is trained further: a name.
        weights: A saved model's folder, instead of what ships under that name.
        validation: Prepared clips to validate on, such as a collection's own part for that (may be given again); a
            share of the data if not given.
        runs: Where checkpoint, logs and TensorBoard's files are kept, OUT-run by default; a stopped run goes on there.
        changes: One value of the recipe, as NAME=VALUE; may be given again.
        accumulate: Micro-batches that each process takes one after another, where a whole batch does not fit.
        device: auto (a GPU where there is one) or cpu.
        as_json: Print one JSON object as the last line.
    """

    data: list[Path]
    out: Path
    model: str = "audioldm-s"
    weights: Path | None = None
    validation: list[Path] | None = None
    runs: Path | None = None
    changes: Annotated[list[str] | None, Parameter(name="--set")] = None
    accumulate: int = 1
    device: str = "auto"
    as_json: Annotated[bool, Parameter(name="--json")] = False


def alignment(*, options: Options, recipe: str = "diffava") -> None:
    """Train DiffAVA's own part by eq. 2, against CLAP's audio of each second; all else stays frozen.

    Args:
        options: What is trained, on what, and where it goes.
        recipe: diffava (the paper's), diffava-small (minutes on a CPU), personal, or a .toml file.
    """
    numbers = read_part_recipe(AlignmentRecipe, recipe, options.changes or ())
    _run(options, recipe, numbers, "alignment", lambda model, run: train_alignment(model, options.data, numbers, run))


def control(*, options: Options, recipe: str = "t2av") -> None:
    """Train T2AV's control branch by the denoiser's own loss; the denoiser too with --set tune_denoiser=true.

    Args:
        options: What is trained, on what (prepared with --for-control), and where it goes.
        recipe: t2av, t2av-small (minutes on a CPU), or a .toml file. --set operator=lstm (cross_attention, addition,
            temporal_self_attention) chooses one of T2AV's four.
    """
    numbers = read_part_recipe(ControlRecipe, recipe, options.changes or ())
    _run(options, recipe, numbers, "control", lambda model, run: train_control(model, options.data, numbers, run))


def _run(
    options: Options,
    recipe_name: str,
    recipe: PartRecipe,
    part: str,
    trained_by: Callable[[FoleyPipeline, Run], Trained],
) -> None:
    if options.out.exists():
        raise RequestError(f"{options.out} exists already and is not overwritten; choose another folder for the model.")
    base = options.weights or embedded_folder(options.model)
    pipeline = load(options.weights) if options.weights is not None else open_model(options.model)
    runs = options.runs or options.out.with_name(f"{options.out.name}-run")
    trained = trained_by(pipeline, Run(runs, options.validation or (), say, options.accumulate, options.device))
    if not Processes(options.device).is_first:
        return
    documents = documents_of(base, part, provenance(pipeline, options.data, recipe_name, recipe, trained))
    save(trained.pipeline, options.out, documents=documents)
    report(trained, options.out, as_json=options.as_json)


def report(trained: Trained, out: Path, *, as_json: bool, notes: Sequence[str] = ()) -> None:
    """What came out, in lines and as JSON."""
    figures = ", ".join(f"{name} {value:.4f}" for name, value in trained.figures.items())
    sys.stdout.write(f"Trained on {trained.clips} clips for {trained.steps} steps; on held-out clips: {figures}.\n")
    sys.stdout.write(f"The model is in {out}; it is licensed: {trained.pipeline.config.licence}.\n")
    sys.stdout.writelines(f"{note}\n" for note in notes)
    if as_json:
        told = {"model": str(out), "sha256": trained.pipeline.weights_sha256, "figures": trained.figures}
        sys.stdout.write(json.dumps({**told, "clips": trained.clips, "steps": trained.steps}) + "\n")
