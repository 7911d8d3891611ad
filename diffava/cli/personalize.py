"""`diffava personalize`: a model's alignment fitted to an editor's own library of videos, in minutes."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from diffava.builders import load, open_model, save
from diffava.checkpoints.embedded import embedded_folder
from diffava.cli.progress import say
from diffava.cli.train_part import report
from diffava.cli.train_prepare import prepare_for, told
from diffava.config import ModelConfig
from diffava.errors import RequestError
from diffava.training.corpora.video_folder import VideoFolder
from diffava.training.part_recipe import AlignmentRecipe, read_part_recipe
from diffava.training.parts import Run, train_alignment
from diffava.training.prepared.encoder import Settings
from diffava.training.provenance import documents_of, provenance

RECIPE = "personal"


def personalize(
    folder: Path,
    *,
    out: Path,
    model: str = "mini",
    weights: Path | None = None,
    captions: Path | None = None,
    licence: str = "",
    clap: Path | None = None,
    runs: Path | None = None,
    recipe: str = RECIPE,
    changes: Annotated[list[str] | None, Parameter(name="--set")] = None,
    workers: int = 2,
    device: str = "auto",
    as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Fit a model to your own library, so that prompts mean what they mean in your videos.

    Only DiffAVA's alignment learns: which sound belongs to what is said and seen. What the model can sound like stays
    as it is. The result is a model's folder for --weights, or for `diffava serve --model`.

    Args:
        folder: Videos with sound, at any depth; ten at least, better a hundred.
        out: The folder that the fitted model is saved in; it must not exist yet.
        model: The model to begin with.
        weights: A saved model's folder, instead of what ships under that name.
        captions: A table with columns path and caption; else texts beside the videos, or the words of their names.
        licence: What may be done with your videos, in your words; kept with the model.
        clap: CLAP in transformers' format, for a model that brings no audio tower.
        runs: Where prepared clips and checkpoints are kept, OUT-run by default; a stopped run goes on there.
        recipe: How: personal, or a .toml file.
        changes: One value of the recipe, as NAME=VALUE; may be given again.
        workers: Threads that decode ahead.
        device: auto (a GPU where there is one) or cpu.
        as_json: For programs.
    """
    if out.exists():
        raise RequestError(f"{out} exists already and is not overwritten; choose another folder for the model.")
    numbers = read_part_recipe(AlignmentRecipe, recipe, changes or ())
    base = weights or embedded_folder(model)
    pipeline = load(weights) if weights is not None else open_model(model)
    runs = runs or out.with_name(f"{out.name}-run")
    prepared = runs / "clips"
    say(told(prepare_for(pipeline, VideoFolder(folder, captions, licence), prepared, Settings(), workers, clap)))
    trained = train_alignment(pipeline, [prepared], numbers, Run(runs / "alignment", say=say, device=device))
    trained.pipeline.config = _named(trained.pipeline.config)
    documents = documents_of(base, "alignment", provenance(pipeline, [prepared], recipe, numbers, trained))
    save(trained.pipeline, out, documents=documents)
    before, after = trained.figures["cosine_prompt"], trained.figures["cosine_aligned"]
    notes = (
        f"On held-out videos a prompt is {after:.3f} near its sound (cosine), {before:.3f} without the picture.",
        f"Whose videos it learned from, and under which licence, is in {out / 'TRAINED_ALIGNMENT.md'}.",
    )
    report(trained, out, as_json=as_json, notes=notes)


def _named(config: ModelConfig) -> ModelConfig:
    """Told apart from its base, also in receipts."""
    return config.model_copy(update={"name": f"{config.name.removesuffix('-personal')}-personal"})
