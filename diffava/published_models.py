"""From pulled checkpoints to a model's folder of our own. Knows parts, no pipeline.

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
from filelock import FileLock
from torch import Tensor, nn

from diffava.checkpoints import audioldm_original as original
from diffava.checkpoints.audioldm_folder import FOLDERS, TOKENIZER, check_configurations, folder_tensors
from diffava.checkpoints.folder import write_folder
from diffava.checkpoints.foreign import fit, part_of, read_tensors
from diffava.checkpoints.laion_clap import clap_towers
from diffava.checkpoints.manifest import MANIFEST
from diffava.checkpoints.published_files import cache_root, is_here, published_file, published_folder, weights_file
from diffava.checkpoints.registry import published, published_names
from diffava.condition.alignment import Alignment
from diffava.config import ModelConfig
from diffava.errors import CheckpointError
from diffava.features.tokenizer import load_tokenizer
from diffava.model_parts import make_parts


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
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):  # a second process waits instead of converting as well
        if not (folder / MANIFEST).is_file():
            parts = _Parts(config, source)

            def write_tokenizer(unfinished: Path) -> None:
                parts.tokenizer().save_pretrained(unfinished / TOKENIZER)

            write_folder(folder, plain, parts, write_tokenizer)
    return folder


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


def _video_tensors(config: ModelConfig) -> dict[str, Tensor]:
    """Of CLIP or X-CLIP as a whole, what sees: CLIP's tower keeps its prefix in transformers, X-CLIP's does not."""
    name = f"xclip-base-patch{config.video.patch_size}" if config.clip_video is None else "clip-vit-base-patch32"
    tensors = read_tensors(published_file(name, weights_file(published(name))))
    if config.clip_video is None:
        return part_of(tensors, "vision_model.")
    return {key: tensor for key, tensor in tensors.items() if key.startswith(("vision_model.", "visual_projection."))}
