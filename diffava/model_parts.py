"""Every module of a model, from its configuration, in its classes' own initial state. Knows no weights, no pipeline."""

from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import (
    ClapAudioConfig,
    ClapAudioModelWithProjection,
    ClapTextConfig,
    ClapTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    XCLIPVisionConfig,
    XCLIPVisionModel,
)

from diffava.condition.alignment import Alignment
from diffava.condition.control_sequence import ControlSequence
from diffava.config import ModelConfig, UNetSection
from diffava.features.mel_audio import MelAudioTower
from diffava.features.motion import MotionEncoder
from diffava.latent.control import ControlBranch
from diffava.latent.transformer import LatentTransformer
from diffava.latent.unet_control import UNetControl
from diffava.spec import Spec
from diffava.waveform.istft_vocoder import IstftVocoder
from diffava.waveform.stacked_pca import StackedPca


def make_parts(config: ModelConfig) -> dict[str, Any]:
    """Every part of a pipeline, by the name of its folder, with random weights."""
    dim = config.clap.projection_dim
    parts: dict[str, Any] = {"clap_text": clap_text(config)}
    if config.clap.mel_audio is not None:  # so small that it is kept: training and measuring need it
        parts["clap_audio"] = MelAudioTower(config.clap.mel_audio.channels, dim)
    parts["video"] = video(config) if config.motion is None else MotionEncoder(config.motion, dim)
    parts["alignment"] = Alignment(config.alignment, config.video_dim, dim)
    if config.unet is not None:
        parts["unet"] = unet(config, config.unet)
    if config.transformer is not None:
        parts["transformer"] = LatentTransformer(config.latent_channels, dim, **dict(config.transformer))
    if config.control is not None:
        sequence = ControlSequence(config.control, dim, config.vae_factor)
        parts["control_sequence"] = sequence
        if config.control.block_count is None:
            parts["control_branch"] = UNetControl(parts["unet"], sequence.dim)
        else:
            parts["control_branch"] = ControlBranch(parts["transformer"], sequence.dim, config.control.block_count)
    if config.stacked_pca is None:
        parts["vae"] = vae(config)
    else:
        parts["stacked_pca"] = StackedPca(**dict(config.stacked_pca))
    if config.istft_vocoder is None:
        parts["vocoder"] = vocoder(config)
    else:
        parts["istft_vocoder"] = IstftVocoder(config.istft_vocoder, Spec.of(config))
    return parts


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


def video(config: ModelConfig) -> XCLIPVisionModel | CLIPVisionModelWithProjection:
    """X-CLIP's vision tower, or CLIP's."""
    if config.clip_video is not None:
        return CLIPVisionModelWithProjection(CLIPVisionConfig(**config.clip_video.model_dump(mode="json")))
    return XCLIPVisionModel(XCLIPVisionConfig(**config.video.model_dump(mode="json")))


def unet(config: ModelConfig, section: UNetSection) -> UNet2DConditionModel:
    """AudioLDM's denoiser: self-attention on all levels but the first, and the condition as FiLM.

    The FiLM vector is projected and concatenated to the time embedding, so it reaches every residual block and has no
    time axis. Without `encoder_hidden_states`, what diffusers calls cross-attention attends to the level itself,
    whose width `cross_attention_dim` must therefore repeat.
    """
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
