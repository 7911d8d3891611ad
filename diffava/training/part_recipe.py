"""Recipes of the parts that are trained on prepared clips. Numbers only; `recipes/diffava.toml` holds the paper's.

Every choice that the papers leave open is a named option here; its default stands beside its reason, and a recipe or
`--set NAME=VALUE` changes it.
"""

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, ValidationError

from diffava.config import AlignmentSection, OperatorName, Section
from diffava.errors import ConfigError
from diffava.training.alignment import Objective
from diffava.training.plan import Plan, Precision, Schedule
from diffava.training.prepared.batches import ControlMix

GuideKind = Literal["none", "both", "energy", "onsets", "picture"]
FilmKind = Literal["aligned", "text", "sound"]
Share = Annotated[float, Field(ge=0, lt=1)]


class PartRecipe(Section):
    """Data, steps and optimiser; the defaults are DiffAVA's recipe (arXiv:2305.12903, section 4.1).

    The paper says 30 epochs, batches of 128, Adam and 1.5e-4. Nothing of a schedule, decay, averaging or clipping is
    said, so by default there is none of the first three; gradients are clipped at 1, which an even run never meets.
    """

    epochs: PositiveInt = 30
    step_count: PositiveInt | None = None  # instead of epochs
    batch_size: PositiveInt = 128
    learning_rate: PositiveFloat = 1.5e-4
    schedule: Schedule = "constant"
    warmup_steps: NonNegativeInt = 0
    weight_decay: NonNegativeFloat = 0.0  # at 0, AdamW is Adam
    beta2: Share = 0.999
    average: Share = 0.0  # of an exponential moving average; at 0 the last weights are kept
    clip_norm: NonNegativeFloat = 1.0
    mixed_precision: Precision = "no"
    keep_best: str = ""  # a validated figure, whose lowest value's weights are kept
    validations: PositiveInt = 20
    held_out_share: Share = 0.05  # of the source files; AudioCaps' own validation part has 5 % of its clips
    start: Literal["fresh", "model"] = "fresh"  # from new weights, or from those that the model has
    seed: NonNegativeInt = 0

    def plan(self, clip_count: int, batch_size: int) -> Plan:
        """The loop's plan for so many clips."""
        steps = self.step_count or self.epochs * max(1, clip_count // batch_size)
        every = max(1, steps // self.validations)
        return Plan(
            step_count=steps,
            learning_rate=self.learning_rate,
            warmup_steps=self.warmup_steps,
            weight_decay=self.weight_decay,
            average=self.average,
            clip_norm=self.clip_norm,
            mixed_precision=self.mixed_precision,
            checkpoint_every=min(200, every),
            validate_every=every,
            log_every=min(20, every),
            seed=self.seed,
            schedule=self.schedule,
            beta2=self.beta2,
            keep_best=self.keep_best,
        )


class AlignmentRecipe(PartRecipe):
    """DiffAVA's own part. A size that is not given is that of the model's preset.

    The paper fixes depth 4, width 768 and 8 heads. It does not say the dropout (0.1: torch's own), the DMRN's start
    (zero: training begins at the mean of both streams), nor the temperature and form of eq. 2 (`Objective`).
    """

    trains: Literal["alignment"] = "alignment"
    num_layers: PositiveInt | None = None
    hidden_size: PositiveInt | None = None
    num_heads: PositiveInt | None = None
    dropout: Share | None = None
    dmrn_zero_init: bool | None = None
    temperature: PositiveFloat = 0.07
    learn_temperature: bool = False
    symmetric: bool = False
    mean_over_time: bool = False

    def section(self, of_model: AlignmentSection) -> AlignmentSection:
        """The model's own section, with what the recipe says instead."""
        names = ("num_layers", "hidden_size", "num_heads", "dropout", "dmrn_zero_init")
        said = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return of_model.model_copy(update=said)

    @property
    def objective(self) -> Objective:
        """The form of eq. 2."""
        return Objective(self.temperature, self.learn_temperature, self.symmetric, self.mean_over_time)


class ControlRecipe(PartRecipe):
    """T2AV's AV ControlNet; its paper's numbers could not be had (facts of arXiv:2403.07938 are its summary's).

    `operator` is one of its four; it keeps temporal self-attention. `tune_denoiser` is its latent-diffusion tuning.
    The FiLM vector is the fused text as in use; `text` and `sound` (as AudioLDM was trained) may have shares. Of the
    guides, `none` is T2AV's own case. With a frozen denoiser nothing is dropped: guidance's other side never passes the
    branch.
    """

    trains: Literal["control"] = "control"
    operator: OperatorName | None = None
    block_count: PositiveInt | None = None  # of a transformer
    guide_width: PositiveInt | None = None
    tune_denoiser: bool = False
    film: dict[FilmKind, NonNegativeFloat] = Field(default={"aligned": 1.0})
    guide: dict[GuideKind, NonNegativeFloat] = Field(default={"none": 1.0})
    dropped: Share = 0.1  # of a tuned denoiser's items

    @property
    def mix(self) -> ControlMix:
        """What an item is given."""
        film = {str(kind): share for kind, share in self.film.items()}
        guide = {str(kind): share for kind, share in self.guide.items()}
        return ControlMix(film, guide, self.dropped if self.tune_denoiser else 0.0)


AnyRecipe = TypeVar("AnyRecipe", AlignmentRecipe, ControlRecipe)


def read_part_recipe(kind: type[AnyRecipe], name: str, changes: Sequence[str] = ()) -> AnyRecipe:
    """A recipe that ships, or a TOML file, with single values changed.

    Args:
        kind: What it trains.
        name: Of a recipe, or the path of a `.toml` file.
        changes: Each `NAME=VALUE` with a value as TOML writes it; quotes around a single word may be left out.

    Raises:
        ConfigError: There is no such recipe, it trains something else, or a value is not as it should be.
    """
    path = Path(name)
    shipped = resources.files("diffava.training") / "recipes" / f"{name}.toml"
    try:
        text = path.read_text("utf-8") if path.suffix == ".toml" else shipped.read_text("utf-8")
        values: dict[str, Any] = tomllib.loads(text)
    except (OSError, tomllib.TOMLDecodeError) as error:
        known = ", ".join(names_of(kind.model_fields["trains"].default))
        raise ConfigError(f"The recipe '{name}' cannot be read ({error}); known: {known}; or a .toml file.") from error
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise ConfigError(f"'{change}' is no NAME=VALUE; write for example --set epochs=10.")
        values[key.strip()] = _value(value.strip())
    if not values.keys() & {"trains"}:
        values["trains"] = kind.model_fields["trains"].default
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        known = ", ".join(field for field in kind.model_fields if field != "trains")
        raise ConfigError(f"The recipe '{name}' is not usable ({told}). Its options are {known}.") from error


def names_of(trains: str) -> tuple[str, ...]:
    """The recipes that ship for a part."""
    folder = resources.files("diffava.training") / "recipes"
    found: Mapping[str, str] = {
        entry.name.removesuffix(".toml"): tomllib.loads(entry.read_text("utf-8")).get("trains", "model")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    }
    return tuple(sorted(name for name, part in found.items() if part == trains))


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
