"""The CLAP audio tower that belongs to a model, wherever its weights are. Knows folders, no clips."""

from pathlib import Path

import torch
from transformers import ClapAudioModelWithProjection, ClapTextModelWithProjection

from diffava.errors import CheckpointError, ConfigError
from diffava.features.clap import ClapAudioEncoder, ClapTextEncoder, check_text_towers_agree
from diffava.features.encoder import PromptAndPictureEncoder
from diffava.features.mel_audio import AudioEncoder, MelAudioEncoder, MelAudioTower
from diffava.model_parts import clap_audio
from diffava.pipeline import FoleyPipeline
from diffava.published_clap import published_audio_tower
from diffava.waveform.mel import MelAnalysis


def audio_tower(pipeline: FoleyPipeline, clap: Path | None = None) -> AudioEncoder:
    """The model's own tower, that of a CLAP folder in transformers' format, or the published one that was pulled.

    AudioLDM's published folders hold the text tower only. The audio tower must be of the same CLAP, which is checked by
    its text tower (`diffava.features.clap.check_text_towers_agree`). A model that is random on purpose gets a random
    tower.

    Raises:
        ConfigError: The model has no text tower to compare with.
        CheckpointError: The folder's CLAP is another one, or none; without a folder, none that fits was pulled.
    """
    device = next(pipeline.parts["clap_text"].parameters()).device
    if clap is not None:
        return _of_folder(pipeline, clap, device)
    own = pipeline.parts.get("clap_audio")
    if isinstance(own, MelAudioTower):
        return MelAudioEncoder(own, MelAnalysis(pipeline.spec), pipeline.spec.sample_rate_hz)
    if own is not None:
        return ClapAudioEncoder(own)
    if not pipeline.config.has_random_weights:
        return published_audio_tower(_text_of(pipeline), pipeline.name, device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ClapAudioEncoder(clap_audio(pipeline.config).to(device))


def _of_folder(pipeline: FoleyPipeline, folder: Path, device: torch.device) -> AudioEncoder:
    text_of_model = _text_of(pipeline)
    try:
        audio = ClapAudioModelWithProjection.from_pretrained(str(folder), local_files_only=True)
        text = ClapTextModelWithProjection.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} holds no CLAP in transformers' format ({error}).") from error
    of_folder = ClapTextEncoder(text, text_of_model.tokenizer)
    check_text_towers_agree(text_of_model, of_folder)
    return ClapAudioEncoder(audio.to(device))


def _text_of(pipeline: FoleyPipeline) -> ClapTextEncoder:
    if not isinstance(pipeline.features, PromptAndPictureEncoder):
        raise ConfigError(f"The encoder {type(pipeline.features).__name__} has no text tower to compare with.")
    return pipeline.features.text
