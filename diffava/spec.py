"""One sheet of numbers and the values that pass between the stages.

Every rate, length and shape is derived here once. Axis letters: B batch (takes or windows), F video frames, N tokens,
D feature dimension, C channels, L latent frames, M mel bins, T mel frames, S samples.

The single clock is the output sample: a request says its length, its cuts and its kept part in samples at
`output_rate_hz`, and every other length follows from that.

Values that hold tensors are equal only to themselves, since `==` between tensors is no truth value.
"""

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, get_args

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from diffava.config import DefaultsSection, ModelConfig, SamplerName
from diffava.errors import RequestError

Stage = Literal["features", "latent", "waveform"]
GuideSource = Literal["picture", "none"]
SEED_STOP = 2**64  # what torch's generators and the wire can hold
GUIDE_STRENGTH_STOP = 2.0  # beyond it the control branch drowns the denoiser; the bound is ours
_DEFAULTS = DefaultsSection()


@dataclass(frozen=True)
class Spec:
    """The rates and sizes of one model; every length is a method of it."""

    sample_rate_hz: int
    hop_samples: int
    window_samples: int  # of the mel's Fourier transform
    mel_bins: int
    mel_max_hz: int
    output_rate_hz: int
    frame_rate: Fraction
    frame_size_pixels: int
    latent_channels: int
    vae_factor: int  # how many mel frames one latent frame stands for
    window_latent_frames: int
    latent_mel_bins: int = 1  # height of the latent, where it has an axis of frequency

    @classmethod
    def of(cls, config: ModelConfig) -> "Spec":
        """The sheet of a model; what its parts' own sizes fix is taken from them."""
        return cls(
            **dict(config.spec),
            hop_samples=config.hop_samples,
            mel_bins=config.mel_bins,
            frame_size_pixels=config.frame_size_pixels,
            latent_channels=config.latent_channels,
            latent_mel_bins=config.latent_mel_bins,
            vae_factor=config.vae_factor,
        )

    @property
    def latent_rate_hz(self) -> Fraction:
        """Latent frames a second (25 for AudioLDM)."""
        return Fraction(self.sample_rate_hz, self.hop_samples * self.vae_factor)

    @property
    def samples_per_latent_frame(self) -> int:
        """Model-rate samples that one latent frame stands for."""
        return self.hop_samples * self.vae_factor

    @property
    def output_hop_samples(self) -> int:
        """Output samples of one mel frame, which is the timing guide's step; hits and performances count in these.

        Raises:
            RequestError: The rates do not divide, so that no guide can be exact.
        """
        hop, rest = divmod(self.hop_samples * self.output_rate_hz, self.sample_rate_hz)
        if rest:
            raise RequestError(
                f"A mel frame has {self.hop_samples} samples at {self.sample_rate_hz} Hz, which is no whole number at "
                f"{self.output_rate_hz} Hz; a timing guide needs one."
            )
        return hop

    def video_frames(self, sample_count: int) -> int:
        """How many encoder frames cover a range of `sample_count` output samples."""
        return math.ceil(Fraction(sample_count, self.output_rate_hz) * self.frame_rate)

    def frame_centre_s(self, frame: int) -> Fraction:
        """The second, from the start of the range, whose picture frame number `frame` shows."""
        return (frame + Fraction(1, 2)) / self.frame_rate

    def latent_frames(self, sample_count: int) -> int:
        """How many latent frames cover a range of `sample_count` output samples."""
        return math.ceil(Fraction(sample_count, self.output_rate_hz) * self.latent_rate_hz)

    def latent_frame_of(self, sample: int) -> int:
        """The latent frame nearest to an output sample."""
        return round(Fraction(sample, self.output_rate_hz) * self.latent_rate_hz)


@dataclass(frozen=True, eq=False)
class Frames:
    """Consecutive pictures of the range, at `Spec.frame_rate` and `Spec.frame_size_pixels`."""

    first_frame: int
    rgb: UInt8[Tensor, "F height width 3"]


@dataclass(frozen=True, eq=False)
class PictureGuide:
    """What the picture alone says of time: how likely a sound begins, and how loud it is, in each part of a frame.

    Both go from 0 to 1; energy is told as `diffava.condition.timing_guide` does. A frame is parted into `K` steps.
    """

    onsets: Float[Tensor, "F K"]
    energy: Float[Tensor, "F K"]


@dataclass(frozen=True, eq=False)
class Features:
    """What the frozen encoders say: one row per token of the picture, and the prompts.

    `token_start_s` and `token_stop_s` place each picture token on the range's clock; no token reaches across a cut.
    `shot` numbers the shot of each token, from 0 up to `shot_count`, and never falls; a shot shorter than a frame may
    have none.
    """

    text: Float[Tensor, "D"]
    negative_text: Float[Tensor, "D"]
    video: Float[Tensor, "N V"]
    token_start_s: Float[Tensor, "N"]
    token_stop_s: Float[Tensor, "N"]
    shot: tuple[int, ...]
    shot_count: int
    guide: PictureGuide | None = None  # of a model whose video encoder tells time, where there is a picture


@dataclass(frozen=True, eq=False)
class Condition:
    """One FiLM vector per shot (`Cond`), and the vector of guidance's other side (`Uncond`), all of unit norm.

    `control` is what T2AV's ControlNet reads, one row a latent frame of the range, and how strongly it counts.
    """

    shots: Float[Tensor, "shots D"]
    unconditional: Float[Tensor, "D"]
    control: Float[Tensor, "L G"] | None = None
    control_strength: float = 1.0

    def control_of(self, start: int, stop: int) -> Float[Tensor, "L G"]:
        """The rows of a window; a window that reaches beyond the range repeats the last one.

        Raises:
            ValueError: There is no control.
        """
        if self.control is None:
            raise ValueError("This condition has no control to take rows from.")
        rows = torch.arange(start, stop, device=self.control.device).clamp(max=len(self.control) - 1)
        return self.control[rows]


@dataclass(frozen=True, eq=False)
class Latent:
    """The denoised latents of all takes."""

    values: Float[Tensor, "B C L M"]


@dataclass(frozen=True, eq=False)
class KeptPart:
    """A take of which only `[regenerate_start_sample, regenerate_stop_sample)` is made anew."""

    waveform: Float[Tensor, "S"]
    regenerate_start_sample: int
    regenerate_stop_sample: int


@dataclass(frozen=True)
class FoleyRequest:
    """A whole job. The result is a pure function of it, of the model's weights and of the machine.

    Args of note: `seeds` has one entry a take; `cut_samples` is where new shots begin, strictly rising, inside the
    range; `frame_count` is what `Spec.video_frames` says, or 0 for sound from the prompt alone.

    What the timing guide is made of, for a model that has one: with `guide` "picture", onsets and energy come from the
    picture; with "none", the picture gives meaning but no timing. `hit_samples` (strictly rising) stand in for the
    picture's onsets; a `performance` (the range's length, one channel, output rate) for its onsets and its energy.
    `guide_strength` scales the control branch: 0 is off, 1 as trained. Without a `sampler` it is the model's.

    `frames_sha256` names the pictures: the hash of their rgb24 in order, empty where it is not known. A model that
    still knows what these pictures say reads none of them.

    Raises:
        RequestError: A field is out of its bounds.
    """

    prompt: str
    sample_count: int
    seeds: tuple[int, ...] = (0,)
    negative_prompt: str = ""
    cut_samples: tuple[int, ...] = ()
    frame_count: int = 0
    step_count: int = _DEFAULTS.step_count
    guidance_scale: float = _DEFAULTS.guidance_scale
    sampler: SamplerName | None = None
    kept: KeptPart | None = field(default=None, repr=False)
    guide: GuideSource = "picture"
    guide_strength: float = 1.0
    hit_samples: tuple[int, ...] = ()
    performance: Float[Tensor, "S"] | None = field(default=None, repr=False)
    frames_sha256: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise RequestError("The prompt is empty; say in a few words what should be heard.")
        if self.sample_count <= 0:
            raise RequestError(f"The range has {self.sample_count} samples; choose a range with at least one frame.")
        if not self.seeds:
            raise RequestError("The request has no seeds; give one for each take.")
        outside = [seed for seed in self.seeds if not 0 <= seed < SEED_STOP]
        if outside:
            raise RequestError(f"The seed {outside[0]} is not in 0..{SEED_STOP - 1}; choose one inside.")
        if self.step_count < 1:
            raise RequestError(f"The sampler cannot run {self.step_count} steps; ask for at least 1.")
        if self.guidance_scale < 1 or not math.isfinite(self.guidance_scale):
            raise RequestError(f"The guidance scale is {self.guidance_scale}; give a number of at least 1 (1 is off).")
        edges = (0, *self.cut_samples, self.sample_count)
        if any(a >= b for a, b in itertools.pairwise(edges)):
            raise RequestError(f"The cuts {list(self.cut_samples)} do not rise strictly inside 0..{self.sample_count}.")
        if self.kept is not None:
            part = self.kept
            if part.waveform.shape[-1] != self.sample_count:
                raise RequestError(
                    f"The audio to keep has {part.waveform.shape[-1]} samples, the range {self.sample_count}; "
                    "send exactly the take that is to be changed."
                )
            if not 0 <= part.regenerate_start_sample < part.regenerate_stop_sample <= self.sample_count:
                raise RequestError(
                    f"The part to make anew, {part.regenerate_start_sample}..{part.regenerate_stop_sample}, "
                    f"is not inside the take's 0..{self.sample_count}."
                )
        self._check_timing()

    def _check_timing(self) -> None:
        if self.guide not in get_args(GuideSource):
            known = " or ".join(f"'{name}'" for name in get_args(GuideSource))
            raise RequestError(f"The timing guide '{self.guide}' is unknown; give {known}.")
        if not 0 <= self.guide_strength <= GUIDE_STRENGTH_STOP:  # false for NaN too
            raise RequestError(
                f"The guide's strength is {self.guide_strength}; "
                f"give a number in 0..{GUIDE_STRENGTH_STOP:g} (0 is off)."
            )
        edges = (-1, *self.hit_samples, self.sample_count)
        if any(a >= b for a, b in itertools.pairwise(edges)):
            raise RequestError(f"The hits {list(self.hit_samples)} do not rise strictly inside 0..{self.sample_count}.")
        if self.performance is not None and self.performance.shape[-1] != self.sample_count:
            raise RequestError(
                f"The performance has {self.performance.shape[-1]} samples, the range {self.sample_count}; "
                "cut it or fill it with silence to exactly the range."
            )


@dataclass(frozen=True)
class Progress:
    """How far a stage is: `completed` of `total` frames, steps or samples."""

    stage: Stage
    completed: int
    total: int


@dataclass(frozen=True, eq=False)
class Waveform:
    """Consecutive output samples of one take, at `Spec.output_rate_hz`, in [-1, 1]."""

    take: int
    first_sample: int
    samples: Float[Tensor, "S"]


@dataclass(frozen=True, eq=False)
class Cue:
    """A request with its pictures, and with whoever waits for it.

    `frames` are the pictures of the range in order, pulled as they are needed; nothing for sound from the prompt.
    `on_progress` is called with each group of frames, each step and each piece of sound; `is_cancelled` is asked
    between two steps and between two pieces.
    """

    request: FoleyRequest
    frames: Iterable[Frames] = ()
    on_progress: Callable[[Progress], None] = lambda _: None
    is_cancelled: Callable[[], bool] = lambda: False
