"""The only place that chooses classes: from a configuration to a pipeline, with random weights or saved ones."""

from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import (
    ClapAudioConfig,
    ClapAudioModelWithProjection,
    ClapTextConfig,
    ClapTextModelWithProjection,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    XCLIPVisionConfig,
    XCLIPVisionModel,
)

from diffava.checkpoints.folder import CONFIG, read_manifest, read_part, weights_sha256, write_folder
from diffava.condition.alignment import Alignment
from diffava.config import ModelConfig, config_from_dict, load_config
from diffava.errors import CheckpointError, ConfigError
from diffava.features.clap import ClapTextEncoder
from diffava.features.encoder import PromptAndPictureEncoder
from diffava.features.tokenizer import byte_tokenizer, load_tokenizer
from diffava.features.video import XClipVideoEncoder
from diffava.pipeline import FoleyPipeline
from diffava.spec import Spec

TOKENIZER = "tokenizer"


def build(preset: str | Path | ModelConfig, seed: int = 0, device: torch.device | str = "cpu") -> FoleyPipeline:
    """A model with random weights; the same seed gives the same weights, and torch's own generator is not moved.

    Args:
        preset: A preset's name, the path of a `.toml` file, or what was read from one.
        seed: Where the weights come from. They are drawn on the CPU, so that no device changes them.
        device: Where the model computes.

    Raises:
        ConfigError: The preset is unknown, or its prompts need a tokenizer that only published weights bring.
    """
    config = preset if isinstance(preset, ModelConfig) else load_config(preset)
    if config.needs_published_weights:
        raise ConfigError(
            f"The model '{config.name}' cannot start from random weights: its tokenizer comes with the published ones. "
            "Load a saved folder, or build 'nano' or 'mini'."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = make_parts(config)
        set_moderate_level(parts["vae"], parts["vocoder"])
    return _pipeline(config, parts, byte_tokenizer(), device)


def save(pipeline: FoleyPipeline, folder: Path) -> None:
    """Write a pipeline's configuration, weights and tokenizer; the folder appears complete or not at all.

    Raises:
        CheckpointError: Something is there already, or the disk refuses.
    """
    features = pipeline.features
    if not isinstance(features, PromptAndPictureEncoder):
        raise CheckpointError(f"A pipeline with the encoder {type(features).__name__} cannot be saved as a folder.")
    write_folder(
        Path(folder),
        pipeline.config.model_dump(mode="json"),
        {
            "clap_text": features.text.model,
            "video": features.video.model,
            "alignment": pipeline.alignment,
            "unet": pipeline.denoiser,
            "vae": pipeline.vae,
            "vocoder": pipeline.vocoder,
        },
        lambda unfinished: features.text.tokenizer.save_pretrained(unfinished / TOKENIZER),
    )


def load(folder: Path, device: torch.device | str = "cpu") -> FoleyPipeline:
    """Read what `save` wrote, after every file's hash has been checked, and compute on `device`.

    Raises:
        CheckpointError: A file is missing, changed or does not fit.
        ConfigError: The configuration is of another version of this software.
    """
    folder = Path(folder)
    config = config_from_dict(read_manifest(folder), f"{folder / CONFIG}")
    # Empty, since drawing random weights first would take longer than reading; some buffers are drawn all the same.
    with torch.random.fork_rng(devices=[]), init_empty_weights(include_buffers=False):
        parts = make_parts(config)
    for name, part in parts.items():
        read_part(folder, name, part)
    tokenizer = load_tokenizer(folder / TOKENIZER, config.clap.text.vocab_size)
    return _pipeline(config, parts, tokenizer, device)


def make_parts(config: ModelConfig) -> dict[str, Any]:
    """Every part of a pipeline, by the name of its folder, in its classes' own initial state."""
    return {
        "clap_text": clap_text(config),
        "video": video(config),
        "alignment": alignment(config),
        "unet": unet(config),
        "vae": vae(config),
        "vocoder": vocoder(config),
    }


def clap_text(config: ModelConfig) -> ClapTextModelWithProjection:
    """CLAP's text tower."""
    sizes = config.clap.text.model_dump(mode="json")
    return ClapTextModelWithProjection(ClapTextConfig(**sizes, projection_dim=config.clap.projection_dim))


def clap_audio(config: ModelConfig) -> ClapAudioModelWithProjection:
    """CLAP's audio tower, which only training and measuring need."""
    section = config.clap.audio
    return ClapAudioModelWithProjection(
        ClapAudioConfig(
            **section.model_dump(mode="json"),
            hidden_size=section.hidden_size,
            projection_dim=config.clap.projection_dim,
        )
    )


def video(config: ModelConfig) -> XCLIPVisionModel:
    """X-CLIP's vision tower."""
    return XCLIPVisionModel(XCLIPVisionConfig(**config.video.model_dump(mode="json")))


def alignment(config: ModelConfig) -> Alignment:
    """DiffAVA's trained part."""
    return Alignment(config.alignment, config.video.hidden_size, config.clap.projection_dim)


def unet(config: ModelConfig) -> UNet2DConditionModel:
    """AudioLDM's denoiser: self-attention on all levels but the first, and the condition as FiLM.

    The FiLM vector is projected and concatenated to the time embedding, so it reaches every residual block and has no
    time axis. Without `encoder_hidden_states`, what diffusers calls cross-attention attends to the level itself,
    whose width `cross_attention_dim` must therefore repeat.
    """
    section = config.unet
    upper = len(section.block_out_channels) - 1
    return UNet2DConditionModel(
        in_channels=config.vae.latent_channels,
        out_channels=config.vae.latent_channels,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * upper,
        up_block_types=("CrossAttnUpBlock2D",) * upper + ("UpBlock2D",),
        block_out_channels=section.block_out_channels,
        cross_attention_dim=section.block_out_channels,
        attention_head_dim=section.attention_heads,
        layers_per_block=section.layers_per_block,
        norm_num_groups=section.norm_num_groups,
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=config.clap.projection_dim,
        class_embeddings_concat=True,
    )


def vae(config: ModelConfig) -> AutoencoderKL:
    """AudioLDM's autoencoder of the log-mel as a picture with one channel."""
    levels = len(config.vae.block_out_channels)
    return AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        **dict(config.vae),
    )


def vocoder(config: ModelConfig) -> SpeechT5HifiGan:
    """HiFi-GAN from log-mel to waveform."""
    sizes = config.vocoder.model_dump(mode="json")
    return SpeechT5HifiGan(SpeechT5HifiGanConfig(**sizes, sampling_rate=config.spec.sample_rate_hz))


@torch.no_grad()
def set_moderate_level(autoencoder: AutoencoderKL, random_vocoder: SpeechT5HifiGan, rms: float = 0.1) -> None:
    """Start a random vocoder at an audible level: its own initial weights of 0.01 make silence.

    Every convolution keeps the variance of what it is given (He et al. 2015), and the last one is scaled so that the
    sound of random latents has the given RMS before the closing tanh.
    """
    for layer in random_vocoder.modules():
        if isinstance(layer, nn.Conv1d):
            nn.init.normal_(layer.weight, std=(layer.in_channels * layer.kernel_size[0]) ** -0.5)
        elif isinstance(layer, nn.ConvTranspose1d):
            nn.init.normal_(layer.weight, std=(layer.in_channels * layer.kernel_size[0] / layer.stride[0]) ** -0.5)
    height = random_vocoder.config.model_in_dim // 2 ** (len(autoencoder.config.block_out_channels) - 1)
    mel = autoencoder.decode(torch.randn(1, autoencoder.config.latent_channels, 32, height)).sample[:, 0]
    random_vocoder.conv_post.weight.mul_(1e-3)  # so small that tanh is linear and the level can be read behind it
    level = random_vocoder(mel).std()
    random_vocoder.conv_post.weight.mul_(rms / level)


def _pipeline(config: ModelConfig, parts: dict[str, Any], tokenizer: Any, device: torch.device | str) -> FoleyPipeline:
    sha256 = weights_sha256(parts)
    for part in parts.values():
        part.eval().requires_grad_(False).to(device)
    spec = Spec.of(config)
    return FoleyPipeline(
        config=config,
        spec=spec,
        features=PromptAndPictureEncoder(
            spec, ClapTextEncoder(parts["clap_text"], tokenizer), XClipVideoEncoder(parts["video"])
        ),
        alignment=parts["alignment"],
        denoiser=parts["unet"],
        vae=parts["vae"],
        vocoder=parts["vocoder"],
        weights_sha256=sha256,
    )
