"""The only place that chooses classes: from a configuration to a pipeline, with random weights or saved ones."""

from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights

from diffava.checkpoints.folder import CONFIG, read_manifest, read_part, weights_sha256, write_folder
from diffava.condition.conditioner import Conditioner
from diffava.config import ModelConfig, config_from_dict, load_config
from diffava.errors import CheckpointError, ConfigError
from diffava.features.clap import ClapTextEncoder
from diffava.features.encoder import PromptAndPictureEncoder
from diffava.features.motion_video import MotionVideoEncoder
from diffava.features.tokenizer import byte_tokenizer, load_tokenizer
from diffava.features.video import VideoEncoder, XClipVideoEncoder
from diffava.latent.denoiser import Denoiser, TransformerDenoiser, UNetDenoiser
from diffava.latent.diffusion import LatentDiffusion
from diffava.model_parts import make_parts, set_moderate_level
from diffava.pipeline import FoleyPipeline
from diffava.spec import Spec
from diffava.waveform.autoencoder import MelAutoencoder
from diffava.waveform.parts import MelCodec, MelVocoder
from diffava.waveform.stacked_pca import StackedPcaCodec
from diffava.waveform.synthesis import WaveformSynthesis
from diffava.waveform.vocoder import Vocoder

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
        if "vocoder" in parts:
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
        pipeline.parts,
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


def _pipeline(config: ModelConfig, parts: dict[str, Any], tokenizer: Any, device: torch.device | str) -> FoleyPipeline:
    sha256 = weights_sha256(parts)
    for part in parts.values():
        part.eval().requires_grad_(False).to(device)
    spec = Spec.of(config)
    return FoleyPipeline(
        config=config,
        spec=spec,
        features=PromptAndPictureEncoder(spec, ClapTextEncoder(parts["clap_text"], tokenizer), _video(config, parts)),
        conditioner=Conditioner(config.name, spec, parts["alignment"], parts.get("control_sequence")),
        diffusion=LatentDiffusion(_denoiser(parts), spec, config.flow or config.scheduler),
        synthesis=WaveformSynthesis(_codec(parts, spec), _vocoder(parts), spec),
        parts=parts,
        weights_sha256=sha256,
    )


def _video(config: ModelConfig, parts: dict[str, Any]) -> VideoEncoder:
    if config.motion is None:
        return XClipVideoEncoder(parts["video"])
    return MotionVideoEncoder(parts["video"], config.motion.token_frames)


def _denoiser(parts: dict[str, Any]) -> Denoiser:
    if "unet" in parts:
        return UNetDenoiser(parts["unet"])
    return TransformerDenoiser(parts["transformer"], parts.get("control_branch"))


def _codec(parts: dict[str, Any], spec: Spec) -> MelCodec:
    return MelAutoencoder(parts["vae"], spec) if "vae" in parts else StackedPcaCodec(parts["stacked_pca"], spec)


def _vocoder(parts: dict[str, Any]) -> MelVocoder:
    return Vocoder(parts["vocoder"]) if "vocoder" in parts else parts["istft_vocoder"]
