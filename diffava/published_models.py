"""From pulled checkpoints to a model's folder of our own, and to CLAP's two towers. Knows parts, no pipeline.

What others publish is converted once, a part after another, into a saved model in the cache; from then on it is opened,
verified and rested like every other. The folder's name has the configuration's hash in it, so that another release of
this software, or another switch, converts anew.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from torch import Tensor, nn
from transformers import (
    ClapAudioConfig,
    ClapAudioModelWithProjection,
    ClapTextConfig,
    ClapTextModelWithProjection,
)

from diffava.checkpoints import audioldm_original as original
from diffava.checkpoints.audioldm_folder import FOLDERS, TOKENIZER, check_configurations, folder_tensors
from diffava.checkpoints.folder import write_folder
from diffava.checkpoints.foreign import fit, part_of, read_tensors
from diffava.checkpoints.laion_clap import TEXT_LAYER_NORM_EPS, clap_towers
from diffava.checkpoints.manifest import MANIFEST
from diffava.checkpoints.published_files import cache_root, is_here, published_file, published_folder
from diffava.checkpoints.registry import published, published_names
from diffava.condition.alignment import Alignment
from diffava.config import ModelConfig
from diffava.errors import CheckpointError
from diffava.features.clap import ClapAudioEncoder, ClapTextEncoder, check_text_towers_agree
from diffava.features.tokenizer import load_tokenizer
from diffava.model_parts import make_parts

TEXT_HEAD_WIDTH = 64  # RoBERTa's; no weight's shape shows it
# Which CLAP a base model was trained with: the first that is here and agrees is taken. AudioLDM's training
# configurations name HTSAT-tiny for s and l and the last one for m; that either tiny one is theirs, the guard says.
CLAP_OF_MODEL = {
    "audioldm-s": ("laion-clap-htsat-unfused", "laion-clap-630k-audioset"),
    "audioldm-m": ("laion-clap-music-speech",),
    "audioldm-l": ("laion-clap-htsat-unfused", "laion-clap-630k-audioset"),
}


def converted_folder(config: ModelConfig) -> Path:
    """The saved model of a preset's published weights, converted now if it was not before.

    Args:
        config: A preset that needs published weights, of the name of a published checkpoint.

    Raises:
        CheckpointError: The checkpoint was not pulled, or does not fit; nothing is left behind.
    """
    source = _source(config.name)
    config = _as_the_file_says(config, source)
    plain = config.model_dump(mode="json")
    fingerprint = hashlib.sha256(json.dumps([plain, source], sort_keys=True).encode()).hexdigest()[:8]
    folder = cache_root() / "converted" / f"{config.name}-{fingerprint}"
    if not (folder / MANIFEST).is_file():
        parts = _Parts(config, source)
        write_folder(folder, plain, parts, lambda unfinished: parts.tokenizer().save_pretrained(unfinished / TOKENIZER))
    return folder


def published_clap(name: str, device: torch.device | str = "cpu") -> tuple[ClapTextEncoder, ClapAudioEncoder]:
    """Both towers of a published CLAP (`laion-clap-...`, or `audioldm-...-original`), in one space of unit vectors.

    Raises:
        CheckpointError: It was not pulled, or lacks a tower.
        RequestError: There is no such checkpoint.
    """
    entry = published(name)
    path = published_file(name, _weights_file(name))
    tensors = read_tensors(path)
    if original.is_original(tensors):
        tensors = part_of(tensors, original.CLAP)
    is_laions = any(key.removeprefix("module.").startswith("text_branch.") for key in tensors)
    text, audio = clap_towers(tensors)
    tower = _text_tower(text, TEXT_LAYER_NORM_EPS if is_laions else 1e-12)
    fit(tower, text, str(path))
    ears = _audio_tower(audio)
    fit(ears, audio, str(path))
    folder = published_folder(
        name if any(file.path == "tokenizer.json" for file in entry.files) else "roberta-tokenizer"
    )
    tokenizer = load_tokenizer(folder, tower.config.vocab_size)
    return ClapTextEncoder(tower.to(device), tokenizer), ClapAudioEncoder(ears.to(device))


def published_audio_tower(text: ClapTextEncoder, model: str, device: torch.device | str = "cpu") -> ClapAudioEncoder:
    """The audio tower that belongs to a model's text tower: AudioLDM's folders hold only the latter.

    Args:
        text: The model's own.
        model: The preset's name.
        device: Where it computes.

    Raises:
        CheckpointError: None of those that may be it is here and agrees with the text tower (cosine 0.99).
    """
    wanted = (f"{model}-original", *CLAP_OF_MODEL.get(model, ()))
    complaints = []
    for name in wanted:
        if name in published_names() and is_here(published(name)):
            try:
                own_text, audio = published_clap(name, device)
                check_text_towers_agree(text, own_text)
            except CheckpointError as error:
                complaints.append(f"{name}: {error}")
            else:
                return audio
    found = f" ({' '.join(complaints)})" if complaints else ""
    raise CheckpointError(
        f"'{model}' needs CLAP's audio tower that its text tower was trained with, and none is here{found}. Run "
        f"`diffava models pull {wanted[-1]}`, or {wanted[0]}, which is certain to have it."
    )


class _Parts(Mapping[str, nn.Module]):
    """A model's parts, each made and filled when it is asked for, so that never two are in memory."""

    def __init__(self, config: ModelConfig, source: str) -> None:
        self._config, self._source = config, source
        self._whole: dict[str, Tensor] | None = None
        if _is_original(source):
            self._whole = read_tensors(published_file(source))  # mapped, not in memory
        else:
            check_configurations(published_folder(source), config)

    def __iter__(self) -> Iterator[str]:
        return iter((*FOLDERS, "video", "alignment"))

    def __len__(self) -> int:
        return len(FOLDERS) + 2

    def __getitem__(self, name: str) -> nn.Module:
        if name == "alignment":  # nobody publishes one: its own initial state
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                config = self._config
                return Alignment(config.alignment, config.video_dim, config.clap.projection_dim)
        with torch.random.fork_rng(devices=[]), init_empty_weights(include_buffers=False):
            part: nn.Module = make_parts(self._config)[name]
        fit(part, self._tensors(name), f"'{self._source}', {name}")
        return part

    def tokenizer(self) -> Any:
        """RoBERTa's, checked to have as many tokens as the text tower."""
        if self._whole is None:
            folder = published_folder(self._source) / TOKENIZER
        else:
            folder = published_folder("roberta-tokenizer")
        return load_tokenizer(folder, self._config.clap.text.vocab_size)

    def _tensors(self, name: str) -> dict[str, Tensor]:
        if name == "video":
            return _video_tensors(self._config)
        if self._whole is None:
            return folder_tensors(published_folder(self._source), name)
        if name == "clap_text":
            return clap_towers(part_of(self._whole, original.CLAP))[0]
        if name == "unet" and self._config.unet is not None:
            return original.unet_tensors(self._whole, self._config.unet.layers_per_block)
        return original.vae_tensors(self._whole) if name == "vae" else original.vocoder_tensors(self._whole)


def _source(name: str) -> str:
    """The published checkpoint that is here for a preset: diffusers' folder before the original file."""
    if name not in published_names():
        raise CheckpointError(f"No checkpoint is published for '{name}'.")
    alternative = f"{name}-original"
    if not is_here(published(name)) and alternative in published_names() and is_here(published(alternative)):
        return alternative
    for file in published(name).files:
        published_file(name, file.path)  # says which command brings it
    return name


def _is_original(source: str) -> bool:
    return source.endswith("-original")


def _as_the_file_says(config: ModelConfig, source: str) -> ModelConfig:
    """With the scale of the latents that the original file holds; diffusers' folders are compared instead."""
    if not _is_original(source):
        return config
    scale = original.scale_factor(read_tensors(published_file(source)))
    if scale is None:
        return config
    return config.model_copy(update={"vae": config.vae.model_copy(update={"scaling_factor": scale})})


def _weights_file(name: str) -> str:
    found = [f.path for f in published(name).files if f.path.endswith((".pt", ".ckpt", ".bin", ".safetensors"))]
    return found[0]


def _video_tensors(config: ModelConfig) -> dict[str, Tensor]:
    """Of CLIP or X-CLIP as a whole, what sees: CLIP's tower keeps its prefix in transformers, X-CLIP's does not."""
    name = f"xclip-base-patch{config.video.patch_size}" if config.clip_video is None else "clip-vit-base-patch32"
    tensors = read_tensors(published_file(name, _weights_file(name)))
    if config.clip_video is None:
        return part_of(tensors, "vision_model.")
    return {key: tensor for key, tensor in tensors.items() if key.startswith(("vision_model.", "visual_projection."))}


def _text_tower(tensors: Mapping[str, Tensor], layer_norm_eps: float) -> ClapTextModelWithProjection:
    """Empty, of the sizes that the tensors have."""
    words, width = tensors["text_model.embeddings.word_embeddings.weight"].shape
    layers = {name.split(".")[3] for name in tensors if name.startswith("text_model.encoder.layer.")}
    config = ClapTextConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=len(layers),
        num_attention_heads=max(1, width // TEXT_HEAD_WIDTH),
        intermediate_size=tensors["text_model.encoder.layer.0.intermediate.dense.weight"].shape[0],
        max_position_embeddings=tensors["text_model.embeddings.position_embeddings.weight"].shape[0],
        projection_dim=tensors["text_projection.linear2.weight"].shape[0],
        layer_norm_eps=layer_norm_eps,
    )
    with torch.random.fork_rng(devices=[]), init_empty_weights(include_buffers=False):
        return ClapTextModelWithProjection(config)


def _audio_tower(tensors: Mapping[str, Tensor]) -> ClapAudioModelWithProjection:
    """Empty, of the sizes that the tensors have: HTSAT-tiny or -base."""
    prefix, table = "audio_model.audio_encoder.layers.", ".attention.self.relative_position_bias_table"
    # One table a block, with a column for each of its heads.
    heads_of_stage: dict[int, list[int]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix) and name.endswith(table):
            heads_of_stage.setdefault(int(name.removeprefix(prefix).split(".")[0]), []).append(tensor.shape[1])
    stages = [heads_of_stage[number] for number in sorted(heads_of_stage)]
    width = tensors["audio_model.audio_encoder.patch_embed.proj.weight"].shape[0]
    config = ClapAudioConfig(
        patch_embeds_hidden_size=width,
        depths=[len(blocks) for blocks in stages],
        num_attention_heads=[blocks[0] for blocks in stages],
        hidden_size=width * 2 ** (len(stages) - 1),
        projection_dim=tensors["audio_projection.linear2.weight"].shape[0],
    )
    with torch.random.fork_rng(devices=[]), init_empty_weights(include_buffers=False):
        return ClapAudioModelWithProjection(config)
