"""What a model is made of, as one frozen value read from TOML. Knows sizes and names, no weights and no torch.

Field names inside the sections are those of diffusers' and transformers' own configuration classes, so that a section
is handed to its class as it is. What follows from another number (the VAE's factor, a head count) is a property here
and is never written down twice.
"""

import math
import tomllib
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from diffava.errors import ConfigError

SamplerName = Literal["dpmpp_2m", "ddim", "euler"]
OperatorName = Literal["lstm", "cross_attention", "addition", "temporal_self_attention"]


class Section(BaseModel):
    """A frozen part of the configuration that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SpecSection(Section):
    """The rates and lengths that no part's own sizes fix, by default AudioLDM's; `Spec.of` adds those."""

    sample_rate_hz: PositiveInt = 16_000
    window_samples: PositiveInt = 1024
    mel_max_hz: PositiveInt = 8_000
    output_rate_hz: PositiveInt = 48_000
    frame_rate: Annotated[Fraction, Field(gt=0)] = Fraction(8)
    window_latent_frames: PositiveInt = 256  # what one denoiser window spans: 10.24 s for AudioLDM


class ClapTextSection(Section):
    """Arguments of `ClapTextConfig`."""

    vocab_size: int = 50265
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    max_position_embeddings: int = 514


class ClapAudioSection(Section):
    """Arguments of `ClapAudioConfig` (HTSAT); `hidden_size` is `patch_embeds_hidden_size` doubled at each depth."""

    patch_embeds_hidden_size: int = 96
    depths: tuple[int, ...] = (2, 2, 6, 2)
    num_attention_heads: tuple[int, ...] = (4, 8, 16, 32)

    @property
    def hidden_size(self) -> int:
        """Width after the last stage."""
        return int(self.patch_embeds_hidden_size * 2 ** (len(self.depths) - 1))


class MelAudioSection(Section):
    """The small CLAP audio tower over the model's own mel, which may stand in the place of HTSAT."""

    channels: tuple[PositiveInt, ...] = (24, 48, 96, 128)


class ClapSection(Section):
    """The CLAP text and audio towers, which share one space of `projection_dim`."""

    tokenizer: Literal["roberta", "bytes", "captions"] = "roberta"
    projection_dim: int = 512
    text: ClapTextSection = ClapTextSection()
    audio: ClapAudioSection = ClapAudioSection()
    mel_audio: MelAudioSection | None = None


class VideoSection(Section):
    """Arguments of `XCLIPVisionConfig` (Microsoft's X-CLIP, patch 32)."""

    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    mit_hidden_size: int = 512
    image_size: int = 224
    patch_size: int = 32
    num_frames: int = 8


class ClipVideoSection(Section):
    """Arguments of `CLIPVisionConfig` (ViT-B/32); may stand in the place of X-CLIP, with one picture a second."""

    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    image_size: int = 224
    patch_size: int = 32
    projection_dim: int = 512


class MotionSection(Section):
    """The small picture encoder, which also says when things happen, and may stand in the place of X-CLIP."""

    image_size: PositiveInt = 96
    channels: tuple[PositiveInt, ...] = (24, 48, 80, 96)
    hidden_size: PositiveInt = 128
    token_dim: PositiveInt = 192
    token_frames: PositiveInt = 25  # that become one token: a second
    guide_steps: PositiveInt = 4  # of a frame, 10 ms each


class AlignmentSection(Section):
    """The trained part: temporal transformer (depth 4, dim 768, 8 heads: DiffAVA's own numbers) and DMRN."""

    hidden_size: int = 768
    num_layers: int = 4
    num_heads: int = 8
    dropout: float = 0.1
    clip_tokens: int = 10  # tokens of one training clip, and the reach of attention
    dmrn_zero_init: bool = True


class UNetSection(Section):
    """Sizes of `UNet2DConditionModel` with AudioLDM's FiLM condition.

    `heads` decides what the published weights leave open: "original" is `channels / head_channels`, as AudioLDM was
    trained; "published" is the 8 at every level that the converted checkpoints' own configuration says. The
    weights have the same shapes in both, so nothing but the sound tells them apart: on random weights the noise that
    the two predict differs by 1.05 % (s), 1.7 % (m) and 0.8 % (l); the original code agrees with "original" to 1e-6.
    """

    block_out_channels: tuple[int, ...]
    head_channels: int
    heads: Literal["original", "published"] = "original"
    layers_per_block: int = 2
    norm_num_groups: int = 32

    @property
    def attention_heads(self) -> tuple[int, ...]:
        """Heads of each level, which diffusers calls `attention_head_dim`."""
        if self.heads == "published":
            return (8,) * len(self.block_out_channels)
        return tuple(channels // self.head_channels for channels in self.block_out_channels)


class TransformerSection(Section):
    """Sizes of the one-dimensional latent transformer that may stand in the U-Net's place."""

    width: PositiveInt = 256
    block_count: PositiveInt = 8
    head_count: PositiveInt = 4
    kernel_frames: PositiveInt = 5


class ControlSection(Section):
    """T2AV's ControlNet on the denoiser, and what it reads."""

    operator: OperatorName = "temporal_self_attention"
    block_count: PositiveInt | None = None  # of [transformer], copied; of a U-Net always the encoder half
    guide_width: PositiveInt = 64


class VaeSection(Section):
    """Arguments of `AutoencoderKL`; each level but the last halves the mel in both directions."""

    block_out_channels: tuple[int, ...] = (128, 256, 512)
    layers_per_block: int = 2
    latent_channels: int = 8
    norm_num_groups: int = 32
    scaling_factor: float = 0.9392935633659363  # cvssp/audioldm-s-full-v2; AudioLDM 2 has another


class VocoderSection(Section):
    """Arguments of `SpeechT5HifiGanConfig`; `upsample_rates` multiply to the hop."""

    model_in_dim: int = 64
    upsample_initial_channel: int = 1024
    upsample_rates: tuple[int, ...] = (5, 4, 2, 2, 2)
    upsample_kernel_sizes: tuple[int, ...] = (16, 16, 8, 4, 4)
    resblock_kernel_sizes: tuple[int, ...] = (3, 7, 11)
    resblock_dilation_sizes: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    leaky_relu_slope: float = 0.1
    normalize_before: bool = False


class StackedPcaSection(Section):
    """Sizes of the latent space by stacked PCA, which may stand in the VAE's place."""

    mel_bins: PositiveInt = 80
    frames: PositiveInt = 4  # of mel in one latent frame
    components: PositiveInt = 64


class IstftVocoderSection(Section):
    """Sizes of the vocoder that predicts a spectrum and inverts it, which may stand in HiFi-GAN's place."""

    hop_samples: PositiveInt = 480
    width: PositiveInt = 192
    block_count: PositiveInt = 8
    kernel_frames: PositiveInt = 7


class SchedulerSection(Section):
    """Arguments that diffusers' schedulers share: AudioLDM's noise schedule."""

    num_train_timesteps: int = 1000
    beta_start: float = 0.0015
    beta_end: float = 0.0195
    beta_schedule: str = "scaled_linear"
    prediction_type: str = "epsilon"
    steps_offset: int = 1


class FlowSection(Section):
    """Flow matching: straight paths from noise to data.

    `shift` above 1 spends more of the few steps near the noise, where the sound's shape is decided (Esser et al. 2024,
    arXiv:2403.03206, section 5.3.2).
    """

    shift: Annotated[float, Field(gt=0)] = 1.0


class ComputeSection(Section):
    """How a server computes with it unless its engineer says otherwise; training always computes in float32.

    `precision` is for machines that are fast at it (`diffava.compute`). With `weights_rest`, on a CPU, the weights of a
    stage are in memory only while it works: for models whose stages together are too large beside an editor.
    """

    precision: Literal["float32", "bfloat16"] = "float32"
    weights_rest: bool = False


class DefaultsSection(Section):
    """What a request gets that does not say; `FoleyRequest` takes its own defaults from here."""

    step_count: PositiveInt = 20
    guidance_scale: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.5
    sampler: SamplerName = "dpmpp_2m"


class ModelConfig(Section):
    """A whole model: what it is called, what may be done with it, and the sizes of its parts.

    The denoiser is a U-Net or a transformer; the last optional sections, where written, stand in the place of the
    part that the section's docstring names. `parameter_count` says how large the model is without building it; a test
    keeps the presets' true.
    """

    name: str
    licence: str
    commercial_use_allowed: bool
    warning: str = ""
    has_random_weights: bool = False  # on purpose: a model to try commands with, not to hear
    parameter_count: PositiveInt | None = None
    spec: SpecSection = SpecSection()
    clap: ClapSection = ClapSection()
    video: VideoSection = VideoSection()
    clip_video: ClipVideoSection | None = None
    motion: MotionSection | None = None
    alignment: AlignmentSection = AlignmentSection()
    unet: UNetSection | None = None
    scheduler: SchedulerSection = SchedulerSection()
    transformer: TransformerSection | None = None
    flow: FlowSection | None = None
    control: ControlSection | None = None
    vae: VaeSection = VaeSection()
    stacked_pca: StackedPcaSection | None = None
    vocoder: VocoderSection = VocoderSection()
    istft_vocoder: IstftVocoderSection | None = None
    compute: ComputeSection = ComputeSection()
    defaults: DefaultsSection = DefaultsSection()

    @model_validator(mode="after")
    def _parts_fit(self) -> "ModelConfig":
        if (self.unet is None) == (self.transformer is None):
            raise ValueError("a model has one denoiser: write either [unet] or [transformer]")
        if self.clip_video is not None and self.motion is not None:
            raise ValueError("a model has one picture encoder: write either [clip_video] or [motion]")
        if (self.transformer is None) != (self.flow is None):
            raise ValueError("[transformer] predicts the velocity of [flow]: write both or none")
        if self.unet is not None:
            self._unet_fits(self.unet)
        if self.control is not None:
            self._control_fits(self.control)
        if self.compute.weights_rest and self.clap.tokenizer == "captions":
            raise ValueError(
                "compute.weights_rest does not go with the tokenizer 'captions', whose words are read before"
            )
        if self.stacked_pca is None and self.mel_bins % self.vae_factor:
            raise ValueError(
                f"vocoder.model_in_dim is {self.mel_bins} mel bins, but the VAE needs a multiple of {self.vae_factor}"
            )
        return self

    def _unet_fits(self, unet: UNetSection) -> None:
        factor = 2 ** (len(unet.block_out_channels) - 1)
        if self.spec.window_latent_frames % factor:
            raise ValueError(
                f"spec.window_latent_frames is {self.spec.window_latent_frames}, but the U-Net's "
                f"{len(unet.block_out_channels)} levels need a multiple of {factor}"
            )
        if any(channels % unet.head_channels for channels in unet.block_out_channels):
            raise ValueError(
                f"unet.block_out_channels are {list(unet.block_out_channels)}, and not all divide by the "
                f"{unet.head_channels} of unet.head_channels"
            )

    def _control_fits(self, control: ControlSection) -> None:
        if self.transformer is None:
            if control.block_count is not None:
                raise ValueError(
                    f"control.block_count is {control.block_count}, but of [unet] the whole encoder half is copied: "
                    "leave it out"
                )
            return
        if control.block_count is None:
            raise ValueError("control.block_count is missing: write how many blocks of [transformer] are copied")
        if control.block_count > self.transformer.block_count:
            raise ValueError(
                f"control.block_count is {control.block_count}, but [transformer] has only "
                f"{self.transformer.block_count} blocks to copy"
            )

    @property
    def has_timing_guide(self) -> bool:
        """Whether it can be told when things happen."""
        return self.control is not None

    @property
    def hop_samples(self) -> int:
        """Samples of one mel frame."""
        return math.prod(self.vocoder.upsample_rates) if self.istft_vocoder is None else self.istft_vocoder.hop_samples

    @property
    def mel_bins(self) -> int:
        """Height of the mel."""
        return self.vocoder.model_in_dim if self.stacked_pca is None else self.stacked_pca.mel_bins

    @property
    def vae_factor(self) -> int:
        """How many mel frames one latent frame stands for."""
        if self.stacked_pca is not None:
            return self.stacked_pca.frames
        return int(2 ** (len(self.vae.block_out_channels) - 1))

    @property
    def latent_channels(self) -> int:
        """Channels of the latent."""
        return self.vae.latent_channels if self.stacked_pca is None else self.stacked_pca.components

    @property
    def latent_mel_bins(self) -> int:
        """Height of the latent: a VAE shrinks time and frequency alike, stacked PCA leaves no axis of frequency."""
        return self.mel_bins // self.vae_factor if self.stacked_pca is None else 1

    @property
    def frame_size_pixels(self) -> int:
        """Width and height of the pictures that the model reads."""
        if self.clip_video is not None:
            return self.clip_video.image_size
        return self.video.image_size if self.motion is None else self.motion.image_size

    @property
    def video_dim(self) -> int:
        """Width of a picture token."""
        if self.clip_video is not None:
            return self.clip_video.projection_dim
        return self.video.hidden_size if self.motion is None else self.motion.token_dim

    @property
    def needs_published_weights(self) -> bool:
        """Whether it cannot start from random weights, since its tokenizer comes with the published ones."""
        return self.clap.tokenizer == "roberta"


def preset_names() -> tuple[str, ...]:
    """The models that ship with the library, in alphabetical order."""
    folder = resources.files("diffava") / "presets"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_config(name_or_path: str | Path) -> ModelConfig:
    """Read a preset by its name, or a TOML file by its path.

    Raises:
        ConfigError: There is no such preset or file, it is not TOML, or a key is unknown, missing or out of bounds.
    """
    name = str(name_or_path)
    if name in preset_names():
        return parse_config((resources.files("diffava") / "presets" / f"{name}.toml").read_text("utf-8"), name)
    path = Path(name_or_path)
    if path.suffix != ".toml":
        raise ConfigError(
            f"There is no model preset '{name}'. Known: {', '.join(preset_names())}; or give the path of a .toml file."
        )
    try:
        return parse_config(path.read_text("utf-8"), name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration {name} cannot be read ({error}); check the path.") from error


def parse_config(text: str, source: str) -> ModelConfig:
    """Read a configuration from TOML text; `source` is what errors call it.

    Raises:
        ConfigError: As `load_config`.
    """
    try:
        return config_from_dict(tomllib.loads(text), source)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source} is not valid TOML: {error}.") from error


def config_from_dict(values: dict[str, Any], source: str) -> ModelConfig:
    """Check plain values, as TOML or JSON give them.

    Raises:
        ConfigError: Naming the key, what it should be, and for an unknown key the known ones.
    """
    try:
        return ModelConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source}: {'; '.join(_sentence(dict(e)) for e in error.errors())}.") from error


def _sentence(error: dict[str, Any]) -> str:
    keys = [str(key) for key in error["loc"]]
    if error["type"] != "extra_forbidden":
        return f"{'.'.join(keys) or 'the model'}: {error['msg'].removeprefix('Value error, ')}"
    section: Any = ModelConfig
    for key in keys[:-1]:
        annotation = section.model_fields[key].annotation
        section = next((part for part in get_args(annotation) if part is not type(None)), annotation)  # of "| None"
    return f"unknown key '{'.'.join(keys)}'; known here: {', '.join(section.model_fields)}"
