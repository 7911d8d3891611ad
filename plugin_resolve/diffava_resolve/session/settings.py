"""What a person asks for, and the job that it makes for one region. Knows no server and no files.

Everything that can be refused is refused here, before any picture is decoded.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from diffava_resolve.client.protocol import ServerInfo
from diffava_resolve.errors import RequestError
from diffava_resolve.session.finishing import Finishing
from diffava_resolve.session.leaks import LeakCheck
from diffava_resolve.spec import SAMPLE_RATE_HZ, FoleyJob, TimingGuide
from diffava_resolve.timeline.regions import MarkerRegion

_SEED_LIMIT = 1 << 64
MAX_GUIDE_STRENGTH = 2.0  # as the server has it


def random_seed() -> int:
    """A seed that is short enough to be read out over the telephone."""
    return secrets.randbelow(1 << 32)


@dataclass(frozen=True)
class FoleySettings:
    """The wishes of one command; 0, empty and None leave the choice to the model (a seed: to chance, and recorded).

    Raises:
        RequestError: A wish is out of its bounds whatever the server.
    """

    prompt: str
    negative_prompt: str = ""
    model: str = ""
    take_count: int = 1
    seed: int | None = None
    step_count: int = 0
    guidance_scale: float = 0.0
    sampler: str = ""
    guide_strength: float = 1.0
    finishing: Finishing = Finishing()  # noqa: RUF009  frozen
    leak_check: LeakCheck = "warn"

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise RequestError("The prompt is empty; say in a few words what should be heard.")
        if self.take_count < 1:
            raise RequestError(f"{self.take_count} takes were asked for; ask for at least 1.")
        if self.seed is not None and not 0 <= self.seed <= _SEED_LIMIT - self.take_count:
            raise RequestError(f"The seed is {self.seed}; give a whole number from 0 to {_SEED_LIMIT - 1}.")
        if self.step_count < 0:
            raise RequestError(f"The sampler cannot run {self.step_count} steps; ask for at least 1.")
        if self.guidance_scale != 0 and not 1 <= self.guidance_scale < float("inf"):
            raise RequestError(f"The guidance scale is {self.guidance_scale}; give a number of at least 1 (1 is off).")
        if not 0 <= self.guide_strength <= MAX_GUIDE_STRENGTH:  # NaN is neither
            raise RequestError(
                f"The guide's strength is {self.guide_strength}; give a number from 0 (off) to {MAX_GUIDE_STRENGTH:g}."
            )

    def job(
        self,
        server: ServerInfo,
        sample_count: int,
        cut_samples: tuple[int, ...] = (),
        regenerate_samples: tuple[int, int] | None = None,
        guide: TimingGuide = TimingGuide(),  # noqa: B008  frozen
        new_seed: Callable[[], int] = random_seed,
    ) -> FoleyJob:
        """The job for a region of `sample_count` samples, with seeds drawn and the model named.

        Raises:
            RequestError: It is beyond what the server takes, or the server does not have the model.
        """
        limits = server.limits
        _refuse_beyond("The prompt", len(self.prompt), limits.max_prompt_characters, "characters", "shorten it")
        _refuse_beyond(
            "The negative prompt", len(self.negative_prompt), limits.max_prompt_characters, "characters", "shorten it"
        )
        _refuse_beyond("The request", self.take_count, limits.max_take_count, "takes", "ask for fewer")
        _refuse_beyond("The request", self.step_count, limits.max_step_count, "steps", "ask for fewer")
        seconds = (sample_count // SAMPLE_RATE_HZ, limits.max_sample_count // SAMPLE_RATE_HZ)
        _refuse_beyond("The range", *seconds, "seconds", "choose a shorter one")
        model = server.model(self.model)
        if model.sample_rate_hz != SAMPLE_RATE_HZ:
            raise RequestError(
                f"The model {model.name} gives {model.sample_rate_hz} Hz and a timeline's audio is written at "
                f"{SAMPLE_RATE_HZ} Hz; choose another model."
            )
        if (guide.hit_samples or guide.performance) and not model.has_timing_guide:
            raise RequestError(
                f"The model {model.name} has no timing guide and would not follow hits or a performance; choose "
                "another with --model, or go by the picture with --guide picture and without them."
            )
        first_seed = new_seed() if self.seed is None else self.seed
        return FoleyJob(
            prompt=self.prompt,
            sample_count=sample_count,
            seeds=tuple(range(first_seed, first_seed + self.take_count)),
            negative_prompt=self.negative_prompt,
            model=model.name,
            cut_samples=cut_samples,
            step_count=self.step_count,
            guidance_scale=self.guidance_scale,
            sampler=self.sampler,
            regenerate_samples=regenerate_samples,
            guide=replace(guide, strength=self.guide_strength),
        )


SettingsFor = Callable[[str], FoleySettings]
"""From a prompt to the wishes that hold for whatever is prompted."""


def settings_of(marker: MarkerRegion, settings_for: SettingsFor, prompt: str = "") -> FoleySettings:
    """The wishes for a marker's stretch: what it says itself comes first.

    Raises:
        RequestError: Neither it nor `prompt` says what should be heard, or a wish is out of its bounds.
    """
    general = settings_for(marker.prompt or prompt)
    return replace(
        general,
        negative_prompt=marker.negative_prompt or general.negative_prompt,
        take_count=general.take_count if marker.take_count is None else marker.take_count,
        seed=general.seed if marker.seed is None else marker.seed,
    )


def _refuse_beyond(subject: str, found: int, limit: int, unit: str, advice: str) -> None:
    if limit and found > limit:
        raise RequestError(f"{subject} has {found} {unit}, the server takes at most {limit}; {advice}.")
