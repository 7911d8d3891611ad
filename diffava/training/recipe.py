"""A recipe: how much of everything one training of a model takes. Numbers only; `recipes/NAME.toml` holds them."""

import tomllib
from importlib import resources

from pydantic import PositiveInt, ValidationError

from diffava.config import Section
from diffava.errors import ConfigError
from diffava.training.part_recipe import names_of
from diffava.training.plan import Plan, Precision
from diffava.training.vocoder import VocoderPlan


class Steps(Section):
    """What a part's `Plan` says beyond the loop's own defaults."""

    step_count: PositiveInt
    batch_size: PositiveInt
    learning_rate: float
    warmup_steps: int = 50
    average: float = 0.99
    weight_decay: float = 0.01
    mixed_precision: Precision = "bf16"
    keep_best: str = ""  # a figure of the part's validation, whose lowest value's weights are kept

    def plan(self) -> Plan:
        """The loop's plan; a checkpoint and a validation at least every tenth of the way."""
        every = max(1, self.step_count // 10)
        fields = self.model_dump(exclude={"batch_size"})
        return Plan(
            **fields, checkpoint_every=min(100, every), validate_every=max(every, 100), log_every=min(20, every)
        )


class Recipe(Section):
    """All numbers of one training.

    `heard_clips` are composed, the first `seen_clips` of them are drawn as well, which costs much more.
    """

    clip_s: float
    latent_clips: PositiveInt  # that the latent space is fitted to
    clap_clips: PositiveInt
    scenes: PositiveInt  # of 3 s, that the picture encoder learns from
    trial_scenes: PositiveInt
    heard_clips: PositiveInt
    seen_clips: PositiveInt
    held_out_clips: PositiveInt
    clap: Steps
    motion: Steps
    vocoder: Steps
    vocoder_excerpts: VocoderPlan = VocoderPlan()
    alignment: Steps
    sound: Steps  # the generator before there are pictures
    foley: Steps  # and with them


def load_recipe(name: str) -> Recipe:
    """Read a recipe by its name.

    Raises:
        ConfigError: There is none of that name, or it is not as it should be.
    """
    folder = resources.files("diffava.training") / "recipes"
    file = folder / f"{name}.toml"
    if not file.is_file():
        raise ConfigError(f"There is no recipe '{name}'. Known: {', '.join(names_of('model'))}.")
    try:
        return Recipe.model_validate(tomllib.loads(file.read_text("utf-8")))
    except ValidationError as error:
        raise ConfigError(f"The recipe '{name}' is not usable: {error}") from error
