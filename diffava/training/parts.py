"""Training one part of a model on prepared clips: a model and folders in, a model out. Knows no command line.

The other parts stay as they are and are never written to.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from diffava.builders import assemble
from diffava.condition.alignment import Alignment
from diffava.condition.control_sequence import ControlSequence
from diffava.config import ControlSection, ModelConfig, Section
from diffava.errors import ConfigError
from diffava.features.encoder import PromptAndPictureEncoder
from diffava.latent.control import ControlBranch
from diffava.latent.unet_control import UNetControl
from diffava.pipeline import FoleyPipeline
from diffava.training.alignment import AlignmentTask
from diffava.training.control import ControlledDenoiser, ControlTask, DiffusionControl, FlowControl
from diffava.training.loop import TrainingTask, train
from diffava.training.part_recipe import AlignmentRecipe, ControlRecipe, PartRecipe
from diffava.training.prepared.batches import ControlFeed, Feed, PreparedAlignmentData
from diffava.training.prepared.clips import PreparedClips
from diffava.training.prepared.encoder import check_prepared_for
from diffava.training.processes import Processes


@dataclass(frozen=True)
class Run:
    """Where a training runs and how it is shared out."""

    folder: Path
    validation: Sequence[Path] = ()  # prepared clips to validate on, instead of a share of those that are learned from
    say: Callable[[str], None] = print
    accumulate: int = 1
    device: str = "auto"


@dataclass(frozen=True)
class Trained:
    """What came out: the model, and the figures of the weights that were kept, on clips that were kept apart."""

    pipeline: FoleyPipeline
    figures: dict[str, float]
    clips: int
    steps: int


def train_alignment(pipeline: FoleyPipeline, folders: Sequence[Path], recipe: AlignmentRecipe, run: Run) -> Trained:
    """DiffAVA's own part, by eq. 2.

    Raises:
        ConfigError: The clips were prepared with other encoders, or the model's own alignment is of another size.
        DataError: A folder is not finished, damaged, or has too few clips.
    """
    section = recipe.section(pipeline.config.alignment)
    config = _changed(pipeline.config, alignment=section)
    alignment: Alignment = _new(lambda: Alignment(section, config.video_dim, config.clap.projection_dim), recipe.seed)
    if recipe.start == "model":
        _take_over(alignment, pipeline, "alignment", section, pipeline.config.alignment)
    feed = _feed(pipeline, folders, recipe, run, for_control=False)
    task = AlignmentTask(alignment, PreparedAlignmentData(feed), recipe.objective)
    return _trained(pipeline, config, {"alignment": alignment}, task, feed, recipe, run)


def train_control(pipeline: FoleyPipeline, folders: Sequence[Path], recipe: ControlRecipe, run: Run) -> Trained:
    """T2AV's control branch on the model's denoiser, and that too if it is tuned.

    Raises:
        ConfigError: As `train_alignment`, or the clips were prepared without latents.
        DataError: As `train_alignment`.
    """
    section = _control_section(pipeline.config, recipe)
    config, spec = _changed(pipeline.config, control=section), pipeline.spec
    dim, parts = config.clap.projection_dim, pipeline.parts
    sequence: ControlSequence = _new(lambda: ControlSequence(section, dim, spec.vae_factor), recipe.seed)
    # A copy of the denoiser as it is now: made from an untrained one, the branch would have nothing to start from.
    controlled = _controlled(config, parts, sequence.dim, section)
    if recipe.start == "model":
        for name, part in (("control_sequence", sequence), ("control_branch", controlled.branch)):
            _take_over(part, pipeline, name, section, pipeline.config.control)
    feed = _feed(pipeline, folders, recipe, run, for_control=True)
    alignment: Any = parts["alignment"]
    task = ControlTask(
        controlled,
        sequence,
        alignment,
        ControlFeed(feed, recipe.mix, spec),
        _text_of(pipeline).encode([""])[0],
        tune_denoiser=recipe.tune_denoiser,
    )
    new = {"control_sequence": sequence, "control_branch": controlled.branch}
    return _trained(pipeline, config, new, task, feed, recipe, run)


def _trained(
    pipeline: FoleyPipeline,
    config: ModelConfig,
    new: dict[str, nn.Module],
    task: TrainingTask,
    feed: Feed,
    recipe: PartRecipe,
    run: Run,
) -> Trained:
    plan = recipe.plan(len(feed.clips), feed.batch_size)
    if not feed.clips.held_out_count:
        raise ConfigError(
            f"Nothing is kept apart of {len(feed.clips)} clips to validate on; prepare more, or give a larger "
            "held_out_share."
        )
    train(task, run.folder, plan, run.say, accumulate=run.accumulate, device=run.device)
    for part in (task.module, *pipeline.parts.values()):
        part.to("cpu").eval()
    with torch.no_grad():
        figures = task.validate()
    parts: dict[str, Any] = {**pipeline.parts, **new}
    count = sum(parameter.numel() for part in parts.values() for parameter in part.parameters())
    sized = _changed(config, parameter_count=count)
    return Trained(assemble(sized, parts, _text_of(pipeline).tokenizer), figures, len(feed.clips), plan.step_count)


def _feed(pipeline: FoleyPipeline, folders: Sequence[Path], recipe: PartRecipe, run: Run, *, for_control: bool) -> Feed:
    clips = PreparedClips(folders, recipe.held_out_share, recipe.seed, run.validation)
    check_prepared_for(pipeline, clips.key, for_control=for_control)
    processes = Processes(run.device)
    micro_batches = run.accumulate * processes.count
    batch_size = min(recipe.batch_size, len(clips)) // micro_batches * micro_batches
    if not batch_size:
        raise ConfigError(f"{len(clips)} clips cannot be shared out to {micro_batches} micro-batches; prepare more.")
    if batch_size != recipe.batch_size and processes.is_first:
        run.say(f"A batch has {batch_size} clips instead of {recipe.batch_size}: there are no more, or not in parts.")
    return Feed(clips, batch_size, micro_batches, recipe.seed)


def _control_section(config: ModelConfig, recipe: ControlRecipe) -> ControlSection:
    said = {name: getattr(recipe, name) for name in ("operator", "block_count", "guide_width")}
    own = config.control or ControlSection(block_count=_half_the_blocks(config))
    return own.model_copy(update={name: value for name, value in said.items() if value is not None})


def _half_the_blocks(config: ModelConfig) -> int | None:
    """What is copied of a transformer by default: its first half, as a ControlNet copies a U-Net's encoder."""
    return None if config.transformer is None else math.ceil(config.transformer.block_count / 2)


def _controlled(config: ModelConfig, parts: Any, control_dim: int, section: ControlSection) -> ControlledDenoiser:
    if section.block_count is None:
        return DiffusionControl(parts["unet"], UNetControl(parts["unet"], control_dim), config.scheduler)
    denoiser = parts["transformer"]
    return FlowControl(denoiser, ControlBranch(denoiser, control_dim, section.block_count))


def _take_over(part: nn.Module, pipeline: FoleyPipeline, name: str, wanted: Section, found: Section | None) -> None:
    if wanted != found or name not in pipeline.parts:
        raise ConfigError(
            f"The model '{pipeline.name}' has no {name} of the recipe's sizes to start from; leave the sizes out of "
            "the recipe, or say --set start=fresh."
        )
    part.load_state_dict(pipeline.parts[name].state_dict())


def _new(make: Callable[[], Any], seed: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _changed(config: ModelConfig, **sections: Any) -> ModelConfig:
    return ModelConfig.model_validate({**config.model_dump(), **sections})


def _text_of(pipeline: FoleyPipeline) -> Any:
    features = pipeline.features
    if not isinstance(features, PromptAndPictureEncoder):
        raise ConfigError(f"A model with the encoder {type(features).__name__} cannot be trained here.")
    return features.text
